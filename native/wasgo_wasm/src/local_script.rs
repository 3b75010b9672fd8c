//! A script for a thread that may wait, such as one that generates a world: an instance that its owner calls again and again, whose answers are
//! read where they lie.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Val, ValType};

use crate::abi::{check_place, check_span};
use crate::error::{Error, LimitKind};
use crate::imports::Imports;
use crate::instance::CallOptions;
use crate::limits::Limits;
use crate::local::{Local, LocalFunction};
use crate::module::Module;

/// Fuel for making an instance: its start function and `_initialize`. About 10 ms.
const START_FUEL: u64 = 10_000_000;

/// However much fuel a call has, it takes no longer than this. Fuel ends it long before, unless the machine is very slow: then it is an error and never
/// another answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a script is called with, but for the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenerateCall {
    /// The whole world's.
    pub seed: u64,
    /// Which chunk, counted in chunks along x.
    pub x: i32,
    /// Which chunk, counted in chunks along z.
    pub z: i32,
    /// How coarse, 0 for the finest.
    pub lod: u32,
    /// Fuel that the call may use.
    pub fuel: u64,
    /// The most bytes that it may return.
    pub result: u64,
}

/// A script that exports `generate`, is given nothing and is deterministic: what instances are made from. Clones are handles on the same.
#[derive(Clone)]
pub struct GenerateScript {
    module: Module,
    limits: Limits,
    alloc: LocalFunction,
    generate: LocalFunction,
}

impl std::fmt::Debug for GenerateScript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GenerateScript").field("size", &self.module.size()).finish_non_exhaustive()
    }
}

impl GenerateScript {
    /// Looks at what a module offers and wants.
    ///
    /// # Errors
    /// [`Error::MissingImport`] for anything that it imports, [`Error::MissingExport`] and [`Error::WrongType`] for what it lacks of the
    /// contract; [`Error::Arguments`] for one that was not compiled to be deterministic.
    pub fn new(module: &Module, limits: Limits) -> Result<Self, Error> {
        if !module.is_deterministic() {
            let message = "the module was not compiled to be deterministic".into();
            return Err(Error::Arguments { message });
        }
        module.link(module.flavour(&limits), &Imports::default())?;
        let (i32, i64) = (ValType::I32, ValType::I64);
        let row = [i64.clone(), i32.clone(), i32.clone(), i32.clone(), i32.clone(), i32.clone()];
        Ok(Self {
            alloc: function(module, "wasgo_alloc", std::slice::from_ref(&i32), &i32)?,
            generate: function(module, "generate", &row, &i64)?,
            module: module.clone(),
            limits,
        })
    }

    /// Makes an instance, on this thread.
    ///
    /// # Errors
    /// Those of its start.
    pub fn start(&self) -> Result<LocalScript, Error> {
        let options = CallOptions { timeout: Some(PATIENCE), fuel: Some(START_FUEL), handler: None };
        let local = Local::new(&self.module, Imports::default(), self.limits, options, Arc::new(|| false))?;
        Ok(LocalScript { local, script: self.clone() })
    }
}

fn function(module: &Module, name: &str, wanted: &[ValType], result: &ValType) -> Result<LocalFunction, Error> {
    let missing = || Error::MissingExport { kind: "function", name: name.into() };
    let function = LocalFunction::find(module, name).ok_or_else(missing)?;
    let same = |a: &[ValType], b: &[ValType]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| ValType::eq(a, b));
    if same(function.parameters(), wanted) && same(function.results(), std::slice::from_ref(result)) {
        return Ok(function);
    }
    let text = |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let signature =
        |parameters: &[ValType], results: &[ValType]| format!("({}) -> {}", text(parameters), text(results));
    Err(Error::WrongType {
        name: name.into(),
        found: signature(function.parameters(), function.results()),
        wanted: signature(wanted, std::slice::from_ref(result)),
    })
}

/// An instance of a [`GenerateScript`]. After an error it may be in the middle of something: drop it then.
pub struct LocalScript {
    local: Local,
    script: GenerateScript,
}

impl LocalScript {
    /// Calls `generate` with a row; the bytes that it returned, where they lie in its memory.
    ///
    /// # Errors
    /// The guest's trap, the limit that it hit, or [`Error::Contract`] for a place or span that is none of its memory.
    pub fn generate(&mut self, call: &GenerateCall, row: &[u8]) -> Result<&[u8], Error> {
        let limit = self.script.limits.input;
        if row.len() as u64 > limit {
            return Err(Error::Limit { kind: LimitKind::InputSize, limit, asked: Some(row.len() as u64) });
        }
        // What it lacked in the end is less than it was given.
        let given = |error| match error {
            Error::Limit { kind: kind @ LimitKind::Fuel, asked, .. } => Error::Limit { kind, limit: call.fuel, asked },
            other => other,
        };
        let length = row.len() as u32;
        self.local.allow(call.fuel);
        let place = self.local.call(&self.script.alloc, &[Val::I32(length as i32)]).map_err(given)?;
        let place = place.first().and_then(Val::i32).unwrap_or_default() as u32;
        let memory = self.local.memory_mut();
        let range = check_place(place, length, memory.len() as u64)?;
        memory[range].copy_from_slice(row);

        self.local.allow(self.local.fuel_left());
        let arguments = [
            Val::I64(call.seed as i64),
            Val::I32(call.x),
            Val::I32(call.z),
            Val::I32(call.lod as i32),
            Val::I32(place as i32),
            Val::I32(length as i32),
        ];
        let span = self.local.call(&self.script.generate, &arguments).map_err(given)?;
        let span = span.first().and_then(Val::i64).unwrap_or_default() as u64;
        let memory = self.local.memory();
        let range = check_span(span, call.result, memory.len() as u64)?;
        Ok(&memory[range])
    }
}
