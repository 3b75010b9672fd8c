//! A stream of a server: what is asked on it is asked of one connection to the database, and of one transaction.

use std::time::{Duration, Instant};

use hyper::StatusCode;

use super::entries::{Entries, Line};
use super::link::{Answer, Link, Patience};
use super::proto::{self, CursorHead, Outcome, Pipeline, Refusal};
use super::target::Target;
use crate::{ParamsRef, Server, StoreError};

/// The most that the answer to statements without rows may have, in bytes.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// A stream outside a transaction that was not used for so long is not used again: servers end those that idle for some seconds.
const MAX_IDLE: Duration = Duration::from_secs(4);

/// How long the end of a stream may take to be told: the server notices by itself, only later.
const FAREWELL: Duration = Duration::from_millis(250);

pub(super) struct Stream {
    pub(super) link: Link,
    home: Target,
    /// Where the server wants to be asked next.
    at: Target,
    /// What the server knows the stream by; none before the first answer, and while it is asked.
    baton: Option<String>,
    used: Instant,
}

impl Stream {
    pub(super) fn new(server: &Server) -> Result<Self, StoreError> {
        let home =
            Target::parse(&server.url).map_err(|problem| StoreError::InvalidOption { option: "location", problem })?;
        Ok(Self { link: Link::new(server)?, at: home.clone(), home, baton: None, used: Instant::now() })
    }

    /// Whether the server knows a stream that the next request can go on with.
    pub(super) fn goes_on(&self) -> bool {
        self.baton.is_some()
    }

    /// Leaves the stream to the server to end: the next request begins another.
    pub(super) fn forget(&mut self) {
        self.baton = None;
        self.at.clone_from(&self.home);
    }

    /// Ends the stream, with what was not committed on it; what is under way on it is not waited for.
    pub(super) fn end(&mut self, interrupt: &crate::sqlite::Interrupt) {
        self.link.drop_connection();
        if self.baton.is_some() {
            // The server ends it in some seconds if it does not hear of this.
            let watch =
                crate::sqlite::Watch { deadline: Instant::now().checked_add(FAREWELL), ..crate::sqlite::Watch::none() };
            let _ = self.pipeline(&["{\"type\":\"close\"}"], true, &Patience { watch: &watch, interrupt });
        }
        self.forget();
    }

    /// Asks for several things at once, none of which has rows. `held`: only this very stream will do.
    pub(super) fn pipeline(
        &mut self,
        requests: &[&str],
        held: bool,
        patience: &Patience<'_>,
    ) -> Result<Vec<Outcome>, StoreError> {
        let rest = format!("\"requests\":[{}]", requests.join(","));
        let mut answer = self.send("v3/pipeline", &rest, held, patience)?;
        drop(rest);
        let bytes = self.link.read_all(&mut answer, MAX_ANSWER_BYTES, patience);
        let bytes = bytes.inspect_err(|_| self.link.drop_connection())?;
        let Pipeline { baton, base_url, results } = self.parse(&bytes)?;
        if results.len() != requests.len() {
            return Err(self.link.bad(format!("{} results for {} requests", results.len(), requests.len())));
        }
        self.go_on(baton, base_url)?;
        Ok(results)
    }

    /// Asks for one statement and its rows.
    pub(super) fn cursor(
        &mut self,
        sql: &str,
        params: ParamsRef<'_>,
        held: bool,
        patience: &Patience<'_>,
    ) -> Result<Entries, StoreError> {
        let mut rest = String::from("\"batch\":{\"steps\":[{\"stmt\":");
        proto::statement(&mut rest, sql, params, true)?;
        rest.push_str("}]}");
        let answer = self.send("v3/cursor", &rest, held, patience)?;
        drop(rest);
        let mut entries = Entries::new(answer);
        let begun = match entries.line(&mut self.link, MAX_ANSWER_BYTES, patience) {
            Ok(Line::Is(line)) => {
                serde_json::from_slice::<CursorHead>(line).map_err(|error| self.link.bad(error.to_string()))
            }
            Ok(Line::End) => Err(self.link.bad("it is empty")),
            Ok(Line::TooLong) => Err(self.link.bad(format!("a line of more than {MAX_ANSWER_BYTES} bytes"))),
            Err(error) => Err(error),
        };
        let begun = begun.and_then(|head| self.go_on(head.baton, head.base_url));
        match begun {
            Ok(()) => Ok(entries),
            Err(error) => {
                self.link.drop_connection();
                Err(error)
            }
        }
    }

    fn parse<'a, T: serde::Deserialize<'a>>(&self, bytes: &'a [u8]) -> Result<T, StoreError> {
        serde_json::from_slice(bytes).map_err(|error| self.link.bad(error.to_string()))
    }

    /// Remembers how the stream goes on.
    fn go_on(&mut self, baton: Option<String>, base_url: Option<String>) -> Result<(), StoreError> {
        self.used = Instant::now();
        match (&baton, base_url) {
            (None, _) => self.at.clone_from(&self.home),
            (Some(_), Some(url)) => {
                let given = Target::given(&url, &self.home);
                self.at = given.map_err(|problem| self.link.bad(problem))?;
            }
            (Some(_), None) => {}
        }
        self.baton = baton;
        Ok(())
    }

    /// Sends a request, and reads the answer as far as its status says that it is one.
    fn send(&mut self, endpoint: &str, rest: &str, held: bool, patience: &Patience<'_>) -> Result<Answer, StoreError> {
        if !held && self.used.elapsed() > MAX_IDLE {
            self.forget();
        }
        loop {
            let mut body = String::with_capacity(rest.len() + 64);
            body.push_str("{\"baton\":");
            let baton = self.baton.take();
            match &baton {
                Some(baton) => proto::string(&mut body, baton),
                None => body.push_str("null"),
            }
            body.push(',');
            body.push_str(rest);
            body.push('}');
            let mut answer = self.link.post(&self.at, endpoint, body, patience)?;
            if answer.status == StatusCode::OK {
                return Ok(answer);
            }
            let refusal = self.link.read_refusal(&mut answer, patience)?;
            self.forget();
            // It does not know the stream any more, and has run nothing on it.
            let unknown = [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::GONE].contains(&answer.status);
            if held || baton.is_none() || !unknown {
                return Err(self.refused(answer.status, endpoint, &refusal));
            }
        }
    }

    fn refused(&self, status: StatusCode, endpoint: &str, bytes: &[u8]) -> StoreError {
        let server = self.link.server().url.clone();
        let text = String::from_utf8_lossy(bytes);
        let said: Option<Refusal> = serde_json::from_slice(bytes).ok();
        let (message, code) = said.map_or((None, None), |said| (said.message, said.code));
        let message = proto::excerpt(message.as_deref().unwrap_or(&text)).trim().to_owned();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let message = if message.is_empty() { status.to_string() } else { message };
                StoreError::Unauthorized { server, message }
            }
            StatusCode::NOT_FOUND if code.is_none() => {
                self.link.bad(format!("it has no {endpoint}: it does not speak Hrana 3"))
            }
            _ if code.is_some() => proto::error(proto::Fault { message, code }),
            _ if status.is_redirection() => self.link.bad(format!("it sends its clients on ({status})")),
            _ => StoreError::Server { name: "server", message: format!("HTTP status {status}: {message}") },
        }
    }
}
