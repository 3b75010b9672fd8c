//! From bytes to terms.

use rustler::{Atom, Binary, Encoder, Env, Term};
use wasgo_wire::variant::{Builder, ElementType, NodePath, PackedBytes, Type};

use super::atoms;
use super::errors::Stop;
use super::shapes::{STRUCT_UNITS, Shape, float_term, make_struct};
use crate::budget::Budget;
use crate::bytes::copy;

/// Packed data up to this size in bytes is copied: it is then as small on the heap as a reference would be, and does not
/// keep the whole input alive.
const SMALL: usize = 64;

/// Makes terms.
pub(super) struct Terms<'a, 'b> {
    env: Env<'a>,
    input: Binary<'a>,
    keep_order: bool,
    plain: Option<Plain>,
    recent: Recent<'a>,
    /// The keys and values of the dictionary that is made, kept to be used again.
    scratch: (Vec<Term<'a>>, Vec<Term<'a>>),
    budget: &'b mut Budget,
}

/// Short texts that came before: the keys of one dictionary are those of the next. A text that is one of them is that term again, which takes
/// no memory, and less time than to make it.
struct Recent<'a>([Option<(Short, Term<'a>)>; RECENT]);

/// A power of two.
const RECENT: usize = 16;

/// A text of up to so many bytes, the rest of which are zero.
type Short = [u8; SHORT];

const SHORT: usize = 16;

impl<'a> Recent<'a> {
    fn text(&mut self, env: Env<'a>, text: &str) -> Term<'a> {
        let bytes = text.as_bytes();
        // No text has a NUL in it, so that zeros at the end tell its length.
        if bytes.is_empty() || bytes.len() > SHORT {
            return copy(env, bytes);
        }
        let mut short = [0; SHORT];
        short[..bytes.len()].copy_from_slice(bytes);
        let (first, last) = (usize::from(bytes[0]), usize::from(bytes[bytes.len() - 1]));
        let place = &mut self.0[(first + 3 * last + 5 * bytes.len()) % RECENT];
        match place {
            Some((known, term)) if *known == short => *term,
            _ => {
                let term = copy(env, bytes);
                *place = Some((short, term));
                term
            }
        }
    }
}

/// What is different where Variants are one of the wire's formats: packed bytes are blobs, as in all of them.
pub(super) struct Plain {
    /// Values that may still be made.
    pub(super) values: u64,
    /// Their number at first.
    pub(super) max_values: u64,
    /// Whether the later value stands where a key comes twice; it is an error otherwise.
    pub(super) last_key: bool,
}

type Made<'a> = Result<Term<'a>, Stop<'a>>;

impl<'a, 'b> Terms<'a, 'b> {
    /// `input` is what is decoded: large packed arrays become parts of it.
    pub(super) fn new(env: Env<'a>, input: Binary<'a>, keep_order: bool, budget: &'b mut Budget) -> Self {
        let recent = Recent([None; RECENT]);
        Self { env, input, keep_order, plain: None, recent, scratch: Default::default(), budget }
    }

    /// Likewise, for the wire.
    pub(super) fn plain(env: Env<'a>, input: Binary<'a>, plain: Plain, budget: &'b mut Budget) -> Self {
        Self { plain: Some(plain), ..Self::new(env, input, false, budget) }
    }

    /// Counts a value.
    fn count(&mut self) -> Result<(), Stop<'a>> {
        if let Some(plain) = &mut self.plain {
            plain.values = plain.values.checked_sub(1).ok_or(Stop::TooMany { limit: plain.max_values })?;
        }
        Ok(())
    }

    fn term(&mut self, value: impl Encoder) -> Made<'a> {
        self.count()?;
        self.budget.spend(1)?;
        Ok(value.encode(self.env))
    }

    fn text(&mut self, text: &str) -> Made<'a> {
        self.count()?;
        self.budget.spend_bytes(text.len())?;
        Ok(self.recent.text(self.env, text))
    }

    /// A struct of up to four members.
    fn record<const N: usize>(&mut self, module: Atom, members: [(Atom, Term<'a>); N]) -> Made<'a> {
        const { assert!(N <= 4) };
        self.count()?;
        self.budget.spend(STRUCT_UNITS + N)?;
        let module = module.to_term(self.env);
        let (mut keys, mut values) = ([module; 5], [module; 5]);
        keys[0] = atoms::struct_key().to_term(self.env);
        for (at, (key, value)) in (1..).zip(members) {
            keys[at] = key.to_term(self.env);
            values[at] = value;
        }
        Ok(make_struct(self.env, &keys[..=N], &values[..=N]))
    }

    fn texts(&mut self, parts: &[impl AsRef<str>]) -> Made<'a> {
        let parts = parts.iter().map(|part| self.text(part.as_ref())).collect::<Result<Vec<_>, _>>()?;
        self.term(parts)
    }

    fn element_type(&mut self, element: &ElementType<'_>) -> Made<'a> {
        match element {
            ElementType::Untyped => Ok(atoms::nil().to_term(self.env)),
            ElementType::Builtin(ty) => Ok(atoms::of_type(*ty).to_term(self.env)),
            ElementType::Class(name) => Ok((atoms::class(), self.text(name)?).encode(self.env)),
            ElementType::Script(path) => Ok((atoms::script(), self.text(path)?).encode(self.env)),
        }
    }
}

impl<'a> Builder for Terms<'a, '_> {
    type Value = Term<'a>;
    type Error = Stop<'a>;

    fn nil(&mut self) -> Made<'a> {
        self.term(atoms::nil())
    }

    fn bool(&mut self, value: bool) -> Made<'a> {
        self.term(value)
    }

    fn int(&mut self, value: i64) -> Made<'a> {
        self.term(value)
    }

    fn float(&mut self, value: f64) -> Made<'a> {
        self.count()?;
        self.budget.spend(1)?;
        Ok(float_term(self.env, value))
    }

    fn string(&mut self, value: &str) -> Made<'a> {
        self.text(value)
    }

    fn string_name(&mut self, value: &str) -> Made<'a> {
        let text = self.text(value)?;
        self.term((atoms::string_name(), text))
    }

    fn floats(&mut self, ty: Type, components: &[f64]) -> Made<'a> {
        let Some(shape) = Shape::of_type(ty) else { return self.nil() };
        self.count()?;
        self.budget.spend(shape.units())?;
        Ok(shape.make(self.env, components))
    }

    fn ints(&mut self, ty: Type, components: &[i32]) -> Made<'a> {
        let mut numbers = [0.0; 4];
        for (number, component) in numbers.iter_mut().zip(components) {
            *number = f64::from(*component);
        }
        self.floats(ty, &numbers[..components.len()])
    }

    fn node_path(&mut self, path: NodePath<'_>) -> Made<'a> {
        let names = self.texts(&path.names)?;
        let subnames = self.texts(&path.subnames)?;
        let absolute = path.absolute.encode(self.env);
        let members = [(atoms::names(), names), (atoms::subnames(), subnames), (atoms::absolute(), absolute)];
        self.record(atoms::node_path_struct(), members)
    }

    fn rid(&mut self, id: u64) -> Made<'a> {
        self.record(atoms::rid_struct(), [(atoms::id(), id.encode(self.env))])
    }

    fn object_id(&mut self, id: u64) -> Made<'a> {
        self.record(atoms::object_id_struct(), [(atoms::id(), id.encode(self.env))])
    }

    fn callable(&mut self) -> Made<'a> {
        self.record(atoms::callable_struct(), [])
    }

    fn signal(&mut self, name: &str, object: u64) -> Made<'a> {
        let members = [(atoms::name(), self.text(name)?), (atoms::object_id(), object.encode(self.env))];
        self.record(atoms::signal_struct(), members)
    }

    fn array(&mut self, element: ElementType<'_>, values: Vec<Term<'a>>) -> Made<'a> {
        // The values themselves are paid for.
        let values = self.term(values)?;
        if element == ElementType::Untyped {
            return Ok(values);
        }
        let ty = self.element_type(&element)?;
        self.record(atoms::typed_array_struct(), [(atoms::type_key(), ty), (atoms::values(), values)])
    }

    fn dictionary(
        &mut self,
        key: ElementType<'_>,
        value: ElementType<'_>,
        pairs: Vec<(Term<'a>, Term<'a>)>,
    ) -> Made<'a> {
        self.count()?;
        self.budget.spend(STRUCT_UNITS + pairs.len())?;
        let typed = key != ElementType::Untyped || value != ElementType::Untyped;
        if typed || self.keep_order {
            let members = [
                (atoms::pairs(), pairs.encode(self.env)),
                (atoms::key_type(), self.element_type(&key)?),
                (atoms::value_type(), self.element_type(&value)?),
            ];
            return self.record(atoms::dictionary_struct(), members);
        }
        let (keys, values) = &mut self.scratch;
        keys.clear();
        values.clear();
        keys.extend(pairs.iter().map(|pair| pair.0));
        values.extend(pairs.iter().map(|pair| pair.1));
        if let Ok(map) = Term::map_from_term_arrays(self.env, keys, values) {
            return Ok(map);
        }
        // A key comes twice: as in the engine, the later value stands.
        self.budget.spend(pairs.len())?;
        let mut map = Term::map_new(self.env);
        for (key, value) in pairs {
            if matches!(self.plain, Some(Plain { last_key: false, .. })) && map.map_get(key).is_ok() {
                return Err(Stop::DuplicateKey(key));
            }
            map = map.map_put(key, value).unwrap_or(map);
        }
        Ok(map)
    }

    fn packed(&mut self, ty: Type, _count: usize, data: PackedBytes<'_>) -> Made<'a> {
        if let PackedBytes::Narrowed(narrowed) = &data {
            self.budget.spend_bytes(narrowed.len())?;
        }
        let part = match &data {
            PackedBytes::Input { bytes, offset } if bytes.len() > SMALL => {
                self.input.make_subbinary(*offset, bytes.len()).ok()
            }
            _ => None,
        };
        let data = part.map_or_else(|| copy(self.env, data.as_ref()), |part| part.to_term(self.env));
        let blob = self.plain.is_some() && ty == Type::PackedByteArray;
        self.term((if blob { atoms::blob() } else { atoms::of_type(ty) }, data))
    }

    fn packed_strings(&mut self, strings: Vec<&str>) -> Made<'a> {
        let strings = self.texts(&strings)?;
        self.term((atoms::packed_string(), strings))
    }
}
