//! What a script is made of, a module or a component, and an instance of either.

use std::sync::Arc;

use wasmtime::component::InstancePre;

use crate::abi::{Answers, Generation, Processed, Rows, ScriptInfo};
use crate::component::{self, Component};
use crate::core::{self, Core};
use crate::engine::Engine;
use crate::error::Error;
use crate::instance::CallOptions;
use crate::limits::Limits;
use crate::module::Module;
use crate::script::ScriptOptions;
use crate::script_batch::Ran;

/// What a script's instances are made from.
pub(crate) enum ScriptCode {
    Module(Module),
    Component(ComponentCode),
}

/// A component with its imports satisfied.
pub(crate) struct ComponentCode {
    component: Component,
    pre: InstancePre<component::Host>,
    pub(crate) given: component::Imports,
}

impl ComponentCode {
    pub(crate) fn new(component: &Component, given: component::Imports) -> Result<Self, Error> {
        Ok(Self { component: component.clone(), pre: component.link(&given)?, given })
    }
}

impl ScriptCode {
    pub(crate) fn engine(&self) -> &Engine {
        match self {
            Self::Module(module) => module.engine(),
            Self::Component(code) => code.component.engine(),
        }
    }

    /// Whether an instance may be begun on its caller's thread. How much of a component's results is to be copied is not known
    /// beforehand, so that it never is.
    pub(crate) fn may_start_inline(&self, limits: &Limits) -> bool {
        match self {
            Self::Module(module) => module.may_start_inline(limits),
            Self::Component(_) => false,
        }
    }

    /// Whether WASI's clocks may be waited for.
    pub(crate) fn wants_wasi(&self) -> bool {
        matches!(self, Self::Component(code) if code.component.wants_wasi())
    }

    pub(crate) async fn instantiate(
        &self,
        script: &ScriptOptions,
        options: &CallOptions,
        inline: bool,
    ) -> Result<ScriptGuest, Error> {
        let ScriptOptions { limits, imports } = script.clone();
        Ok(match self {
            Self::Module(module) => {
                let core = core::instantiate(module.clone(), imports, limits, options, inline).await?;
                ScriptGuest::Module(Box::new(core))
            }
            Self::Component(ComponentCode { component, pre, given }) => {
                let (component, pre) = (component.clone(), pre.clone());
                let core = component::instantiate(component, pre, limits, &given.grants, inline, options).await?;
                ScriptGuest::Component(Box::new(core))
            }
        })
    }
}

/// An instance. The cores are boxed, since they are large and go in and out with every call.
pub(crate) enum ScriptGuest {
    Module(Box<Core>),
    Component(Box<component::Core>),
}

impl ScriptGuest {
    pub(crate) fn reap(self) {
        match self {
            Self::Module(core) => core::reap(core),
            Self::Component(core) => component::reap(core),
        }
    }

    pub(crate) fn may_run_inline(&self) -> bool {
        match self {
            Self::Module(core) => core.may_run_inline(),
            Self::Component(_) => false,
        }
    }

    pub(crate) fn begin(&mut self, inline: bool, options: &CallOptions) -> Result<(), Error> {
        match self {
            Self::Module(core) => core.begin(inline, options),
            Self::Component(core) => {
                core.begin(inline, options);
                Ok(())
            }
        }
    }

    pub(crate) fn end(&mut self, succeeded: bool) {
        match self {
            Self::Module(core) => core.end(succeeded),
            Self::Component(core) => core.end(succeeded),
        }
    }

    /// As for a module's instance.
    pub(crate) fn fuel_left(&self) -> Option<u64> {
        match self {
            Self::Module(core) => core.fuel_left(),
            Self::Component(_) => None,
        }
    }

    /// As for a module's instance.
    pub(crate) fn charge_failure(&mut self) -> Result<(), Error> {
        match self {
            Self::Module(core) => core.charge_failure(),
            Self::Component(_) => Ok(()),
        }
    }

    pub(crate) fn restart_random(&mut self, stream: u64) {
        match self {
            Self::Module(core) => core.restart_random(stream),
            Self::Component(core) => core.restart_random(stream),
        }
    }

    /// The buffers that the guest emitted since they were last taken.
    pub(crate) fn take_emitted(&mut self) -> Vec<Vec<u8>> {
        match self {
            Self::Module(core) => core.take_emitted(),
            Self::Component(core) => core.take_emitted(),
        }
    }

    pub(crate) async fn script_info(&mut self) -> Result<ScriptInfo, Error> {
        match self {
            Self::Module(core) => core.script_info().await,
            Self::Component(core) => core.script_info().await,
        }
    }

    /// Notifies with many rows at once, where that is possible and worth it.
    pub(crate) async fn notify_rows(
        &mut self,
        what: i32,
        rows: &Arc<Rows>,
        first: usize,
        longest: usize,
        answers: &mut Answers,
    ) -> Result<Option<Ran>, Error> {
        match self {
            Self::Module(core) if core.wants_driver(rows.spans.len() - first, longest) => {
                core.notify_rows(what, rows, first, answers).await
            }
            _ => Ok(None),
        }
    }

    pub(crate) async fn notify(
        &mut self,
        what: i32,
        row: &[u8],
        answers: &mut Vec<u8>,
    ) -> Result<Option<(usize, usize)>, Error> {
        match self {
            Self::Module(core) => core.notify(what, row, answers).await,
            Self::Component(core) => core.notify(what, row, answers).await,
        }
    }

    /// The buffers that `process` emitted and returned.
    pub(crate) async fn process(&mut self, input: &[u8]) -> Result<Processed, Error> {
        let returned = match self {
            Self::Module(core) => vec![core.process(input).await?],
            Self::Component(core) => core.process(input).await?,
        };
        Ok(Processed { emitted: self.take_emitted(), returned })
    }

    /// The bytes that `generate` returned.
    pub(crate) async fn generate(&mut self, what: &Generation) -> Result<Vec<u8>, Error> {
        match self {
            Self::Module(core) => core.generate(what).await,
            Self::Component(core) => core.generate(what).await,
        }
    }
}
