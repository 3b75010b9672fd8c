//! Placed things, and the table in which user scripts read and write them.
//!
//! # The table
//!
//! 32 bytes an instance, little-endian, nothing between them. This layout is an interface to scripts and does not change.
//!
//! | offset | type | what | allowed |
//! | --- | --- | --- | --- |
//! | 0 | u32 | kind: number of the mesh in [`props`](crate::props()) | below [`Plan::kinds`] |
//! | 4 | f32 | x, metres from the chunk's origin | -[`BOUNDS_MARGIN`] to size + [`BOUNDS_MARGIN`] |
//! | 8 | f32 | y, absolute metres | within [`MAX_HEIGHT`] of 0 |
//! | 12 | f32 | z, metres from the chunk's origin | as x |
//! | 16 | f32 | yaw, radians about +Y, counter-clockwise from above | within [`MAX_YAW`] of 0 |
//! | 20 | f32 | scale | [`MIN_SCALE`] to [`MAX_SCALE`] |
//! | 24 | f32 | slope: 1 - y of the normal | 0 to 1 |
//! | 28 | f32 | moisture | 0 to 1 |

use wasgo_scene::transform::{row_bytes, rows_from_yaw};

use crate::plan::{MAX_HEIGHT, MAX_INSTANCES, Plan};

/// Bytes of an instance in the table.
pub const INSTANCE_BYTES: usize = 32;

/// How far outside its chunk an instance of a table may be, in metres: scripts may push things about, not away.
pub const BOUNDS_MARGIN: f32 = 8.0;

/// The least scale of an instance of a table: not 0, for a flat matrix cannot be taken apart again.
pub const MIN_SCALE: f32 = 1e-6;

/// The greatest scale of an instance of a table.
pub const MAX_SCALE: f32 = 100.0;

/// The greatest yaw of an instance of a table, in radians, either way: what is beyond has lost its fractions.
pub const MAX_YAW: f32 = 1000.0;

/// A thing that stands on the ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Instance {
    /// Number of its mesh in [`props`](crate::props()).
    pub kind: u32,
    /// Metres: x and z from the chunk's origin, y absolute.
    pub position: [f32; 3],
    /// Radians about +Y.
    pub yaw: f32,
    /// A factor.
    pub scale: f32,
    /// Of the ground: 1 - y of the normal.
    pub slope: f32,
    /// Of the climate: 0..=1.
    pub moisture: f32,
}

/// A table that does not hold instances of the plan.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InstanceError {
    /// Not a whole number of instances.
    #[error("the instance table has {bytes} bytes, expected a multiple of 32")]
    Length {
        /// Its length in bytes.
        bytes: usize,
    },
    /// More instances than a chunk may hold.
    #[error("the instance table has {count} instances, allowed: at most {max}")]
    TooMany {
        /// How many there are.
        count: usize,
        /// The most allowed.
        max: usize,
    },
    /// A kind that the plan does not have.
    #[error("instance {instance}: kind is {kind}, the plan has {kinds}")]
    NoSuchKind {
        /// Number of the instance in the table.
        instance: usize,
        /// Its kind.
        kind: u32,
        /// How many the plan has.
        kinds: usize,
    },
    /// A value out of its range, or not a number.
    #[error("instance {instance}: {field} is {value}, allowed: {allowed}")]
    OutOfRange {
        /// Number of the instance in the table.
        instance: usize,
        /// Which field.
        field: &'static str,
        /// Its value.
        value: f32,
        /// What is allowed, in words.
        allowed: String,
    },
}

/// The table of these instances.
#[must_use]
pub fn pack_instances(instances: &[Instance]) -> Vec<u8> {
    let mut table = Vec::with_capacity(instances.len() * INSTANCE_BYTES);
    for it in instances {
        table.extend_from_slice(&it.kind.to_le_bytes());
        let [x, y, z] = it.position;
        for value in [x, y, z, it.yaw, it.scale, it.slope, it.moisture] {
            table.extend_from_slice(&value.to_le_bytes());
        }
    }
    table
}

/// The instances of a table for a chunk of this size (metres), which may come from anyone: everything in it is checked.
///
/// # Errors
///
/// The first fault found, with the number of the instance and the field. Nothing is kept of a table with a fault.
pub fn unpack_instances(table: &[u8], plan: &Plan, size: f32) -> Result<Vec<Instance>, InstanceError> {
    if !table.len().is_multiple_of(INSTANCE_BYTES) {
        return Err(InstanceError::Length { bytes: table.len() });
    }
    let count = table.len() / INSTANCE_BYTES;
    if count > MAX_INSTANCES {
        return Err(InstanceError::TooMany { count, max: MAX_INSTANCES });
    }
    let kinds = plan.kinds();
    let rows = table.chunks_exact(INSTANCE_BYTES).enumerate();
    rows.map(|(number, row)| {
        let instance = read(row);
        check(&instance, number, kinds, size)?;
        Ok(instance)
    })
    .collect()
}

/// Expects a whole row.
fn read(row: &[u8]) -> Instance {
    let mut words = [0u32; INSTANCE_BYTES / 4];
    for (word, bytes) in words.iter_mut().zip(row.chunks_exact(4)) {
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    let [kind, values @ ..] = words;
    let [x, y, z, yaw, scale, slope, moisture] = values.map(f32::from_bits);
    Instance { kind, position: [x, y, z], yaw, scale, slope, moisture }
}

fn check(it: &Instance, instance: usize, kinds: usize, chunk_size: f32) -> Result<(), InstanceError> {
    if it.kind as usize >= kinds {
        return Err(InstanceError::NoSuchKind { instance, kind: it.kind, kinds });
    }
    let [x, y, z] = it.position;
    let (near, far) = (-BOUNDS_MARGIN, chunk_size + BOUNDS_MARGIN);
    for (field, value, min, max) in [
        ("x", x, near, far),
        ("y", y, -MAX_HEIGHT, MAX_HEIGHT),
        ("z", z, near, far),
        ("yaw", it.yaw, -MAX_YAW, MAX_YAW),
        ("scale", it.scale, MIN_SCALE, MAX_SCALE),
        ("slope", it.slope, 0.0, 1.0),
        ("moisture", it.moisture, 0.0, 1.0),
    ] {
        // NaN is in no range.
        if !(min..=max).contains(&value) {
            let allowed = format!("{min} to {max}");
            return Err(InstanceError::OutOfRange { instance, field, value, allowed });
        }
    }
    Ok(())
}

/// Where the instances of one kind are: 48 bytes each, 12 f32 little-endian, a 3x4 matrix row by row, in the
/// space of the chunk (x and z from its origin).
#[must_use]
pub fn transforms(instances: &[Instance], kind: u32) -> Vec<u8> {
    let of_kind = instances.iter().filter(|it| it.kind == kind);
    of_kind.flat_map(|it| row_bytes(&rows_from_yaw(it.position, it.yaw, it.scale))).collect()
}
