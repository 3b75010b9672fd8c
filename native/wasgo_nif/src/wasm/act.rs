//! What is done with an instance's memory, globals and tables, to and from terms.

use rustler::{Binary, Encoder, Env, NifTaggedEnum, Term};
use wasgo_wasm::{Act, Acted, Error};

use super::values;
use crate::{atoms, bytes};

/// `{:read, offset, length}` and so on: [`Act`]'s variants.
#[derive(NifTaggedEnum)]
enum Asked<'a> {
    Read(u64, u64),
    Write(u64, Binary<'a>),
    MemorySize,
    MemoryGrow(u64),
    GlobalGet(String),
    GlobalSet(String, Term<'a>),
    TableSize(String),
    TableGrow(String, u64),
    TableGet(String, u64),
    TableSet(String, u64, Option<String>),
}

pub fn decode(term: Term<'_>) -> Result<Act, Error> {
    let asked = term
        .decode::<Asked<'_>>()
        .map_err(|_| Error::Arguments { message: format!("{term:?} can't be done with an instance") })?;
    Ok(match asked {
        Asked::Read(offset, length) => Act::Read { offset, length },
        Asked::Write(offset, bytes) => Act::Write { offset, bytes: bytes.as_slice().to_vec() },
        Asked::MemorySize => Act::MemorySize,
        Asked::MemoryGrow(pages) => Act::MemoryGrow { pages },
        Asked::GlobalGet(name) => Act::GlobalGet { name },
        Asked::GlobalSet(name, term) => {
            let value = values::number(term).ok_or_else(|| Error::Arguments {
                message: format!("global \"{name}\" takes a number, and was given {term:?}"),
            })?;
            Act::GlobalSet { name, value }
        }
        Asked::TableSize(name) => Act::TableSize { name },
        Asked::TableGrow(name, elements) => Act::TableGrow { name, elements },
        Asked::TableGet(name, index) => Act::TableGet { name, index },
        Asked::TableSet(name, index, function) => Act::TableSet { name, index, function },
    })
}

pub fn encode(env: Env<'_>, acted: Acted) -> Term<'_> {
    match acted {
        Acted::Done => atoms::nil().to_term(env),
        Acted::Bytes(bytes) => bytes::binary(env, bytes),
        Acted::Size(size) => size.encode(env),
        Acted::Value(value) => values::result(env, &value),
        Acted::Present(present) => present.encode(env),
    }
}
