//! What writes to a server, for a store: the requests that are in order, and the open transaction.
//!
//! It must never leave a transaction open that no token holds, nor run a statement outside the one it was meant for.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::entries::Run;
use super::link::Patience;
use super::proto::{self, Done, Outcome};
use super::stream::Stream;
use super::words;
use crate::cursor::CursorId;
use crate::journal::Change;
use crate::request::{Behavior, Command, Executed, Limits, Reply};
use crate::rows::RowSink;
use crate::session::{Backend, MAX_TRANSACTION_DEPTH};
use crate::sqlite::{Interrupt, Watch};
use crate::token::TokenState;
use crate::{Many, ParamsRef, Server, StoreError};

/// How long undoing a transaction may take, whatever time its holder has left. The server undoes it by itself if it hears nothing.
const UNDO: Duration = Duration::from_secs(5);

const AUTOCOMMIT: &str = "{\"type\":\"get_autocommit\"}";

pub(crate) struct Session {
    stream: Stream,
    interrupt: Arc<Interrupt>,
    open: Option<Open>,
    last_insert_rowid: i64,
    #[cfg(feature = "replication")]
    copy: Option<super::copy::Copy>,
}

/// The open transaction.
struct Open {
    token: Arc<TokenState>,
    /// 1 is the transaction itself, each more a savepoint.
    depth: usize,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.token.set_open(false);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.open.is_some() {
            self.lose();
        }
    }
}

/// What came of a pipeline.
pub(super) struct Asked {
    pub(super) results: Vec<Result<Done, StoreError>>,
    /// Whether no transaction is open on the stream now.
    pub(super) autocommit: bool,
}

impl Asked {
    fn only(&mut self) -> Result<Done, StoreError> {
        self.results.pop().unwrap_or_else(|| Ok(Done::default()))
    }
}

impl Session {
    /// Asks the server for something small, so that a wrong address or token is noticed now.
    pub(crate) fn open(server: &Server, interrupt: Arc<Interrupt>) -> Result<Self, StoreError> {
        let mut session = Self::new(server, interrupt)?;
        session.greet(server)?;
        Ok(session)
    }

    fn new(server: &Server, interrupt: Arc<Interrupt>) -> Result<Self, StoreError> {
        Ok(Self {
            stream: Stream::new(server)?,
            interrupt,
            open: None,
            last_insert_rowid: 0,
            #[cfg(feature = "replication")]
            copy: None,
        })
    }

    /// What writes for a copy of the server's database in a file, which is made if it is not there.
    #[cfg(feature = "replication")]
    pub(crate) fn follow(
        path: &Path,
        replica: &crate::Replica,
        shared: &crate::shared::Shared,
    ) -> Result<Self, StoreError> {
        let mut session = Self::new(&replica.of, Arc::clone(&shared.interrupt))?;
        let is_alone = match session.greet(&replica.of) {
            // There is something to read, and may be a server later.
            Err(StoreError::Unreachable { .. } | StoreError::Disconnected { .. }) if path.exists() => true,
            other => other.map(|()| false)?,
        };
        session.copy = Some(super::copy::Copy::begin(path, replica, shared, is_alone)?);
        Ok(session)
    }

    fn greet(&mut self, server: &Server) -> Result<(), StoreError> {
        let session = self;
        let watch = Watch { deadline: Instant::now().checked_add(server.connect_timeout), ..Watch::none() };
        session.interrupt.begin();
        let asked = session.execute("SELECT 1", ParamsRef::Positional(&[]), &watch);
        session.interrupt.end();
        asked.map_err(|error| match error {
            StoreError::Timeout { .. } => StoreError::Unreachable {
                server: server.url.clone(),
                problem: format!("no answer within {} ms", server.connect_timeout.as_millis()),
            },
            other => other,
        })?;
        Ok(())
    }

    /// Something was written, or may have been: sees to it that queries of a copy know of it.
    fn wrote(&mut self, watch: &Watch) {
        #[cfg(feature = "replication")]
        if self.open.is_none()
            && let Some(copy) = &self.copy
        {
            copy.catch_up(watch, &self.interrupt);
        }
        #[cfg(not(feature = "replication"))]
        let _ = watch;
    }

    fn perform(
        &mut self,
        command: Command,
        token: Option<Arc<TokenState>>,
        watch: &Watch,
    ) -> Result<Reply, StoreError> {
        match command {
            Command::Execute { sql, params } => self.execute(&sql, (&params).into(), watch).map(Reply::Executed),
            Command::Query { .. } => Err(StoreError::Internal("a query has rows to give to somebody".into())),
            Command::Batch { sql } => self.batch(&sql, watch).map(Reply::Executed),
            Command::ExecuteMany { sql, rows } => self.execute_many(&sql, &rows, watch).map(Reply::Executed),
            Command::Begin(behavior) => {
                let token = token.ok_or(StoreError::NoTransaction)?;
                self.begin(token, behavior, watch).map(|()| Reply::Done)
            }
            Command::Commit => self.commit(watch).map(|()| Reply::Done),
            Command::Rollback => self.rollback().map(|()| Reply::Done),
        }
    }

    /// Does something for who may, in time.
    fn watched<T>(
        &mut self,
        watch: Watch,
        begins: bool,
        work: impl FnOnce(&mut Self, &Watch) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        super::admit(&watch)?;
        if let Some(token) = &watch.token {
            let begins = begins && self.open.is_none();
            if token.is_abandoned() || !(begins || self.is_held_by(Some(token))) {
                return Err(StoreError::NoTransaction);
            }
        }
        self.interrupt.begin();
        let result = work(self, &watch);
        self.interrupt.end();
        result
    }

    /// Asks for things that have no rows, and whether a transaction is open afterwards. `held`: only the stream will do on which something
    /// is open.
    pub(super) fn ask(&mut self, requests: &[&str], held: bool, watch: &Watch) -> Result<Asked, StoreError> {
        let mut all = requests.to_vec();
        all.push(AUTOCOMMIT);
        let patience = Patience { watch, interrupt: &self.interrupt };
        let asked = self.stream.pipeline(&all, held, &patience);
        let mut outcomes = asked.inspect_err(|_| self.lose())?;
        let autocommit = outcomes.pop().and_then(|outcome| outcome.response).and_then(|said| said.is_autocommit);
        match autocommit {
            Some(autocommit) if autocommit || self.stream.goes_on() => {
                let results = outcomes.into_iter().map(|outcome| self.done(outcome)).collect();
                Ok(Asked { results, autocommit })
            }
            Some(_) => {
                self.lose();
                Err(self.stream.link.bad("it ends a stream with an open transaction"))
            }
            None => {
                self.lose();
                Err(self.stream.link.bad("it does not tell whether a transaction is open"))
            }
        }
    }

    fn done(&self, outcome: Outcome) -> Result<Done, StoreError> {
        match (&*outcome.kind, outcome.response, outcome.error) {
            ("ok", Some(response), _) => Ok(response.result.unwrap_or_default()),
            ("error", _, Some(fault)) => Err(proto::error(fault)),
            _ => Err(self.stream.link.bad("a result that is none")),
        }
    }

    /// Gives up the stream, and the transaction on it: how they would go on is not known, or nobody's affair any more.
    fn lose(&mut self) {
        self.open = None;
        self.stream.end(&self.interrupt);
    }

    /// Sees to it that a transaction is open exactly when a token holds it.
    fn settle<T>(&mut self, autocommit: bool, result: Result<T, StoreError>) -> Result<T, StoreError> {
        match (&self.open, autocommit) {
            // Rolled back as a whole by an error; or ended by a statement, which is not one's to do.
            (Some(_), true) => {
                self.open = None;
                result?;
                Err(StoreError::TransactionControl)
            }
            (None, false) => {
                self.lose();
                result?;
                Err(StoreError::TransactionLeftOpen)
            }
            _ => result,
        }
    }

    fn execute(&mut self, sql: &str, params: ParamsRef<'_>, watch: &Watch) -> Result<Executed, StoreError> {
        words::refuse_control(sql)?;
        let mut asked = self.ask(&[&request(sql, params)?], self.open.is_some(), watch)?;
        let done = asked.only();
        let done = self.settle(asked.autocommit, done)?;
        Ok(self.executed(done.affected_row_count, done.rowid()))
    }

    pub(super) fn bad(&self, problem: String) -> StoreError {
        self.stream.link.bad(problem)
    }

    pub(super) fn executed(&mut self, changes: u64, rowid: Option<i64>) -> Executed {
        self.last_insert_rowid = rowid.unwrap_or(self.last_insert_rowid);
        Executed { changes, last_insert_rowid: self.last_insert_rowid }
    }

    fn batch(&mut self, sql: &str, watch: &Watch) -> Result<Executed, StoreError> {
        let held = self.open.is_some();
        if held {
            words::refuse_control_in_batch(sql)?;
        }
        let mut request = String::from("{\"type\":\"sequence\",\"sql\":");
        proto::sql(&mut request, sql)?;
        request.push('}');
        let mut asked = self.ask(&[&request], held, watch)?;
        let done = asked.only();
        self.settle(asked.autocommit, done)?;
        Ok(self.executed(0, None))
    }

    fn execute_many(&mut self, sql: &str, rows: &Many, watch: &Watch) -> Result<Executed, StoreError> {
        words::refuse_control(sql)?;
        let alone = self.open.is_none();
        let ran = super::many::run(self, sql, rows, alone, watch);
        let Err(error) = &ran else { return ran };
        // Where the stream was lost, all of it was.
        if self.stream.goes_on() && !matches!(error, StoreError::Timeout { begun: false, .. }) {
            let undo = Watch { deadline: Instant::now().checked_add(UNDO), ..Watch::none() };
            let undone = match alone {
                true => self.ask(&[&control("ROLLBACK")], true, &undo),
                false => {
                    let requests = [control("ROLLBACK TO wasgo_guard"), control("RELEASE wasgo_guard")];
                    self.ask(&[&requests[0], &requests[1]], true, &undo)
                }
            };
            if let Ok(undone) = undone {
                // It may be that nothing was open: then the server says so, and that is well.
                let _ = self.settle(undone.autocommit, Ok(()));
            }
        }
        ran
    }

    fn begin(&mut self, token: Arc<TokenState>, behavior: Behavior, watch: &Watch) -> Result<(), StoreError> {
        let Some(open) = &self.open else {
            let begin = control(match behavior {
                Behavior::Deferred => "BEGIN",
                Behavior::Immediate => "BEGIN IMMEDIATE",
            });
            let mut asked = self.ask(&[&begin], false, watch)?;
            asked.only()?;
            if asked.autocommit {
                return Err(self.stream.link.bad("it began a transaction that is not open"));
            }
            token.set_open(true);
            self.open = Some(Open { token, depth: 1 });
            return Ok(());
        };
        if open.depth >= MAX_TRANSACTION_DEPTH {
            return Err(StoreError::NestedTooDeep { max: MAX_TRANSACTION_DEPTH });
        }
        let savepoint = control(&format!("SAVEPOINT wasgo_{}", open.depth));
        self.nested(&[&savepoint], watch)?;
        self.open.iter_mut().for_each(|open| open.depth += 1);
        Ok(())
    }

    /// Runs statements of our own that leave the transaction open.
    fn nested(&mut self, requests: &[&str], watch: &Watch) -> Result<(), StoreError> {
        let asked = self.ask(requests, true, watch)?;
        let all = asked.results.into_iter().try_for_each(|result| result.map(drop));
        self.settle(asked.autocommit, all)
    }

    fn commit(&mut self, watch: &Watch) -> Result<(), StoreError> {
        let depth = self.open.as_ref().ok_or(StoreError::NoTransaction)?.depth;
        if depth > 1 {
            self.nested(&[&control(&format!("RELEASE wasgo_{}", depth - 1))], watch)?;
            self.open.iter_mut().for_each(|open| open.depth -= 1);
            return Ok(());
        }
        let mut asked = self.ask(&[&control("COMMIT")], true, watch)?;
        if asked.autocommit {
            self.open = None;
        }
        asked.only().map(drop)
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        let depth = self.open.as_ref().ok_or(StoreError::NoTransaction)?.depth;
        // What has to be undone is undone, however late it is.
        let watch = Watch { deadline: Instant::now().checked_add(UNDO), ..Watch::none() };
        if depth > 1 {
            let name = format!("wasgo_{}", depth - 1);
            self.nested(&[&control(&format!("ROLLBACK TO {name}")), &control(&format!("RELEASE {name}"))], &watch)?;
            self.open.iter_mut().for_each(|open| open.depth -= 1);
            return Ok(());
        }
        match self.ask(&[&control("ROLLBACK")], true, &watch) {
            Ok(asked) if asked.autocommit => self.open = None,
            // Left to the server, which undoes what nobody goes on with.
            Ok(_) | Err(_) => self.lose(),
        }
        Ok(())
    }

    /// After a query that failed: whether the transaction that it was in goes on.
    fn settle_failed(&mut self, error: &StoreError) {
        if self.open.is_none() {
            return self.stream.end(&self.interrupt);
        }
        let lost = matches!(
            error,
            StoreError::Timeout { .. }
                | StoreError::Interrupted
                | StoreError::NoTransaction
                | StoreError::Disconnected { .. }
                | StoreError::Unreachable { .. }
                | StoreError::Unauthorized { .. }
                | StoreError::BadAnswer { .. }
        );
        if lost || !self.stream.goes_on() {
            return self.lose();
        }
        let watch = Watch { deadline: Instant::now().checked_add(UNDO), ..Watch::none() };
        if let Ok(asked) = self.ask(&[], true, &watch)
            && asked.autocommit
        {
            self.open = None;
        }
    }
}

impl Backend for Session {
    fn is_idle(&self) -> bool {
        self.open.is_none()
    }

    fn is_held_by(&self, token: Option<&Arc<TokenState>>) -> bool {
        match (&self.open, token) {
            (Some(open), Some(token)) => Arc::ptr_eq(&open.token, token),
            _ => false,
        }
    }

    fn roll_back_if_abandoned(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.token.is_abandoned()) {
            self.lose();
        }
    }

    fn roll_back(&mut self) {
        if self.open.is_some() {
            self.lose();
        }
    }

    fn run(&mut self, command: Command, watch: Watch) -> Result<Reply, StoreError> {
        let begins = matches!(command, Command::Begin(_));
        let token = watch.token.clone();
        self.watched(watch, begins, |session, watch| {
            let result = session.perform(command, token, watch);
            session.wrote(watch);
            result
        })
    }

    fn query(
        &mut self,
        sql: &str,
        params: ParamsRef<'_>,
        limits: Limits,
        watch: Watch,
        sink: &mut dyn RowSink,
    ) -> Result<bool, StoreError> {
        self.watched(watch, false, |session, watch| {
            words::refuse_control(sql)?;
            let held = session.open.is_some();
            let Self { stream, interrupt, .. } = session;
            let patience = Patience { watch, interrupt };
            let run = stream.cursor(sql, params, held, &patience).map(Run::new);
            let read = run.and_then(|mut run| run.read_whole(&mut stream.link, limits, &patience, sink));
            match read {
                Ok(()) => {
                    session.wrote(watch);
                    Ok(false)
                }
                Err(error) => {
                    session.settle_failed(&error);
                    Err(error)
                }
            }
        })
    }

    fn fetch(
        &mut self,
        _cursor: CursorId,
        _query: &(String, crate::Params),
        _limits: Limits,
        _watch: Watch,
        _sink: &mut dyn RowSink,
    ) -> Result<bool, StoreError> {
        // A stream of the server does one thing at a time: rows that are not all read would hold up the transaction.
        Err(StoreError::NoCursor)
    }

    fn close_cursor(&mut self, _cursor: CursorId) {}

    fn back_up(&mut self, _target: &Path, _watch: Watch) -> Result<Reply, StoreError> {
        Err(StoreError::NotRemote { what: "a backup" })
    }

    fn record(&self, _on: bool) {}

    fn take_committed(&self) -> Vec<Change> {
        Vec::new()
    }
}

/// A request for a statement whose rows are not wanted.
pub(super) fn request(sql: &str, params: ParamsRef<'_>) -> Result<String, StoreError> {
    let mut request = String::from("{\"type\":\"execute\",\"stmt\":");
    proto::statement(&mut request, sql, params, false)?;
    request.push('}');
    Ok(request)
}

/// The same for one of our own, which has nothing in it that is to be escaped.
fn control(sql: &str) -> String {
    format!("{{\"type\":\"execute\",\"stmt\":{{\"sql\":\"{sql}\",\"want_rows\":false}}}}")
}
