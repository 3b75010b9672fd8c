//! The script contract as components keep it: the functions of the world `wasgo:script`, with typed values.

use wasmtime::component::types::Type;
use wasmtime::component::{ComponentNamedList, Func, Lift, Lower, TypedFunc, Val};

use super::describe::describe_type;
use super::instance::Core;
use crate::abi::{MAX_COLUMNS_BYTES, ScriptInfo};
use crate::error::{Error, LimitKind};
use crate::row::{self, Value};

const COLUMNS: &str = "columns";
const NOTIFICATION: &str = "notification";
const PROCESS: &str = "process";

/// The types of `notification`.
const WHAT: &str = "s32";
const ROW: &str = "list<variant { integer(s64), real(f64), text(string), blob(list<u8>), null }>";

/// The contract's exports, looked up once.
#[derive(Default)]
pub(super) struct ScriptFunctions {
    notification: Option<Func>,
    process: Option<Process>,
    looked_up: bool,
}

type Process = TypedFunc<(Vec<u8>,), (Result<Vec<Vec<u8>>, String>,)>;

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
            let limit = MAX_COLUMNS_BYTES;
            return Err(Error::Limit { kind: LimitKind::ResultSize, limit, asked: Some(bytes) });
        }
        let (notification, process) = (self.script.notification.is_some(), self.script.process.is_some());
        Ok(ScriptInfo { notification, process, columns })
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
        let row = row::decode(row).map_err(|error| Error::contract(format!("a row: {error}")))?;
        let arguments = [Val::S32(what), Val::List(row.into_iter().map(into_variant).collect())];
        let mut results = [Val::Bool(false)];
        let called = notification.call_async(&mut self.store, &arguments, &mut results).await;
        self.finish(called)?;
        let [result] = results;
        let row = match result {
            Val::Result(Ok(Some(option))) => *option,
            Val::Result(Err(Some(words))) => return Err(refused(NOTIFICATION, *words)),
            _ => return Err(unexpected()),
        };
        let Val::Option(row) = row else { return Err(unexpected()) };
        let Some(row) = row else { return Ok(None) };
        let Val::List(values) = *row else { return Err(unexpected()) };
        let blobs: Vec<_> = values.iter().map(blob).collect();
        let values =
            values.iter().zip(&blobs).map(|(value, blob)| from_variant(value, blob)).collect::<Result<Vec<_>, _>>()?;
        let at = answers.len();
        let size = row::encode(&values, answers)
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
        let buffers = self.finish(called)?.0.map_err(|words| refused(PROCESS, Val::String(words)))?;
        let bytes = buffers.iter().map(Vec::len).sum::<usize>() as u64;
        if bytes > limits.result {
            return Err(Error::Limit { kind: LimitKind::ResultSize, limit: limits.result, asked: Some(bytes) });
        }
        Ok(buffers)
    }

    fn look_up_script(&mut self) -> Result<(), Error> {
        if !self.script.looked_up {
            let notification = self.export(NOTIFICATION);
            if let Some(function) = notification {
                self.check_notification(function)?;
            }
            let process = self.typed(PROCESS, "func(input: list<u8>) -> result<list<list<u8>>, string>")?;
            self.script = ScriptFunctions { notification, process, looked_up: true };
        }
        Ok(())
    }

    fn check_notification(&self, function: Func) -> Result<(), Error> {
        let ty = function.ty(&self.store);
        let text = |ty: &Type| describe_type(ty, &[]);
        let parameters: Vec<_> = ty.params().map(|(_, ty)| text(&ty)).collect();
        let result = ty.results().next().map(|ty| text(&ty));
        let wanted = format!("result<option<{ROW}>, string>");
        if parameters == [WHAT, ROW] && result.as_deref() == Some(wanted.as_str()) {
            return Ok(());
        }
        Err(Error::WrongType {
            name: NOTIFICATION.into(),
            found: super::describe::describe_function(&ty, &[]),
            wanted: format!("func(what: {WHAT}, row: {ROW}) -> {wanted}"),
        })
    }

    fn typed<P, R>(&mut self, name: &str, wanted: &str) -> Result<Option<TypedFunc<P, R>>, Error>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let Some(function) = self.export(name) else { return Ok(None) };
        function.typed(&self.store).map(Some).map_err(|_| Error::WrongType {
            name: name.into(),
            found: super::describe::describe_function(&function.ty(&self.store), &[]),
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

/// The script says itself that it failed.
fn refused(function: &str, words: Val) -> Error {
    let words = if let Val::String(words) = words { words } else { String::new() };
    Error::Trap {
        reason: "failed",
        message: format!("{function} answered with an error: {words}"),
        backtrace: Vec::new(),
    }
}

fn unexpected() -> Error {
    Error::contract(format!("{NOTIFICATION} returned a value of another type"))
}

fn into_variant(value: Value<'_>) -> Val {
    let case = |name: &str, payload| Val::Variant(name.into(), Some(Box::new(payload)));
    match value {
        Value::Integer(integer) => case("integer", Val::S64(integer)),
        Value::Real(real) => case("real", Val::Float64(real)),
        Value::Text(text) => case("text", Val::String(text.into())),
        Value::Blob(bytes) => case("blob", Val::List(bytes.iter().map(|byte| Val::U8(*byte)).collect())),
        Value::Null => Val::Variant("null".into(), None),
    }
}

/// The bytes of a blob, together; nothing for what is none.
fn blob(value: &Val) -> Vec<u8> {
    match value {
        Val::Variant(_, Some(payload)) => match &**payload {
            Val::List(bytes) => bytes.iter().map(|byte| if let Val::U8(byte) = byte { *byte } else { 0 }).collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn from_variant<'v>(value: &'v Val, blob: &'v [u8]) -> Result<Value<'v>, Error> {
    let Val::Variant(_, payload) = value else { return Err(unexpected()) };
    Ok(match payload.as_deref() {
        Some(Val::S64(integer)) => Value::Integer(*integer),
        Some(Val::Float64(real)) => Value::Real(*real),
        Some(Val::String(text)) => Value::Text(text),
        Some(Val::List(_)) => Value::Blob(blob),
        Some(_) => return Err(unexpected()),
        None => Value::Null,
    })
}
