//! From bytes to terms.

use std::vec::Drain;

use rustler::{Atom, Binary, Encoder, Env, Term};
use wasgo_wire::format::Build;

use super::atoms;
use crate::bytes::copy;
use crate::float;

/// Raw bytes up to this size are copied: they are then as small on the heap as a reference would be, and do not keep the whole
/// input alive.
const SMALL: usize = 64;

/// Makes terms.
pub(super) struct Terms<'a> {
    env: Env<'a>,
    input: Binary<'a>,
    last_key: bool,
    existing_atoms: bool,
    /// The key that came twice.
    duplicate: Option<Term<'a>>,
    keys: Vec<Term<'a>>,
    values: Vec<Term<'a>>,
}

impl<'a> Terms<'a> {
    /// `input` is what is decoded: large raw bytes become parts of it. With `last_key` the later value of a key stands.
    pub(super) fn new(env: Env<'a>, input: Binary<'a>, last_key: bool, existing_atoms: bool) -> Self {
        Self { env, input, last_key, existing_atoms, duplicate: None, keys: Vec::new(), values: Vec::new() }
    }

    /// The key that came twice, if that was an error.
    pub(super) fn duplicate(&self) -> Option<Term<'a>> {
        self.duplicate
    }

    fn slice(&self, bytes: &'a [u8]) -> Term<'a> {
        if bytes.len() > SMALL {
            let offset = (bytes.as_ptr() as usize).wrapping_sub(self.input.as_slice().as_ptr() as usize);
            if let Ok(part) = self.input.make_subbinary(offset, bytes.len()) {
                return part.to_term(self.env);
            }
        }
        copy(self.env, bytes)
    }

    fn blob(&self, binary: Term<'a>) -> Term<'a> {
        (atoms::blob(), binary).encode(self.env)
    }
}

/// Names of atoms that are no keys, but values, or make a map a struct.
const NO_KEYS: [&str; 7] = ["nil", "true", "false", "nan", "infinity", "neg_infinity", "__struct__"];

impl<'a> Build<'a> for Terms<'a> {
    type Value = Term<'a>;

    fn nil(&mut self) -> Term<'a> {
        atoms::nil().to_term(self.env)
    }

    fn bool(&mut self, value: bool) -> Term<'a> {
        value.encode(self.env)
    }

    fn int(&mut self, value: i64) -> Term<'a> {
        value.encode(self.env)
    }

    fn wide(&mut self, value: i128) -> Term<'a> {
        super::wide(self.env, value)
    }

    fn float(&mut self, value: f64) -> Term<'a> {
        float::encode(self.env, value)
    }

    fn text(&mut self, text: &str) -> Term<'a> {
        copy(self.env, text.as_bytes())
    }

    fn key(&mut self, text: &str) -> Term<'a> {
        if self.existing_atoms
            && !NO_KEYS.contains(&text)
            && let Ok(atom) = Atom::existing_from_utf8_bytes(self.env, text.as_bytes())
        {
            return atom.to_term(self.env);
        }
        self.text(text)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Term<'a> {
        self.blob(copy(self.env, bytes))
    }

    fn part(&mut self, bytes: &'a [u8]) -> Term<'a> {
        self.blob(self.slice(bytes))
    }

    fn list(&mut self, values: Drain<'_, Term<'a>>) -> Term<'a> {
        values.as_slice().encode(self.env)
    }

    fn map(&mut self, pairs: Drain<'_, Term<'a>>) -> Option<Term<'a>> {
        let (pairs, _) = pairs.as_slice().as_chunks::<2>();
        self.keys.clear();
        self.values.clear();
        self.keys.extend(pairs.iter().map(|pair| pair[0]));
        self.values.extend(pairs.iter().map(|pair| pair[1]));
        if let Ok(map) = Term::map_from_term_arrays(self.env, &self.keys, &self.values) {
            return Some(map);
        }
        // A key comes twice.
        let mut map = Term::map_new(self.env);
        for [key, value] in pairs {
            if !self.last_key && map.map_get(*key).is_ok() {
                self.duplicate = Some(*key);
                return None;
            }
            map = map.map_put(*key, *value).unwrap_or(map);
        }
        Some(map)
    }

    fn extension(&mut self, ty: i8, bytes: &'a [u8]) -> Term<'a> {
        (atoms::ext(), ty, self.slice(bytes)).encode(self.env)
    }

    fn tag(&mut self, number: u64, value: Term<'a>) -> Term<'a> {
        (atoms::tag(), number, value).encode(self.env)
    }
}
