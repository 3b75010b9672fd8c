//! What a function's module exports, found and checked once.
//!
//! | exports | what it is |
//! | --- | --- |
//! | `f` | a scalar function |
//! | `f_init`, `f_step`, `f_final`, perhaps `f_value` and `f_inverse` | an aggregate function; with the last two, one for windows too |
//! | `f_columns`, `f_open`, `f_next`, perhaps `f_close` | a table-valued function |

use wasgo_wasm::{CompileOptions, LocalFunction, Module, ValType};

use super::{Fault, FunctionHost};

/// Parameters of a function: SQLite's own limit.
const MAX_PARAMETERS: usize = 127;

/// Arguments of a table-valued function that SQLite leaves to it. Those behind them it compares once more itself, by which a NULL loses all rows.
pub(crate) const MAX_TABLE_ARGUMENTS: usize = 16;

/// What kind of function it is, and the exports that it consists of.
#[derive(Debug)]
pub(crate) enum Kind {
    Scalar(LocalFunction),
    Aggregate(Aggregate),
    Table(Table),
}

/// What SQLite has to know of a function's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Scalar,
    Aggregate { windows: bool },
    Table,
}

/// `f_init() -> i32` makes the state of a group; `f_step(i32, ...)` takes a row; `f_final(i32)` answers and frees the state.
#[derive(Debug)]
pub(crate) struct Aggregate {
    pub(crate) init: LocalFunction,
    pub(crate) step: LocalFunction,
    pub(crate) last: LocalFunction,
    pub(crate) window: Option<Window>,
}

/// `f_value(i32)` answers, and the state stays; `f_inverse(i32, ...)` takes a row back.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) value: LocalFunction,
    pub(crate) inverse: LocalFunction,
}

/// `f_columns() -> i64` is the packed span of the columns' names; `f_open(...) -> i32` makes a cursor; `f_next(i32) -> i64` is the packed span
/// of a row, 0 after the last; `f_close(i32)` frees the cursor.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) columns: LocalFunction,
    pub(crate) open: LocalFunction,
    pub(crate) next: LocalFunction,
    pub(crate) close: Option<LocalFunction>,
}

/// A function's compiled module.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) module: Shown,
    pub(crate) kind: Kind,
    pub(crate) malloc: Option<LocalFunction>,
    pub(crate) free: Option<LocalFunction>,
}

/// A module, whose insides are nobody's business.
pub(crate) struct Shown(pub(crate) Module);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a module of {} bytes", self.0.size())
    }
}

impl Code {
    /// Compiles `source`, WAT or bytes, and finds the function `name` in it. Takes as long as compiling takes, unless somebody has the module
    /// or the engine's cache does.
    pub(crate) fn compile(host: &FunctionHost, name: &str, source: &[u8], deterministic: bool) -> Result<Self, Fault> {
        let module = Module::compile(&host.engine, source, CompileOptions { deterministic })?;
        let kind = kind(&module, name)?;
        let code = Self {
            malloc: exact(&module, "libsql_malloc", &[ValType::I32], &[ValType::I32])?,
            free: exact(&module, "libsql_free", &[ValType::I32], &[])?,
            module: Shown(module),
            kind,
        };
        code.check()?;
        Ok(code)
    }

    pub(crate) fn shape(&self) -> Shape {
        match &self.kind {
            Kind::Scalar(_) => Shape::Scalar,
            Kind::Aggregate(aggregate) => Shape::Aggregate { windows: aggregate.window.is_some() },
            Kind::Table(_) => Shape::Table,
        }
    }

    /// The function that takes the arguments of the SQL call, and how many of its parameters come before those.
    pub(crate) fn entry(&self) -> (&LocalFunction, usize) {
        match &self.kind {
            Kind::Scalar(function) => (function, 0),
            Kind::Aggregate(aggregate) => (&aggregate.step, 1),
            Kind::Table(table) => (&table.open, 0),
        }
    }

    /// How many arguments it takes.
    pub(crate) fn arity(&self) -> usize {
        let (function, before) = self.entry();
        function.parameters().len() - before
    }

    fn check(&self) -> Result<(), Fault> {
        let (entry, before) = self.entry();
        let parameters = &entry.parameters()[before..];
        let most = if matches!(self.kind, Kind::Table(_)) { MAX_TABLE_ARGUMENTS } else { MAX_PARAMETERS };
        if parameters.len() > most {
            let message = format!("it has {} parameters; at most {most} are allowed", parameters.len());
            return Err(Fault::contract(message));
        }
        let mut pointers = false;
        for (at, ty) in parameters.iter().enumerate() {
            match ty {
                ValType::I64 | ValType::F64 => {}
                ValType::I32 => pointers = true,
                other => {
                    let message = format!("parameter {} has the type {other}, and must be i64, f64 or i32", at + 1);
                    return Err(Fault::contract(message));
                }
            }
        }
        let has_memory =
            self.module.0.exports().iter().any(|export| export.kind == "memory" && export.name == "memory");
        if pointers && self.malloc.is_none() {
            return Err(missing("function", "libsql_malloc"));
        }
        let results = match &self.kind {
            Kind::Scalar(function) => function.results(),
            Kind::Aggregate(aggregate) => aggregate.last.results(),
            Kind::Table(_) => &[ValType::I32],
        };
        let answers_pointers = match results {
            [] | [ValType::I64 | ValType::F64] => false,
            [ValType::I32] => true,
            _ => return Err(Fault::contract("its result must be one i64, f64 or i32, or none")),
        };
        if (pointers || answers_pointers) && !has_memory {
            return Err(missing("memory", "memory"));
        }
        Ok(())
    }
}

fn missing(kind: &'static str, name: &str) -> Fault {
    Fault::Wasm(wasgo_wasm::Error::MissingExport { kind, name: name.into() })
}

fn kind(module: &Module, name: &str) -> Result<Kind, Fault> {
    if let Some(scalar) = find(module, name) {
        return Ok(Kind::Scalar(scalar));
    }
    let part = |part: &str| find(module, &format!("{name}_{part}"));
    if let Some(step) = part("step") {
        let wanted =
            |part_name: &str| part(part_name).ok_or_else(|| missing("function", &format!("{name}_{part_name}")));
        let init = typed(wanted("init")?, name, "init", &[], &[ValType::I32])?;
        let last = wanted("final")?;
        takes_state(&last, name, "final", 0)?;
        takes_state(&step, name, "step", step.parameters().len().saturating_sub(1))?;
        let window = match (part("value"), part("inverse")) {
            (Some(value), Some(inverse)) => {
                takes_state(&value, name, "value", 0)?;
                let same = inverse.parameters().len() == step.parameters().len()
                    && inverse.parameters().iter().zip(step.parameters()).all(|(a, b)| ValType::eq(a, b));
                if !same {
                    return Err(Fault::contract(format!("{name}_inverse must take what {name}_step takes")));
                }
                let same = value.results().len() == last.results().len()
                    && value.results().iter().zip(last.results()).all(|(a, b)| ValType::eq(a, b));
                if !same {
                    return Err(Fault::contract(format!("{name}_value must answer what {name}_final answers")));
                }
                Some(Window { value, inverse })
            }
            _ => None,
        };
        return Ok(Kind::Aggregate(Aggregate { init, step, last, window }));
    }
    if let Some(next) = part("next") {
        let wanted =
            |part_name: &str| part(part_name).ok_or_else(|| missing("function", &format!("{name}_{part_name}")));
        let open = wanted("open")?;
        if !matches!(open.results(), [ValType::I32]) {
            return Err(Fault::contract(format!("{name}_open must answer an i32")));
        }
        return Ok(Kind::Table(Table {
            columns: typed(wanted("columns")?, name, "columns", &[], &[ValType::I64])?,
            open,
            next: typed(next, name, "next", &[ValType::I32], &[ValType::I64])?,
            close: part("close").map(|close| typed(close, name, "close", &[ValType::I32], &[])).transpose()?,
        }));
    }
    Err(missing("function", name))
}

/// The exported function `name`. SQL's names are the same in upper and lower case, and wasm's are not.
fn find(module: &Module, name: &str) -> Option<LocalFunction> {
    LocalFunction::find(module, name).or_else(|| {
        let mut functions = module.exports().iter().filter(|export| export.kind == "func");
        let like = functions.find(|export| export.name.eq_ignore_ascii_case(name))?;
        LocalFunction::find(module, &like.name)
    })
}

fn has_type(function: &LocalFunction, parameters: &[ValType], results: &[ValType]) -> bool {
    let same = |a: &[ValType], b: &[ValType]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| ValType::eq(a, b));
    same(function.parameters(), parameters) && same(function.results(), results)
}

fn typed(
    function: LocalFunction,
    name: &str,
    part: &str,
    parameters: &[ValType],
    results: &[ValType],
) -> Result<LocalFunction, Fault> {
    if has_type(&function, parameters, results) {
        return Ok(function);
    }
    let list = |types: &[ValType]| types.iter().map(ValType::to_string).collect::<Vec<_>>().join(", ");
    Err(Fault::contract(format!("{name}_{part} must have the type ({}) -> ({})", list(parameters), list(results))))
}

fn takes_state(function: &LocalFunction, name: &str, part: &str, more: usize) -> Result<(), Fault> {
    match function.parameters() {
        [ValType::I32, rest @ ..] if rest.len() == more => Ok(()),
        _ => Err(Fault::contract(format!("{name}_{part} must take the state, an i32, first"))),
    }
}

/// One of the functions that the ABI names; an error when it has another type.
fn exact(
    module: &Module,
    name: &str,
    parameters: &[ValType],
    results: &[ValType],
) -> Result<Option<LocalFunction>, Fault> {
    match LocalFunction::find(module, name) {
        Some(function) if has_type(&function, parameters, results) => Ok(Some(function)),
        Some(_) => Err(Fault::contract(format!("its export \"{name}\" has another type than the ABI gives it"))),
        None => Ok(None),
    }
}
