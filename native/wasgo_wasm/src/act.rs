//! What can be done with a guest beside calling it: its memory, globals and tables, from outside or by a function that it called.

use wasmtime::{AsContext, Extern, Global, Memory, Mutability, Ref, Table, Val, ValType};

use crate::core::Guest;
use crate::error::{Error, LimitKind};

/// Bytes of a page of memory.
const PAGE: u64 = 1 << 16;

/// One thing to be done. Names are those of exports.
#[derive(Debug, Clone)]
pub enum Act {
    /// Copies bytes out of the memory.
    Read {
        /// First byte.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// Copies bytes into the memory.
    Write {
        /// Where to.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Asks for the memory's size in bytes.
    MemorySize,
    /// Grows the memory by pages of 64 KiB; its size in bytes before that is the answer.
    MemoryGrow {
        /// By how many.
        pages: u64,
    },
    /// Asks for a global's value.
    GlobalGet {
        /// The export.
        name: String,
    },
    /// Changes a global's value.
    GlobalSet {
        /// The export.
        name: String,
        /// As a number: an integer for integers, any for floats.
        value: Number,
    },
    /// Asks for a table's size in elements.
    TableSize {
        /// The export.
        name: String,
    },
    /// Grows a table by null elements; its size before that is the answer.
    TableGrow {
        /// The export.
        name: String,
        /// By how many.
        elements: u64,
    },
    /// Asks whether an element is null.
    TableGet {
        /// The export.
        name: String,
        /// Which element.
        index: u64,
    },
    /// Puts an exported function, or null, into a table.
    TableSet {
        /// The export.
        name: String,
        /// Which element.
        index: u64,
        /// The exported function's name.
        function: Option<String>,
    },
}

/// A number whose wasm type its place decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Signed or unsigned.
    Integer(i128),
    /// A float.
    Float(f64),
}

impl Number {
    /// The value of type `ty`; none if it does not fit.
    pub fn to_val(self, ty: &ValType) -> Option<Val> {
        Some(match (self, ty) {
            (Self::Integer(value), ValType::I32) => Val::I32(fit(value, i32::MIN.into(), u32::MAX.into())? as i32),
            (Self::Integer(value), ValType::I64) => Val::I64(fit(value, i64::MIN.into(), u64::MAX.into())? as i64),
            (Self::Integer(value), ValType::F32) => Val::F32((value as f32).to_bits()),
            (Self::Integer(value), ValType::F64) => Val::F64((value as f64).to_bits()),
            (Self::Float(value), ValType::F32) => Val::F32((value as f32).to_bits()),
            (Self::Float(value), ValType::F64) => Val::F64(value.to_bits()),
            _ => return None,
        })
    }
}

fn fit(value: i128, least: i128, most: i128) -> Option<i128> {
    (least..=most).contains(&value).then_some(value)
}

/// What doing it gave.
#[derive(Debug, Clone)]
pub enum Acted {
    /// Nothing but success.
    Done,
    /// Bytes.
    Bytes(Vec<u8>),
    /// A size.
    Size(u64),
    /// A value.
    Value(Val),
    /// Whether an element is something.
    Present(bool),
}

/// Does it.
pub(crate) async fn act<G: Guest>(guest: &mut G, act: Act) -> Result<Acted, Error> {
    match act {
        Act::Read { offset, length } => {
            let memory = memory(guest)?;
            let range = within(offset, length, memory.data_size(&*guest) as u64)?;
            guest.as_context_mut().data_mut().limiter.before_copying(length).await;
            Ok(Acted::Bytes(memory.data(&*guest)[range].to_vec()))
        }
        Act::Write { offset, bytes } => {
            let memory = memory(guest)?;
            let range = within(offset, bytes.len() as u64, memory.data_size(&*guest) as u64)?;
            guest.as_context_mut().data_mut().limiter.before_copying(bytes.len() as u64).await;
            memory.data_mut(guest)[range].copy_from_slice(&bytes);
            Ok(Acted::Done)
        }
        Act::MemorySize => {
            let size = memory(guest).map_or(0, |memory| memory.data_size(&*guest) as u64);
            Ok(Acted::Size(size))
        }
        Act::MemoryGrow { pages } => {
            let memory = memory(guest)?;
            let before = memory.size(&*guest);
            match memory.grow_async(&mut *guest, pages).await {
                Ok(before) => Ok(Acted::Size(before * PAGE)),
                Err(_) => {
                    let declared = memory.ty(&*guest).maximum().map(|pages| pages * PAGE);
                    let asked = before.saturating_add(pages).saturating_mul(PAGE);
                    Err(refused(guest, LimitKind::Memory, declared, asked))
                }
            }
        }
        Act::GlobalGet { name } => Ok(Acted::Value(global(guest, &name)?.get(guest))),
        Act::GlobalSet { name, value } => {
            let global = global(guest, &name)?;
            let ty = global.ty(guest.as_context());
            if ty.mutability() == Mutability::Const {
                return Err(Error::Arguments { message: format!("global \"{name}\" is a constant") });
            }
            let Some(value) = value.to_val(ty.content()) else {
                return Err(Error::Arguments { message: format!("global \"{name}\" holds {}", ty.content()) });
            };
            global.set(guest, value).map_err(Error::engine)?;
            Ok(Acted::Done)
        }
        Act::TableSize { name } => {
            let table = table(guest, &name)?;
            Ok(Acted::Size(table.size(&*guest)))
        }
        Act::TableGrow { name, elements } => {
            let table = table(guest, &name)?;
            let before = table.size(&*guest);
            let null = Ref::null(table.ty(guest.as_context()).element().heap_type());
            match table.grow_async(&mut *guest, elements, null).await {
                Ok(before) => Ok(Acted::Size(before)),
                Err(_) => {
                    let declared = table.ty(guest.as_context()).maximum();
                    Err(refused(guest, LimitKind::Table, declared, before.saturating_add(elements)))
                }
            }
        }
        Act::TableGet { name, index } => {
            let table = table(guest, &name)?;
            match table.get(&mut *guest, index) {
                Some(element) => Ok(Acted::Present(!element.is_null())),
                None => Err(outside(guest, &name, &table, index)),
            }
        }
        Act::TableSet { name, index, function } => {
            let table = table(guest, &name)?;
            let element = match function {
                Some(function) => match guest.export(&function) {
                    Some(Extern::Func(function)) => Ref::Func(Some(function)),
                    _ => return Err(Error::MissingExport { kind: "function", name: function }),
                },
                None => Ref::null(table.ty(guest.as_context()).element().heap_type()),
            };
            if index >= table.size(&*guest) {
                return Err(outside(guest, &name, &table, index));
            }
            match table.set(guest, index, element) {
                Ok(()) => Ok(Acted::Done),
                Err(error) => Err(Error::Arguments { message: format!("table \"{name}\": {error}") }),
            }
        }
    }
}

fn memory<G: Guest>(guest: &mut G) -> Result<Memory, Error> {
    match guest.export("memory") {
        Some(Extern::Memory(memory)) => Ok(memory),
        _ => Err(Error::MissingExport { kind: "memory", name: "memory".into() }),
    }
}

fn global<G: Guest>(guest: &mut G, name: &str) -> Result<Global, Error> {
    match guest.export(name) {
        Some(Extern::Global(global)) => Ok(global),
        _ => Err(Error::MissingExport { kind: "global", name: name.into() }),
    }
}

fn table<G: Guest>(guest: &mut G, name: &str) -> Result<Table, Error> {
    match guest.export(name) {
        Some(Extern::Table(table)) => Ok(table),
        _ => Err(Error::MissingExport { kind: "table", name: name.into() }),
    }
}

/// What is in bounds of a memory as a range of it.
fn within(offset: u64, length: u64, size: u64) -> Result<std::ops::Range<usize>, Error> {
    match offset.checked_add(length) {
        Some(end) if end <= size => Ok(offset as usize..end as usize),
        _ => Err(Error::OutOfBounds { offset, length, size }),
    }
}

fn outside<G: Guest>(guest: &mut G, name: &str, table: &Table, index: u64) -> Error {
    let size = table.size(&*guest);
    Error::Arguments { message: format!("table \"{name}\" has {size} elements, and no element {index}") }
}

/// Why something did not grow: the guest's limit, or the maximum that its module declares.
fn refused<G: Guest>(guest: &mut G, kind: LimitKind, declared: Option<u64>, asked: u64) -> Error {
    let hit = guest.as_context_mut().data_mut().limiter.hit.take();
    hit.unwrap_or(Error::Limit { kind, limit: declared.unwrap_or(u64::MAX), asked: Some(asked) })
}
