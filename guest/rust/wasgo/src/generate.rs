//! What a plan asks of `generate`, and what it is answered.

use alloc::vec::Vec;

use crate::Row;

/// Which chunk a script is asked for; all but the seed are 0 for a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generation {
    /// The whole world's.
    pub seed: u64,
    /// Which chunk, counted in chunks of its level.
    pub x: i32,
    /// Which chunk, counted in chunks of its level.
    pub z: i32,
    /// How coarse: 0 for the finest; chunks of the next level are twice as wide.
    pub lod: u32,
}

/// What a plan asks: value 0 of the row. Its parameters count from 1.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// The values of a field at some places.
    Places(Places<'a>),
    /// What stands in a chunk.
    Chunk(Chunk<'a>),
}

impl<'a> Asked<'a> {
    /// What a row asks; `None` when it was not a plan that called.
    pub fn of(row: &Row<'a>) -> Option<Self> {
        let bytes = row.blob(0);
        let (kind, rest) = (word(bytes, 0)?, bytes.get(8..)?);
        let count = word(bytes, 4)? as usize;
        match kind {
            1 if rest.len() == count.checked_mul(24)? => Some(Self::Places(Places { bytes: rest })),
            2 if count >= 2 && rest.len() == 24 + count.checked_mul(count)?.checked_mul(4)? => {
                let (corner, heights) = rest.split_at(24);
                let [x, z, size] = [0, 8, 16].map(|at| number(corner, at));
                Some(Self::Chunk(Chunk { x, z, size, samples: count, heights }))
            }
            _ => None,
        }
    }
}

/// Places at which a field's values are asked.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    bytes: &'a [u8],
}

impl<'a> Places<'a> {
    /// x, y and z of each, in metres of the world; y is 0 for a field in the plane.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = [f64; 3]> + use<'a> {
        self.bytes.as_chunks::<24>().0.iter().map(|at| [number(at, 0), number(at, 8), number(at, 16)])
    }

    /// The answer: a value for each place.
    pub fn answer(&self, value: impl FnMut([f64; 3]) -> f32) -> Vec<u8> {
        let values: Vec<[u8; 4]> = self.iter().map(value).map(f32::to_le_bytes).collect();
        values.into_flattened()
    }
}

/// A chunk whose content is asked.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// x of the corner with the least coordinates, in metres of the world.
    pub x: f64,
    /// z of the same.
    pub z: f64,
    /// Its side in metres.
    pub size: f64,
    /// Samples of the ground along a side.
    pub samples: usize,
    heights: &'a [u8],
}

impl Chunk<'_> {
    /// The ground's height at a sample, in metres; 0 for one that the chunk hasn't got.
    pub fn height(&self, column: usize, row: usize) -> f64 {
        let at = if column < self.samples { (row * self.samples + column) * 4 } else { self.heights.len() };
        word(self.heights, at).map_or(0.0, |bits| f64::from(f32::from_bits(bits)))
    }

    /// The ground's height at a place in metres from the corner, on the very triangles that are drawn.
    pub fn ground(&self, x: f64, z: f64) -> f64 {
        let squares = (self.samples - 1) as f64;
        let (u, v) = ((x / self.size * squares).clamp(0.0, squares), (z / self.size * squares).clamp(0.0, squares));
        let (column, row) = ((u as usize).min(self.samples - 2), (v as usize).min(self.samples - 2));
        let (u, v) = (u - column as f64, v - row as f64);
        let at = |c, r| self.height(column + c, row + r);
        let (a, b, c, d) = (at(0, 0), at(0, 1), at(1, 0), at(1, 1));
        if u + v <= 1.0 { a + u * (c - a) + v * (b - a) } else { d + (1.0 - u) * (b - d) + (1.0 - v) * (c - d) }
    }
}

/// How a mesh looks besides the colours of its vertices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Whether it is seen from both sides.
    pub double_sided: bool,
    /// 0 is a mirror, 1 is matt.
    pub roughness: f32,
    /// 0 is a dielectric, 1 a metal.
    pub metallic: f32,
    /// Light of its own: linear red, green, blue, 0 to 64.
    pub emission: [f32; 3],
}

impl Default for Look {
    fn default() -> Self {
        Self { double_sided: false, roughness: 0.9, metallic: 0.0, emission: [0.0; 3] }
    }
}

/// A mesh: its vertices in metres from its own origin.
#[derive(Clone, Debug, Default)]
pub struct Mesh {
    vertices: Vec<[f32; 10]>,
    indices: Vec<u32>,
}

impl Mesh {
    /// A mesh with nothing in it.
    pub const fn new() -> Self {
        Self { vertices: Vec::new(), indices: Vec::new() }
    }

    /// Adds a vertex; its number is the answer. A normal of 0 becomes that of the triangles around. Colours are linear, 0 to 1.
    pub fn vertex(&mut self, [x, y, z]: [f32; 3], [nx, ny, nz]: [f32; 3], [r, g, b]: [f32; 3]) -> u32 {
        self.vertices.push([x, y, z, nx, ny, nz, r, g, b, 1.0]);
        self.vertices.len() as u32 - 1
    }

    /// Adds a triangle of three vertices, counter-clockwise.
    pub fn triangle(&mut self, a: u32, b: u32, c: u32) {
        self.indices.extend([a, b, c]);
    }

    /// Adds a flat face with corners of its own, counter-clockwise: triangles from the first corner on.
    pub fn face(&mut self, corners: &[[f32; 3]], color: [f32; 3]) {
        let first = self.vertices.len() as u32;
        for corner in corners {
            self.vertex(*corner, [0.0; 3], color);
        }
        for n in 1..(corners.len() as u32).saturating_sub(1) {
            self.triangle(first, first + n, first + n + 1);
        }
    }
}

/// What a generator answers: meshes, and where they stand.
#[derive(Clone, Debug, Default)]
pub struct Geometry {
    meshes: Vec<u8>,
    mesh_count: u32,
    placements: Vec<[u8; 44]>,
}

impl Geometry {
    /// Nothing.
    pub const fn new() -> Self {
        Self { meshes: Vec::new(), mesh_count: 0, placements: Vec::new() }
    }

    /// Adds a mesh; its number is the answer.
    pub fn mesh(&mut self, mesh: &Mesh, look: &Look) -> u32 {
        let [red, green, blue] = look.emission;
        let counts = [mesh.vertices.len() as u32, mesh.indices.len() as u32, look.double_sided.into()];
        let look = [look.roughness, look.metallic, red, green, blue].map(f32::to_bits);
        let vertices = mesh.vertices.as_flattened().iter().map(|number| number.to_bits());
        let words = counts.into_iter().chain(look).chain(vertices).chain(mesh.indices.iter().copied());
        self.meshes.extend(words.flat_map(u32::to_le_bytes));
        self.mesh_count += 1;
        self.mesh_count - 1
    }

    /// Puts a mesh somewhere: x and z in metres from the chunk's corner, y absolute, turned by `yaw` radians about +Y.
    ///
    /// The sine and cosine are given, for a crate without the standard library has none: `(yaw / 2).sin_cos()`.
    pub fn place(&mut self, mesh: u32, position: [f64; 3], (half_sin, half_cos): (f64, f64), scale: f64) {
        let [x, y, z] = position.map(|v| v as f32);
        let s = scale as f32;
        let numbers = [x, y, z, 0.0, half_sin as f32, 0.0, half_cos as f32, s, s, s].map(f32::to_bits);
        let mut bytes = [0; 44];
        for (place, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(core::iter::once(mesh).chain(numbers)) {
            *place = word.to_le_bytes();
        }
        self.placements.push(bytes);
    }

    /// The bytes, to return from `generate`.
    pub fn finish(self) -> Vec<u8> {
        if self.placements.is_empty() {
            return Vec::new();
        }
        let mut bytes = Vec::with_capacity(16 + self.meshes.len() + 44 * self.placements.len());
        bytes.extend_from_slice(b"WSGM");
        bytes.extend([1, self.mesh_count, self.placements.len() as u32].map(u32::to_le_bytes).as_flattened());
        bytes.extend_from_slice(&self.meshes);
        bytes.extend_from_slice(self.placements.as_flattened());
        bytes
    }
}

/// A number for a place of a grid, the same for the same seed: where chance comes from.
pub fn hash(seed: u64, x: i64, z: i64) -> u64 {
    let (x, z) = (x as u64, z as u64);
    mix(seed.wrapping_add(x.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(z.wrapping_mul(0xD1B5_4A32_D192_ED03)))
}

/// The number `n` of a hash, from 0 to below 1.
pub fn unit(hash: u64, n: u64) -> f64 {
    let h = mix(hash.wrapping_add(n.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    (h >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
}

fn mix(mut h: u64) -> u64 {
    h = (h ^ (h >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    h ^ (h >> 31)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn number(bytes: &[u8], at: usize) -> f64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0.0, f64::from_le_bytes)
}
