//! Terms as typed values of components.

use rustler::types::atom::Atom;
use rustler::{Binary, Env, ListIterator, MapIterator, ResourceArc, Term, TermType};
use wasgo_wasm::Error;
use wasgo_wasm::component::{Arguments, ResourceType, Signature, Type, TypedRequest, Val, describe_type};

use super::HandleResource;
use crate::{atoms, float};

/// Why a term is no value of its type.
enum Misfit {
    /// It must be something else, at the end of a path that is given from its end.
    Wanted { path: Vec<String>, wanted: String },
    /// Something else stands against it, such as a limit.
    Error(Error),
}

impl From<Error> for Misfit {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

fn wanted<T>(what: impl Into<String>) -> Result<T, Misfit> {
    Err(Misfit::Wanted { path: Vec::new(), wanted: what.into() })
}

/// Says where in something larger a value that does not fit is.
fn within<T>(result: Result<T, Misfit>, step: impl FnOnce() -> String) -> Result<T, Misfit> {
    result.map_err(|misfit| match misfit {
        Misfit::Wanted { mut path, wanted } => {
            path.push(step());
            Misfit::Wanted { path, wanted }
        }
        other => other,
    })
}

/// A call's arguments by its parameters' types.
pub fn arguments<'a>(
    env: Env<'a>,
    signature: &Signature<'_>,
    account: &mut Arguments,
    terms: &[Term<'a>],
) -> Result<Vec<Val>, Error> {
    let (name, parameters) = (signature.name, signature.parameters);
    if parameters.len() != terms.len() {
        let message = format!("\"{name}\" takes {} arguments, and {} were given", parameters.len(), terms.len());
        return Err(Error::Arguments { message });
    }
    let describe = |ty: &Type| signature.describe(ty);
    let mut values = Values { env, describe: &describe, account };
    let each = parameters.iter().zip(terms).enumerate();
    each.map(|(index, ((_, ty), term))| {
        values.value(*term, ty).map_err(|misfit| match misfit {
            Misfit::Wanted { mut path, wanted } => {
                path.reverse();
                let place = if path.is_empty() { String::new() } else { format!(": {}", path.join(", ")) };
                let number = index + 1;
                Error::Arguments { message: format!("argument {number} of \"{name}\"{place} must be {wanted}") }
            }
            Misfit::Error(error) => error,
        })
    })
    .collect()
}

/// What a function of the host returned, by its result's type; what it returns for none is nobody's business.
pub fn host_result<'a>(env: Env<'a>, request: &TypedRequest, term: Term<'a>) -> Result<Option<Val>, String> {
    let Some(ty) = &request.result else { return Ok(None) };
    let mut account = request.account();
    let mut values = Values { env, describe: &|ty| describe_type(ty, &[]), account: &mut account };
    values.value(term, ty).map(Some).map_err(|misfit| match misfit {
        Misfit::Wanted { mut path, wanted } => {
            path.reverse();
            let place = if path.is_empty() { String::new() } else { format!(": {}", path.join(", ")) };
            format!("its result{place} must be {wanted}")
        }
        Misfit::Error(error) => error.to_string(),
    })
}

struct Values<'a, 's, 'c> {
    env: Env<'a>,
    describe: &'s dyn Fn(&Type) -> String,
    account: &'c mut Arguments,
}

impl<'a> Values<'a, '_, '_> {
    fn value(&mut self, term: Term<'a>, ty: &Type) -> Result<Val, Misfit> {
        match ty {
            Type::Bool => match term.decode::<bool>() {
                Ok(value) => self.scalar(1, Val::Bool(value)),
                Err(_) => wanted("true or false"),
            },
            Type::S8 => self.integer(term, 1, Val::S8, "an integer from -128 to 127"),
            Type::U8 => self.integer(term, 1, Val::U8, "an integer from 0 to 255"),
            Type::S16 => self.integer(term, 2, Val::S16, "a signed 16-bit integer"),
            Type::U16 => self.integer(term, 2, Val::U16, "an unsigned 16-bit integer"),
            Type::S32 => self.integer(term, 4, Val::S32, "a signed 32-bit integer"),
            Type::U32 => self.integer(term, 4, Val::U32, "an unsigned 32-bit integer"),
            Type::S64 => self.integer(term, 8, Val::S64, "a signed 64-bit integer"),
            Type::U64 => self.integer(term, 8, Val::U64, "an unsigned 64-bit integer"),
            Type::Float32 => match float::decode(term) {
                Some(value) => self.scalar(4, Val::Float32(value as f32)),
                None => wanted(FLOAT),
            },
            Type::Float64 => match float::decode(term) {
                Some(value) => self.scalar(8, Val::Float64(value)),
                None => wanted(FLOAT),
            },
            Type::Char => match character(term) {
                Some(value) => self.scalar(4, Val::Char(value)),
                None => wanted("a code point, or a string of one character"),
            },
            Type::String => self.string(term),
            Type::List(list) => self.list(term, &list.ty()),
            Type::FixedLengthList(list) => self.fixed_list(term, &list.ty(), list.len() as usize),
            Type::Map(map) => self.map(term, &map.key(), &map.value()),
            Type::Record(_) => self.record(term, ty),
            Type::Tuple(_) => self.tuple(term, ty),
            Type::Variant(_) => self.variant(term, ty),
            Type::Enum(names) => {
                self.account.spend(1, 4)?;
                match text(term).and_then(|given| names.names().find(|name| same(name, given.as_slice()))) {
                    Some(name) => Ok(Val::Enum(name.to_owned())),
                    None => wanted(format!("one of {}", quoted(names.names()))),
                }
            }
            Type::Option(option) => self.option(term, &option.ty()),
            Type::Result(result) => self.result(term, result.ok(), result.err()),
            Type::Flags(flags) => self.flags(term, &flags.names().collect::<Vec<_>>()),
            Type::Own(resource) => self.resource(term, *resource, ty, true),
            Type::Borrow(resource) => self.resource(term, *resource, ty, false),
            Type::Future(_) | Type::Stream(_) | Type::ErrorContext => {
                wanted(format!("a {}, which can't be given from outside", (self.describe)(ty)))
            }
        }
    }

    fn scalar(&mut self, bytes: usize, value: Val) -> Result<Val, Misfit> {
        self.account.spend(1, bytes)?;
        Ok(value)
    }

    fn integer<T: TryFrom<i128>>(
        &mut self,
        term: Term<'a>,
        bytes: usize,
        make: fn(T) -> Val,
        range: &str,
    ) -> Result<Val, Misfit> {
        let signed = term.decode::<i64>().map(i128::from);
        let value = signed.or_else(|_| term.decode::<u64>().map(i128::from)).ok();
        match value.and_then(|value| T::try_from(value).ok()) {
            Some(value) => self.scalar(bytes, make(value)),
            None => wanted(range),
        }
    }

    fn string(&mut self, term: Term<'a>) -> Result<Val, Misfit> {
        let Ok(binary) = term.decode::<Binary<'a>>() else { return wanted("a UTF-8 string") };
        self.account.spend(1, 8_usize.saturating_add(binary.len()))?;
        match std::str::from_utf8(binary.as_slice()) {
            Ok(text) => Ok(Val::String(text.to_owned())),
            Err(_) => wanted("a UTF-8 string"),
        }
    }

    fn list(&mut self, term: Term<'a>, element: &Type) -> Result<Val, Misfit> {
        let octets = matches!(element, Type::U8);
        if octets && let Ok(binary) = term.decode::<Binary<'a>>() {
            self.account.spend(binary.len(), 8_usize.saturating_add(binary.len()))?;
            return Ok(Val::List(binary.as_slice().iter().map(|octet| Val::U8(*octet)).collect()));
        }
        match term.decode::<ListIterator<'a>>() {
            Ok(terms) => Ok(Val::List(self.elements(term, terms, element)?)),
            Err(_) => wanted(if octets { "a binary, or a list of bytes" } else { "a list" }),
        }
    }

    fn fixed_list(&mut self, term: Term<'a>, element: &Type, length: usize) -> Result<Val, Misfit> {
        match (term.decode::<ListIterator<'a>>(), term.list_length()) {
            (Ok(terms), Ok(given)) if given == length => Ok(Val::FixedLengthList(self.elements(term, terms, element)?)),
            _ => wanted(format!("a list of {length} elements")),
        }
    }

    fn elements(&mut self, list: Term<'a>, terms: ListIterator<'a>, element: &Type) -> Result<Vec<Val>, Misfit> {
        let Ok(length) = list.list_length() else { return wanted("a proper list") };
        // The elements themselves are spent one by one; this is so that no room is made for more than there may be.
        self.account.spend(0, 8)?;
        let mut values = Vec::with_capacity(length.min(1 << 12));
        for (index, term) in terms.enumerate() {
            values.push(within(self.value(term, element), || format!("element {index}"))?);
        }
        Ok(values)
    }

    fn map(&mut self, term: Term<'a>, key_ty: &Type, value_ty: &Type) -> Result<Val, Misfit> {
        let Some(pairs) = MapIterator::new(term) else { return wanted("a map") };
        let mut values = Vec::new();
        for (key, value) in pairs {
            let key = within(self.value(key, key_ty), || "a key".into())?;
            values.push((key, within(self.value(value, value_ty), || "a value".into())?));
        }
        Ok(Val::Map(values))
    }

    fn record(&mut self, term: Term<'a>, ty: &Type) -> Result<Val, Misfit> {
        let Type::Record(record) = ty else { return wanted("a map") };
        let Ok(size) = term.map_size() else {
            return wanted(format!("a map with the fields {}", quoted(record.fields().map(|field| field.name))));
        };
        let mut values = Vec::with_capacity(record.fields().len());
        let mut found = usize::from(term.map_get(atoms::struct_()).is_ok());
        for field in record.fields() {
            let value = match (self.field(term, field.name), &field.ty) {
                (Some(value), ty) => {
                    found += 1;
                    within(self.value(value, ty), || format!("field \"{}\"", field.name))?
                }
                (None, Type::Option(_)) => Val::Option(None),
                (None, _) => return within(wanted("there"), || format!("field \"{}\"", field.name)),
            };
            values.push((field.name.to_owned(), value));
        }
        if found < size {
            let fields = quoted(record.fields().map(|field| field.name));
            return wanted(format!("a map with no other fields than {fields}"));
        }
        Ok(Val::Record(values))
    }

    /// A record's field by its name as a string or atom, in WIT's spelling or with underscores. No atom is made for that.
    fn field(&self, map: Term<'a>, name: &str) -> Option<Term<'a>> {
        let get = |name: &str| {
            let by_text = map.map_get(name).ok();
            by_text.or_else(|| {
                let atom = Atom::existing_from_str(self.env, name).ok()?;
                map.map_get(atom).ok()
            })
        };
        get(name).or_else(|| if name.contains('-') { get(&name.replace('-', "_")) } else { None })
    }

    fn tuple(&mut self, term: Term<'a>, ty: &Type) -> Result<Val, Misfit> {
        let Type::Tuple(tuple) = ty else { return wanted("a tuple") };
        let types = tuple.types();
        match rustler::types::tuple::get_tuple(term) {
            Ok(terms) if terms.len() == types.len() => {
                let mut values = Vec::with_capacity(terms.len());
                for (index, (term, ty)) in terms.into_iter().zip(types).enumerate() {
                    values.push(within(self.value(term, &ty), || format!("element {index}"))?);
                }
                Ok(Val::Tuple(values))
            }
            _ => wanted(format!("a tuple of {} elements", types.len())),
        }
    }

    fn variant(&mut self, term: Term<'a>, ty: &Type) -> Result<Val, Misfit> {
        let Type::Variant(variant) = ty else { return wanted("a case") };
        self.account.spend(1, 4)?;
        let (name, payload) = match term.decode::<(Term<'a>, Term<'a>)>() {
            Ok((name, payload)) => (name, Some(payload)),
            Err(_) => (term, None),
        };
        let case = text(name).and_then(|name| variant.cases().find(|case| same(case.name, name.as_slice())));
        match (case, payload) {
            (Some(case), None) if case.ty.is_none() => Ok(Val::Variant(case.name.to_owned(), None)),
            (Some(case), Some(payload)) => match &case.ty {
                Some(ty) => {
                    let value = within(self.value(payload, ty), || format!("case \"{}\"", case.name))?;
                    Ok(Val::Variant(case.name.to_owned(), Some(Box::new(value))))
                }
                None => wanted(format!("\"{}\", which has no value", case.name)),
            },
            (Some(case), None) => wanted(format!("{{\"{}\", value}}", case.name)),
            (None, _) => wanted(format!("one of the cases {}", quoted(variant.cases().map(|case| case.name)))),
        }
    }

    fn option(&mut self, term: Term<'a>, inner: &Type) -> Result<Val, Misfit> {
        self.account.spend(1, 4)?;
        if is_atom(term, atoms::nil()) {
            return Ok(Val::Option(None));
        }
        let payload = match inner {
            Type::Option(_) => match term.decode::<(Atom, Term<'a>)>() {
                Ok((tag, payload)) if tag == atoms::some() => payload,
                _ => return wanted("nil or {:some, value}"),
            },
            _ => term,
        };
        Ok(Val::Option(Some(Box::new(self.value(payload, inner)?))))
    }

    fn result(&mut self, term: Term<'a>, ok: Option<Type>, error: Option<Type>) -> Result<Val, Misfit> {
        self.account.spend(1, 4)?;
        let (tag, payload) = match term.decode::<(Atom, Term<'a>)>() {
            Ok((tag, payload)) => (Some(tag), Some(payload)),
            Err(_) => (Atom::from_term(term).ok(), None),
        };
        let is_ok = tag == Some(atoms::ok());
        let side = if is_ok { &ok } else { &error };
        let value = match (payload, side) {
            (None, None) => None,
            (Some(payload), Some(ty)) if is_ok || tag == Some(atoms::error()) => {
                let step = || if is_ok { ":ok".into() } else { ":error".into() };
                Some(Box::new(within(self.value(payload, ty), step)?))
            }
            _ => return wanted(result_shapes(ok.is_some(), error.is_some())),
        };
        match tag {
            Some(tag) if tag == atoms::ok() => Ok(Val::Result(Ok(value))),
            Some(tag) if tag == atoms::error() => Ok(Val::Result(Err(value))),
            _ => wanted(result_shapes(ok.is_some(), error.is_some())),
        }
    }

    fn flags(&mut self, term: Term<'a>, names: &[&str]) -> Result<Val, Misfit> {
        // A MapSet is a struct whose `:map` has the elements as its keys.
        let set = term.map_get(atoms::map()).ok().and_then(MapIterator::new);
        // An improper list has no length, and must not be walked through.
        let list = term.list_length().and_then(|_| term.decode::<ListIterator<'a>>());
        let given: Vec<Term<'a>> = match (list, set) {
            (Ok(list), _) => list.take(names.len() + 1).collect(),
            (_, Some(set)) => set.map(|(key, _)| key).take(names.len() + 1).collect(),
            _ => return wanted(format!("a list or MapSet of some of {}", quoted(names.iter().copied()))),
        };
        self.account.spend(1 + given.len(), 4)?;
        let mut flags = Vec::with_capacity(given.len());
        for flag in given {
            match text(flag).and_then(|flag| names.iter().find(|name| same(name, flag.as_slice()))) {
                Some(name) if !flags.iter().any(|other| other == name) => flags.push((*name).to_owned()),
                _ => return wanted(format!("a list or MapSet of some of {}", quoted(names.iter().copied()))),
            }
        }
        Ok(Val::Flags(flags))
    }

    fn resource(&mut self, term: Term<'a>, resource: ResourceType, ty: &Type, owned: bool) -> Result<Val, Misfit> {
        self.account.spend(1, 4)?;
        let handle = term.map_get(atoms::resource()).and_then(|term| term.decode::<ResourceArc<HandleResource>>());
        match handle {
            Ok(handle) => self.account.resource(&handle.0, resource, owned).or_else(wanted),
            Err(_) => wanted(format!("a resource, {}", (self.describe)(ty))),
        }
    }
}

const FLOAT: &str = "a number, :nan, :infinity or :neg_infinity";

fn result_shapes(ok: bool, error: bool) -> String {
    format!("{} or {}", if ok { "{:ok, value}" } else { ":ok" }, if error { "{:error, value}" } else { ":error" })
}

fn is_atom(term: Term<'_>, atom: Atom) -> bool {
    term.get_type() == TermType::Atom && Atom::from_term(term).is_ok_and(|other| other == atom)
}

/// A code point, or the one of a string of one.
fn character(term: Term<'_>) -> Option<char> {
    if let Ok(code) = term.decode::<u32>() {
        return char::from_u32(code);
    }
    let binary = term.decode::<Binary<'_>>().ok()?;
    let mut characters = std::str::from_utf8(binary.as_slice()).ok()?.chars();
    characters.next().filter(|_| characters.next().is_none())
}

/// A name given as a string or an atom.
enum Text<'a> {
    Binary(Binary<'a>),
    Atom(String),
}

impl Text<'_> {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Binary(binary) => binary.as_slice(),
            Self::Atom(name) => name.as_bytes(),
        }
    }
}

fn text(term: Term<'_>) -> Option<Text<'_>> {
    match term.get_type() {
        TermType::Atom => term.atom_to_string().ok().map(Text::Atom),
        _ => term.decode::<Binary<'_>>().ok().map(Text::Binary),
    }
}

/// Whether a name of WIT is meant, which may be spelled with underscores.
fn same(name: &str, given: &[u8]) -> bool {
    let dashed = |byte: &u8| if *byte == b'_' { b'-' } else { *byte };
    name.len() == given.len() && name.bytes().eq(given.iter().map(dashed))
}

fn quoted<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}
