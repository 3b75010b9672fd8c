//! What a script is made of, a module or a component, and an instance of either.

use crate::abi::ScriptInfo;
use crate::component::{self, Component};
use crate::engine::Engine;
use crate::error::Error;
use crate::instance::{self, Core};
use crate::limits::Limits;
use crate::module::Module;

/// What a script's instances are made from.
#[derive(Clone)]
pub(crate) enum Code {
    Module(Module),
    Component(Component),
}

impl Code {
    pub(crate) fn engine(&self) -> &Engine {
        match self {
            Self::Module(module) => module.engine(),
            Self::Component(component) => component.engine(),
        }
    }

    /// The largest memory with which an instance may run on its caller's thread; none if it never may.
    pub(crate) fn inline_memory(&self) -> Option<u64> {
        match self {
            Self::Module(module) => module.0.inline_memory,
            // How much of a result is to be copied is not known beforehand.
            Self::Component(_) => None,
        }
    }

    /// Bytes of memory that an instance begins with.
    pub(crate) fn initial_memory(&self) -> u64 {
        match self {
            Self::Module(module) => module.initial_memory(),
            Self::Component(_) => u64::MAX,
        }
    }

    pub(crate) async fn instantiate(&self, limits: Limits, inline: bool) -> Result<Guest, Error> {
        match self {
            Self::Module(module) => {
                instance::instantiate(module.clone(), limits, inline).await.map(|core| Guest::Module(Box::new(core)))
            }
            Self::Component(component) => component::instantiate(component.clone(), limits, Default::default(), inline)
                .await
                .map(|core| Guest::Component(Box::new(core))),
        }
    }
}

/// An instance. Boxed, since it is large and goes in and out with every call.
pub(crate) enum Guest {
    Module(Box<Core>),
    Component(Box<component::Core>),
}

impl Guest {
    pub(crate) fn begin(&mut self, inline: bool) {
        match self {
            Self::Module(core) => core.begin(inline),
            Self::Component(core) => core.begin(inline),
        }
    }

    /// Bytes of memory that it has.
    pub(crate) fn held_memory(&self) -> u64 {
        match self {
            Self::Module(core) => core.held_memory(),
            Self::Component(_) => u64::MAX,
        }
    }

    pub(crate) fn reap(self) {
        match self {
            Self::Module(core) => instance::reap(core),
            Self::Component(core) => component::reap(core),
        }
    }

    pub(crate) async fn script_info(&mut self) -> Result<ScriptInfo, Error> {
        match self {
            Self::Module(core) => core.script_info().await,
            Self::Component(core) => core.script_info().await,
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

    pub(crate) async fn process(&mut self, input: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            Self::Module(core) => core.process(input).await,
            Self::Component(core) => core.process(input).await,
        }
    }
}
