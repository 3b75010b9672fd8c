//! Functions that Rust gives a guest when they are granted by name, and nothing else. `guest/README.md` is their text for authors.
//!
//! Each is here once, with its bounds; modules reach it through their memory (`link` in each file), components through typed functions
//! (`component/granted.rs`).

mod abort;
mod clock;
mod emit;
pub(crate) mod log;
mod memory;
mod random;
pub(crate) mod sql;
pub(crate) mod state;

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Linker;

use crate::core::Host;
use crate::error::Error;
use crate::host_call::HostHandler;
use crate::limits::Limits;

pub use log::{LogLevel, LogLine};
pub use random::Seed;
pub use sql::{Sql, SqlAnswer, Statement};
pub use state::{KeyValues, KeyValuesLimits};

/// The module name of granted imports.
const MODULE: &str = "wasgo";

/// What is granted. The default is nothing.
#[derive(Clone, Default)]
pub struct Grants {
    /// Lines for the host's log.
    pub log: bool,
    /// The time of day, and a clock that only goes forward.
    pub clock: bool,
    /// Random numbers.
    pub random: Option<Seed>,
    /// Keys and values that outlive the call.
    pub state: Option<KeyValues>,
    /// SQL on a database.
    pub sql: Option<Arc<dyn Sql>>,
    /// Buffers beside a call's result.
    pub emit: bool,
}

/// Names of what is granted: what linking depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) log: bool,
    clock: bool,
    random: bool,
    pub(crate) state: bool,
    pub(crate) sql: bool,
    pub(crate) emit: bool,
}

impl Names {
    /// Whether there is anything among them that a component imports from `wasgo:script`.
    pub(crate) fn any_of_components(self) -> bool {
        self.log || self.state || self.sql || self.emit
    }
}

impl Grants {
    /// Which of them there are.
    pub(crate) fn names(&self) -> Names {
        Names {
            log: self.log,
            clock: self.clock,
            random: self.random.is_some(),
            state: self.state.is_some(),
            sql: self.sql.is_some(),
            emit: self.emit,
        }
    }

    /// The same kinds without what is behind them, which lives on only with the instances that use it.
    pub(crate) fn shape(&self) -> Self {
        Self {
            random: self.random.map(|_| Seed::Fixed(0)),
            state: self.state.as_ref().map(|_| KeyValues::default()),
            sql: self.sql.as_ref().map(|_| sql::nowhere()),
            ..self.clone()
        }
    }
}

/// The state of what an instance was granted.
pub(crate) struct Granted {
    pub(crate) log: log::Log,
    random: Option<random::Random>,
    pub(crate) state: Option<state::Session>,
    pub(crate) sql: Option<sql::Port>,
    pub(crate) emitted: emit::Emitted,
}

impl Granted {
    /// None where nothing is granted, so that most instances carry nothing.
    pub(crate) fn new(grants: &Grants, limits: &Limits) -> Option<Box<Self>> {
        let names = grants.names();
        let any = names.log || names.random || names.state || names.sql || names.emit;
        any.then(|| {
            Box::new(Self {
                log: log::Log::default(),
                random: grants.random.map(random::Random::new),
                state: grants.state.clone().map(state::Session::new),
                sql: grants.sql.clone().map(sql::Port::new),
                emitted: emit::Emitted::new(limits.result),
            })
        })
    }

    /// A call of the guest begins, which may take so long.
    pub(crate) fn begin(&mut self, timeout: Option<Duration>) {
        if let Some(sql) = &mut self.sql {
            sql.begin(timeout);
        }
    }

    /// A call of the guest has ended: what it changed holds if it succeeded.
    pub(crate) fn end(&mut self, succeeded: bool) {
        if let Some(state) = &mut self.state {
            state.end(succeeded);
        }
        if !succeeded {
            self.emitted.clear();
        }
    }

    /// As [`Self::end`], and hands over what was logged.
    pub(crate) fn settle(&mut self, succeeded: bool, handler: Option<&Arc<dyn HostHandler>>) {
        self.end(succeeded);
        if let Some(lines) = self.log.take()
            && let Some(handler) = handler
        {
            handler.log(lines);
        }
    }

    /// The buffers that were emitted since it was last asked.
    pub(crate) fn take_emitted(&mut self) -> Vec<Vec<u8>> {
        self.emitted.take()
    }

    /// Begins the random numbers anew, by a number that tells calls or rows apart.
    pub(crate) fn restart_random(&mut self, stream: u64) {
        if let Some(random) = &mut self.random {
            random.restart(stream);
        }
    }
}

/// Defines what is granted, and the `abort` that every AssemblyScript module imports.
pub(crate) fn link(linker: &mut Linker<Host>, grants: &Grants) -> wasmtime::Result<()> {
    abort::link(linker)?;
    let names = grants.names();
    if names.log {
        log::link(linker)?;
    }
    if names.clock {
        clock::link(linker)?;
    }
    if names.random {
        random::link(linker)?;
    }
    if names.state {
        state::link(linker)?;
    }
    if names.sql {
        sql::link(linker)?;
    }
    if names.emit {
        emit::link(linker)?;
    }
    Ok(())
}

/// Refuses what is longer than a granted function takes.
///
/// # Errors
/// [`Error::Import`] that names the function.
pub(crate) fn bounded(import: &str, length: usize, most: usize) -> Result<(), Error> {
    if length <= most {
        return Ok(());
    }
    Err(Error::import(import, format!("it was given {length} bytes, and takes {most}")))
}
