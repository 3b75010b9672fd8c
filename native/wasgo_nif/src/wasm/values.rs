//! Values of wasm's own types, to and from terms.

use rustler::{Binary, Encoder, Env, Term};
use wasgo_wasm::{Error, Number, Val, ValType, Values};

use crate::{atoms, bytes, float};

/// Arguments by their parameters' types.
pub fn arguments(name: &str, types: &[ValType], arguments: &[Term<'_>]) -> Result<Values, Error> {
    check_count(name, types, arguments.len())?;
    let each = types.iter().zip(arguments).enumerate();
    each.map(|(index, (ty, term))| value(ty, *term).ok_or_else(|| unfit(name, index, ty))).collect()
}

/// As [`arguments`], of a list that is read once and not copied.
pub fn listed(name: &str, types: &[ValType], list: Term<'_>) -> Result<Values, Error> {
    let count = list.list_length().map_err(|_| not_a_list(name))?;
    check_count(name, types, count)?;
    let arguments = list.into_list_iterator().map_err(|_| not_a_list(name))?;
    // A loop and no `collect`, which costs more than what it collects here.
    let mut values = Values::new();
    for (index, (ty, term)) in types.iter().zip(arguments).enumerate() {
        match value(ty, term) {
            Some(value) => values.push(value),
            None => return Err(unfit(name, index, ty)),
        }
    }
    Ok(values)
}

pub fn not_a_list(name: &str) -> Error {
    Error::Arguments { message: format!("the arguments of \"{name}\" must be a list") }
}

pub fn check_count(name: &str, types: &[ValType], count: usize) -> Result<(), Error> {
    if types.len() == count {
        return Ok(());
    }
    Err(Error::Arguments { message: format!("\"{name}\" takes {} arguments, and {count} were given", types.len()) })
}

pub fn unfit(name: &str, index: usize, ty: &ValType) -> Error {
    Error::Arguments { message: format!("argument {} of \"{name}\" must be {}", index + 1, wanted(ty)) }
}

pub fn value(ty: &ValType, term: Term<'_>) -> Option<Val> {
    Some(match ty {
        // Guests make no difference between signed and unsigned; either range is taken.
        ValType::I32 => {
            Val::I32(term.decode::<i32>().or_else(|_| term.decode::<u32>().map(|value| value as i32)).ok()?)
        }
        ValType::I64 => {
            Val::I64(term.decode::<i64>().or_else(|_| term.decode::<u64>().map(|value| value as i64)).ok()?)
        }
        ValType::F32 => Val::F32((float::decode(term)? as f32).to_bits()),
        ValType::F64 => Val::F64(float::decode(term)?.to_bits()),
        ValType::V128 => {
            let binary = term.decode::<Binary<'_>>().ok()?;
            Val::V128(u128::from_le_bytes(binary.as_slice().try_into().ok()?).into())
        }
        ValType::Ref(_) => return None,
    })
}

/// What a parameter takes, in words.
pub fn wanted(ty: &ValType) -> &'static str {
    match ty {
        ValType::I32 => "a 32-bit integer",
        ValType::I64 => "a 64-bit integer",
        ValType::F32 | ValType::F64 => "a number, :nan, :infinity or :neg_infinity",
        ValType::V128 => "a binary of 16 bytes",
        ValType::Ref(_) => "a reference, which can't be given from outside",
    }
}

/// A term taken out of its process, for a parameter whose type is known only later.
pub enum Argument {
    Number(Number),
    Bytes(Vec<u8>),
    Other,
}

impl Argument {
    pub fn of(term: Term<'_>) -> Self {
        if let Some(number) = number(term) {
            return Self::Number(number);
        }
        match term.decode::<Binary<'_>>() {
            Ok(binary) if binary.len() == 16 => Self::Bytes(binary.as_slice().to_vec()),
            _ => Self::Other,
        }
    }

    pub fn to_val(&self, ty: &ValType) -> Option<Val> {
        match (self, ty) {
            (Self::Number(number), _) => number.to_val(ty),
            (Self::Bytes(bytes), ValType::V128) => {
                Some(Val::V128(u128::from_le_bytes(bytes.as_slice().try_into().ok()?).into()))
            }
            _ => None,
        }
    }
}

/// As [`arguments`], of terms that were taken out of their process.
pub fn of_types(name: &str, types: &[ValType], arguments: &[Argument]) -> Result<Values, Error> {
    check_count(name, types, arguments.len())?;
    let each = types.iter().zip(arguments).enumerate();
    each.map(|(index, (ty, argument))| argument.to_val(ty).ok_or_else(|| unfit(name, index, ty))).collect()
}

pub fn number(term: Term<'_>) -> Option<Number> {
    if let Ok(value) = term.decode::<i64>() {
        return Some(Number::Integer(value.into()));
    }
    if let Ok(value) = term.decode::<u64>() {
        return Some(Number::Integer(value.into()));
    }
    float::decode(term).map(Number::Float)
}

/// Results as a list.
pub fn results<V>(env: Env<'_>, values: V) -> Term<'_>
where
    V: IntoIterator<Item = Val, IntoIter: DoubleEndedIterator>,
{
    // Backwards, so that the list needs no array of its terms first.
    values.into_iter().rev().fold(Term::list_new_empty(env), |list, value| list.list_prepend(result(env, &value)))
}

pub fn result<'a>(env: Env<'a>, value: &Val) -> Term<'a> {
    match value {
        Val::I32(value) => value.encode(env),
        Val::I64(value) => value.encode(env),
        Val::F32(bits) => float::encode(env, f32::from_bits(*bits).into()),
        Val::F64(bits) => float::encode(env, f64::from_bits(*bits)),
        Val::V128(value) => bytes::copy(env, &value.as_u128().to_le_bytes()),
        // A reference means something only within its instance.
        _ => atoms::nil().to_term(env),
    }
}
