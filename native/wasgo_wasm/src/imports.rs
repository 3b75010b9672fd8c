//! What a guest is given: functions that Rust grants by name, and functions that its host runs.

use std::sync::Arc;

use wasmtime::{ExternType, FuncType, InstancePre, Linker, ValType};

use crate::closed_wasi;
use crate::core::Host;
use crate::error::Error;
use crate::grants::{self, Grants};
use crate::host_call;
use crate::module::compile_message;
use crate::module::{describe, signature};

/// A function that the host runs: not here, but wherever its [`HostHandler`](crate::HostHandler) has it run.
#[derive(Debug, Clone)]
pub struct HostImport {
    /// The import's module name.
    pub module: String,
    /// Its own name.
    pub name: String,
    /// Types of its parameters.
    pub parameters: Vec<ValType>,
    /// Types of its results.
    pub results: Vec<ValType>,
}

impl PartialEq for HostImport {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &[ValType], b: &[ValType]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| ValType::eq(a, b));
        self.module == other.module
            && self.name == other.name
            && same(&self.parameters, &other.parameters)
            && same(&self.results, &other.results)
    }
}

/// What an instance is given. The default is nothing.
#[derive(Clone, Default)]
pub struct Imports {
    /// Functions that Rust grants by name.
    pub grants: Grants,
    /// Functions that the host runs; a request names one by its place in this list.
    pub functions: Arc<Vec<HostImport>>,
    /// A WASI in which there is nothing, for modules that only import it because their compiler had them do so. Without it a module that
    /// imports WASI is a program, which is run as a service.
    pub closed_wasi: bool,
}

impl Imports {
    /// Whether linking a module with these gives the same as linking it with `other`.
    pub(crate) fn links_like(&self, other: &Self) -> bool {
        self.closed_wasi == other.closed_wasi
            && self.grants.names() == other.grants.names()
            && self.functions == other.functions
    }

    /// Whether calls need a [`HostHandler`](crate::HostHandler): somebody who runs functions, or hears what is logged.
    pub fn want_handler(&self) -> bool {
        !self.functions.is_empty() || self.grants.log
    }

    /// As much of it as [`Self::links_like`] looks at.
    pub(crate) fn shape(&self) -> Self {
        Self { grants: self.grants.shape(), functions: Arc::clone(&self.functions), closed_wasi: self.closed_wasi }
    }

    /// Satisfies what `module` imports.
    ///
    /// # Errors
    /// [`Error::MissingImport`] for what is not given, [`Error::WrongType`] for what is given with another type.
    pub(crate) fn link(&self, module: &wasmtime::Module) -> Result<InstancePre<Host>, Error> {
        let engine = module.engine();
        let mut linker = Linker::new(engine);
        grants::link(&mut linker, &self.grants).map_err(Error::engine)?;
        if self.closed_wasi {
            closed_wasi::link(&mut linker, module).map_err(Error::engine)?;
        }
        for (number, function) in self.functions.iter().enumerate() {
            let parameters = function.parameters.iter().cloned();
            let ty = FuncType::try_new(engine, parameters, function.results.iter().cloned()).map_err(Error::engine)?;
            check_type(module, function, &ty)?;
            host_call::link(&mut linker, number, function, ty).map_err(|error| Error::Arguments {
                message: format!("import \"{}\" \"{}\": {error}", function.module, function.name),
            })?;
        }
        linker.instantiate_pre(module).map_err(|error| missing(module, &error))
    }
}

fn check_type(module: &wasmtime::Module, function: &HostImport, given: &FuncType) -> Result<(), Error> {
    let wanted = module
        .imports()
        .find(|import| import.module() == function.module && import.name() == function.name)
        .map(|import| import.ty());
    match wanted {
        Some(ExternType::Func(wanted)) if !FuncType::eq(&wanted, given) => Err(Error::WrongType {
            name: format!("{}.{}", function.module, function.name),
            found: signature(given),
            wanted: signature(&wanted),
        }),
        _ => Ok(()),
    }
}

/// Names the import that could not be satisfied.
pub(crate) fn missing(module: &wasmtime::Module, error: &wasmtime::Error) -> Error {
    match error.downcast_ref::<wasmtime::UnknownImportError>() {
        Some(unknown) => Error::MissingImport {
            module: unknown.module().into(),
            name: unknown.name().into(),
            wanted: module
                .imports()
                .find(|import| import.module() == unknown.module() && import.name() == unknown.name())
                .map_or_else(String::new, |import| {
                    let info = describe("", "", &import.ty());
                    format!("{} {}", info.kind, info.signature)
                }),
        },
        // The name is known and the type is another, which wasmtime says in words.
        None => {
            let words = compile_message(error);
            let named = |import: &wasmtime::ImportType<'_>| {
                words.contains(&format!("`{}::{}`", import.module(), import.name()))
            };
            let (module, name) = match module.imports().find(named) {
                Some(import) => (import.module().into(), import.name().into()),
                None => ("?".into(), "?".into()),
            };
            Error::MissingImport { module, name, wanted: words }
        }
    }
}
