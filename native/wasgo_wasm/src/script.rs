//! Scripts: modules that keep the script contract, run by as many instances as are needed at once.
//!
//! A script has no state of its own between calls: each call gets an idle instance, or a new one (microseconds), and gives it
//! back when it went well. After a trap or a stop the instance is thrown away, so that one bad row can't spoil another.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::abi::{Answers, Generation, Processed, Rows, ScriptInfo};
use crate::component::{self, Component};
use crate::error::{ERRORS_AT_LENGTH, Error, LimitKind};
use crate::executor::{Callback, Started};
use crate::imports::{HostImport, Imports};
use crate::instance::CallOptions;
use crate::limits::{DEFAULT_FUEL, Limits};
use crate::local::{self, Stop};
use crate::module::Module;
use crate::scratch::Scratch;
use crate::script_batch::Ran;
use crate::script_guest::{ComponentCode, ScriptCode, ScriptGuest};
use crate::wasi::InRuntime;

/// Idle instances that a script keeps: as many as schedulers call at once on a usual server.
const KEEP_IDLE: usize = 16;

/// Instances of one script at once.
const MAX_INSTANCES: usize = 1_024;

/// An instance of a script, with its place among them.
struct Member {
    core: ScriptGuest,
    live: Live,
}

impl Member {
    fn discard(self) {
        drop(self.live);
        self.core.reap();
    }
}

/// A place among a script's instances, given back when dropped: also when making the instance is stopped in the middle.
struct Live(Arc<AtomicUsize>);

impl Live {
    fn take(count: &Arc<AtomicUsize>) -> Result<Self, Error> {
        let live = Self(Arc::clone(count));
        if count.fetch_add(1, Ordering::Relaxed) < MAX_INSTANCES {
            Ok(live)
        } else {
            Err(Error::Limit { kind: LimitKind::Instances, limit: MAX_INSTANCES as u64, asked: None })
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a script may use.
#[derive(Clone, Default)]
pub struct ScriptOptions {
    /// What each of its instances is held to.
    pub limits: Limits,
    /// What each of them is given.
    pub imports: Imports,
}

struct Parts {
    code: ScriptCode,
    options: ScriptOptions,
    idle: Mutex<Vec<Member>>,
    live: Arc<AtomicUsize>,
}

/// A script; clones are handles on the same one. Its instances are freed with the last.
#[derive(Clone)]
pub struct Script(Arc<Parts>);

impl Script {
    /// A script of `module`.
    ///
    /// # Errors
    /// [`Error::MissingImport`] names what is not given, [`Error::WrongType`] what is given with another type; [`Error::Contract`] for a
    /// WASI program.
    pub fn new(module: &Module, options: ScriptOptions) -> Result<Self, Error> {
        module.link(module.flavour(&options.limits), &options.imports)?;
        Ok(Self::of(ScriptCode::Module(module.clone()), options))
    }

    /// A script of `component`, which keeps the contract with typed functions.
    ///
    /// # Errors
    /// [`Error::MissingImport`] names what is not given, [`Error::WrongType`] a function that does not fit.
    pub fn of_component(component: &Component, given: component::Imports, limits: Limits) -> Result<Self, Error> {
        let code = ComponentCode::new(component, given)?;
        Ok(Self::of(ScriptCode::Component(code), ScriptOptions { limits, ..ScriptOptions::default() }))
    }

    fn of(code: ScriptCode, options: ScriptOptions) -> Self {
        Self(Arc::new(Parts { code, options, idle: Mutex::new(Vec::new()), live: Arc::default() }))
    }

    /// Whether calls need a [`HostHandler`](crate::HostHandler): somebody who runs functions, or hears what is logged.
    pub fn wants_handler(&self) -> bool {
        match &self.0.code {
            ScriptCode::Module(_) => self.0.options.imports.want_handler(),
            ScriptCode::Component(code) => code.given.want_handler(),
        }
    }

    /// The functions that the host runs for a module; those of a component have types of their own, which come with each request.
    pub fn functions(&self) -> &Arc<Vec<HostImport>> {
        &self.0.options.imports.functions
    }

    /// Looks at what the module offers of the contract, and asks it for its columns.
    pub fn info(
        &self,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<ScriptInfo, Error>>,
    ) -> Started<Result<ScriptInfo, Error>> {
        self.start(options, later, |mut user| async move {
            let result = match user.core().await {
                Ok(core) => core.script_info().await,
                Err(error) => Err(error),
            };
            user.end(result)
        })
    }

    /// Calls `_notification(what, row)` for each row of `rows`, in order. A trap in one row is that row's error, and the others
    /// run; the time limit holds for all together, and ends them all.
    pub fn notify(
        &self,
        what: i32,
        rows: Rows,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<Answers, Error>>,
    ) -> Started<Result<Answers, Error>> {
        self.start(options, later, move |mut user| async move {
            let given = user.options.fuel.unwrap_or(DEFAULT_FUEL);
            let result = user.notify(what, &Arc::new(rows)).await.map_err(|error| match error {
                // What it lacked in the end is less.
                Error::Limit { kind: kind @ LimitKind::Fuel, asked, .. } => Error::Limit { kind, limit: given, asked },
                other => other,
            });
            user.end(result)
        })
    }

    /// As [`Self::info`], on this thread, which waits for it.
    ///
    /// # Errors
    /// Those of the guest; [`Error::Cancelled`] when `stop` says that it is to be stopped.
    pub fn info_here(&self, options: CallOptions, stop: &Stop) -> Result<ScriptInfo, Error> {
        self.run_here(options, stop, async |user| user.core().await?.script_info().await)
    }

    /// As [`Self::notify`], on this thread, which waits for it: for a database's, which asks in the middle of a statement. What the script
    /// was granted runs on this thread too.
    ///
    /// # Errors
    /// As of [`Self::info_here`].
    pub fn notify_here(&self, what: i32, rows: Rows, options: CallOptions, stop: &Stop) -> Result<Answers, Error> {
        self.run_here(options, stop, async |user| user.notify(what, &Arc::new(rows)).await)
    }

    fn run_here<T>(
        &self,
        options: CallOptions,
        stop: &Stop,
        job: impl AsyncFnOnce(&mut User) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let timeout = options.timeout;
        let member = self.0.idle().pop();
        let mut user =
            User { script: Arc::clone(&self.0), member, begun: false, restarted: false, inline: false, options };
        let job = async move {
            let result = job(&mut user).await;
            user.end(result)
        };
        local::run_here(self.0.code.engine(), job, timeout, stop)
    }

    /// Calls `process` with `input`.
    pub fn process(
        &self,
        input: Vec<u8>,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<Processed, Error>>,
    ) -> Started<Result<Processed, Error>> {
        self.start(options, later, move |mut user| async move {
            let result = match user.core().await {
                Ok(core) => core.process(&input).await,
                Err(error) => Err(error),
            };
            user.end(result)
        })
    }

    /// Calls `generate`; the result is the bytes that it returned.
    pub fn generate(
        &self,
        what: Generation,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<Vec<u8>, Error>>,
    ) -> Started<Result<Vec<u8>, Error>> {
        self.start(options, later, move |mut user| async move {
            let result = match user.core().await {
                Ok(core) => core.generate(&what).await,
                Err(error) => Err(error),
            };
            user.end(result)
        })
    }

    fn start<T, F>(
        &self,
        options: CallOptions,
        later: impl FnOnce() -> Callback<Result<T, Error>>,
        job: impl FnOnce(User) -> F,
    ) -> Started<Result<T, Error>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let member = self.0.idle().pop();
        let inline = match &member {
            Some(member) => member.core.may_run_inline(),
            None => self.0.code.may_start_inline(&self.0.options.limits),
        };
        let timeout = options.timeout;
        let user = User { script: Arc::clone(&self.0), member, begun: false, restarted: false, inline, options };
        let executor = self.0.code.engine().executor();
        if self.0.code.wants_wasi() {
            match InRuntime::new(job(user)) {
                Ok(job) => executor.start_task(job, timeout, inline, later),
                Err(error) => Started::Done(Err(error)),
            }
        } else {
            executor.start_task(job(user), timeout, inline, later)
        }
    }
}

impl Parts {
    fn idle(&self) -> MutexGuard<'_, Vec<Member>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        std::mem::take(&mut *self.idle()).into_iter().for_each(Member::discard);
    }
}

/// A call's use of an instance. Dropped in the middle, it throws the instance away.
struct User {
    script: Arc<Parts>,
    member: Option<Member>,
    /// Whether the instance knows of this call.
    begun: bool,
    /// Whether an earlier instance was thrown away. The fuel of the whole call is then what that one left, and the next starts on it.
    restarted: bool,
    inline: bool,
    options: CallOptions,
}

impl User {
    /// The instance, made if there is none.
    async fn core(&mut self) -> Result<&mut ScriptGuest, Error> {
        if self.member.is_none() {
            let live = Live::take(&self.script.live)?;
            let core = self.script.code.instantiate(&self.script.options, &self.options, self.inline).await?;
            if self.restarted && core.fuel_left().is_some() {
                self.options.fuel = core.fuel_left();
            }
            self.member = Some(Member { core, live });
            self.begun = false;
        }
        let Some(member) = &mut self.member else { return Err(Error::Closed) };
        if !self.begun {
            self.begun = true;
            // What began inline may have left for the pool when the instance was made; then it stays there.
            member.core.begin(self.inline && crate::inline::active(), &self.options)?;
            member.core.restart_random(0);
            // Only `process` hands them on: what another call of this instance emitted is nobody's.
            member.core.take_emitted();
        }
        Ok(&mut member.core)
    }

    async fn notify(&mut self, what: i32, rows: &Arc<Rows>) -> Result<Answers, Error> {
        let limit = self.script.options.limits.result;
        let longest = rows.spans.iter().map(|(_, length)| *length).max().unwrap_or(0);
        let mut failed = 0;
        let bytes = Scratch::with_capacity(rows.bytes.len());
        let mut answers = Answers { bytes, rows: Vec::with_capacity(rows.spans.len()) };
        while let Some(&(start, length)) = rows.spans.get(answers.rows.len()) {
            let at = answers.rows.len();
            let Some(row) = rows.bytes.get(start..start.saturating_add(length)) else {
                return Err(Error::contract("a row lies outside of its batch"));
            };
            let core = self.core().await?;
            if let Some(ran) = core.notify_rows(what, rows, at, longest, &mut answers).await? {
                match ran {
                    Ran::All => break,
                    Ran::TooMuch(error) => return Err(error),
                    // Without fuel no row can run, nor the driver itself.
                    Ran::Failed(error @ Error::Limit { kind: LimitKind::Fuel, .. }) => return Err(error),
                    Ran::Failed(error) => {
                        core.end(false);
                        failed += 1;
                        answers.rows.push(Err(Box::new(if failed > ERRORS_AT_LENGTH { error.brief() } else { error })));
                        self.restart()?;
                        continue;
                    }
                }
            }
            core.restart_random(at as u64);
            let answer = core.notify(what, row, &mut answers.bytes).await;
            core.end(answer.is_ok());
            core.take_emitted();
            if let Err(Error::Limit { kind: LimitKind::Fuel, .. }) = answer {
                return answer.map(|_| answers);
            }
            if answer.is_err() {
                self.restart()?;
                failed += 1;
            }
            let brief = |error: Error| if failed > ERRORS_AT_LENGTH { error.brief() } else { error };
            answers.rows.push(answer.map_err(|error| Box::new(brief(error))));
            if answers.bytes.len() as u64 > limit {
                let asked = Some(answers.bytes.len() as u64);
                return Err(Error::Limit { kind: LimitKind::ResultSize, limit, asked });
            }
        }
        Ok(answers)
    }

    /// Throws the instance of a row that failed away; the next row gets another.
    fn restart(&mut self) -> Result<(), Error> {
        if let Some(member) = &mut self.member {
            member.core.charge_failure()?;
            self.options.fuel = member.core.fuel_left();
        }
        self.restarted = true;
        self.discard();
        Ok(())
    }

    fn discard(&mut self) {
        if let Some(member) = self.member.take() {
            member.discard();
        }
    }

    /// Gives the instance back after a success, unless there are enough; throws it away after a failure.
    fn end<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        if let Some(member) = &mut self.member {
            member.core.end(result.is_ok());
        }
        if result.is_ok() {
            let mut idle = self.script.idle();
            if idle.len() < KEEP_IDLE {
                idle.extend(self.member.take());
            }
        }
        result
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.discard();
    }
}
