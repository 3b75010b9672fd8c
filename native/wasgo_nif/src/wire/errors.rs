//! Errors as terms: typed reasons that `Wasgo.EncodeError` and `Wasgo.DecodeError` document.

use rustler::{Atom, Encoder, Env, Term};
use wasgo_wire::format::{DecodeError, DecodeReason, EncodeError, EncodeReason, Lacking, Step};

use super::atoms;
use super::item::Item;

/// `{:error, {reason, offset}}`.
pub(super) fn decode_error<'a>(env: Env<'a>, error: &DecodeError, duplicate: Option<Term<'a>>) -> Term<'a> {
    let reason = match (&error.reason, duplicate) {
        (DecodeReason::DuplicateKey, Some(key)) => (atoms::duplicate_key(), key).encode(env),
        (reason, _) => decode_reason(env, reason),
    };
    (atoms::error(), (reason, error.offset)).encode(env)
}

pub(super) fn decode_reason<'a>(env: Env<'a>, reason: &DecodeReason) -> Term<'a> {
    match reason {
        DecodeReason::Truncated { needed, left } => (atoms::truncated(), needed, left).encode(env),
        DecodeReason::Count { count, left } => (atoms::count(), count, left).encode(env),
        DecodeReason::UnknownType(id) => (atoms::unknown_type(), id).encode(env),
        DecodeReason::NotUtf8 => atoms::not_utf8().encode(env),
        DecodeReason::Syntax(expected) => (atoms::syntax(), expected).encode(env),
        DecodeReason::IntegerRange { bits } => (atoms::integer_range(), bits).encode(env),
        DecodeReason::FloatRange => atoms::float_range().encode(env),
        DecodeReason::DuplicateKey => atoms::duplicate_key().encode(env),
        DecodeReason::Refused(what) => (atoms::refused(), what).encode(env),
        DecodeReason::TooDeep { limit } => (atoms::too_deep(), limit).encode(env),
        DecodeReason::TooLarge { bytes, limit } => (atoms::too_large(), bytes, limit).encode(env),
        DecodeReason::TooMany { limit } => (atoms::too_many(), limit).encode(env),
        // Only types of Rust say something of their own.
        DecodeReason::Custom(_) => atoms::internal().encode(env),
    }
}

/// `{:error, {reason, path}}` or `:over_budget`.
pub(super) fn encode_error<'a>(env: Env<'a>, format: Atom, error: &EncodeError<Item<'a, '_>>) -> Term<'a> {
    let reason = match error.reason {
        EncodeReason::OverBudget => return atoms::over_budget().encode(env),
        EncodeReason::Unsupported(item) => (atoms::unsupported(), item.term()).encode(env),
        EncodeReason::Lacks(what, item) => (atoms::not_in_format(), format, lacking(what), item.term()).encode(env),
        EncodeReason::NotUtf8(item) => (atoms::not_text(), item.term()).encode(env),
        EncodeReason::IntegerRange { value, bits } => (atoms::integer_range(), value.term(), bits).encode(env),
        EncodeReason::DuplicateKey(item) => (atoms::duplicate_key(), item.term()).encode(env),
        EncodeReason::TooDeep { limit } => (atoms::too_deep(), limit).encode(env),
        EncodeReason::TooLarge { limit } => (atoms::too_large(), limit).encode(env),
        EncodeReason::Internal => atoms::internal().encode(env),
    };
    let step = |step: &Step<Item<'a, '_>>| match step {
        Step::Index(index) => index.encode(env),
        Step::Key(key) => key.term(),
    };
    let path: Vec<Term<'a>> = error.path.iter().map(step).collect();
    (atoms::error(), (reason, path)).encode(env)
}

fn lacking(what: Lacking) -> Atom {
    match what {
        Lacking::Bytes => atoms::bytes(),
        Lacking::NotFinite => atoms::not_finite(),
        Lacking::Key => atoms::key(),
        Lacking::Extension => atoms::ext(),
        Lacking::Tag => atoms::tag(),
    }
}
