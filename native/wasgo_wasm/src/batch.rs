//! Calls of one export with many rows of arguments.
//!
//! Entering a guest from outside costs more than most calls do. So a batch enters once: a *driver*, a small module made for the
//! export's type, is instantiated beside the guest and calls it row by row, guest to guest. It has a memory of its own, where the host puts
//! arguments and finds results. A trap ends the driver's run too; the row at fault is known, and the next run begins after it.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::{Caller, Func, Global, Linker, Memory, TypedFunc, Val, ValType};

use crate::call::Job;
use crate::core::{Core, Host, charge_failure};
use crate::error::{ERRORS_AT_LENGTH, Error, LimitKind};
use crate::executor::yield_to_pool;
use crate::flavour::Flavour;
use crate::module::FunctionExport;

/// Drivers that an instance may have: one for each export that is called in batches, and one for a script's notifications.
pub(crate) const MAX_DRIVERS: usize = 4;

/// Drivers' code that an engine keeps, each for one type of functions.
const KEPT_DRIVERS: usize = 64;

/// Bytes of arguments, and of results, that a driver holds at once.
const WINDOW: usize = 256 << 10;

/// Fewer rows than this are not worth a driver that is still to be compiled.
const WORTH_COMPILING: usize = 64;

/// Fewer rows than this are not worth one that is still to be instantiated.
const WORTH_INSTANTIATING: usize = 8;

/// The bytes that a value takes in a packed row; none for references, which mean nothing outside.
pub fn packed_size(ty: &ValType) -> Option<usize> {
    Some(match ty {
        ValType::I32 | ValType::F32 => 4,
        ValType::I64 | ValType::F64 => 8,
        ValType::V128 => 16,
        ValType::Ref(_) => return None,
    })
}

/// The bytes of a packed row: its values one after another, little-endian, with nothing between; none if one can't be packed.
pub fn packed_row_size(types: &[ValType]) -> Option<usize> {
    types.iter().map(packed_size).sum()
}

/// Appends a value to a packed row.
pub fn pack(value: &Val, out: &mut Vec<u8>) {
    match value {
        Val::I32(value) => out.extend_from_slice(&value.to_le_bytes()),
        Val::I64(value) => out.extend_from_slice(&value.to_le_bytes()),
        Val::F32(bits) => out.extend_from_slice(&bits.to_le_bytes()),
        Val::F64(bits) => out.extend_from_slice(&bits.to_le_bytes()),
        Val::V128(value) => out.extend_from_slice(&value.as_u128().to_le_bytes()),
        _ => {}
    }
}

/// Takes a value of type `ty` off the front of a packed row.
pub fn unpack(ty: &ValType, bytes: &mut &[u8]) -> Option<Val> {
    fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
        let (value, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(*value)
    }
    Some(match ty {
        ValType::I32 => Val::I32(i32::from_le_bytes(take(bytes)?)),
        ValType::I64 => Val::I64(i64::from_le_bytes(take(bytes)?)),
        ValType::F32 => Val::F32(u32::from_le_bytes(take(bytes)?)),
        ValType::F64 => Val::F64(u64::from_le_bytes(take(bytes)?)),
        ValType::V128 => Val::V128(u128::from_le_bytes(take(bytes)?).into()),
        ValType::Ref(_) => return None,
    })
}

/// What many calls gave.
#[derive(Debug, Clone, Default)]
pub struct ManyResults {
    /// The results as packed rows, one for each row of arguments; zeros where the row failed.
    pub packed: Vec<u8>,
    /// How many rows there are.
    pub rows: usize,
    /// Types of a row's results.
    pub types: Vec<ValType>,
    /// The rows that failed, in order, and why.
    pub errors: Vec<(usize, Error)>,
}

impl ManyResults {
    /// Only the first errors are kept at length: a guest decides how long they are, and its host how many rows there are.
    fn fail(&mut self, row: usize, error: Error) {
        let long = self.errors.len() < ERRORS_AT_LENGTH;
        self.errors.push((row, if long { error } else { error.brief() }));
    }
}

/// A batch of calls of one export.
pub(crate) struct CallMany {
    pub(crate) export: Arc<FunctionExport>,
    pub(crate) packed: Vec<u8>,
    pub(crate) rows: usize,
}

impl Job<ManyResults> for CallMany {
    async fn run(&mut self, core: &mut Core) -> Result<ManyResults, Error> {
        let export = &self.export;
        let function = core.function(export)?;
        let (parameters, results) = (&export.parameters, &export.results);
        let limit = core.store.data().limiter.limits.result;
        let (row, result) = sizes(&export.name, (parameters, results), (&self.packed, self.rows), limit)?;
        let mut many = ManyResults {
            packed: vec![0; result * self.rows],
            rows: self.rows,
            types: results.to_vec(),
            errors: Vec::new(),
        };
        match core.driver(function, export.number, parameters, results, self.rows).await? {
            Some(driver) => driver.run(core, &self.packed, (row, result), &mut many).await?,
            None => one_by_one(core, function, &self.packed, parameters, row, &mut many).await?,
        }
        Ok(many)
    }
}

/// Bytes of a row of arguments and of one of results, if all of them are as many as they must be and no more than they may.
fn sizes(
    name: &str,
    (parameters, results): (&[ValType], &[ValType]),
    (packed, rows): (&[u8], usize),
    limit: u64,
) -> Result<(usize, usize), Error> {
    let sizes = packed_row_size(parameters).zip(packed_row_size(results));
    let Some((row, result)) = sizes.filter(|(row, _)| row.saturating_mul(rows) == packed.len()) else {
        let message = format!("{} bytes are not {rows} rows of \"{name}\"", packed.len());
        return Err(Error::Arguments { message });
    };
    let asked = (result as u64).saturating_mul(rows as u64);
    if asked > limit {
        return Err(Error::Limit { kind: LimitKind::ResultSize, limit, asked: Some(asked) });
    }
    Ok((row, result))
}

/// Makes packed rows, and says how many there are, when their parameters' types are known.
pub type ConvertMany = Box<dyn FnOnce(&[ValType]) -> Result<(Vec<u8>, usize), Error> + Send>;

/// A batch of calls of the guest that called the host: part of the call that it is within, whose end settles what the rows changed.
pub(crate) async fn call_many_within(
    caller: &mut Caller<'_, Host>,
    name: &str,
    function: Func,
    convert: ConvertMany,
) -> Result<ManyResults, Error> {
    let ty = function.ty(&*caller);
    let (parameters, types): (Vec<_>, Vec<_>) = (ty.params().collect(), ty.results().collect());
    let (packed, rows) = convert(&parameters)?;
    let limit = caller.data().limiter.limits.result;
    let (row, result) = sizes(name, (&parameters, &types), (&packed, rows), limit)?;
    let mut results = vec![Val::I32(0); types.len()];
    let mut many = ManyResults { packed: Vec::with_capacity(result * rows), rows, types, errors: Vec::new() };
    // What the guest was refused before may explain its trap yet, and is none of the rows'.
    let hit = caller.data_mut().limiter.hit.take();
    for number in 0..rows {
        caller.data_mut().begin_row();
        let mut bytes = &packed[number * row..];
        let arguments: Vec<Val> = parameters.iter().filter_map(|ty| unpack(ty, &mut bytes)).collect();
        match function.call_async(&mut *caller, &arguments, &mut results).await {
            Ok(()) => results.iter().for_each(|value| pack(value, &mut many.packed)),
            Err(error) => {
                let error = caller.data_mut().guest_error(error);
                if matches!(error, Error::Limit { kind: LimitKind::Fuel, .. }) {
                    return Err(error);
                }
                many.fail(number, error);
                charge_failure(&mut *caller)?;
                many.packed.resize((number + 1) * result, 0);
            }
        }
    }
    caller.data_mut().limiter.hit = hit;
    Ok(many)
}

/// Calls without a driver.
async fn one_by_one(
    core: &mut Core,
    function: Func,
    packed: &[u8],
    parameters: &[ValType],
    row: usize,
    many: &mut ManyResults,
) -> Result<(), Error> {
    let mut results = vec![Val::I32(0); many.types.len()];
    let mut out = Vec::with_capacity(many.packed.len());
    for number in 0..many.rows {
        core.begin_row();
        let mut bytes = &packed[number * row..];
        let arguments: Vec<Val> = parameters.iter().filter_map(|ty| unpack(ty, &mut bytes)).collect();
        match function.call_async(&mut core.store, &arguments, &mut results).await {
            Ok(()) => results.iter().for_each(|value| pack(value, &mut out)),
            Err(error) => {
                let error = core.guest_error(error);
                if matches!(error, Error::Limit { kind: LimitKind::Fuel, .. }) {
                    return Err(error);
                }
                many.fail(number, error);
                core.charge_failure()?;
                out.resize((number + 1) * many.packed.len() / many.rows, 0);
                core.end(false);
                continue;
            }
        }
        core.end(true);
    }
    many.packed = out;
    Ok(())
}

/// A driver beside a guest.
#[derive(Clone)]
pub(crate) struct Driver {
    run: TypedFunc<(i32, i32), ()>,
    memory: Memory,
    /// The row that runs.
    row: Global,
}

/// The drivers of one instance, by the number of the export that they call.
#[derive(Default)]
pub(crate) struct Drivers {
    made: Vec<(u32, Driver)>,
    script: Option<TypedFunc<i32, ()>>,
    /// No more can be made.
    full: bool,
}

impl Drivers {
    /// Whether no more can be made, and there is none for a script's notifications.
    pub(crate) fn is_full(&self) -> bool {
        self.full && self.script.is_none()
    }

    /// What repeats a script's notifications.
    pub(crate) fn script(&self) -> Option<TypedFunc<i32, ()>> {
        self.script.clone()
    }

    pub(crate) fn set_script(&mut self, driver: TypedFunc<i32, ()>) {
        self.script = Some(driver);
    }
}

impl Driver {
    async fn run(
        &self,
        core: &mut Core,
        packed: &[u8],
        (row, result): (usize, usize),
        many: &mut ManyResults,
    ) -> Result<(), Error> {
        // Rows of no size at all fit in any number; what then counts is that the driver's counter does.
        let window = WINDOW / row.max(result).max(1);
        let mut first = 0;
        while first < many.rows {
            let count = window.min(many.rows - first);
            let arguments = &packed[first * row..(first + count) * row];
            self.memory.data_mut(&mut core.store)[..arguments.len()].copy_from_slice(arguments);
            // What an earlier window left there are no results of this one's failed rows.
            self.memory.data_mut(&mut core.store)[WINDOW..WINDOW + count * result].fill(0);
            let mut from = 0;
            while from < count {
                core.begin_row();
                let ran = self.run.call_async(&mut core.store, (from as i32, count as i32)).await;
                let Err(error) = ran else { break };
                let error = core.guest_error(error);
                // Without fuel no row can run, nor the driver itself.
                if matches!(error, Error::Limit { kind: LimitKind::Fuel, .. }) {
                    return Err(error);
                }
                let row = self.row.get(&mut core.store).i32().map_or(count, |row| row as usize);
                let at = row.clamp(from, count);
                many.fail(first + at, error);
                core.charge_failure()?;
                from = at + 1;
            }
            let results = &self.memory.data(&core.store)[WINDOW..WINDOW + count * result];
            many.packed[first * result..(first + count) * result].copy_from_slice(results);
            first += count;
        }
        Ok(())
    }
}

impl Core {
    /// The driver for an export, if a batch of `rows` is worth one.
    async fn driver(
        &mut self,
        function: Func,
        export: u32,
        parameters: &[ValType],
        results: &[ValType],
        rows: usize,
    ) -> Result<Option<Driver>, Error> {
        if let Some((_, driver)) = self.drivers.made.iter().find(|(number, _)| *number == export) {
            return Ok(Some(driver.clone()));
        }
        // What is granted is settled row by row, which a driver can't.
        if self.drivers.full || rows < WORTH_INSTANTIATING || self.store.data().granted.is_some() {
            return Ok(None);
        }
        let engine = self.module.engine().clone();
        let flavour = engine.flavour_of(self.store.engine());
        let ty = function.ty(&self.store).to_string();
        let kept = engine.drivers().get(flavour, &ty);
        if kept.is_none() && rows < WORTH_COMPILING {
            return Ok(None);
        }
        let module = match kept {
            Some(module) => module,
            None => {
                self.leave_for_pool().await;
                engine.drivers().compile(flavour, &ty, self.store.engine(), &source(parameters, results))?
            }
        };
        let Some(instance) = self
            .instantiate_driver(&module, |linker, store| {
                linker.define(store, "guest", "function", function)?;
                Ok(())
            })
            .await?
        else {
            return Ok(None);
        };
        let driver = instance.get_typed_func(&mut self.store, "run").ok();
        let driver = driver.zip(instance.get_memory(&mut self.store, "memory"));
        let driver = driver.zip(instance.get_global(&mut self.store, "row"));
        let Some(((run, memory), row)) = driver else { return Ok(None) };
        let driver = Driver { run, memory, row };
        self.drivers.made.push((export, driver.clone()));
        Ok(Some(driver))
    }

    /// Instantiates a driver; none when the instance has as many as it may, or no place for one.
    pub(crate) async fn instantiate_driver(
        &mut self,
        module: &wasmtime::Module,
        define: impl FnOnce(&mut Linker<Host>, &mut wasmtime::Store<Host>) -> wasmtime::Result<()>,
    ) -> Result<Option<wasmtime::Instance>, Error> {
        if self.drivers.full {
            return Ok(None);
        }
        let mut linker = Linker::new(module.engine());
        define(&mut linker, &mut self.store).map_err(Error::engine)?;
        self.store.data_mut().limiter.driver = true;
        let made = linker.instantiate_async(&mut self.store, module).await;
        self.store.data_mut().limiter.driver = false;
        self.store.data_mut().limiter.drivers += 1;
        self.drivers.full = self.store.data().limiter.drivers == MAX_DRIVERS || made.is_err();
        match made {
            Ok(instance) => Ok(Some(instance)),
            Err(error) if error.is::<wasmtime::PoolConcurrencyLimitError>() => Ok(None),
            Err(error) => Err(Error::engine(error)),
        }
    }

    /// To be awaited before what takes a while.
    pub(crate) async fn leave_for_pool(&mut self) {
        if std::mem::take(&mut self.store.data_mut().limiter.inline) {
            yield_to_pool().await;
        }
    }
}

/// The drivers' code that an engine keeps, by flavour and by the type of what they call.
#[derive(Default)]
pub(crate) struct Kept(Mutex<HashMap<(Flavour, String), wasmtime::Module>>);

/// Where a script's driver is kept: no type reads so.
const SCRIPT: &str = "script";

impl Kept {
    fn lock(&self) -> MutexGuard<'_, HashMap<(Flavour, String), wasmtime::Module>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, flavour: Flavour, ty: &str) -> Option<wasmtime::Module> {
        self.lock().get(&(flavour, ty.to_owned())).cloned()
    }

    fn compile(
        &self,
        flavour: Flavour,
        ty: &str,
        engine: &wasmtime::Engine,
        source: &str,
    ) -> Result<wasmtime::Module, Error> {
        let compiled = wasmtime::Module::new(engine, source).map_err(Error::engine)?;
        let mut kept = self.lock();
        if kept.len() >= KEPT_DRIVERS {
            kept.clear();
        }
        kept.insert((flavour, ty.to_owned()), compiled.clone());
        Ok(compiled)
    }

    /// The driver of a script's notifications.
    pub(crate) fn script(&self, flavour: Flavour) -> Option<wasmtime::Module> {
        self.get(flavour, SCRIPT)
    }

    pub(crate) fn compile_script(
        &self,
        flavour: Flavour,
        engine: &wasmtime::Engine,
        source: &str,
    ) -> Result<wasmtime::Module, Error> {
        self.compile(flavour, SCRIPT, engine, source)
    }
}

/// The source of a driver for functions of a type. `run(from, to)` calls the function with the rows from `from` up to `to`.
fn source(parameters: &[ValType], results: &[ValType]) -> String {
    let names = |types: &[ValType]| types.iter().map(ValType::to_string).collect::<Vec<_>>().join(" ");
    let (row, result) = (packed_row_size(parameters).unwrap_or(0), packed_row_size(results).unwrap_or(0));
    let mut body = String::new();
    let mut offset = 0;
    for ty in parameters {
        let _ = writeln!(body, "(local.get $in) ({ty}.load offset={offset} align=1)");
        offset += packed_size(ty).unwrap_or(0);
    }
    body.push_str("(call $function)\n");
    for number in (0..results.len()).rev() {
        let _ = writeln!(body, "(local.set $r{number})");
    }
    let mut offset = WINDOW;
    let mut locals = String::new();
    for (number, ty) in results.iter().enumerate() {
        let _ = write!(locals, "(local $r{number} {ty})");
        let _ = writeln!(body, "({ty}.store offset={offset} align=1 (local.get $out) (local.get $r{number}))");
        offset += packed_size(ty).unwrap_or(0);
    }
    format!(
        r#"(module
          (import "guest" "function" (func $function (param {}) (result {})))
          (memory (export "memory") {})
          (global $row (export "row") (mut i32) (i32.const 0))
          (func (export "run") (param $from i32) (param $to i32) (local $in i32) (local $out i32) {locals}
            (local.set $in (i32.mul (local.get $from) (i32.const {row})))
            (local.set $out (i32.mul (local.get $from) (i32.const {result})))
            (global.set $row (local.get $from))
            (block $done (loop $next
              (br_if $done (i32.ge_u (global.get $row) (local.get $to)))
              {body}
              (local.set $in (i32.add (local.get $in) (i32.const {row})))
              (local.set $out (i32.add (local.get $out) (i32.const {result})))
              (global.set $row (i32.add (global.get $row) (i32.const 1)))
              (br $next)))))"#,
        names(parameters),
        names(results),
        2 * WINDOW / (64 << 10),
    )
}
