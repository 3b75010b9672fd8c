//! Quaternions and 3x4 matrices. Plain arithmetic in a fixed order: the same bits on every machine.

use crate::Transform;

/// The quaternion (x, y, z, w) of a turn of `yaw` radians about +Y, counter-clockwise seen from above.
///
/// ```
/// assert_eq!(wasgo_scene::transform::quaternion_from_yaw(0.0), [0.0, 0.0, 0.0, 1.0]);
/// ```
#[must_use]
pub fn quaternion_from_yaw(yaw: f32) -> [f32; 4] {
    let (sin, cos) = libm::sincosf(yaw * 0.5);
    [0.0, sin, 0.0, cos]
}

/// The 3x4 matrix, row by row, of a thing scaled evenly, turned about +Y by `yaw` radians and moved.
///
/// ```
/// let rows = wasgo_scene::transform::rows_from_yaw([1.0, 2.0, 3.0], 0.0, 2.0);
/// assert_eq!(rows, [2.0, 0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 2.0, 0.0, 0.0, 2.0, 3.0]);
/// ```
#[must_use]
pub fn rows_from_yaw(translation: [f32; 3], yaw: f32, scale: f32) -> [f32; 12] {
    let (sin, cos) = libm::sincosf(yaw);
    let [x, y, z] = translation;
    let (s, c) = (sin * scale, cos * scale);
    [c, 0.0, s, x, 0.0, scale, 0.0, y, -s, 0.0, c, z]
}

/// The 3x4 matrix, row by row, of a translation, a unit quaternion and a scale.
#[must_use]
pub fn rows_from_trs(t: [f32; 3], q: [f32; 4], s: [f32; 3]) -> [f32; 12] {
    let [x, y, z, w] = q;
    [
        (1.0 - 2.0 * (y * y + z * z)) * s[0],
        2.0 * (x * y - z * w) * s[1],
        2.0 * (x * z + y * w) * s[2],
        t[0],
        2.0 * (x * y + z * w) * s[0],
        (1.0 - 2.0 * (x * x + z * z)) * s[1],
        2.0 * (y * z - x * w) * s[2],
        t[1],
        2.0 * (x * z - y * w) * s[0],
        2.0 * (y * z + x * w) * s[1],
        (1.0 - 2.0 * (x * x + y * y)) * s[2],
        t[2],
    ]
}

/// The 3x4 matrix as 48 little-endian bytes.
#[must_use]
pub fn row_bytes(rows: &[f32; 12]) -> [u8; 48] {
    let mut bytes = [0; 48];
    for (place, value) in bytes.chunks_exact_mut(4).zip(rows) {
        place.copy_from_slice(&value.to_le_bytes());
    }
    bytes
}

/// The 3x4 matrix that 48 little-endian bytes hold.
#[must_use]
pub fn rows_from_bytes(bytes: &[u8; 48]) -> [f32; 12] {
    let mut rows = [0.0; 12];
    for (row, word) in rows.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *row = f32::from_le_bytes(*word);
    }
    rows
}

/// How far from square the axes may be (cosine of the angle between two) to count as rotation and scale only.
const SHEAR_TOLERANCE: f64 = 1e-4;

/// Translation, unit quaternion (x, y, z, w) and scale of a 3x4 matrix, or `None` when it is sheared,
/// flat (a scale of 0) or not finite. A mirrored matrix gets a negative scale on x.
#[must_use]
pub fn trs_from_rows(rows: &[f32; 12]) -> Option<([f32; 3], [f32; 4], [f32; 3])> {
    if rows.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let m = rows.map(f64::from);
    let mut axes = [[m[0], m[4], m[8]], [m[1], m[5], m[9]], [m[2], m[6], m[10]]];
    let mut scale = axes.map(|a| dot(a, a).sqrt());
    // What f32 cannot say as a normal number is flat.
    if scale.iter().any(|s| *s < f64::from(f32::MIN_POSITIVE) || *s > f64::from(f32::MAX)) {
        return None;
    }
    if determinant(axes) < 0.0 {
        scale[0] = -scale[0];
    }
    for (axis, length) in axes.iter_mut().zip(scale) {
        *axis = axis.map(|v| v / length);
    }
    let [x, y, z] = axes;
    if [dot(x, y), dot(y, z), dot(z, x)].iter().any(|d| d.abs() > SHEAR_TOLERANCE) {
        return None;
    }
    Some(([rows[3], rows[7], rows[11]], normalized_quaternion(quaternion(axes)), scale.map(|s| s as f32)))
}

/// A quaternion brought to length 1; all zeros stay as no rotation.
pub(crate) fn normalized_quaternion(q: [f64; 4]) -> [f32; 4] {
    let length = (q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]).sqrt();
    if length > 0.0 { q.map(|v| (v / length) as f32) } else { [0.0, 0.0, 0.0, 1.0] }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn determinant([a, b, c]: [[f64; 3]; 3]) -> f64 {
    a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0])
}

/// The quaternion of a rotation given by its three axes (columns), from the largest of its four squares
/// so that no small number is divided by. Method: Shepperd, "Quaternion from rotation matrix", 1978.
fn quaternion([x, y, z]: [[f64; 3]; 3]) -> [f64; 4] {
    let trace = x[0] + y[1] + z[2];
    if trace >= x[0] && trace >= y[1] && trace >= z[2] {
        [y[2] - z[1], z[0] - x[2], x[1] - y[0], 1.0 + trace]
    } else if x[0] >= y[1] && x[0] >= z[2] {
        [1.0 + x[0] - y[1] - z[2], x[1] + y[0], z[0] + x[2], y[2] - z[1]]
    } else if y[1] >= z[2] {
        [x[1] + y[0], 1.0 + y[1] - x[0] - z[2], y[2] + z[1], z[0] - x[2]]
    } else {
        [z[0] + x[2], y[2] + z[1], 1.0 + z[2] - x[0] - y[1], x[1] - y[0]]
    }
}

/// The matrix of a node's transform, 3x4, row by row.
#[must_use]
pub fn rows_of(transform: &Transform) -> [f32; 12] {
    match transform {
        Transform::Rows(rows) => *rows,
        Transform::Trs { translation, rotation, scale } => rows_from_trs(*translation, *rotation, *scale),
    }
}

/// The 3x4 matrix that moves as `inner` does, and then as `outer` does.
#[must_use]
pub fn compose(outer: &[f32; 12], inner: &[f32; 12]) -> [f32; 12] {
    std::array::from_fn(|at| {
        let (row, column) = (&outer[at / 4 * 4..at / 4 * 4 + 4], at % 4);
        let sum = row[0] * inner[column] + row[1] * inner[4 + column] + row[2] * inner[8 + column];
        if column == 3 { sum + row[3] } else { sum }
    })
}

/// Where a 3x4 matrix moves a point to.
#[must_use]
pub fn point(rows: &[f32; 12], [x, y, z]: [f32; 3]) -> [f32; 3] {
    std::array::from_fn(|row| rows[row * 4] * x + rows[row * 4 + 1] * y + rows[row * 4 + 2] * z + rows[row * 4 + 3])
}
