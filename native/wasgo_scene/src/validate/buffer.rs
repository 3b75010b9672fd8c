//! Checks of packed numbers. Each reads its bytes once without a branch a number, and only looks for the place of a
//! fault when there is one.

/// The f32 values of a little-endian buffer.
pub(crate) fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b))
}

/// The place of the first number that is NaN or infinite.
pub(super) fn not_finite(bytes: &[u8]) -> Option<usize> {
    let words = bytes.as_chunks::<4>().0;
    let bad = words.iter().fold(0u32, |bad, word| bad | u32::from(u32::from_le_bytes(*word) & EXPONENT == EXPONENT));
    if bad == 0 { None } else { floats(bytes).position(|value| !value.is_finite()) }
}

const EXPONENT: u32 = 0x7F80_0000;

/// The first of the vectors of x, y, z (and what follows, up to `N` bytes) whose length is not about 1, with its length.
pub(crate) fn not_unit<const N: usize>(bytes: &[u8], tolerance: f32) -> Option<(usize, f32)> {
    let (low, high) = ((1.0 - tolerance) * (1.0 - tolerance), (1.0 + tolerance) * (1.0 + tolerance));
    let vectors = bytes.as_chunks::<N>().0;
    let square = |vector: &[u8; N]| {
        let part = |at: usize| f32::from_le_bytes([vector[at], vector[at + 1], vector[at + 2], vector[at + 3]]);
        let (x, y, z) = (part(0), part(4), part(8));
        x * x + y * y + z * z
    };
    let right = vectors.iter().fold(true, |right, vector| {
        let square = square(vector);
        right & (square >= low) & (square <= high)
    });
    if right {
        return None;
    }
    let mut lengths = vectors.iter().map(|vector| square(vector).sqrt()).enumerate();
    lengths.find(|(_, length)| (length - 1.0).abs() > tolerance || length.is_nan())
}

/// The first index that is not below `count`, with its place.
pub(super) fn out_of_range(indices: &[u8], count: usize) -> Option<(usize, u32)> {
    let words = indices.as_chunks::<4>().0;
    let greatest = words.iter().fold(0u32, |greatest, word| greatest.max(u32::from_le_bytes(*word)));
    let wrong = |index: u32| usize::try_from(index).map_or(true, |index| index >= count);
    if words.is_empty() || !wrong(greatest) {
        return None;
    }
    let mut indices = words.iter().map(|word| u32::from_le_bytes(*word)).enumerate();
    indices.find(|(_, index)| wrong(*index))
}
