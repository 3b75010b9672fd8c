//! Numbers as little-endian bytes.

use std::borrow::Cow;

/// The bytes of f32 values, little-endian: borrowed on little-endian machines, which costs nothing.
///
/// ```
/// assert_eq!(&*wasgo_gen::le_bytes(&[1.0, -2.0]), [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0]);
/// ```
#[must_use]
pub fn le_bytes(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytemuck::cast_slice(values))
    } else {
        Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }
}

/// The bytes of u32 values, little-endian: borrowed on little-endian machines.
#[must_use]
pub fn le_bytes_u32(values: &[u32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytemuck::cast_slice(values))
    } else {
        Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }
}
