//! Corners of triangles from what files have.

use std::borrow::Cow;

/// Without corners at the end that make no whole triangle.
pub(super) fn cut(indices: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let whole = indices.len() / 12 * 12;
    match indices {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[..whole]),
        Cow::Owned(mut bytes) => {
            bytes.truncate(whole);
            Cow::Owned(bytes)
        }
    }
}

/// Every corner makes a triangle with the two before; every second one is turned round. Those without an area, by which
/// strips go on elsewhere, are left out.
pub(super) fn strip(corners: &[u32]) -> Vec<u8> {
    let mut triangles = Vec::with_capacity(corners.len().saturating_sub(2) * 12);
    for (number, corners) in corners.windows(3).enumerate() {
        let (a, b, c) = if number % 2 == 0 { (0, 1, 2) } else { (1, 0, 2) };
        push(&mut triangles, [corners[a], corners[b], corners[c]]);
    }
    triangles
}

/// Every corner makes a triangle with the one before and the first.
pub(super) fn fan(corners: &[u32]) -> Vec<u8> {
    let mut triangles = Vec::with_capacity(corners.len().saturating_sub(2) * 12);
    for pair in corners.get(1..).unwrap_or_default().windows(2) {
        push(&mut triangles, [pair[0], pair[1], corners[0]]);
    }
    triangles
}

fn push(triangles: &mut Vec<u8>, corners: [u32; 3]) {
    let [a, b, c] = corners;
    if a != b && b != c && c != a {
        triangles.extend(corners.iter().flat_map(|corner| corner.to_le_bytes()));
    }
}
