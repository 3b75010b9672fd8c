//! Floats with the values that the BEAM has none for.

use rustler::{Encoder, Env, Term};

use crate::atoms;

/// A float as a term: NaN and the infinities are the atoms `:nan`, `:infinity`, `:neg_infinity`.
pub fn encode<'a>(env: Env<'a>, value: f64) -> Term<'a> {
    if value.is_finite() {
        value.encode(env)
    } else if value.is_nan() {
        atoms::nan().to_term(env)
    } else if value > 0.0 {
        atoms::infinity().to_term(env)
    } else {
        atoms::neg_infinity().to_term(env)
    }
}

/// A number, or one of the three atoms, as a float.
pub fn decode(term: Term<'_>) -> Option<f64> {
    if let Ok(value) = term.decode::<f64>() {
        return Some(value);
    }
    if let Ok(value) = term.decode::<i64>() {
        return Some(value as f64);
    }
    match rustler::Atom::from_term(term).ok()? {
        atom if atom == atoms::nan() => Some(f64::NAN),
        atom if atom == atoms::infinity() => Some(f64::INFINITY),
        atom if atom == atoms::neg_infinity() => Some(f64::NEG_INFINITY),
        _ => None,
    }
}
