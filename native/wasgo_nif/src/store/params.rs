//! Parameters of statements, from terms.

use rustler::types::list::ListIterator;
use rustler::{Atom, Term};
use wasgo_store::{Many, ParamRows, Params, ValueRef};
use wasgo_wasm::row;

use crate::{atoms, values};

/// Parameters where they lie, in terms.
pub enum Bound<'a> {
    Positional(Vec<ValueRef<'a>>),
    Named(Vec<(String, ValueRef<'a>)>),
}

/// A list of values, or a list of `{name, value}`.
pub fn bound(term: Term<'_>) -> Result<Bound<'_>, String> {
    if list(term)?.next().is_some_and(is_named) {
        list(term)?.enumerate().map(|(index, pair)| named(index, pair)).collect::<Result<_, _>>().map(Bound::Named)
    } else {
        list(term)?
            .enumerate()
            .map(|(index, term)| positional(index, term))
            .collect::<Result<_, _>>()
            .map(Bound::Positional)
    }
}

/// As [`bound`], with copies of the values.
pub fn params(term: Term<'_>) -> Result<Params, String> {
    Ok(match bound(term)? {
        Bound::Positional(values) => Params::Positional(values.into_iter().map(ValueRef::to_value).collect()),
        Bound::Named(values) => {
            Params::Named(values.into_iter().map(|(name, value)| (name, value.to_value())).collect())
        }
    })
}

/// Many lists of values, or of `{name, value}`.
pub fn many(rows: &[Term<'_>]) -> Result<Many, String> {
    let in_row = |number: usize| move |message: String| format!("row {number}: {message}");
    let is_by_name = |row: &Term<'_>| list(*row).is_ok_and(|mut list| list.next().is_some_and(is_named));
    if rows.iter().any(is_by_name) {
        let each = rows.iter().enumerate().map(|(number, row)| params(*row).map_err(in_row(number)));
        return each.collect::<Result<Vec<_>, _>>().map(Many::from);
    }
    let width = rows.first().map_or(Ok(0), |row| list(*row).map(Iterator::count)).map_err(in_row(0))?;
    let mut kept = ParamRows::with_capacity(rows.len(), width);
    for (number, row) in rows.iter().enumerate() {
        for (index, term) in list(*row).map_err(in_row(number))?.enumerate() {
            kept.push(positional(index, term).map_err(in_row(number))?);
        }
        kept.end_row();
    }
    Ok(kept.into())
}

fn list(term: Term<'_>) -> Result<ListIterator<'_>, String> {
    term.decode().map_err(|_| "parameters must be a list".to_owned())
}

fn is_named(first: Term<'_>) -> bool {
    // Most are numbers and texts, which are asked for their type only.
    if !first.is_tuple() {
        return false;
    }
    match first.decode::<(Term<'_>, Term<'_>)>() {
        Ok((name, _)) => name.decode::<Atom>().map_or(name.is_binary(), |atom| atom != atoms::blob()),
        Err(_) => false,
    }
}

fn positional(index: usize, term: Term<'_>) -> Result<ValueRef<'_>, String> {
    value(term).ok_or_else(|| format!("parameter {} must be {}", index + 1, values::WANTED))
}

fn named(index: usize, pair: Term<'_>) -> Result<(String, ValueRef<'_>), String> {
    let (name, term) = pair
        .decode::<(Term<'_>, Term<'_>)>()
        .map_err(|_| format!("parameter {} is no {{name, value}} as those before it", index + 1))?;
    let name = match name.atom_to_string() {
        Ok(name) => name,
        Err(_) => name.decode::<String>().map_err(|_| format!("the name of parameter {} is none", index + 1))?,
    };
    let value = value(term).ok_or_else(|| format!("parameter {name} must be {}", values::WANTED))?;
    Ok((name, value))
}

fn value(term: Term<'_>) -> Option<ValueRef<'_>> {
    Some(match values::decode(term)? {
        row::Value::Null => ValueRef::Null,
        row::Value::Integer(integer) => ValueRef::Integer(integer),
        row::Value::Real(real) => ValueRef::Real(real),
        row::Value::Text(text) => ValueRef::Text(text),
        row::Value::Blob(blob) => ValueRef::Blob(blob),
    })
}
