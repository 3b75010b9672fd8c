//! Values of rows, as scripts and databases have them: 64-bit integers, floats, UTF-8 text, `{:blob, binary}`, nil.

use rustler::{Atom, Binary, Encoder, Env, Term};
use wasgo_wasm::row::Value;

use crate::{atoms, bytes, float};

/// What [`decode`] takes, in words.
pub const WANTED: &str = "a 64-bit integer, a float, UTF-8 text, {:blob, binary}, true, false or nil";

/// A value from a term; none for what no value stands for.
pub fn decode<'a>(term: Term<'a>) -> Option<Value<'a>> {
    if let Ok(integer) = term.decode::<i64>() {
        return Some(Value::Integer(integer));
    }
    if let Ok(real) = term.decode::<f64>() {
        return Some(Value::Real(real));
    }
    if let Ok(binary) = term.decode::<Binary<'a>>() {
        return std::str::from_utf8(binary.as_slice()).ok().map(Value::Text);
    }
    if let Ok((tag, binary)) = term.decode::<(Atom, Binary<'a>)>() {
        return (tag == atoms::blob()).then(|| Value::Blob(binary.as_slice()));
    }
    let atom = Atom::from_term(term).ok()?;
    match atom {
        _ if atom == atoms::nil() => Some(Value::Null),
        _ if atom == atoms::true_() => Some(Value::Integer(1)),
        _ if atom == atoms::false_() => Some(Value::Integer(0)),
        _ if atom == atoms::nan() => Some(Value::Real(f64::NAN)),
        _ if atom == atoms::infinity() => Some(Value::Real(f64::INFINITY)),
        _ if atom == atoms::neg_infinity() => Some(Value::Real(f64::NEG_INFINITY)),
        _ => None,
    }
}

/// A value as a term.
pub fn encode<'a>(env: Env<'a>, value: Value<'_>) -> Term<'a> {
    match value {
        Value::Integer(integer) => integer.encode(env),
        Value::Real(real) => float::encode(env, real),
        Value::Text(text) => text.encode(env),
        Value::Blob(blob) => (atoms::blob(), bytes::copy(env, blob)).encode(env),
        Value::Null => atoms::nil().to_term(env),
    }
}
