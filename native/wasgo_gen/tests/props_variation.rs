//! Two of a kind differ within the amounts that were asked for, seams stay closed, and bad meshes are refused.

mod props_common;

use std::borrow::Cow;
use std::collections::BTreeMap;

use props_common::{assert_faces, assert_formed, dot, sub};
use proptest::prelude::*;
use wasgo_gen::props::{
    Finish, PropError, RockSpec, Species, TreeSpec, Variation, bark_texture, impostor, leaf_texture, rock, tree,
    variation,
};
use wasgo_gen::{MeshData, Plan, le_bytes, le_bytes_u32, props};
use wasgo_scene::{Limits, Mesh, Node, Scene, Surface, validate};

fn vectors(bytes: &[u8]) -> Vec<[f32; 3]> {
    let floats: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    floats.chunks_exact(3).map(|v| [v[0], v[1], v[2]]).collect()
}

fn mesh_of(positions: &[f32]) -> Mesh<'static> {
    let surface = Surface {
        positions: Cow::Owned(le_bytes(positions).into_owned()),
        indices: Cow::Owned(le_bytes_u32(&[0, 1, 2]).into_owned()),
        ..Surface::default()
    };
    Mesh { name: "base".into(), surfaces: vec![surface], ..Mesh::default() }
}

#[test]
fn any_prop_can_be_varied_and_stays_a_sound_scene() {
    let plan = Plan::new(5);
    for prop in props(&plan).unwrap() {
        for seed in 0..10 {
            let varied = variation(prop.mesh(), &Variation::default(), seed).unwrap();
            assert_ne!(&varied, prop.mesh());
            assert_eq!(varied, variation(prop.mesh(), &Variation::default(), seed).unwrap());
            let surface = &varied.surfaces[0];
            assert_eq!(surface.indices, prop.mesh().surfaces[0].indices);
            let scene = Scene {
                nodes: vec![Node { mesh: Some(0), ..Node::default() }],
                roots: vec![0],
                meshes: vec![varied.borrow()],
                materials: wasgo_gen::scene::materials(),
                ..Scene::default()
            };
            validate(&scene, &Limits::default()).unwrap();
        }
    }
}

#[test]
fn no_variation_is_no_change() {
    let base = &props(&Plan::new(5)).unwrap()[0].mesh().clone();
    let same = variation(base, &Variation::NONE, 9).unwrap();
    let pairs = |of: for<'s> fn(&'s Surface<'static>) -> &'s [u8]| {
        let (a, b) = (vectors(of(&base.surfaces[0])), vectors(of(&same.surfaces[0])));
        a.into_iter().flatten().zip(b.into_iter().flatten()).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()))
    };
    assert!(pairs(|s| &s.positions) < 1e-5);
    assert!(pairs(|s| &s.normals) < 2e-2);
    assert!(pairs(|s| &s.colors) < 1e-3);
}

#[test]
fn seams_stay_closed_and_fronts_stay_fronts() {
    for seed in 0..20 {
        let model = rock(&RockSpec::default(), seed).unwrap();
        let base = &model.lods[0].parts[0].mesh;
        let varied = Variation::default().choose(model.bounds, seed).unwrap();
        let mesh = varied.mesh(base);
        let size = 3.0;
        assert_formed("varied", &mesh);
        assert_faces("varied", &mesh, size);
        let mut moved: BTreeMap<[u32; 3], [f32; 3]> = BTreeMap::new();
        for (old, new) in base.positions.iter().zip(&mesh.positions) {
            assert_eq!(moved.entry(old.map(f32::to_bits)).or_insert(*new), new);
        }
        // Normals are those of the faces.
        for triangle in mesh.indices.chunks_exact(3) {
            let [a, b, c] = [0, 1, 2].map(|corner| mesh.positions[triangle[corner] as usize]);
            let face = props_common::cross(sub(b, a), sub(c, a));
            let length = dot(face, face).sqrt();
            assert!(dot(face, mesh.normals[triangle[0] as usize]) > 0.9 * length);
        }
    }
}

#[test]
fn a_prop_varies_with_all_that_belongs_to_it() {
    for seed in 0..12 {
        let base = tree(&TreeSpec::new(Species::ALL[seed as usize]), seed).unwrap();
        let amounts = Variation { uv_shift: 1.0, ..Variation::default() };
        let varied = amounts.choose(base.bounds, seed).unwrap().model(&base);
        for (old, new) in base.lods.iter().zip(&varied.lods) {
            assert_eq!(old.triangles(), new.triangles());
            new.parts.iter().for_each(|part| assert_formed("varied", &part.mesh));
        }
        let cards = |model: &wasgo_gen::props::PropModel| {
            let parts = model.lods.iter().flat_map(|lod| &lod.parts);
            parts.filter(|part| part.finish == Finish::Card).flat_map(|part| part.mesh.uvs.clone()).collect::<Vec<_>>()
        };
        assert_eq!(cards(&base), cards(&varied));
        assert_ne!(base.bounds, varied.bounds);
        assert_ne!(base.colliders, varied.colliders);
    }
}

#[test]
fn what_is_chosen_is_within_the_amounts() {
    let amounts = Variation { materials: 3, uv_shift: 0.5, morphs: 0.6, ..Variation::default() };
    let mut materials = [0; 3];
    for seed in 0..200 {
        let varied = amounts.choose([[0.0; 3], [1.0, 2.0, 1.0]], seed).unwrap();
        materials[varied.material() as usize] += 1;
        assert!(varied.uv_offset().iter().all(|v| v.abs() <= 0.5));
        let weights = varied.morph_weights(5);
        assert!(weights.len() == 5 && weights.iter().all(|w| (0.0..=0.6).contains(w)));
        let top = varied.point([0.5, 2.0, 0.5]);
        assert!((1.0..3.4).contains(&top[1]), "{top:?}");
        assert_eq!(varied.color([0.0; 3]), [0.0; 3]);
    }
    assert!(materials.iter().all(|count| *count > 40), "{materials:?}");
}

#[test]
fn bad_surfaces_are_refused_with_their_fault() {
    let refused = |mesh: &Mesh<'_>| match variation(mesh, &Variation::default(), 1) {
        Err(PropError::BadSurface { surface: 0, fault, .. }) => fault,
        other => panic!("{other:?}"),
    };
    let sound = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    assert!(variation(&mesh_of(&sound), &Variation::default(), 1).is_ok());
    assert!(variation(&mesh_of(&[]), &Variation::default(), 1).is_ok());
    assert_eq!(refused(&mesh_of(&sound[..8])), "positions are not whole");
    let mut not_finite = sound;
    not_finite[4] = f32::NAN;
    assert_eq!(refused(&mesh_of(&not_finite)), "a position is not finite or too large");
    let mut mesh = mesh_of(&sound);
    mesh.surfaces[0].normals = Cow::Owned(vec![0; 36]);
    assert_eq!(refused(&mesh), "a normal is not of length 1");
    mesh.surfaces[0].normals = Cow::Owned(vec![0; 24]);
    assert_eq!(refused(&mesh), "normals are not one a vertex");
    mesh.surfaces[0].normals = Cow::Borrowed(&[]);
    mesh.surfaces[0].colors = Cow::Owned(vec![255; 48]);
    assert_eq!(refused(&mesh), "a normal or colour is not finite");
    let error = variation(&mesh_of(&sound), &Variation { bend: 1.5, ..Variation::default() }, 1).unwrap_err();
    assert_eq!(error.to_string(), "variation.bend is 1.5, allowed: 0 to 1");
}

#[test]
fn impostors_show_the_prop_where_cards_look_for_it() {
    for species in Species::ALL {
        let model = tree(&TreeSpec::new(species), 2).unwrap();
        let image = impostor(&model, 64).unwrap();
        assert_eq!((image.width, image.height, image.pixels.len()), (128, 64, 128 * 64 * 4));
        let alpha = |x: usize, y: usize| image.pixels[(y * 128 + x) * 4 + 3];
        for half in [0, 64] {
            let seen =
                (0..64).flat_map(|y| (half..half + 64).map(move |x| (x, y))).filter(|(x, y)| alpha(*x, *y) > 127);
            let share = seen.count() as f32 / 4096.0;
            assert!((0.03..0.95).contains(&share), "{species:?}: {share} is seen");
            // The foot is at the bottom, the top at the top.
            assert!((half..half + 64).any(|x| alpha(x, 63) > 0) && (half..half + 64).any(|x| alpha(x, 1) > 0));
        }
    }
    let model = tree(&TreeSpec::default(), 2).unwrap();
    assert_eq!(impostor(&model, 4).unwrap_err().to_string(), "impostor.size is 4, allowed: 8 to 512");
}

#[test]
fn leaves_are_cut_out_and_bark_repeats() {
    for species in Species::ALL {
        let leaf = leaf_texture(species, 1, 64).unwrap();
        let alpha = |x: usize, y: usize| leaf.pixels[(y * 64 + x) * 4 + 3];
        assert!(alpha(32, 30) > 200 && [(0, 0), (63, 0), (0, 63), (63, 63)].iter().all(|(x, y)| alpha(*x, *y) == 0));
        let bark = bark_texture(species, 1, 64).unwrap();
        let at = |x: usize, y: usize| i32::from(bark.pixels[((y % 64) * 64 + x % 64) * 4]);
        let step = |x: usize| (0..64).map(|y| (at(x + 1, y) - at(x, y)).abs()).sum::<i32>();
        // The seam is no harder than the hardest change elsewhere.
        let elsewhere = (0..62).map(step).max().unwrap();
        assert!(step(63) <= elsewhere + 64, "{species:?}: {} {elsewhere}", step(63));
        assert!(bark.pixels.chunks_exact(4).all(|pixel| pixel[3] == 255));
    }
    assert_eq!(
        leaf_texture(Species::Oak, 1, 2000).unwrap_err().to_string(),
        "leaf_texture.size is 2000, allowed: 8 to 1024"
    );
    assert_eq!(bark_texture(Species::Oak, 1, 7).unwrap_err().to_string(), "bark_texture.size is 7, allowed: 8 to 1024");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_allowed_variation_keeps_a_mesh_formed(
        amounts in (0.0f32..=0.9, 0.0f32..=0.9, 0.0f32..=0.25, 0.25f32..=8.0, 0.0f32..=1.0, 0.0f32..=3.0, 0.0f32..=0.9),
        colors in (0.0f32..=3.2, 0.0f32..=1.0, 0.0f32..=0.5), seed: u64,
    ) {
        let (size, stretch, swell, waves, bend, twist, taper) = amounts;
        let (hue, saturation, lightness) = colors;
        let variation = Variation {
            size, stretch, swell, waves, bend, twist, taper, hue, saturation, lightness, ..Variation::default()
        };
        let model = tree(&TreeSpec { triangles: Some(600), ..TreeSpec::default() }, seed).unwrap();
        let varied = variation.choose(model.bounds, seed).unwrap();
        for part in model.lods.iter().flat_map(|lod| &lod.parts) {
            assert_formed("any", &varied.mesh(&part.mesh));
        }
        prop_assert_eq!(varied.mesh(&MeshData::default()), MeshData::default());
    }
}
