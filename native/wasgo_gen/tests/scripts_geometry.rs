//! Geometry of scripts, read from any bytes.

use proptest::prelude::*;
use wasgo_gen::script::GeneratedMesh;
use wasgo_gen::script::geometry::{self, GeometryError, MAX_MESHES, MAX_VERTICES};

const SIZE: f64 = 64.0;

fn read(bytes: &[u8]) -> Result<Vec<GeneratedMesh>, GeometryError> {
    geometry::read("made", bytes, SIZE)
}

/// Numbers and indices of an answer, to be spoiled.
#[derive(Clone)]
struct Answer {
    header: [u32; 3],
    mesh: [u32; 3],
    look: [f32; 5],
    vertices: Vec<[f32; 10]>,
    indices: Vec<u32>,
    placements: Vec<(u32, [f32; 10])>,
}

impl Answer {
    /// A square of four vertices in two places.
    fn good() -> Self {
        let vertex = |x, z| [x, 0.0, z, 0.0, 2.0, 0.0, 0.5, 0.6, 0.7, 1.0];
        let place = |x, z| (0, [x, 5.0, z, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
        Self {
            header: [geometry::FORM, 1, 2],
            mesh: [4, 6, 0],
            look: [0.9, 0.0, 0.0, 0.0, 0.0],
            vertices: vec![vertex(0.0, 0.0), vertex(1.0, 0.0), vertex(0.0, 1.0), vertex(1.0, 1.0)],
            indices: vec![0, 2, 1, 1, 2, 3],
            placements: vec![place(1.0, 1.0), place(63.0, -10.0)],
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = geometry::MAGIC.to_vec();
        let word = |out: &mut Vec<u8>, value: u32| out.extend(value.to_le_bytes());
        self.header.iter().chain(&self.mesh).for_each(|value| word(&mut out, *value));
        self.look.iter().chain(self.vertices.as_flattened()).for_each(|value| word(&mut out, value.to_bits()));
        self.indices.iter().for_each(|value| word(&mut out, *value));
        for (mesh, numbers) in &self.placements {
            word(&mut out, *mesh);
            numbers.iter().for_each(|value| word(&mut out, value.to_bits()));
        }
        out
    }
}

#[test]
fn a_good_answer_is_read() {
    let made = read(&Answer::good().bytes()).unwrap();
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].mesh.vertices(), made[0].mesh.triangles(), made[0].transforms.len()), (4, 2, 96));
    assert_eq!(made[0].mesh.normals, [[0.0, 1.0, 0.0]; 4]);
    assert_eq!(read(&[]), Ok(Vec::new()));
    let mut nowhere = Answer::good();
    nowhere.header[2] = 0;
    nowhere.placements.clear();
    assert_eq!(read(&nowhere.bytes()), Ok(Vec::new()));
}

/// Makes a good answer a bad one.
type Spoil = fn(&mut Answer);

#[test]
fn each_fault_is_named() {
    let cases: &[(&str, Spoil)] = &[
        ("it does not begin with", |it| it.header[0] = 2),
        ("what the header counts needs", |it| it.header[1] = 1000),
        ("meshes: 1025, allowed: at most 1024", |it| it.header[1] = MAX_MESHES as u32 + 1),
        ("placements: 1000000000, allowed: at most 65536", |it| it.header[2] = 1_000_000_000),
        ("placements needs 132 bytes more, and 88 are left", |it| it.header[2] = 3),
        ("44 bytes are left behind its end", |it| it.header[2] = 1),
        ("mesh 0, vertices: 1000000000, allowed: 1 to 262144", |it| it.mesh[0] = 1_000_000_000),
        ("mesh 0, vertices: 0, allowed: 1 to 262144", |it| it.mesh[0] = 0),
        ("mesh 0, vertices needs 10485760 bytes more", |it| it.mesh[0] = MAX_VERTICES as u32),
        ("mesh 0, indices: 4294967295, allowed", |it| it.mesh[1] = u32::MAX),
        ("mesh 0, indices: 5, allowed: three for each triangle", |it| it.mesh[1] = 5),
        ("mesh 0, flags: 2, allowed: 0 or 1", |it| it.mesh[2] = 2),
        ("mesh 0: roughness is 1.1, allowed: 0 to 1", |it| it.look[0] = 1.1),
        ("mesh 0: metallic is NaN", |it| it.look[1] = f32::NAN),
        ("mesh 0: light of its own is -1", |it| it.look[3] = -1.0),
        ("mesh 0, index 4 is 4, and the mesh has 4 vertices", |it| it.indices[4] = 4),
        ("mesh 0, vertex 2: position is NaN", |it| it.vertices[2][1] = f32::NAN),
        ("mesh 0, vertex 3: normal is inf", |it| it.vertices[3][4] = f32::INFINITY),
        ("mesh 0, vertex 0: colour is 1.5, allowed: 0 to 1", |it| it.vertices[0][8] = 1.5),
        ("placement 1, mesh: 1, allowed: below 1", |it| it.placements[1].0 = 1),
        ("placement 0: x is NaN", |it| it.placements[0].1[0] = f32::NAN),
        ("placement 0: x is -64", |it| it.placements[0].1[0] = -64.0),
        ("placement 1: z is 127.5", |it| it.placements[1].1[2] = 127.5),
        ("placement 1: y is 40000", |it| it.placements[1].1[1] = 40_000.0),
        ("placement 0: length of the rotation is 0, allowed", |it| it.placements[0].1[6] = 0.0),
        ("placement 0: rotation is 3, allowed", |it| it.placements[0].1[4] = 3.0),
        ("placement 0: scale is 0, allowed: 0.001 to 1000", |it| it.placements[0].1[7] = 0.0),
        ("placement 0: x is 1, allowed: so that all of it", |it| it.placements[0].1[8] = 900.0),
    ];
    for (words, spoil) in cases {
        let mut answer = Answer::good();
        spoil(&mut answer);
        let error = read(&answer.bytes()).unwrap_err().to_string();
        assert!(error.starts_with(words), "{words}: {error}");
    }
    let good = Answer::good().bytes();
    for length in 1..good.len() {
        assert!(read(&good[..length]).is_err(), "{length}");
    }
}

#[test]
fn vertices_without_a_normal_get_one_from_their_triangles() {
    let mut answer = Answer::good();
    answer.vertices.iter_mut().for_each(|vertex| vertex[4] = 0.0);
    answer.vertices[3] = [1.0, 0.0, 1.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 1.0];
    let made = read(&answer.bytes()).unwrap();
    assert_eq!(made[0].mesh.normals, [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
}

#[test]
fn equal_meshes_have_equal_names_and_others_have_others() {
    let name = |answer: &Answer| read(&answer.bytes()).unwrap()[0].name.clone();
    let mut moved = Answer::good();
    moved.placements[0].1[0] = 7.0;
    let mut other = Answer::good();
    other.vertices[1][0] = 2.0;
    assert_eq!(name(&moved), name(&Answer::good()));
    assert_ne!(name(&other), name(&Answer::good()));
}

/// Whatever is read holds together.
fn assert_sound(made: &[GeneratedMesh]) {
    for mesh in made {
        let vertices = mesh.mesh.vertices();
        assert!(mesh.mesh.indices.iter().all(|index| (*index as usize) < vertices));
        assert!(mesh.mesh.normals.len() == vertices && mesh.mesh.colors.len() == vertices);
        assert!(mesh.mesh.positions.as_flattened().iter().all(|v| v.is_finite()));
        let long = |v: &[f32; 3]| ((v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt() - 1.0).abs() < 1e-4;
        assert!(mesh.mesh.normals.iter().all(long));
        let words = mesh.transforms.as_chunks::<4>().0;
        assert!(words.len().is_multiple_of(12) && words.iter().all(|word| f32::from_le_bytes(*word).is_finite()));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes).map(|made| assert_sound(&made));
    }

    #[test]
    fn spoiled_answers_are_read_or_refused(
        spoils in prop::collection::vec((any::<prop::sample::Index>(), any::<u32>()), 1..4),
    ) {
        let mut bytes = Answer::good().bytes();
        for (at, value) in spoils {
            let word = at.index(bytes.len() / 4) * 4;
            bytes[word..word + 4].copy_from_slice(&value.to_le_bytes());
        }
        let _ = read(&bytes).map(|made| assert_sound(&made));
    }

    #[test]
    fn answers_spoiled_a_little_are_read_or_refused(
        spoils in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..6),
    ) {
        let mut bytes = Answer::good().bytes();
        for (at, bit) in spoils {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        let _ = read(&bytes).map(|made| assert_sound(&made));
    }
}
