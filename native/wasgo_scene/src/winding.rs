//! Which way round the corners of a triangle run. glTF counts counter-clockwise as the front, Godot clockwise.

/// The same triangles the other way round: swaps the second and third index of each.
///
/// `indices` are u32, 12 bytes a triangle. Bytes at the end that make no whole triangle are copied as they are.
/// Twice is the same as not at all.
///
/// ```
/// let one: Vec<u8> = [0u32, 1, 2].iter().flat_map(|i| i.to_le_bytes()).collect();
/// let other: Vec<u8> = [0u32, 2, 1].iter().flat_map(|i| i.to_le_bytes()).collect();
/// assert_eq!(wasgo_scene::winding::flip(&one), other);
/// ```
#[must_use]
pub fn flip(indices: &[u8]) -> Vec<u8> {
    let mut flipped = indices.to_vec();
    for triangle in flipped.chunks_exact_mut(12) {
        let (second, third) = triangle[4..].split_at_mut(4);
        second.swap_with_slice(third);
    }
    flipped
}
