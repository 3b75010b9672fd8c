//! Typed values of components as terms.

use rustler::{Encoder, Env, ResourceArc, Term};
use wasgo_wasm::component::{Returned, Type, Val};

use super::HandleResource;
use crate::{atoms, bytes, float};

/// What a function returned: `{:some, value}`, or nil from one without a result.
pub fn returned<'a>(env: Env<'a>, returned: Returned) -> Term<'a> {
    match returned.value() {
        Some((value, ty)) => {
            let value = Values { env, returned: Some(&returned) }.term(value, ty);
            (atoms::some(), value).encode(env)
        }
        None => atoms::nil().to_term(env),
    }
}

/// The arguments of a function of the host, as a list.
pub fn host_arguments(env: Env<'_>, arguments: Vec<(Val, Type)>) -> Term<'_> {
    let values = Values { env, returned: None };
    arguments.iter().map(|(value, ty)| values.term(value, ty)).collect::<Vec<_>>().encode(env)
}

struct Values<'a, 'r> {
    env: Env<'a>,
    /// Whose resources there are; a function of the host is given none.
    returned: Option<&'r Returned>,
}

impl<'a> Values<'a, '_> {
    fn term(&self, value: &Val, ty: &Type) -> Term<'a> {
        let env = self.env;
        match (value, ty) {
            (Val::Bool(value), _) => value.encode(env),
            (Val::S8(value), _) => value.encode(env),
            (Val::U8(value), _) => value.encode(env),
            (Val::S16(value), _) => value.encode(env),
            (Val::U16(value), _) => value.encode(env),
            (Val::S32(value), _) => value.encode(env),
            (Val::U32(value), _) => value.encode(env),
            (Val::S64(value), _) => value.encode(env),
            (Val::U64(value), _) => value.encode(env),
            (Val::Float32(value), _) => float::encode(env, (*value).into()),
            (Val::Float64(value), _) => float::encode(env, *value),
            (Val::Char(value), _) => u32::from(*value).encode(env),
            (Val::String(value), _) => value.encode(env),
            (Val::List(values), Type::List(list)) => match list.ty() {
                Type::U8 => self.octets(values),
                element => self.list(values, &element),
            },
            (Val::FixedLengthList(values), Type::FixedLengthList(list)) => self.list(values, &list.ty()),
            (Val::Map(pairs), Type::Map(map)) => {
                let (key_ty, value_ty) = (map.key(), map.value());
                self.map(pairs.iter().map(|(key, value)| (self.term(key, &key_ty), self.term(value, &value_ty))))
            }
            (Val::Record(fields), Type::Record(record)) => self.map(
                fields
                    .iter()
                    .zip(record.fields())
                    .map(|((name, value), field)| (name.encode(env), self.term(value, &field.ty))),
            ),
            (Val::Tuple(values), Type::Tuple(tuple)) => {
                let terms: Vec<_> = values.iter().zip(tuple.types()).map(|(value, ty)| self.term(value, &ty)).collect();
                rustler::types::tuple::make_tuple(env, &terms)
            }
            (Val::Variant(name, payload), Type::Variant(variant)) => {
                let case = variant.cases().find(|case| case.name == name);
                match (payload, case.and_then(|case| case.ty)) {
                    (Some(payload), Some(ty)) => (name, self.term(payload, &ty)).encode(env),
                    _ => name.encode(env),
                }
            }
            (Val::Enum(name), _) => name.encode(env),
            (Val::Option(None), _) => atoms::nil().to_term(env),
            (Val::Option(Some(payload)), Type::Option(option)) => match option.ty() {
                inner @ Type::Option(_) => (atoms::some(), self.term(payload, &inner)).encode(env),
                inner => self.term(payload, &inner),
            },
            (Val::Result(Ok(payload)), Type::Result(result)) => {
                self.tagged(atoms::ok(), payload.as_deref(), result.ok())
            }
            (Val::Result(Err(payload)), Type::Result(result)) => {
                self.tagged(atoms::error(), payload.as_deref(), result.err())
            }
            (Val::Flags(names), _) => names.encode(env),
            (Val::Resource(resource), Type::Own(ty) | Type::Borrow(ty)) => {
                let Some(returned) = self.returned else { return atoms::nil().to_term(env) };
                let handle = ResourceArc::new(HandleResource(returned.handle(*resource)));
                let pairs = [
                    (atoms::struct_().encode(env), atoms::component_resource().encode(env)),
                    (atoms::resource().encode(env), handle.encode(env)),
                    (atoms::type_().encode(env), returned.resource_name(*ty).encode(env)),
                ];
                self.map(pairs.into_iter())
            }
            // Futures and streams are no part of what the engine compiles.
            _ => atoms::nil().to_term(env),
        }
    }

    fn list(&self, values: &[Val], element: &Type) -> Term<'a> {
        let terms: Vec<_> = values.iter().map(|value| self.term(value, element)).collect();
        terms.encode(self.env)
    }

    fn octets(&self, values: &[Val]) -> Term<'a> {
        let octet = |value: &Val| if let Val::U8(octet) = value { *octet } else { 0 };
        bytes::binary(self.env, values.iter().map(octet).collect())
    }

    fn map(&self, pairs: impl Iterator<Item = (Term<'a>, Term<'a>)>) -> Term<'a> {
        let (keys, values): (Vec<_>, Vec<_>) = pairs.unzip();
        // Two equal keys can't be made into a map at once: of these the last counts.
        crate::values::map(self.env, &keys, &values).unwrap_or_else(|_| {
            keys.into_iter()
                .zip(values)
                .fold(Term::map_new(self.env), |map, (key, value)| map.map_put(key, value).unwrap_or(map))
        })
    }

    fn tagged(&self, tag: rustler::Atom, payload: Option<&Val>, ty: Option<Type>) -> Term<'a> {
        match payload.zip(ty) {
            Some((payload, ty)) => (tag, self.term(payload, &ty)).encode(self.env),
            None => tag.encode(self.env),
        }
    }
}
