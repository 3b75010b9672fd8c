//! A function's instance, and libSQL's ABI: how values lie in its memory.
//!
//! | SQL | WebAssembly | in memory |
//! | --- | --- | --- |
//! | INTEGER | i64 | |
//! | REAL | f64 | |
//! | TEXT | i32, a pointer | the byte 3, the text, a NUL |
//! | BLOB | i32, a pointer | the byte 4, the size in four bytes, big-endian, the bytes |
//! | NULL | i32, a pointer | the byte 5 |
//!
//! What a guest returns is not to be trusted: every pointer and size is checked against the memory that there is.

use smallvec::SmallVec;
use wasgo_wasm::{Grants, Imports, Local, LocalFunction, Stop, Val, ValType, row};

use super::code::Code;
use super::{Fault, FunctionHost};

const TEXT: u8 = 3;
const BLOB: u8 = 4;
const NULL: u8 = 5;

/// Bytes that an instance's memory may grow by before it is made anew: modules that never free what they are given get along with that.
const KEPT_GROWTH: usize = 1 << 20;

/// An argument, as SQLite has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Argument<'a> {
    Null,
    Integer(i64),
    Real(f64),
    /// Not necessarily UTF-8: a database may hold anything.
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

impl Argument<'_> {
    fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Integer(_) => "an INTEGER",
            Self::Real(_) => "a REAL",
            Self::Text(_) => "a TEXT",
            Self::Blob(_) => "a BLOB",
        }
    }
}

/// What a function returned; texts and blobs are where the guest has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Output<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a str),
    Blob(&'a [u8]),
}

/// What a call left in the guest's memory, to be given back when its result was read.
#[derive(Debug, Default)]
pub(crate) struct Left(SmallVec<[u32; 4]>);

/// The result of a call, before it is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Returned {
    /// It was not called: an argument is NULL where it takes a number.
    NotCalled,
    Nothing,
    Integer(i64),
    Real(f64),
    /// Of a value, or a handle of the guest's own.
    Word(u32),
}

/// An instance of a function's module.
pub(crate) struct Guest {
    local: Local,
    first_size: usize,
}

impl Guest {
    pub(crate) fn new(host: &FunctionHost, code: &Code, stop: Stop) -> Result<Self, Fault> {
        let imports = Imports { grants: Grants::default(), closed_wasi: true, ..Imports::default() };
        let local = Local::new(&code.module.0, imports, host.limits, host.call_options(), stop)?;
        let first_size = local.memory().len();
        Ok(Self { local, first_size })
    }

    /// Whether it has grown so much that a new one is better.
    pub(crate) fn is_bloated(&self) -> bool {
        self.local.memory().len() > self.first_size + KEPT_GROWTH
    }

    /// Calls `function` with a handle of its own first, if there is one, and then `arguments`.
    pub(crate) fn call(
        &mut self,
        code: &Code,
        function: &LocalFunction,
        handle: Option<i32>,
        arguments: &[Argument<'_>],
        left: &mut Left,
    ) -> Result<Returned, Fault> {
        let mut values: SmallVec<[Val; 4]> = handle.map(Val::I32).into_iter().collect();
        let types = function.parameters().get(values.len()..).unwrap_or_default();
        if types.len() != arguments.len() {
            let message = format!("it takes {} arguments, and was given {}", types.len(), arguments.len());
            return Err(Fault::contract(message));
        }
        for (at, (argument, ty)) in arguments.iter().zip(types).enumerate() {
            let value = match (ty, *argument) {
                (ValType::I64, Argument::Integer(integer)) => Val::I64(integer),
                (ValType::F64, Argument::Real(real)) => Val::F64(real.to_bits()),
                (ValType::F64, Argument::Integer(integer)) => Val::F64((integer as f64).to_bits()),
                (ValType::I64, Argument::Real(real)) if is_whole(real) => Val::I64(real as i64),
                (ValType::I64 | ValType::F64, Argument::Null) => return Ok(Returned::NotCalled),
                (ValType::I32, Argument::Text(_) | Argument::Blob(_) | Argument::Null) => {
                    Val::I32(self.place(code, argument, left)?.cast_signed())
                }
                (ty, argument) => {
                    let wanted = match ty {
                        ValType::I64 => "an INTEGER",
                        ValType::F64 => "a number",
                        _ => "a TEXT, a BLOB or NULL",
                    };
                    let message = format!("argument {} is {}, and it takes {wanted}", at + 1, argument.type_name());
                    return Err(Fault::contract(message));
                }
            };
            values.push(value);
        }
        let results = self.local.call(function, &values)?;
        Ok(match results.first() {
            None => Returned::Nothing,
            Some(Val::I64(integer)) => Returned::Integer(*integer),
            Some(Val::F64(bits)) => Returned::Real(f64::from_bits(*bits)),
            Some(Val::I32(word)) => Returned::Word(word.cast_unsigned()),
            Some(_) => return Err(Fault::contract("it returned a value of another type than its own")),
        })
    }

    /// Reads the result of a function that answers values.
    pub(crate) fn output(&self, returned: Returned, left: &mut Left, limit: u64) -> Result<Output<'_>, Fault> {
        Ok(match returned {
            Returned::NotCalled | Returned::Nothing => Output::Null,
            Returned::Integer(integer) => Output::Integer(integer),
            Returned::Real(real) => Output::Real(real),
            Returned::Word(pointer) => {
                let output = read(self.local.memory(), pointer, limit)?;
                if !left.0.contains(&pointer) {
                    left.0.push(pointer);
                }
                output
            }
        })
    }

    /// Gives back what a call left, to guests that want it back.
    pub(crate) fn give_back(&mut self, code: &Code, left: Left) -> Result<(), Fault> {
        let Some(free) = &code.free else { return Ok(()) };
        for pointer in left.0 {
            self.local.call(free, &[Val::I32(pointer.cast_signed())])?;
        }
        Ok(())
    }

    /// The bytes of a packed span.
    pub(crate) fn span(&self, span: i64, limit: u64) -> Result<&[u8], Fault> {
        let span = span.cast_unsigned();
        let (start, length) = (span >> 32, span & 0xffff_ffff);
        if length > limit {
            return Err(too_large(limit, length));
        }
        let memory = self.local.memory();
        let range = usize::try_from(start).ok().zip(usize::try_from(start + length).ok());
        range.and_then(|(start, end)| memory.get(start..end)).ok_or_else(|| outside(start, length, memory.len()))
    }

    /// Copies a value into the guest's memory, where it makes room.
    fn place(&mut self, code: &Code, argument: &Argument<'_>, left: &mut Left) -> Result<u32, Fault> {
        let (tag, bytes, extra) = match *argument {
            Argument::Text(bytes) => (TEXT, bytes, 2),
            Argument::Blob(bytes) => (BLOB, bytes, 5),
            _ => (NULL, &[][..], 1),
        };
        let Some(malloc) = &code.malloc else {
            return Err(Fault::contract("it exports no function \"libsql_malloc\""));
        };
        let size = u32::try_from(bytes.len() + extra).map_err(|_| Fault::contract("an argument is too large"))?;
        let results = self.local.call(malloc, &[Val::I32(size.cast_signed())])?;
        let Some(Val::I32(pointer)) = results.first() else {
            return Err(Fault::contract("libsql_malloc returned nothing"));
        };
        let pointer = pointer.cast_unsigned();
        let memory = self.local.memory_mut();
        let (start, length) = (pointer as usize, memory.len());
        let place = start.checked_add(size as usize).and_then(|end| memory.get_mut(start..end));
        let Some(place) = place.filter(|_| pointer != 0) else {
            let message =
                format!("libsql_malloc({size}) returned {pointer}, which is no place in its memory of {length} bytes");
            return Err(Fault::contract(message));
        };
        place[0] = tag;
        match tag {
            TEXT => {
                place[1..=bytes.len()].copy_from_slice(bytes);
                place[bytes.len() + 1] = 0;
            }
            BLOB => {
                // Its size fits: one with its head does.
                place[1..5].copy_from_slice(&(size - 5).to_be_bytes());
                place[5..].copy_from_slice(bytes);
            }
            _ => {}
        }
        left.0.push(pointer);
        Ok(pointer)
    }
}

fn is_whole(real: f64) -> bool {
    // 2^63 is the first that an i64 does not hold; its negative is held.
    real.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&real)
}

/// The value at `pointer` of a memory.
fn read(memory: &[u8], pointer: u32, limit: u64) -> Result<Output<'_>, Fault> {
    let start = pointer as usize;
    let rest = memory.get(start..).unwrap_or_default();
    match rest.split_first() {
        Some((&NULL, _)) => Ok(Output::Null),
        Some((&TEXT, rest)) => {
            // No further than the limit, whatever the memory holds.
            let most = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1).min(rest.len());
            let Some(length) = memchr::memchr(0, &rest[..most]) else {
                return Err(match most < rest.len() {
                    true => too_large(limit, most as u64),
                    false => Fault::contract(format!("the text that it returned at {pointer} does not end")),
                });
            };
            let text = std::str::from_utf8(&rest[..length])
                .map_err(|_| Fault::contract("the text that it returned is not UTF-8"))?;
            Ok(Output::Text(text))
        }
        Some((&BLOB, rest)) => {
            let Some((size, rest)) = rest.split_first_chunk::<4>() else {
                return Err(outside(pointer.into(), 5, memory.len()));
            };
            let size = u32::from_be_bytes(*size);
            if u64::from(size) > limit {
                return Err(too_large(limit, size.into()));
            }
            rest.get(..size as usize)
                .map(Output::Blob)
                .ok_or_else(|| outside(pointer.into(), u64::from(size) + 5, memory.len()))
        }
        Some((tag, _)) => Err(Fault::contract(format!(
            "it returned a pointer to the byte {tag}, which is none of 3 (TEXT), 4 (BLOB) and 5 (NULL)"
        ))),
        None => Err(outside(pointer.into(), 1, memory.len())),
    }
}

fn too_large(limit: u64, asked: u64) -> Fault {
    let kind = wasgo_wasm::LimitKind::ResultSize;
    Fault::Wasm(wasgo_wasm::Error::Limit { kind, limit, asked: Some(asked) })
}

fn outside(start: u64, length: u64, size: usize) -> Fault {
    Fault::contract(format!("it returned {length} bytes at {start}, outside of its memory of {size} bytes"))
}

/// The values of a row that a table-valued function returned.
pub(crate) fn decode_row(bytes: &[u8]) -> Result<Vec<row::Value<'_>>, Fault> {
    row::decode(bytes).map_err(|error| Fault::contract(format!("it returned {error}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BLOB, NULL, Output, TEXT, is_whole, read};

    proptest! {
        #[test]
        fn any_memory_is_a_value_or_an_error(memory in proptest::collection::vec(prop_oneof![3u8..6, any::<u8>()], 0..64), pointer in 0u32..80, limit in 0u64..40) {
            match read(&memory, pointer, limit) {
                Ok(Output::Text(text)) => prop_assert!(text.len() as u64 <= limit),
                Ok(Output::Blob(blob)) => prop_assert!(blob.len() as u64 <= limit),
                _ => {}
            }
        }
    }

    #[test]
    fn values_are_read_where_they_lie() {
        let memory = [9, TEXT, b'h', b'i', 0, BLOB, 0, 0, 0, 2, 7, 8, NULL];
        assert_eq!(read(&memory, 1, 100).unwrap(), Output::Text("hi"));
        assert_eq!(read(&memory, 5, 100).unwrap(), Output::Blob(&[7, 8]));
        assert_eq!(read(&memory, 12, 100).unwrap(), Output::Null);
        for pointer in [0, 13, u32::MAX] {
            assert!(read(&memory, pointer, 100).is_err(), "{pointer}");
        }
        assert!(read(&memory, 1, 1).is_err());
        assert!(read(&memory, 5, 1).is_err());
    }

    #[test]
    fn whole_numbers_are_those_that_an_integer_holds() {
        assert!(is_whole(2.0) && is_whole(-9_223_372_036_854_775_808.0) && is_whole(-0.0));
        assert!(!is_whole(2.5) && !is_whole(9_223_372_036_854_775_808.0) && !is_whole(f64::NAN));
    }
}
