//! The geometry that a generator's script answers: meshes, and where they stand.
//!
//! Packed, with nothing between the parts, all numbers little-endian, lengths in metres, colours linear:
//!
//! | | |
//! | --- | --- |
//! | header, 16 bytes | `WSGM`; u32 1, the version; u32 number of meshes; u32 number of placements |
//! | for each mesh, 32 bytes | u32 vertices; u32 indices; u32 flags (1: seen from both sides); f32 roughness and f32 metallic, 0 to 1; 3 f32 light of its own: red, green, blue, 0 to 64 |
//! | its vertices, 40 bytes each | 3 f32 position; 3 f32 normal, or 0, 0, 0 for that of the triangles around; 4 f32 colour: red, green, blue, alpha, 0 to 1 |
//! | its indices, 4 bytes each | u32, three a triangle, counter-clockwise |
//! | behind all meshes for each placement, 44 bytes | u32 mesh; 3 f32 position: x and z from the chunk's corner, y absolute; 4 f32 rotation: a unit quaternion x, y, z, w; 3 f32 scale, 0.001 to 1,000 |
//!
//! Everything is checked: counts before memory is taken, indices, numbers, and that everything is in the chunk or near it.

use wasgo_scene::transform::{row_bytes, rows_from_trs};

use super::generated::{GeneratedMesh, Look};
use crate::mesh::MeshData;
use crate::plan::MAX_HEIGHT;

/// The first bytes of an answer.
pub const MAGIC: [u8; 4] = *b"WSGM";

/// The version of the form.
pub const FORM: u32 = 1;

/// The most bytes of an answer.
pub const MAX_ANSWER: usize = 16 << 20;

/// The most meshes of a generator in a chunk.
pub const MAX_MESHES: usize = 1024;

/// The most vertices of all meshes of a generator in a chunk.
pub const MAX_VERTICES: usize = 262_144;

/// The most indices of all meshes of a generator in a chunk.
pub const MAX_INDICES: usize = 1_572_864;

/// The most placements of a generator in a chunk.
pub const MAX_PLACEMENTS: usize = 65_536;

/// How far beyond the chunk things may reach, in metres; or as far as the chunk is wide, where that is more.
pub const REACH: f64 = 64.0;

const HEADER: usize = 16;
const MESH: usize = 32;
const VERTEX: usize = 40;
const PLACEMENT: usize = 44;

/// Geometry that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GeometryError {
    /// Not the first bytes of geometry.
    #[error("it does not begin with the {HEADER} bytes of geometry: \"WSGM\", {FORM}, and two counts")]
    Magic,
    /// Bytes that end in the middle.
    #[error("{what} needs {needed} bytes more, and {left} are left")]
    Short {
        /// Of what.
        what: String,
        /// How many bytes it needs.
        needed: u64,
        /// How many there are.
        left: usize,
    },
    /// Bytes behind the end.
    #[error("{bytes} bytes are left behind its end")]
    Long {
        /// How many.
        bytes: usize,
    },
    /// Too many of something.
    #[error("{what}: {count}, allowed: {allowed}")]
    Count {
        /// Of what, as in `mesh 3 vertices`.
        what: String,
        /// How many.
        count: u64,
        /// What is allowed, in words.
        allowed: String,
    },
    /// An index past the end.
    #[error("mesh {mesh}, index {index} is {value}, and the mesh has {vertices} vertices")]
    Index {
        /// Which mesh.
        mesh: usize,
        /// Which index.
        index: usize,
        /// What it is.
        value: u32,
        /// How many vertices there are.
        vertices: usize,
    },
    /// A number that is none, or out of its range.
    #[error("{what} is {value}, allowed: {allowed}")]
    Number {
        /// Which, as in `mesh 0, vertex 7: position`.
        what: String,
        /// What it is.
        value: f32,
        /// What is allowed, in words.
        allowed: String,
    },
}

/// The meshes of an answer for a chunk of `size` metres, whose names begin with `name`.
///
/// # Errors
///
/// The first fault found; nothing is kept then.
pub fn read(name: &str, bytes: &[u8], size: f64) -> Result<Vec<GeneratedMesh>, GeometryError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader { bytes };
    let header = reader.take(1, HEADER, || "the header".into()).map_err(|_| GeometryError::Magic)?;
    if header[..4] != MAGIC || word(header, 4) != FORM {
        return Err(GeometryError::Magic);
    }
    let meshes = at_most("meshes", word(header, 8), MAX_MESHES)?;
    let placements = at_most("placements", word(header, 12), MAX_PLACEMENTS)?;
    // Every mesh and placement has bytes of its own, so that this many can't be asked for with few.
    reader.holds(meshes * MESH + placements * PLACEMENT)?;
    let (mut vertices_left, mut indices_left) = (MAX_VERTICES, MAX_INDICES);
    let mut made = Vec::with_capacity(meshes);
    for mesh in 0..meshes {
        made.push(read_mesh(&mut reader, name, mesh, &mut vertices_left, &mut indices_left)?);
    }
    let radii: Vec<f64> = made.iter().map(|mesh| radius(&mesh.mesh)).collect();
    for (number, bytes) in
        reader.take(placements, PLACEMENT, || "placements".into())?.chunks_exact(PLACEMENT).enumerate()
    {
        let (mesh, transform) = read_placement(bytes, number, &radii, size)?;
        made[mesh].transforms.extend(transform);
    }
    match reader.bytes.len() {
        0 => {}
        bytes => return Err(GeometryError::Long { bytes }),
    }
    made.retain(|mesh| !mesh.transforms.is_empty());
    Ok(made)
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize, each: usize, what: impl FnOnce() -> String) -> Result<&'a [u8], GeometryError> {
        let needed = count as u64 * each as u64;
        if needed > self.bytes.len() as u64 {
            return Err(GeometryError::Short { what: what(), needed, left: self.bytes.len() });
        }
        let (taken, rest) = self.bytes.split_at(needed as usize);
        self.bytes = rest;
        Ok(taken)
    }

    fn holds(&self, bytes: usize) -> Result<(), GeometryError> {
        if bytes <= self.bytes.len() {
            return Ok(());
        }
        let (what, needed) = ("what the header counts".into(), bytes as u64);
        Err(GeometryError::Short { what, needed, left: self.bytes.len() })
    }
}

fn at_most(what: &str, count: u32, max: usize) -> Result<usize, GeometryError> {
    if count as usize <= max {
        return Ok(count as usize);
    }
    Err(GeometryError::Count { what: what.into(), count: count.into(), allowed: format!("at most {max}") })
}

fn some(what: String, count: u32, left: &mut usize, max: usize) -> Result<usize, GeometryError> {
    if count == 0 || count as usize > *left {
        let allowed = format!("1 to {max} for all meshes together");
        return Err(GeometryError::Count { what, count: count.into(), allowed });
    }
    *left -= count as usize;
    Ok(count as usize)
}

fn read_mesh(
    reader: &mut Reader<'_>,
    name: &str,
    mesh: usize,
    vertices_left: &mut usize,
    indices_left: &mut usize,
) -> Result<GeneratedMesh, GeometryError> {
    let start = reader.bytes;
    let header = reader.take(1, MESH, || format!("mesh {mesh}"))?;
    let vertices = some(format!("mesh {mesh}, vertices"), word(header, 0), vertices_left, MAX_VERTICES)?;
    let indices = some(format!("mesh {mesh}, indices"), word(header, 4), indices_left, MAX_INDICES)?;
    if !indices.is_multiple_of(3) {
        let (what, allowed) = (format!("mesh {mesh}, indices"), "three for each triangle".into());
        return Err(GeometryError::Count { what, count: indices as u64, allowed });
    }
    let look = read_look(header, mesh)?;
    let data = reader.take(vertices, VERTEX, || format!("mesh {mesh}, vertices"))?;
    let mut made = MeshData::default();
    made.positions.reserve_exact(vertices);
    made.normals.reserve_exact(vertices);
    made.colors.reserve_exact(vertices);
    for (vertex, bytes) in data.chunks_exact(VERTEX).enumerate() {
        read_vertex(bytes, &mut made, || format!("mesh {mesh}, vertex {vertex}"))?;
    }
    let data = reader.take(indices, 4, || format!("mesh {mesh}, indices"))?;
    made.indices.reserve_exact(indices);
    for (index, bytes) in data.as_chunks::<4>().0.iter().enumerate() {
        let value = u32::from_le_bytes(*bytes);
        if value as usize >= vertices {
            return Err(GeometryError::Index { mesh, index, value, vertices });
        }
        made.indices.push(value);
    }
    fill_normals(&mut made);
    // Equal meshes have equal names, so that an engine is sent each once.
    let digest = blake3::hash(&start[..start.len() - reader.bytes.len()]).to_hex();
    let name = format!("{name}_{}", &digest[..16]);
    Ok(GeneratedMesh { name, mesh: made, look, transforms: Vec::new() })
}

fn read_look(header: &[u8], mesh: usize) -> Result<Look, GeometryError> {
    let flags = word(header, 8);
    if flags > 1 {
        let (what, allowed) = (format!("mesh {mesh}, flags"), "0 or 1".into());
        return Err(GeometryError::Count { what, count: flags.into(), allowed });
    }
    let value = |at: usize, what: &str, high: f32| number(header, at, 0.0, high, || format!("mesh {mesh}: {what}"));
    let emission = [20, 24, 28].map(|at| value(at, "light of its own", 64.0));
    let [r, g, b] = emission;
    Ok(Look {
        double_sided: flags == 1,
        roughness: value(12, "roughness", 1.0)?,
        metallic: value(16, "metallic", 1.0)?,
        emission: [r?, g?, b?],
    })
}

fn read_vertex(bytes: &[u8], mesh: &mut MeshData, what: impl Fn() -> String) -> Result<(), GeometryError> {
    let vector = |at: usize, most: f32, name: &str| -> Result<[f32; 3], GeometryError> {
        let mut vector = [0.0; 3];
        for (axis, value) in vector.iter_mut().enumerate() {
            *value = number(bytes, at + 4 * axis, -most, most, || format!("{}: {name}", what()))?;
        }
        Ok(vector)
    };
    mesh.positions.push(vector(0, 2.0 * MAX_HEIGHT, "position")?);
    let normal = vector(12, 1e6, "normal")?;
    mesh.normals.push(unit(normal.map(f64::from)).unwrap_or([0.0; 3]));
    let mut color = [0.0; 4];
    for (channel, value) in color.iter_mut().enumerate() {
        *value = number(bytes, 24 + 4 * channel, 0.0, 1.0, || format!("{}: colour", what()))?;
    }
    mesh.colors.push(color);
    Ok(())
}

/// Gives vertices without a normal that of the triangles around them, the larger ones counting more.
fn fill_normals(mesh: &mut MeshData) {
    if mesh.normals.iter().all(|normal| *normal != [0.0; 3]) {
        return;
    }
    let mut sums = vec![[0.0f64; 3]; mesh.positions.len()];
    for triangle in mesh.indices.chunks_exact(3) {
        let [a, b, c] = [0, 1, 2].map(|n| mesh.positions[triangle[n] as usize].map(f64::from));
        let (u, v) = ([0, 1, 2].map(|n| b[n] - a[n]), [0, 1, 2].map(|n| c[n] - a[n]));
        let area = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
        for corner in triangle {
            for (sum, part) in sums[*corner as usize].iter_mut().zip(area) {
                *sum += part;
            }
        }
    }
    for (normal, sum) in mesh.normals.iter_mut().zip(sums) {
        if *normal == [0.0; 3] {
            *normal = unit(sum).unwrap_or([0.0, 1.0, 0.0]);
        }
    }
}

/// Of length 1; none where there is no direction.
fn unit(v: [f64; 3]) -> Option<[f32; 3]> {
    let length = (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
    (length > 1e-12).then(|| v.map(|value| (value / length) as f32))
}

/// How far the mesh reaches from its origin, in metres.
fn radius(mesh: &MeshData) -> f64 {
    let square = |position: &[f32; 3]| position.iter().fold(0.0, |sum, v| sum + f64::from(*v) * f64::from(*v));
    mesh.positions.iter().map(square).fold(0.0, f64::max).sqrt()
}

fn read_placement(
    bytes: &[u8],
    number_of: usize,
    radii: &[f64],
    size: f64,
) -> Result<(usize, [u8; 48]), GeometryError> {
    let mesh = word(bytes, 0);
    let Some(radius) = radii.get(mesh as usize) else {
        let (what, allowed) = (format!("placement {number_of}, mesh"), format!("below {}", radii.len()));
        return Err(GeometryError::Count { what, count: mesh.into(), allowed });
    };
    let what = |name: &str| format!("placement {number_of}: {name}");
    let mut scale = [0.0; 3];
    for (axis, value) in scale.iter_mut().enumerate() {
        *value = number(bytes, 32 + 4 * axis, 0.001, 1000.0, || what("scale"))?;
    }
    let mut turn = [0.0f64; 4];
    for (part, value) in turn.iter_mut().enumerate() {
        *value = number(bytes, 16 + 4 * part, -1.01, 1.01, || what("rotation"))?.into();
    }
    let length = turn.iter().fold(0.0, |sum, v| sum + v * v).sqrt();
    if (length - 1.0).abs() > 0.01 {
        let allowed = "a quaternion of length 1".into();
        return Err(GeometryError::Number { what: what("length of the rotation"), value: length as f32, allowed });
    }
    let reach = radius * f64::from(scale[0].max(scale[1]).max(scale[2]));
    let (margin, height) = (REACH.max(size), 2.0 * f64::from(MAX_HEIGHT));
    let mut position = [0.0; 3];
    for (axis, (low, high)) in
        [(-margin, size + margin), (-height, height), (-margin, size + margin)].iter().enumerate()
    {
        let value = word(bytes, 4 + 4 * axis);
        let value = f32::from_bits(value);
        let at = f64::from(value);
        // NaN is in no range.
        if !(at - reach >= *low && at + reach <= *high) {
            let name = ["x", "y", "z"][axis];
            let allowed = format!("so that all of it, {reach} m around, is within {low} to {high}");
            return Err(GeometryError::Number { what: what(name), value, allowed });
        }
        position[axis] = value;
    }
    let turn = turn.map(|v| (v / length) as f32);
    Ok((mesh as usize, row_bytes(&rows_from_trs(position, turn, scale))))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn number(bytes: &[u8], at: usize, low: f32, high: f32, what: impl FnOnce() -> String) -> Result<f32, GeometryError> {
    let value = f32::from_bits(word(bytes, at));
    // NaN is in no range.
    if (low..=high).contains(&value) {
        // Without the sign of 0.
        return Ok(value + 0.0);
    }
    Err(GeometryError::Number { what: what(), value, allowed: format!("{low} to {high}") })
}
