//! Values of rows, as scripts and databases have them: 64-bit integers, floats, UTF-8 text, `{:blob, binary}`, nil.

use rustler::{Atom, Binary, Encoder, Env, NifResult, Term, TermType};
use wasgo_wasm::row::Value;

use crate::{atoms, bytes, float};

/// What [`decode`] takes, in words.
pub const WANTED: &str = "a 64-bit integer, a float, UTF-8 text, {:blob, binary}, true, false or nil";

/// A value from a term; none for what no value stands for.
pub fn decode<'a>(term: Term<'a>) -> Option<Value<'a>> {
    // By its type, which is asked for once: a try at each in turn costs more than the value.
    let atom = match term.get_type() {
        TermType::Integer => return term.decode().ok().map(Value::Integer),
        TermType::Float => return term.decode().ok().map(Value::Real),
        TermType::Binary => {
            let binary = term.decode::<Binary<'a>>().ok()?;
            return std::str::from_utf8(binary.as_slice()).ok().map(Value::Text);
        }
        TermType::Tuple => {
            let (tag, binary) = term.decode::<(Atom, Binary<'a>)>().ok()?;
            return (tag == atoms::blob()).then(|| Value::Blob(binary.as_slice()));
        }
        _ => Atom::from_term(term).ok()?,
    };
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
        Value::Text(text) => bytes::copy(env, text.as_bytes()),
        Value::Blob(blob) => (atoms::blob(), bytes::copy(env, blob)).encode(env),
        Value::Null => atoms::nil().to_term(env),
    }
}

/// Keys of a map that the VM makes of arrays: of a few hundred, in an environment of no process, it has been seen to die.
const SMALL_MAP: usize = 32;

/// A map of so many keys and values; an error where a key is there twice.
pub fn map<'a>(env: Env<'a>, keys: &[Term<'a>], values: &[Term<'a>]) -> NifResult<Term<'a>> {
    if keys.len() <= SMALL_MAP || keys.len() != values.len() {
        return Term::map_from_term_arrays(env, keys, values);
    }
    let mut map = Term::map_new(env);
    for (key, value) in keys.iter().zip(values) {
        map = map.map_put(*key, *value)?;
    }
    if map.map_size()? == keys.len() { Ok(map) } else { Err(rustler::Error::BadArg) }
}
