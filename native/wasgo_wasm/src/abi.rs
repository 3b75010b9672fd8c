//! The script contract: rows and buffers in and out of a guest. `guest/README.md` is its text for authors.

use std::ops::Range;

use wasmtime::{Func, TypedFunc};

use crate::core::Core;
use crate::error::{Error, LimitKind};
use crate::scratch::Scratch;

/// Names of columns that a script may give.
pub(crate) const MAX_COLUMNS_BYTES: u64 = 64 << 10;

/// The contract's exports, looked up once.
#[derive(Default)]
pub(crate) struct ScriptAbi {
    alloc: Option<TypedFunc<u32, u32>>,
    notification: Option<TypedFunc<(i32, u32, u32), u64>>,
    process: Option<TypedFunc<(u32, u32), u64>>,
    generate: Option<Generate>,
    looked_up: bool,
}

/// `generate(seed, x, z, lod, parameters, length)`.
type Generate = TypedFunc<(u64, i32, i32, u32, u32, u32), u64>;

/// Many rows in one piece of memory: each is a span of `bytes`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// The rows, each beginning at a multiple of 8.
    pub bytes: Scratch,
    /// Start and length of each row in bytes.
    pub spans: Vec<(usize, usize)>,
}

/// What a script offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScriptInfo {
    /// It exports `_notification`.
    pub notification: bool,
    /// It exports `process`.
    pub process: bool,
    /// It exports `generate`.
    pub generate: bool,
    /// Names of the columns of the rows that it returns; empty where it does not say.
    pub columns: Vec<String>,
}

/// What a chunk is to be generated of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Generation {
    /// The whole world's.
    pub seed: u64,
    /// Which chunk, counted in chunks along x.
    pub x: i32,
    /// Which chunk, counted in chunks along z.
    pub z: i32,
    /// How coarse, 0 for the finest.
    pub lod: u32,
    /// A row of what else the world says, as [`row::encode`](crate::row::encode) encodes it.
    pub parameters: Vec<u8>,
}

/// What a script's `process` gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Processed {
    /// The buffers that it emitted, if it may.
    pub emitted: Vec<Vec<u8>>,
    /// Those that it returned: always one, where it is a module.
    pub returned: Vec<Vec<u8>>,
}

/// Start and length of a row's answer, nothing, or its error; in a box, since hardly a row has one.
pub type RowAnswer = Result<Option<(usize, usize)>, Box<Error>>;

/// What a script returned for many rows.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// The returned rows' bytes.
    pub bytes: Scratch,
    /// For each row that was asked.
    pub rows: Vec<RowAnswer>,
}

impl Core {
    /// What the guest offers of the contract; its columns it is asked for.
    pub(crate) async fn script_info(&mut self) -> Result<ScriptInfo, Error> {
        self.look_up_script()?;
        let (notification, process) = (self.script.notification.is_some(), self.script.process.is_some());
        let generate = self.script.generate.is_some();
        if (notification || process || generate) && self.script.alloc.is_none() {
            return Err(Error::MissingExport { kind: "function", name: "wasgo_alloc".into() });
        }
        let columns = match self.typed::<(), u64>("_columns", "() -> i64")? {
            Some(columns) => match columns.call_async(&mut self.store, ()).await {
                Ok(span) => self.column_names(span)?,
                Err(error) => return Err(self.guest_error(error)),
            },
            None => Vec::new(),
        };
        Ok(ScriptInfo { notification, process, generate, columns })
    }

    /// Calls `_notification(what, row)` and appends the row that it returns to `answers`.
    pub(crate) async fn notify(
        &mut self,
        what: i32,
        row: &[u8],
        answers: &mut Vec<u8>,
    ) -> Result<Option<(usize, usize)>, Error> {
        self.look_up_script()?;
        let Some(notification) = self.script.notification.clone() else {
            return Err(Error::MissingExport { kind: "function", name: "_notification".into() });
        };
        self.begin_row();
        let place = self.place(row).await?;
        match notification.call_async(&mut self.store, (what, place, row.len() as u32)).await {
            Ok(0) => Ok(None),
            Ok(span) => {
                self.before_copying(span & 0xffff_ffff).await;
                let answer = self.span(span, crate::row::MAX_BYTES as u64)?;
                let at = answers.len();
                answers.extend_from_slice(answer);
                Ok(Some((at, answer.len())))
            }
            Err(error) => Err(self.guest_error(error)),
        }
    }

    /// Calls `process` with `input`; the result is the buffer that it returned.
    pub(crate) async fn process(&mut self, input: &[u8]) -> Result<Vec<u8>, Error> {
        self.look_up_script()?;
        let Some(process) = self.script.process.clone() else {
            return Err(Error::MissingExport { kind: "function", name: "process".into() });
        };
        let place = self.place(input).await?;
        let called = process.call_async(&mut self.store, (place, input.len() as u32)).await;
        self.returned(called).await
    }

    /// Calls `generate`; the result is the bytes that it returned.
    pub(crate) async fn generate(&mut self, what: &Generation) -> Result<Vec<u8>, Error> {
        self.look_up_script()?;
        let Some(generate) = self.script.generate.clone() else {
            return Err(Error::MissingExport { kind: "function", name: "generate".into() });
        };
        let place = self.place(&what.parameters).await?;
        let length = what.parameters.len() as u32;
        let arguments = (what.seed, what.x, what.z, what.lod, place, length);
        let called = generate.call_async(&mut self.store, arguments).await;
        self.returned(called).await
    }

    /// A copy of what the guest returned by a packed span.
    async fn returned(&mut self, called: wasmtime::Result<u64>) -> Result<Vec<u8>, Error> {
        match called {
            Ok(span) => {
                self.before_copying(span & 0xffff_ffff).await;
                self.span(span, self.store.data().limiter.limits.result).map(<[u8]>::to_vec)
            }
            Err(error) => Err(self.guest_error(error)),
        }
    }

    fn look_up_script(&mut self) -> Result<(), Error> {
        if !self.script.looked_up {
            self.script = ScriptAbi {
                alloc: self.typed("wasgo_alloc", "(i32) -> i32")?,
                notification: self.typed("_notification", "(i32, i32, i32) -> i64")?,
                process: self.typed("process", "(i32, i32) -> i64")?,
                generate: self.typed("generate", "(i64, i32, i32, i32, i32, i32) -> i64")?,
                looked_up: true,
            };
        }
        Ok(())
    }

    /// Has the guest make room for `input` and copies it there; returns where.
    async fn place(&mut self, input: &[u8]) -> Result<u32, Error> {
        let limit = self.store.data().limiter.limits.input;
        if input.len() as u64 > limit {
            return Err(Error::Limit { kind: LimitKind::InputSize, limit, asked: Some(input.len() as u64) });
        }
        let Some(alloc) = self.script.alloc.clone() else {
            return Err(Error::MissingExport { kind: "function", name: "wasgo_alloc".into() });
        };
        let length = input.len() as u32;
        let pointer = match alloc.call_async(&mut self.store, length).await {
            Ok(pointer) => pointer,
            Err(error) => return Err(self.guest_error(error)),
        };
        check_place(pointer, length, self.memory_size())?;
        self.before_copying(length.into()).await;
        self.bytes_mut(pointer.into(), length.into())?.copy_from_slice(input);
        Ok(pointer)
    }

    /// The functions that a notification goes through.
    pub(crate) fn notification_functions(&mut self) -> Result<(Func, Func), Error> {
        self.look_up_script()?;
        let missing = |name: &str| Error::MissingExport { kind: "function", name: name.into() };
        let alloc = self.script.alloc.as_ref().ok_or_else(|| missing("wasgo_alloc"))?.func();
        let notification = self.script.notification.as_ref().ok_or_else(|| missing("_notification"))?.func();
        Ok((*alloc, *notification))
    }

    async fn before_copying(&mut self, bytes: u64) {
        self.store.data_mut().limiter.before_copying(bytes).await;
    }

    /// The bytes of a packed span that the guest returned.
    fn span(&self, span: u64, limit: u64) -> Result<&[u8], Error> {
        let range = check_span(span, limit, self.memory_size())?;
        self.bytes(range.start as u64, range.len() as u64)
    }

    fn column_names(&self, span: u64) -> Result<Vec<String>, Error> {
        let bytes = self.span(span, MAX_COLUMNS_BYTES)?;
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Error::contract("the names that _columns returned are not UTF-8"))?;
        Ok(text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }
}

/// Checks where `wasgo_alloc` made room for `length` bytes, in a memory of `size` bytes.
pub(crate) fn check_place(pointer: u32, length: u32, size: u64) -> Result<Range<usize>, Error> {
    if pointer == 0 && length > 0 {
        return Err(Error::contract(format!("wasgo_alloc({length}) found no room")));
    }
    if !pointer.is_multiple_of(8) {
        return Err(Error::contract(format!("wasgo_alloc({length}) returned {pointer}, which is no multiple of 8")));
    }
    within("wasgo_alloc returned a place", pointer.into(), length.into(), size)
}

/// Checks a packed span of at most `limit` bytes that a guest returned, in a memory of `size` bytes.
pub(crate) fn check_span(span: u64, limit: u64, size: u64) -> Result<Range<usize>, Error> {
    let (offset, length) = (span >> 32, span & 0xffff_ffff);
    if length > limit {
        return Err(Error::Limit { kind: LimitKind::ResultSize, limit, asked: Some(length) });
    }
    within("it returned a span", offset, length, size)
}

fn within(what: &str, offset: u64, length: u64, size: u64) -> Result<Range<usize>, Error> {
    if offset + length > size {
        let message = format!("{what} of {length} bytes at {offset}, outside of its memory of {size} bytes");
        return Err(Error::contract(message));
    }
    Ok(offset as usize..(offset + length) as usize)
}
