//! How much a value is to copy, and whether that is known from its type.

use wasmtime::component::Val;
use wasmtime::component::types::Type;

/// Values of a fixed number that are copied on a caller's thread: some 10 us.
const INLINE_VALUES: u64 = 256;

/// Bytes of a value, about as they are in the guest's memory.
pub(super) fn weight(value: &Val) -> usize {
    match value {
        Val::Bool(_) | Val::S8(_) | Val::U8(_) => 1,
        Val::S16(_) | Val::U16(_) => 2,
        Val::S32(_) | Val::U32(_) | Val::Float32(_) | Val::Char(_) => 4,
        Val::S64(_) | Val::U64(_) | Val::Float64(_) => 8,
        Val::String(text) => 8 + text.len(),
        Val::List(list) => 8 + sum(list),
        Val::Tuple(list) | Val::FixedLengthList(list) => sum(list),
        Val::Map(pairs) => 8 + pairs.iter().map(|(key, value)| weight(key) + weight(value)).sum::<usize>(),
        Val::Record(fields) => fields.iter().map(|(_, value)| weight(value)).sum(),
        Val::Variant(_, payload) => 4 + payload.as_deref().map_or(0, weight),
        Val::Option(payload) => 4 + payload.as_deref().map_or(0, weight),
        Val::Result(Ok(payload) | Err(payload)) => 4 + payload.as_deref().map_or(0, weight),
        Val::Enum(_) | Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => 4,
        Val::Flags(names) => 4 + names.len(),
    }
}

fn sum(list: &[Val]) -> usize {
    list.iter().map(weight).sum()
}

/// Whether values of a type are always small.
pub(super) fn is_small(ty: &Type) -> bool {
    count(ty, INLINE_VALUES).is_some()
}

/// Counts down from `left` by the values that one of the type has; none if they are more, or their number is not fixed.
fn count(ty: &Type, left: u64) -> Option<u64> {
    let left = left.checked_sub(1)?;
    match ty {
        Type::String | Type::List(_) | Type::Map(_) | Type::Future(_) | Type::Stream(_) | Type::ErrorContext => None,
        Type::Record(record) => record.fields().try_fold(left, |left, field| count(&field.ty, left)),
        Type::Tuple(tuple) => tuple.types().try_fold(left, |left, ty| count(&ty, left)),
        Type::Variant(variant) => {
            variant.cases().filter_map(|case| case.ty).try_fold(left, |left, ty| count(&ty, left))
        }
        Type::Option(option) => count(&option.ty(), left),
        Type::Result(result) => {
            [result.ok(), result.err()].into_iter().flatten().try_fold(left, |left, ty| count(&ty, left))
        }
        Type::FixedLengthList(list) => (0..list.len()).try_fold(left, |left, _| count(&list.ty(), left)),
        Type::Flags(flags) => left.checked_sub(flags.names().len() as u64),
        _ => Some(left),
    }
}
