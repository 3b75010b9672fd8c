//! What can go wrong in a guest or in asking for one.

use std::path::Path;
use std::time::Duration;

use crate::trap::clip;

/// Characters of a message that a brief error keeps.
const BRIEF: usize = 200;

/// Of the errors of one call's rows, so many are told at length.
pub(crate) const ERRORS_AT_LENGTH: usize = 64;

/// Which limit a guest ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// Linear memory, in bytes.
    Memory,
    /// Elements of a table.
    Table,
    /// Tables of one instance.
    Tables,
    /// The guest's call stack, in bytes.
    Stack,
    /// Wall-clock time of a call, in milliseconds.
    Time,
    /// Size of a module, in bytes.
    ModuleSize,
    /// Size of what a guest returned, in bytes.
    ResultSize,
    /// Size of what is handed to a guest, in bytes.
    InputSize,
    /// Calls under way in the engine.
    Calls,
    /// Modules waiting to be compiled.
    Compiles,
    /// Types of a module.
    ModuleTypes,
    /// Imports of a module.
    ModuleImports,
    /// Functions of a module.
    ModuleFunctions,
    /// Exports of a module.
    ModuleExports,
    /// Data segments of a module.
    ModuleDataSegments,
    /// Entries of tables that a module fills in.
    ModuleElements,
    /// Size of one function of a module, in bytes.
    FunctionSize,
    /// Loops in one function of a module.
    FunctionLoops,
    /// Loops within each other in a module.
    LoopDepth,
    /// How long a module's loops would make compiling it, about, in milliseconds.
    LoopWork,
    /// Instances at once, of one script or of the engine.
    Instances,
    /// Values in a call's arguments or result.
    Values,
    /// Instances, tables or memories that a component is put together of.
    Parts,
    /// Fuel of a call.
    Fuel,
    /// Calls of the guest within functions of the host within calls of the guest.
    Depth,
    /// Buffers that one call emits.
    Buffers,
    /// Arguments and variables of the environment of a WASI program, together.
    Arguments,
    /// Bytes of the arguments and the environment of a WASI program, together.
    ArgumentBytes,
    /// What a WASI program has open at once, with its standard streams and directories.
    Descriptors,
}

impl LimitKind {
    /// A stable lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Table => "table",
            Self::Tables => "tables",
            Self::Stack => "stack",
            Self::Time => "time",
            Self::ModuleSize => "module_size",
            Self::ResultSize => "result_size",
            Self::InputSize => "input_size",
            Self::Calls => "calls",
            Self::Compiles => "compiles",
            Self::ModuleTypes => "module_types",
            Self::ModuleImports => "module_imports",
            Self::ModuleFunctions => "module_functions",
            Self::ModuleExports => "module_exports",
            Self::ModuleDataSegments => "module_data_segments",
            Self::ModuleElements => "module_elements",
            Self::FunctionSize => "function_size",
            Self::FunctionLoops => "function_loops",
            Self::LoopDepth => "loop_depth",
            Self::LoopWork => "loop_work",
            Self::Instances => "instances",
            Self::Values => "values",
            Self::Parts => "parts",
            Self::Fuel => "fuel",
            Self::Depth => "depth",
            Self::Buffers => "buffers",
            Self::Arguments => "arguments",
            Self::ArgumentBytes => "argument_bytes",
            Self::Descriptors => "descriptors",
        }
    }
}

impl LimitKind {
    /// What a module has too many of.
    fn of_module(self) -> Option<&'static str> {
        Some(match self {
            Self::ModuleTypes => "types",
            Self::ModuleImports => "imports",
            Self::ModuleFunctions => "functions",
            Self::ModuleExports => "exports",
            Self::ModuleDataSegments => "data segments",
            Self::ModuleElements => "entries of tables",
            _ => return None,
        })
    }
}

/// An error of this crate. The message names the thing at fault.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The bytes are no valid module.
    #[error("not a valid WebAssembly module: {message}")]
    Compile {
        /// What the compiler said.
        message: String,
    },
    /// The bytes are no valid component.
    #[error("not a valid WebAssembly component: {message}")]
    CompileComponent {
        /// What the compiler said.
        message: String,
    },
    /// The module asks for something that it is not given.
    #[error("import \"{module}\" \"{name}\" ({wanted}) is not granted")]
    MissingImport {
        /// The import's module name.
        module: String,
        /// The import's own name.
        name: String,
        /// Its type, as text.
        wanted: String,
    },
    /// There is no such export, or it is of another kind.
    #[error("the module exports no {kind} named \"{name}\"")]
    MissingExport {
        /// What was looked for: a function, a memory.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// An export has another type than its use needs.
    #[error("export \"{name}\" has type {found}, but {wanted} is needed")]
    WrongType {
        /// The export's name.
        name: String,
        /// Its type.
        found: String,
        /// The type that was needed.
        wanted: String,
    },
    /// The guest trapped.
    #[error("{message}")]
    Trap {
        /// A stable lower-case name, such as `unreachable`.
        reason: &'static str,
        /// The trap, and the guest's functions it went through.
        message: String,
        /// Names (or indices) of the guest's functions, innermost first.
        backtrace: Vec<String>,
        /// Where each of them was, in bytes from the start of its module, as far as that is known.
        offsets: Vec<Option<u64>>,
    },
    /// A function that the guest imports failed.
    #[error("import \"{name}\": {message}")]
    Import {
        /// The import, as `module.name`.
        name: String,
        /// Why.
        message: String,
    },
    /// A limit was reached.
    #[error("{}", limit_message(*kind, *limit, *asked))]
    Limit {
        /// Which limit.
        kind: LimitKind,
        /// Its value.
        limit: u64,
        /// What was asked for, where known.
        asked: Option<u64>,
    },
    /// Another call is under way on this instance.
    #[error("the instance is busy with another call")]
    Busy,
    /// A call was stopped in the middle, so that the instance's memory can't be trusted any more.
    #[error("the instance was stopped in the middle of a call and can't be used again: make a new one")]
    Poisoned,
    /// A component trapped in an earlier call.
    #[error("the component failed in an earlier call and may not be entered again: make a new instance")]
    Trapped,
    /// The instance was closed.
    #[error("the instance is closed")]
    Closed,
    /// The call was cancelled.
    #[error("the call was cancelled")]
    Cancelled,
    /// Memory was addressed outside its bounds.
    #[error("bytes {offset}..{} are outside of the memory, which has {size} bytes", offset.saturating_add(*length))]
    OutOfBounds {
        /// First byte asked for.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// The memory's size in bytes.
        size: u64,
    },
    /// The arguments of a call do not fit its parameters.
    #[error("{message}")]
    Arguments {
        /// What does not fit.
        message: String,
    },
    /// The guest broke the contract of a script.
    #[error("the script broke its contract: {message}")]
    Contract {
        /// How.
        message: String,
    },
    /// The program ended itself.
    #[error("the program exited with status {status}")]
    Exited {
        /// Its exit status.
        status: i32,
    },
    /// The cache's folder can't be used.
    #[error("the folder {folder:?} can't keep compiled modules: {message}")]
    Cache {
        /// The folder.
        folder: String,
        /// A stable lower-case name: `untrusted` when others could write it, else `unusable`.
        reason: &'static str,
        /// Why.
        message: String,
    },
    /// A directory that a program was to be given can't be opened.
    #[error("the directory \"{path}\" can't be opened: {message}")]
    Directory {
        /// Its path on the host.
        path: String,
        /// The system's name for what is wrong, such as `enoent`.
        reason: &'static str,
        /// What the system said.
        message: String,
    },
    /// The host could not do its part.
    #[error("the WebAssembly engine failed: {message}")]
    Engine {
        /// What wasmtime said.
        message: String,
    },
}

fn limit_message(kind: LimitKind, limit: u64, asked: Option<u64>) -> String {
    match (kind, asked) {
        (LimitKind::Time, _) => format!("the call was stopped after its time limit of {limit} ms"),
        (LimitKind::Stack, _) => format!("the guest used up its stack of {limit} bytes"),
        (LimitKind::Calls, _) => {
            format!("{limit} calls are under way already, which is the engine's limit")
        }
        (LimitKind::Memory, Some(asked)) => {
            format!("the guest asked for {asked} bytes of memory; its limit is {limit}")
        }
        (LimitKind::Table, Some(asked)) => {
            format!("the guest asked for a table of {asked} elements; its limit is {limit}")
        }
        (LimitKind::Tables, Some(asked)) => format!("the module has {asked} tables; the limit is {limit}"),
        (LimitKind::ModuleSize, Some(asked)) => {
            format!("the module has {asked} bytes; the limit is {limit}")
        }
        (LimitKind::FunctionSize, Some(asked)) => {
            format!("the module has a function of {asked} bytes; the limit is {limit}")
        }
        (LimitKind::FunctionLoops, _) => {
            format!("the module has a function of more than {limit} loops, which is the limit")
        }
        (LimitKind::LoopDepth, _) => {
            format!("the module has more than {limit} loops within each other, which is the limit")
        }
        (LimitKind::LoopWork, Some(asked)) => format!(
            "the module has functions of so many loops and variables that they would take about {asked} ms to compile; the limit is {limit}"
        ),
        (kind, Some(asked)) if kind.of_module().is_some() => {
            format!("the module has {asked} {}; the limit is {limit}", kind.of_module().unwrap_or_default())
        }
        (LimitKind::ResultSize, Some(asked)) => {
            format!("the guest returned {asked} bytes; the limit is {limit}")
        }
        (LimitKind::InputSize, Some(asked)) => {
            format!("{asked} bytes of input are too many; the limit is {limit}")
        }
        (LimitKind::Compiles, _) => {
            format!("{limit} modules wait to be compiled already, which is the engine's limit")
        }
        (LimitKind::Values, Some(asked)) => format!("a call has {asked} values and more; the limit is {limit}"),
        (LimitKind::Parts, _) => {
            format!(
                "the component is put together of more instances, tables or memories than its limit allows ({limit})"
            )
        }
        (LimitKind::Instances, _) => format!("{limit} instances are there already, which is the limit"),
        (LimitKind::Fuel, _) => format!("the call was stopped when it had used its {limit} of fuel"),
        (LimitKind::Depth, _) => {
            format!("the guest was called {limit} times within functions that it called itself, which is the limit")
        }
        (LimitKind::Buffers, _) => format!("the guest emitted {limit} buffers in one call, which is the limit"),
        (LimitKind::Arguments, Some(asked)) => {
            format!("{asked} arguments and variables of the environment are too many; the limit is {limit}")
        }
        (LimitKind::ArgumentBytes, Some(asked)) => {
            format!("arguments and environment of {asked} bytes are too long; the limit is {limit}")
        }
        (LimitKind::Descriptors, _) => {
            format!(
                "the program may have {limit} files, directories and events to wait for open at once, and asked for more"
            )
        }
        (kind, _) => format!("the limit of {limit} ({}) was reached", kind.name()),
    }
}

impl Error {
    /// The same with what is only for people cut short: for one of very many.
    pub(crate) fn brief(self) -> Self {
        match self {
            Self::Trap { reason, message, .. } => {
                Self::Trap { reason, message: clip(&message, BRIEF), backtrace: Vec::new(), offsets: Vec::new() }
            }
            Self::Contract { message } => Self::Contract { message: clip(&message, BRIEF) },
            other => other,
        }
    }

    pub(crate) fn timeout(limit: Duration) -> Self {
        Self::Limit { kind: LimitKind::Time, limit: limit.as_millis() as u64, asked: None }
    }

    pub(crate) fn engine(error: impl std::fmt::Display) -> Self {
        Self::Engine { message: format!("{error:#}") }
    }

    pub(crate) fn import(name: &str, message: impl Into<String>) -> Self {
        Self::Import { name: name.into(), message: message.into() }
    }

    pub(crate) fn cache(folder: &Path, reason: &'static str, error: impl std::fmt::Display) -> Self {
        Self::Cache { folder: folder.display().to_string(), reason, message: error.to_string() }
    }

    /// The whole chain of wasmtime's error on one line; without the chain it only says that compiling failed.
    pub(crate) fn compile(error: &wasmtime::Error) -> Self {
        Self::Compile { message: crate::module::compile_message(error) }
    }

    pub(crate) fn contract(message: impl Into<String>) -> Self {
        Self::Contract { message: message.into() }
    }
}

/// A stable name for each of wasmtime's traps.
pub(crate) fn trap_name(trap: wasmtime::Trap) -> &'static str {
    use wasmtime::Trap;
    match trap {
        Trap::StackOverflow => "stack_overflow",
        Trap::MemoryOutOfBounds => "memory_out_of_bounds",
        Trap::HeapMisaligned => "heap_misaligned",
        Trap::TableOutOfBounds => "table_out_of_bounds",
        Trap::IndirectCallToNull => "indirect_call_to_null",
        Trap::BadSignature => "bad_signature",
        Trap::IntegerOverflow => "integer_overflow",
        Trap::IntegerDivisionByZero => "integer_division_by_zero",
        Trap::BadConversionToInteger => "bad_conversion_to_integer",
        Trap::UnreachableCodeReached => "unreachable",
        Trap::Interrupt => "interrupt",
        Trap::OutOfFuel => "out_of_fuel",
        _ => "trap",
    }
}
