//! From terms to bytes.

use std::borrow::Cow;

use rustler::types::MapIterator;
use rustler::{Atom, Binary, Encoder as _, Env, Term, TermType};
use wasgo_wire::variant::{ElementType, Encoder, Limits, NodePath, Type};

use super::atoms;
use super::errors::Reason;
use super::shapes::{Components, STRUCT_UNITS, Shape, float_atom};
use crate::budget::{Budget, OverBudget};
use crate::bytes;

/// Writes a term.
///
/// `blobs` are packed bytes too then: raw bytes as all of the wire's formats have them.
pub(super) fn encode<'a>(
    term: Term<'a>,
    limits: Limits,
    blobs: bool,
    budget: &mut Budget,
) -> Result<Vec<u8>, Failed<'a>> {
    let mut walk = Walk::new(term, limits, blobs, budget);
    walk.write(term).map_err(|reason| Failed { reason, path: walk.path() })?;
    walk.encoder.finish().map_err(|error| Failed { reason: error.into(), path: Vec::new() })
}

/// Binaries that are not copied, and after how many written bytes each belongs.
pub(super) type Apart<'a> = Vec<(usize, Term<'a>)>;

/// Packed arrays of fewer bytes are copied: a part of its own costs more than that.
const APART_FROM: usize = 1024;

/// Writes a term, but for the data of its larger packed arrays: these stay the binaries that they are. Gives what is written, where in it
/// they belong, and the size of it all.
pub(super) fn encode_apart<'a>(
    term: Term<'a>,
    limits: Limits,
    budget: &mut Budget,
) -> Result<(Vec<u8>, Apart<'a>, usize), Failed<'a>> {
    let mut walk = Walk { apart: Some(Vec::new()), ..Walk::new(term, limits, false, budget) };
    walk.write(term).map_err(|reason| Failed { reason, path: walk.path() })?;
    let size = walk.encoder.written() + walk.encoder.apart();
    let apart = walk.apart.unwrap_or_default();
    let written = walk.encoder.finish().map_err(|error| Failed { reason: error.into(), path: Vec::new() })?;
    Ok((written, apart, size))
}

/// What a frame's Dictionary begins with: its type and its count.
const FRAME_HEADER: usize = 8;

/// A Dictionary without its header.
pub(super) struct Pairs<'a> {
    pub(super) count: usize,
    pub(super) written: Vec<u8>,
    pub(super) apart: Apart<'a>,
    /// Of it all.
    pub(super) size: usize,
}

/// As [`encode_apart`], the Dictionary of a frame: `fields`, and before them its kind as `"t"`. The limit is that of the whole.
pub(super) fn encode_frame<'a>(
    kind: Term<'a>,
    fields: Term<'a>,
    limits: Limits,
    budget: &mut Budget,
) -> Result<Pairs<'a>, Failed<'a>> {
    let mut walk = Walk { apart: Some(Vec::new()), ..Walk::new(fields, limits, false, budget) };
    let count = walk.write_frame(kind, fields).map_err(|reason| Failed { reason, path: walk.path() })?;
    let size = walk.encoder.written() + walk.encoder.apart() - FRAME_HEADER;
    let mut apart = walk.apart.unwrap_or_default();
    let mut written = walk.encoder.finish().map_err(|error| Failed { reason: error.into(), path: Vec::new() })?;
    written.drain(..FRAME_HEADER);
    apart.iter_mut().for_each(|(before, _)| *before -= FRAME_HEADER);
    Ok(Pairs { count, written, apart, size })
}

/// Writes container by container. All work is asked of the budget before it is done.
struct Walk<'a, 'b> {
    encoder: Encoder,
    open: Vec<Open<'a>>,
    /// The outermost term, until there was a look at how much data is in it.
    whole: Option<Term<'a>>,
    max_bytes: usize,
    blobs: bool,
    budget: &'b mut Budget,
    /// `None` where all are copied.
    apart: Option<Apart<'a>>,
}

/// A container whose elements are being written.
enum Open<'a> {
    List { rest: Term<'a>, next: usize },
    Map { pairs: Box<MapIterator<'a>>, key: Option<Term<'a>>, value: Option<Term<'a>> },
    Pairs { rest: Term<'a>, key: Option<Term<'a>>, value: Option<Term<'a>> },
}

/// Why, and where: the list indices and map keys that lead there.
pub(super) struct Failed<'a> {
    reason: Reason<'a>,
    path: Vec<Step<'a>>,
}

enum Step<'a> {
    Index(usize),
    Key(Term<'a>),
}

impl<'a> Failed<'a> {
    /// `{:error, {reason, path}}` or `:over_budget`.
    pub(super) fn to_term(&self, env: Env<'a>) -> Term<'a> {
        if matches!(self.reason, Reason::OverBudget) {
            return atoms::over_budget().to_term(env);
        }
        let step = |step: &Step<'a>| match step {
            Step::Index(index) => index.encode(env),
            Step::Key(key) => *key,
        };
        let path: Vec<Term<'a>> = self.path.iter().map(step).collect();
        (atoms::error(), (self.reason.to_term(env), path)).encode(env)
    }
}

impl<'a, 'b> Walk<'a, 'b> {
    fn new(whole: Term<'a>, limits: Limits, blobs: bool, budget: &'b mut Budget) -> Self {
        let (mut encoder, max_bytes) = (Encoder::new(limits), limits.max_bytes());
        encoder.move_to(bytes::scratch());
        Walk { encoder, open: Vec::new(), whole: Some(whole), max_bytes, blobs, budget, apart: None }
    }

    fn write(&mut self, term: Term<'a>) -> Result<(), Reason<'a>> {
        self.begin(term)?;
        self.write_open()
    }

    /// Returns how many pairs there are.
    fn write_frame(&mut self, kind: Term<'a>, fields: Term<'a>) -> Result<usize, Reason<'a>> {
        let (Ok(len), Some(pairs)) = (fields.map_size(), MapIterator::new(fields)) else {
            return Err(Reason::Unsupported(fields));
        };
        if fields.map_get(atoms::struct_key()).is_ok() {
            return Err(Reason::Unsupported(fields));
        }
        let count = len + 1;
        self.encoder.begin_dictionary(&ElementType::Untyped, &ElementType::Untyped, count)?;
        self.encoder.string("t")?;
        self.encoder.string(text(kind, self.budget)?)?;
        self.open.push(Open::Map { pairs: Box::new(pairs), key: None, value: None });
        self.write_open()?;
        Ok(count)
    }

    fn write_open(&mut self) -> Result<(), Reason<'a>> {
        while let Some(top) = self.open.last_mut() {
            match top.next()? {
                Some(term) => self.begin(term)?,
                None => {
                    self.encoder.end()?;
                    self.open.pop();
                }
            }
        }
        Ok(())
    }

    fn path(&self) -> Vec<Step<'a>> {
        let step = |open: &Open<'a>| match open {
            Open::List { next, .. } => next.checked_sub(1).map(Step::Index),
            Open::Map { key, .. } | Open::Pairs { key, .. } => key.map(Step::Key),
        };
        self.open.iter().filter_map(step).collect()
    }

    /// Writes a term, or begins it if it holds others.
    fn begin(&mut self, term: Term<'a>) -> Result<(), Reason<'a>> {
        self.budget.spend(1)?;
        match term.get_type() {
            TermType::Integer => match term.decode() {
                Ok(value) => Ok(self.encoder.int(value)?),
                Err(_) => Err(Reason::IntegerRange { value: term, bits: 64 }),
            },
            TermType::Float => match term.decode() {
                Ok(value) => Ok(self.encoder.float(value)?),
                Err(_) => Err(Reason::Unsupported(term)),
            },
            TermType::Binary => Ok(self.encoder.string(text(term, self.budget)?)?),
            TermType::Atom => self.atom(term),
            TermType::Tuple => self.tuple(term),
            TermType::List => self.list(term, &ElementType::Untyped),
            TermType::Map => match term.map_get(atoms::struct_key()) {
                Ok(module) => self.record(term, module),
                Err(_) => self.map(term),
            },
            _ => Err(Reason::Unsupported(term)),
        }
    }

    fn atom(&mut self, term: Term<'a>) -> Result<(), Reason<'a>> {
        if atoms::nil() == term {
            Ok(self.encoder.nil()?)
        } else if let Ok(value) = term.decode::<bool>() {
            Ok(self.encoder.bool(value)?)
        } else if let Some(value) = float_atom(term) {
            Ok(self.encoder.float(value)?)
        } else {
            let text = atom_text(term, self.budget)?.ok_or(Reason::Unsupported(term))?;
            Ok(self.encoder.string(&text)?)
        }
    }

    fn list(&mut self, term: Term<'a>, element: &ElementType<'_>) -> Result<(), Reason<'a>> {
        let len = length(term, self.budget)?.ok_or(Reason::Unsupported(term))?;
        self.encoder.begin_array(element, len)?;
        self.open.push(Open::List { rest: term, next: 0 });
        Ok(())
    }

    fn map(&mut self, term: Term<'a>) -> Result<(), Reason<'a>> {
        let (Ok(len), Some(pairs)) = (term.map_size(), MapIterator::new(term)) else {
            return Err(Reason::Unsupported(term));
        };
        self.budget.spend(1)?;
        if self.blobs
            && let Some(key) = clash(term, self.budget)?
        {
            return Err(Reason::DuplicateKey(key));
        }
        self.encoder.begin_dictionary(&ElementType::Untyped, &ElementType::Untyped, len)?;
        self.open.push(Open::Map { pairs: Box::new(pairs), key: None, value: None });
        Ok(())
    }

    fn tuple(&mut self, term: Term<'a>) -> Result<(), Reason<'a>> {
        let unsupported = || Reason::Unsupported(term);
        let (tag, content): (Atom, Term<'a>) = term.decode().map_err(|_| unsupported())?;
        let ty = if self.blobs && tag == atoms::blob() { Some(Type::PackedByteArray) } else { atoms::to_type(tag) };
        match ty {
            Some(Type::StringName) => Ok(self.encoder.string_name(text(content, self.budget)?)?),
            Some(Type::PackedStringArray) => {
                let strings = texts(content, self.budget)?.ok_or_else(unsupported)?;
                Ok(self.encoder.packed_strings(strings)?)
            }
            Some(ty) if ty.packed_stride().is_some() => {
                let data = Binary::from_term(content).map_err(|_| unsupported())?;
                if let Some(apart) = &mut self.apart
                    && data.len() >= APART_FROM
                {
                    self.budget.spend(APART_UNITS)?;
                    let before = self.encoder.packed_apart(ty, data.len())?;
                    apart.push((before, content));
                    return Ok(());
                }
                self.budget.spend_bytes(data.len())?;
                if data.len() >= MUCH
                    && let Some(whole) = self.whole.take()
                {
                    let more = packed_data(whole).min(self.max_bytes);
                    bytes::done_with(self.encoder.move_to(bytes::room(self.encoder.written().saturating_add(more))));
                }
                Ok(self.encoder.packed(ty, data.as_slice())?)
            }
            _ => Err(unsupported()),
        }
    }

    /// A struct.
    fn record(&mut self, term: Term<'a>, module: Term<'a>) -> Result<(), Reason<'a>> {
        let module: Atom = module.decode().map_err(|_| Reason::Unsupported(term))?;
        if let Some(shape) = Shape::of_module(module) {
            self.budget.spend(shape.units())?;
            let mut components = Components::default();
            shape.read(term, &mut components)?;
            if shape.ty().int_components().is_some() {
                self.encoder.ints(shape.ty(), &components.ints())?;
            } else {
                self.encoder.floats(shape.ty(), components.floats())?;
            }
            return Ok(());
        }
        self.budget.spend(STRUCT_UNITS)?;
        let members = Members { term, module };
        match module {
            _ if module == atoms::node_path_struct() => {
                let names = members.texts(atoms::names(), self.budget)?;
                let subnames = members.texts(atoms::subnames(), self.budget)?;
                let absolute = members.read(atoms::absolute())?;
                let borrowed = |parts: Vec<&'a str>| parts.into_iter().map(Cow::Borrowed).collect();
                let path = NodePath { names: borrowed(names), subnames: borrowed(subnames), absolute };
                self.encoder.node_path(&path)?;
            }
            _ if module == atoms::rid_struct() => self.encoder.rid(members.id(atoms::id())?)?,
            _ if module == atoms::object_id_struct() => self.encoder.object_id(members.id(atoms::id())?)?,
            _ if module == atoms::callable_struct() => self.encoder.callable()?,
            _ if module == atoms::signal_struct() => {
                let name = text(members.get(atoms::name())?, self.budget)?;
                self.encoder.signal(name, members.id(atoms::object_id())?)?;
            }
            _ if module == atoms::typed_array_struct() => {
                let element = members.element_type(atoms::type_key(), self.budget)?;
                let values = members.get(atoms::values())?;
                if !values.is_list() {
                    return Err(members.wrong(atoms::values(), values));
                }
                self.list(values, &element)?;
            }
            _ if module == atoms::dictionary_struct() => {
                let key = members.element_type(atoms::key_type(), self.budget)?;
                let value = members.element_type(atoms::value_type(), self.budget)?;
                let pairs = members.get(atoms::pairs())?;
                let len = length(pairs, self.budget)?.ok_or_else(|| members.wrong(atoms::pairs(), pairs))?;
                self.encoder.begin_dictionary(&key, &value, len)?;
                self.open.push(Open::Pairs { rest: pairs, key: None, value: None });
            }
            _ => return Err(Reason::Unsupported(term)),
        }
        Ok(())
    }
}

/// Bytes of packed data from which on there is a look at how much more there is: for less it would take longer than it saves.
const MUCH: usize = 16 << 10;

/// Terms that are looked at then.
const LOOKS: usize = 256;

/// What a packed array has besides its data, and what is likely beside it: its key, and a little.
const PACKED_MORE: usize = 64;

/// The bytes of the packed arrays in a term, as far as the looks go: nearly the size of a frame that is large for them.
fn packed_data(term: Term<'_>) -> usize {
    let mut waiting = vec![term];
    let mut sum = 0_usize;
    for _ in 0..LOOKS {
        let Some(term) = waiting.pop() else { break };
        match term.get_type() {
            TermType::Tuple => {
                if let Ok((_, data)) = term.decode::<(Atom, Binary<'_>)>() {
                    sum = sum.saturating_add(data.len() + PACKED_MORE);
                }
            }
            TermType::Map => {
                waiting.extend(MapIterator::new(term).into_iter().flatten().take(LOOKS).map(|pair| pair.1))
            }
            TermType::List => {
                let mut rest = term;
                for _ in 0..LOOKS {
                    let Ok((head, tail)) = rest.list_get_cell() else { break };
                    waiting.push(head);
                    rest = tail;
                }
            }
            _ => {}
        }
    }
    sum
}

impl<'a> Open<'a> {
    /// The next element; keys and values in turn.
    fn next(&mut self) -> Result<Option<Term<'a>>, Reason<'a>> {
        match self {
            Open::List { rest, next } => match rest.list_get_cell() {
                Ok((head, tail)) => {
                    *rest = tail;
                    *next += 1;
                    Ok(Some(head))
                }
                Err(_) => Ok(None),
            },
            Open::Map { pairs, key, value } => {
                if value.is_some() {
                    return Ok(value.take());
                }
                (*key, *value) = pairs.next().unzip();
                Ok(*key)
            }
            Open::Pairs { rest, key, value } => {
                if value.is_some() {
                    return Ok(value.take());
                }
                let Ok((head, tail)) = rest.list_get_cell() else { return Ok(None) };
                *rest = tail;
                let pair: Result<(Term<'a>, Term<'a>), _> = head.decode();
                let wrong = || Reason::Field { module: atoms::dictionary_struct(), name: atoms::pairs(), value: head };
                let (first, second) = pair.map_err(|_| wrong())?;
                (*key, *value) = (Some(first), Some(second));
                Ok(*key)
            }
        }
    }
}

/// A struct's members.
struct Members<'a> {
    term: Term<'a>,
    module: Atom,
}

impl<'a> Members<'a> {
    fn get(&self, name: Atom) -> Result<Term<'a>, Reason<'a>> {
        self.term.map_get(name).map_err(|_| Reason::Unsupported(self.term))
    }

    fn wrong(&self, name: Atom, value: Term<'a>) -> Reason<'a> {
        Reason::Field { module: self.module, name, value }
    }

    fn read<T: rustler::Decoder<'a>>(&self, name: Atom) -> Result<T, Reason<'a>> {
        let value = self.get(name)?;
        value.decode().map_err(|_| self.wrong(name, value))
    }

    /// An id of 64 bits, without sign.
    fn id(&self, name: Atom) -> Result<u64, Reason<'a>> {
        self.read(name)
    }

    fn texts(&self, name: Atom, budget: &mut Budget) -> Result<Vec<&'a str>, Reason<'a>> {
        let value = self.get(name)?;
        texts(value, budget)?.ok_or_else(|| self.wrong(name, value))
    }

    fn element_type(&self, name: Atom, budget: &mut Budget) -> Result<ElementType<'a>, Reason<'a>> {
        let value = self.get(name)?;
        if let Ok(atom) = value.decode::<Atom>() {
            return match atoms::to_type(atom) {
                Some(Type::Nil) => Ok(ElementType::Untyped),
                Some(ty) => Ok(ElementType::Builtin(ty)),
                None => Err(self.wrong(name, value)),
            };
        }
        match value.decode::<(Atom, Term<'a>)>() {
            Ok((kind, class)) if kind == atoms::class() => Ok(ElementType::Class(text(class, budget)?.into())),
            Ok((kind, path)) if kind == atoms::script() => Ok(ElementType::Script(text(path, budget)?.into())),
            _ => Err(self.wrong(name, value)),
        }
    }
}

/// A binary of UTF-8.
fn text<'a>(term: Term<'a>, budget: &mut Budget) -> Result<&'a str, Reason<'a>> {
    let binary = Binary::from_term(term).map_err(|_| Reason::Unsupported(term))?;
    budget.spend_bytes(binary.len())?;
    std::str::from_utf8(binary.as_slice()).map_err(|_| Reason::NotUtf8(term))
}

/// A list of them; `None` if it is no list.
fn texts<'a>(list: Term<'a>, budget: &mut Budget) -> Result<Option<Vec<&'a str>>, Reason<'a>> {
    let Some(len) = length(list, budget)? else { return Ok(None) };
    let mut texts = Vec::with_capacity(len);
    let mut rest = list;
    while let Ok((head, tail)) = rest.list_get_cell() {
        texts.push(text(head, budget)?);
        rest = tail;
    }
    Ok(Some(texts))
}

/// The length of a proper list; `None` if it is none. Counts no further than there is budget for the elements.
pub(crate) fn length(list: Term<'_>, budget: &Budget) -> Result<Option<usize>, OverBudget> {
    let mut len = 0;
    let mut rest = list;
    while let Ok((_, tail)) = rest.list_get_cell() {
        len += 1;
        if !budget.has(len) {
            return Err(OverBudget);
        }
        rest = tail;
    }
    Ok(rest.is_empty_list().then_some(len))
}

/// Units of work for a binary that is kept apart.
const APART_UNITS: usize = 2;

/// Units of work to look whether a key is there.
const LOOK_UNITS: usize = 3;

/// A key of a map, an atom that is written as its name, whose text is a key too.
pub(crate) fn clash<'a>(map: Term<'a>, budget: &mut Budget) -> Result<Option<Term<'a>>, OverBudget> {
    let Some(pairs) = MapIterator::new(map) else { return Ok(None) };
    for (key, _) in pairs {
        if key.get_type() != TermType::Atom {
            continue;
        }
        let is_value = atoms::nil() == key || key.decode::<bool>().is_ok() || float_atom(key).is_some();
        if is_value {
            continue;
        }
        budget.spend(LOOK_UNITS)?;
        if let Some(name) = atom_text(key, budget)?
            && map.map_get(bytes::copy(map.get_env(), name.as_bytes())).is_ok()
        {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// Units of work for a name that is read by way of the external term format.
const EXTERNAL_ATOM_UNITS: usize = 2;

/// The tags of atoms in the external term format. Their lengths take two bytes, the small ones' one.
const ATOM_EXT: u8 = 100;
const SMALL_ATOM_EXT: u8 = 115;
const ATOM_UTF8_EXT: u8 = 118;
const SMALL_ATOM_UTF8_EXT: u8 = 119;

/// An atom's name. The NIF interface of OTP 25 gives only names in Latin-1, the external term format gives all.
pub(crate) fn atom_text(term: Term<'_>, budget: &mut Budget) -> Result<Option<String>, OverBudget> {
    if let Ok(text) = term.atom_to_string() {
        return Ok(Some(text));
    }
    budget.spend(EXTERNAL_ATOM_UNITS)?;
    let external = term.to_binary();
    Ok(match external.as_slice() {
        [_, ATOM_UTF8_EXT, _, _, name @ ..] | [_, SMALL_ATOM_UTF8_EXT, _, name @ ..] => {
            String::from_utf8(name.to_vec()).ok()
        }
        [_, ATOM_EXT, _, _, name @ ..] | [_, SMALL_ATOM_EXT, _, name @ ..] => {
            Some(name.iter().map(|byte| char::from(*byte)).collect())
        }
        _ => None,
    })
}
