//! The script contract as components keep it: the functions of the world `wasgo:script`, with typed values.

use wasmtime::component::{ComponentNamedList, Lift, Lower, TypedFunc};

use super::describe::describe_function;
use super::instance::Core;
use super::values::{self, Value};
use crate::abi::{Generation, MAX_COLUMNS_BYTES, ScriptInfo};
use crate::error::{Error, LimitKind};

const COLUMNS: &str = "columns";
const NOTIFICATION: &str = "notification";
const PROCESS: &str = "process";
const GENERATE: &str = "generate";

const ROW: &str = "list<variant { integer(s64), real(f64), text(string), blob(list<u8>), null }>";

/// The contract's exports, looked up once.
#[derive(Default)]
pub(super) struct ScriptFunctions {
    notification: Option<Notification>,
    process: Option<Process>,
    generate: Option<Generate>,
    looked_up: bool,
}

type Notification = TypedFunc<(i32, Vec<Value>), (Result<Option<Vec<Value>>, String>,)>;
type Process = TypedFunc<(Vec<u8>,), (Result<Vec<Vec<u8>>, String>,)>;
type Generate = TypedFunc<(u64, i32, i32, u32, Vec<Value>), (Result<Vec<u8>, String>,)>;

impl Core {
    /// What the guest offers of the contract; its columns it is asked for.
    pub(crate) async fn script_info(&mut self) -> Result<ScriptInfo, Error> {
        self.look_up_script()?;
        let wanted = "func() -> list<string>";
        let columns = match self.typed::<(), (Vec<String>,)>(COLUMNS, wanted)? {
            Some(function) => {
                let called = function.call_async(&mut self.store, ()).await;
                self.finish(called)?.0
            }
            None => Vec::new(),
        };
        let bytes = columns.iter().map(String::len).sum::<usize>() as u64;
        if bytes > MAX_COLUMNS_BYTES {
            return Err(too_long(MAX_COLUMNS_BYTES, bytes));
        }
        let ScriptFunctions { notification, process, generate, .. } = &self.script;
        Ok(ScriptInfo {
            notification: notification.is_some(),
            process: process.is_some(),
            generate: generate.is_some(),
            columns,
        })
    }

    /// Calls `notification(what, row)` and appends the row that it returns to `answers`.
    pub(crate) async fn notify(
        &mut self,
        what: i32,
        row: &[u8],
        answers: &mut Vec<u8>,
    ) -> Result<Option<(usize, usize)>, Error> {
        self.look_up_script()?;
        let Some(notification) = self.script.notification else { return Err(missing(NOTIFICATION)) };
        self.begin_row();
        let row = values::decode(row).map_err(|error| Error::contract(format!("a row: {error}")))?;
        let called = notification.call_async(&mut self.store, (what, row)).await;
        let Some(row) = self.finish(called)?.0.map_err(|words| refused(NOTIFICATION, &words))? else { return Ok(None) };
        let at = answers.len();
        let size = values::encode(&row, answers)
            .map_err(|error| Error::contract(format!("{NOTIFICATION} returned {error}")))?;
        Ok(Some((at, size)))
    }

    /// Calls `process` with `input`; the result is the buffers that it returned.
    pub(crate) async fn process(&mut self, input: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        self.look_up_script()?;
        let limits = self.limits();
        if input.len() as u64 > limits.input {
            let asked = Some(input.len() as u64);
            return Err(Error::Limit { kind: LimitKind::InputSize, limit: limits.input, asked });
        }
        let Some(process) = self.script.process else { return Err(missing(PROCESS)) };
        let called = process.call_async(&mut self.store, (input.to_vec(),)).await;
        let buffers = self.finish(called)?.0.map_err(|words| refused(PROCESS, &words))?;
        let bytes = buffers.iter().map(Vec::len).sum::<usize>() as u64;
        if bytes > limits.result {
            return Err(too_long(limits.result, bytes));
        }
        Ok(buffers)
    }

    /// Calls `generate`; the result is the bytes that it returned.
    pub(crate) async fn generate(&mut self, what: &Generation) -> Result<Vec<u8>, Error> {
        self.look_up_script()?;
        let limit = self.limits().result;
        let Some(generate) = self.script.generate else { return Err(missing(GENERATE)) };
        let parameters = values::decode(&what.parameters)
            .map_err(|error| Error::Arguments { message: format!("the parameters: {error}") })?;
        let arguments = (what.seed, what.x, what.z, what.lod, parameters);
        let called = generate.call_async(&mut self.store, arguments).await;
        let bytes = self.finish(called)?.0.map_err(|words| refused(GENERATE, &words))?;
        if bytes.len() as u64 > limit {
            return Err(too_long(limit, bytes.len() as u64));
        }
        Ok(bytes)
    }

    fn look_up_script(&mut self) -> Result<(), Error> {
        if !self.script.looked_up {
            let notification = format!("func(what: s32, row: {ROW}) -> result<option<{ROW}>, string>");
            let generate =
                format!("func(seed: u64, x: s32, z: s32, lod: u32, parameters: {ROW}) -> result<list<u8>, string>");
            self.script = ScriptFunctions {
                notification: self.typed(NOTIFICATION, &notification)?,
                process: self.typed(PROCESS, "func(input: list<u8>) -> result<list<list<u8>>, string>")?,
                generate: self.typed(GENERATE, &generate)?,
                looked_up: true,
            };
        }
        Ok(())
    }

    fn typed<P, R>(&mut self, name: &str, wanted: &str) -> Result<Option<TypedFunc<P, R>>, Error>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let Some(function) = self.export(name) else { return Ok(None) };
        function.typed(&self.store).map(Some).map_err(|_| Error::WrongType {
            name: name.into(),
            found: describe_function(&function.ty(&self.store), &[]),
            wanted: wanted.into(),
        })
    }

    fn finish<T>(&mut self, called: wasmtime::Result<T>) -> Result<T, Error> {
        called.map_err(|error| self.explain(error))
    }
}

fn missing(name: &str) -> Error {
    Error::MissingExport { kind: "function", name: name.into() }
}

fn too_long(limit: u64, asked: u64) -> Error {
    Error::Limit { kind: LimitKind::ResultSize, limit, asked: Some(asked) }
}

/// The script says itself that it failed.
fn refused(function: &str, words: &str) -> Error {
    Error::Trap {
        reason: "failed",
        message: format!("{function} answered with an error: {words}"),
        backtrace: Vec::new(),
        offsets: Vec::new(),
    }
}
