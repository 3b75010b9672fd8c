//! What tests of props share: hashes, and checks of soundness.

#![allow(dead_code, reason = "each test file uses some of it")]

pub mod plans;

use wasgo_gen::MeshData;
use wasgo_gen::props::{Collider, Finish, PropModel};

pub fn sub(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub fn cross(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// FNV-1a, 64 bits, over little-endian bytes.
pub struct Fnv(pub u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Fnv {
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3));
    }

    pub fn floats(&mut self, values: &[f32]) {
        values.iter().for_each(|value| self.bytes(&value.to_le_bytes()));
    }

    pub fn mesh(&mut self, mesh: &MeshData) {
        self.floats(mesh.positions.as_flattened());
        self.floats(mesh.normals.as_flattened());
        self.floats(mesh.colors.as_flattened());
        self.floats(mesh.uvs.as_flattened());
        self.floats(mesh.uvs2.as_flattened());
        mesh.indices.iter().for_each(|index| self.bytes(&index.to_le_bytes()));
    }
}

pub fn hash(model: &PropModel) -> u64 {
    let mut fnv = Fnv::default();
    for lod in &model.lods {
        fnv.floats(&[lod.error]);
        for part in &lod.parts {
            fnv.bytes(&[part.finish as u8]);
            fnv.mesh(&part.mesh);
        }
    }
    for collider in &model.colliders {
        match collider {
            Collider::Capsule { from, to, radius } => fnv.floats(&[from.as_slice(), to, &[*radius]].concat()),
            Collider::Box { center, half } => fnv.floats(&[*center, *half].concat()),
            Collider::Hull { points } => fnv.floats(points.as_flattened()),
        }
    }
    fnv.0
}

/// Compares with the hashes kept in a test. Set `WASGO_GOLDEN=print` to see the new ones.
pub fn check(found: &[(String, u64)], golden: &[u64]) {
    if std::env::var("WASGO_GOLDEN").is_ok_and(|value| value == "print") {
        found.iter().for_each(|(name, hash)| println!("    {hash:#018X}, // {name}"));
    }
    assert_eq!(found.len(), golden.len());
    for ((name, found), golden) in found.iter().zip(golden) {
        assert_eq!(found, golden, "{name} is {found:#018X}");
    }
}

/// All attributes are there, finite and in range, and indices lead to vertices.
pub fn assert_formed(name: &str, mesh: &MeshData) {
    let vertices = mesh.vertices();
    for count in [mesh.normals.len(), mesh.colors.len(), mesh.uvs.len(), mesh.uvs2.len()] {
        assert_eq!(count, vertices, "{name}");
    }
    assert!(mesh.indices.len().is_multiple_of(3) && !mesh.indices.is_empty(), "{name}");
    assert!(mesh.indices.iter().all(|index| (*index as usize) < vertices), "{name}");
    assert!(mesh.positions.as_flattened().iter().chain(mesh.uvs.as_flattened()).all(|v| v.is_finite()), "{name}");
    assert!(
        mesh.normals.iter().all(|n| (dot(*n, *n).sqrt() - 1.0).abs() < 1e-3),
        "{name}: a normal is not of length 1"
    );
    let shares = mesh.colors.as_flattened().iter().chain(mesh.uvs2.as_flattened());
    assert!(shares.into_iter().all(|v| (0.0..=1.0).contains(v)), "{name}: a colour or the wind");
}

/// Fronts are where normals point, and no triangle is too thin to be seen, for a prop of about `size` metres.
pub fn assert_faces(name: &str, mesh: &MeshData, size: f32) {
    for triangle in mesh.indices.chunks_exact(3) {
        let [a, b, c] = [0, 1, 2].map(|corner| triangle[corner] as usize);
        let at = |number: usize| mesh.positions[number];
        let front = cross(sub(at(b), at(a)), sub(at(c), at(a)));
        let area = dot(front, front).sqrt();
        assert!(area > 1e-9 * size * size, "{name}: {triangle:?} is flat: {area}");
        for corner in [a, b, c] {
            assert!(dot(front, mesh.normals[corner]) > 0.0, "{name}: {triangle:?} against the normal of {corner}");
        }
    }
}

/// Everything that holds for each prop.
pub fn assert_sound(name: &str, model: &PropModel) {
    let [low, high] = model.bounds;
    let size = sub(high, low).into_iter().fold(0.0, f32::max);
    assert!(size > 0.0 && !model.lods.is_empty(), "{name}");
    assert_eq!(model.lods[0].error, 0.0);
    for (number, lod) in model.lods.iter().enumerate() {
        let name = format!("{name}, level {number}");
        let finishes: Vec<Finish> = lod.parts.iter().map(|part| part.finish).collect();
        assert!(finishes.windows(2).all(|pair| pair[0] < pair[1]), "{name}: {finishes:?}");
        for part in &lod.parts {
            assert_formed(&name, &part.mesh);
            assert_faces(&name, &part.mesh, size);
            for point in &part.mesh.positions {
                let slack = 0.12 * size;
                let inside = |axis: usize| (low[axis] - slack..=high[axis] + slack).contains(&point[axis]);
                assert!((0..3).all(inside), "{name}: {point:?} is outside of {:?}", model.bounds);
            }
        }
        if number > 0 {
            let before = &model.lods[number - 1];
            assert!(lod.triangles() < before.triangles(), "{name}: as many triangles as before");
            assert!(lod.error >= before.error && lod.error < size, "{name}: error {}", lod.error);
        }
    }
    for collider in &model.colliders {
        match collider {
            Collider::Capsule { from, to, radius } => {
                assert!(*radius > 0.0 && from.iter().chain(to).all(|v| v.is_finite()), "{name}");
            }
            Collider::Box { center, half } => {
                assert!(half.iter().all(|v| *v > 0.0) && center.iter().all(|v| v.is_finite()), "{name}");
            }
            Collider::Hull { points } => {
                assert!((4..=32).contains(&points.len()), "{name}");
                assert!(points.iter().flatten().all(|v| v.is_finite()), "{name}");
            }
        }
    }
}

/// Six times the volume under the triangles: above 0 when closed bodies face outwards.
pub fn volume(mesh: &MeshData) -> f32 {
    let corner = |index: u32| mesh.positions[index as usize];
    mesh.indices.chunks_exact(3).map(|t| dot(corner(t[0]), cross(corner(t[1]), corner(t[2])))).sum()
}
