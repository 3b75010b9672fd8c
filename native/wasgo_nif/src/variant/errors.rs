//! Errors as terms: typed reasons that `Wasgo.EncodeError` and `Wasgo.DecodeError` document.

use rustler::{Atom, Encoder, Env, Term};
use wasgo_wire::variant::{DecodeError, DecodeReason, EncodeError, Reading, Type};

use super::atoms;
use crate::budget::OverBudget;

/// Why decoding stopped.
pub(super) enum Stop<'a> {
    /// The bytes are wrong.
    Wrong(DecodeError),
    /// It takes too long.
    OverBudget,
    /// More values than allowed.
    TooMany { limit: u64 },
    /// A key that its map has already.
    DuplicateKey(Term<'a>),
}

impl From<DecodeError> for Stop<'_> {
    fn from(error: DecodeError) -> Self {
        Stop::Wrong(error)
    }
}

impl From<OverBudget> for Stop<'_> {
    fn from(_: OverBudget) -> Self {
        Stop::OverBudget
    }
}

impl<'a> Stop<'a> {
    /// `{:error, {reason, offset, reading}}` or `:over_budget`.
    pub(super) fn to_term(&self, env: Env<'a>) -> Term<'a> {
        match self {
            Stop::Wrong(error) => (atoms::error(), decode_error(env, error)).encode(env),
            Stop::OverBudget => atoms::over_budget().encode(env),
            Stop::TooMany { limit } => placeless(env, (atoms::too_many(), limit)),
            Stop::DuplicateKey(key) => placeless(env, (atoms::duplicate_key(), key)),
        }
    }
}

/// An error of the whole input.
fn placeless<'a>(env: Env<'a>, reason: impl Encoder) -> Term<'a> {
    let nil = atoms::nil();
    (atoms::error(), (reason, nil, nil)).encode(env)
}

/// Why a term cannot be a Variant, or is not written.
pub(super) enum Reason<'a> {
    /// It takes too long.
    OverBudget,
    /// What the codec says.
    Codec(EncodeError),
    /// A term of a kind that no Variant type stands for.
    Unsupported(Term<'a>),
    /// A binary that is no String.
    NotUtf8(Term<'a>),
    /// A key that another one is the same as, written.
    DuplicateKey(Term<'a>),
    /// An integer of more than so many bits.
    IntegerRange { value: Term<'a>, bits: u32 },
    /// A struct's member that is not what it has to be.
    Field { module: Atom, name: Atom, value: Term<'a> },
}

impl From<EncodeError> for Reason<'_> {
    fn from(error: EncodeError) -> Self {
        Reason::Codec(error)
    }
}

impl From<OverBudget> for Reason<'_> {
    fn from(_: OverBudget) -> Self {
        Reason::OverBudget
    }
}

impl<'a> Reason<'a> {
    pub(super) fn to_term(&self, env: Env<'a>) -> Term<'a> {
        match self {
            Reason::OverBudget => atoms::over_budget().encode(env),
            Reason::Codec(error) => encode_error(env, error),
            Reason::Unsupported(term) => (atoms::unsupported(), term).encode(env),
            Reason::DuplicateKey(term) => (atoms::duplicate_key(), term).encode(env),
            Reason::NotUtf8(term) => (atoms::not_utf8(), term).encode(env),
            Reason::IntegerRange { value, bits } => (atoms::integer_range(), value, bits).encode(env),
            Reason::Field { module, name, value } => (atoms::field(), module, name, value).encode(env),
        }
    }
}

fn encode_error<'a>(env: Env<'a>, error: &EncodeError) -> Term<'a> {
    match error {
        EncodeError::TooDeep { limit } => (atoms::too_deep(), limit).encode(env),
        EncodeError::TooLarge { limit } => (atoms::too_large(), limit).encode(env),
        EncodeError::Count { ty, count } => (atoms::count(), atoms::of_type(*ty), count).encode(env),
        EncodeError::FloatRange { ty, value } => (atoms::float_range(), value, atoms::of_type(*ty)).encode(env),
        EncodeError::PackedSize { ty, bytes } => (atoms::packed_size(), atoms::of_type(*ty), bytes).encode(env),
        EncodeError::Nul { ty } => (atoms::nul(), atoms::of_type(*ty)).encode(env),
        EncodeError::ElementType { expected, found } => element_type(env, *expected, *found),
        // Only calls in the wrong order give these, and the walk makes none.
        EncodeError::Components { .. }
        | EncodeError::TooMany
        | EncodeError::TooFew { .. }
        | EncodeError::NothingOpen
        | EncodeError::Incomplete => atoms::internal().encode(env),
    }
}

/// `{reason, offset, reading}`.
fn decode_error<'a>(env: Env<'a>, error: &DecodeError) -> Term<'a> {
    let reason = match &error.reason {
        DecodeReason::Truncated { needed, left } => (atoms::truncated(), needed, left).encode(env),
        DecodeReason::Count { count, left } => (atoms::count(), count, left).encode(env),
        DecodeReason::UnknownType(id) => (atoms::unknown_type(), id).encode(env),
        DecodeReason::FullObject => atoms::full_object().encode(env),
        DecodeReason::NotUtf8 => atoms::not_utf8().encode(env),
        DecodeReason::ObsoleteNodePath => atoms::obsolete_node_path().encode(env),
        DecodeReason::NodePathFlags(flags) => (atoms::node_path_flags(), flags).encode(env),
        DecodeReason::ElementType { expected, found } => element_type(env, *expected, *found),
        DecodeReason::TooDeep { limit } => (atoms::too_deep(), limit).encode(env),
        DecodeReason::TooLarge { bytes, limit } => (atoms::too_large(), bytes, limit).encode(env),
    };
    let reading = match error.reading {
        Reading::Input => atoms::input().encode(env),
        Reading::Header => atoms::header().encode(env),
        Reading::Value(ty) => (atoms::value(), atoms::of_type(ty)).encode(env),
        Reading::Count(ty) => (atoms::count(), atoms::of_type(ty)).encode(env),
        Reading::ElementType(ty) => (atoms::element_type(), atoms::of_type(ty)).encode(env),
    };
    (reason, error.offset, reading).encode(env)
}

fn element_type<'a>(env: Env<'a>, expected: Type, found: Type) -> Term<'a> {
    (atoms::element_type(), atoms::of_type(expected), atoms::of_type(found)).encode(env)
}
