//! Scenes that are refused, each with an error that names the thing at fault.

mod support;

use proptest::prelude::*;
use support::{Glb, f32s, scene, triangle, u32s};
use wasgo_scene::{
    Counts, Extra, Instances, Limits, Material, Mesh, Node, Scene, SceneError, Surface, Transform, glb, validate,
};

fn refused(change: impl FnOnce(&mut Scene<'static>)) -> String {
    let mut scene = scene();
    change(&mut scene);
    let error = validate(&scene, &Limits::default()).unwrap_err();
    // As text, for NaN is not equal to itself.
    assert_eq!(glb::write(&scene).unwrap_err().to_string(), error.to_string());
    error.to_string()
}

fn surface(change: impl FnOnce(&mut Surface<'static>)) -> String {
    refused(|scene| change(&mut scene.meshes[0].surfaces[0]))
}

#[test]
fn a_sound_scene_is_counted() {
    let mut scene = scene();
    scene.instances = vec![Instances { name: "two".into(), mesh: 0, parent: None, transforms: f32s(&[1.0; 24]) }];
    let counts = Counts { meshes: 1, surfaces: 1, vertices: 3, triangles: 1, nodes: 1, instances: 2 };
    assert_eq!(validate(&scene, &Limits::default()), Ok(counts));
}

#[test]
fn buffers_must_match() {
    assert_eq!(
        surface(|s| s.positions = vec![0; 13].into()),
        "mesh 0 \"flat\", surface 0: positions has 13 bytes, expected a multiple of 12"
    );
    assert_eq!(
        surface(|s| s.normals = vec![0; 24].into()),
        "mesh 0 \"flat\", surface 0: normals has 24 bytes, expected 36 or none"
    );
    assert_eq!(
        surface(|s| s.colors = vec![0; 36].into()),
        "mesh 0 \"flat\", surface 0: colors has 36 bytes, expected 48 or none"
    );
    assert_eq!(
        surface(|s| s.indices = u32s(&[0, 1])),
        "mesh 0 \"flat\", surface 0: indices has 8 bytes, expected a multiple of 12"
    );
}

#[test]
fn indices_must_be_in_range() {
    assert_eq!(
        surface(|s| s.indices = u32s(&[0, 1, 3])),
        "mesh 0 \"flat\", surface 0: index 2 is 3, but there are 3 vertices"
    );
    assert!(surface(|s| s.indices = u32s(&[u32::MAX; 3])).contains("4294967295"));
    assert!(surface(|s| *s = Surface { indices: u32s(&[0, 0, 0]), ..Surface::default() }).contains("0 vertices"));
}

#[test]
fn numbers_must_be_finite_and_normals_unit() {
    let nan = |size: usize| {
        let mut values = vec![1.0; size];
        values[size - 1] = f32::NAN;
        f32s(&values)
    };
    assert_eq!(surface(|s| s.positions = nan(9)), "mesh 0 \"flat\", surface 0: position of vertex 2 is not finite");
    assert!(surface(|s| s.normals = nan(9)).contains("normal of vertex 2 is not finite"));
    assert!(surface(|s| s.colors = nan(12)).contains("color of vertex 2 is not finite"));
    assert!(
        surface(|s| s.normals = f32s(&[0.0, 1.0, 0.0, 0.0, 1.1, 0.0, 0.0, 1.0, 0.0]))
            .contains("vertex 1 has length 1.1")
    );
    assert!(surface(|s| s.normals = f32s(&[0.0; 9])).contains("vertex 0 has length 0"));
}

#[test]
fn references_must_exist() {
    assert_eq!(
        surface(|s| s.material = Some(1)),
        "mesh 0 \"flat\", surface 0: there is no material 1, the scene has 1"
    );
    assert_eq!(refused(|s| s.nodes[0].mesh = Some(1)), "node 0 \"root\": there is no mesh 1, the scene has 1");
    assert_eq!(refused(|s| s.nodes[0].children = vec![7]), "node 0 \"root\": there is no node 7, the scene has 1");
    assert_eq!(refused(|s| s.roots = vec![1]), "roots: there is no node 1, the scene has 1");
    let instances = |mesh, parent| Instances { name: "i".into(), mesh, parent, transforms: (&[][..]).into() };
    assert!(refused(|s| s.instances = vec![instances(1, None)]).starts_with("instances 0 \"i\": there is no mesh 1"));
    assert!(refused(|s| s.instances = vec![instances(0, Some(9))]).contains("there is no node 9"));
}

#[test]
fn the_tree_must_be_a_tree() {
    let nodes = |children: &[&[usize]]| -> Vec<Node> {
        let node = |(i, c): (usize, &&[usize])| Node { name: format!("n{i}"), children: c.to_vec(), ..Node::default() };
        children.iter().enumerate().map(node).collect()
    };
    assert_eq!(refused(|s| s.nodes = nodes(&[&[], &[2], &[1]])), "node 2 \"n2\" is its own ancestor");
    assert!(refused(|s| s.nodes = nodes(&[&[], &[1]])).contains("its own ancestor"));
    assert_eq!(refused(|s| s.nodes = nodes(&[&[2], &[2], &[]])), "node 2 \"n2\" has more than one parent");
    assert_eq!(refused(|s| s.nodes = nodes(&[&[1, 1], &[]])), "node 1 \"n1\" has more than one parent");
    assert!(
        refused(|s| {
            s.nodes = nodes(&[&[1], &[]]);
            s.roots = vec![1];
        })
        .contains("also a child")
    );
    assert!(refused(|s| s.roots = vec![0, 0]).contains("listed twice"));
    assert!(refused(|s| s.nodes = nodes(&[&[0]])).contains("also a child"));
}

#[test]
fn a_long_chain_is_checked_without_recursion() {
    let mut scene = Scene { roots: vec![0], ..Scene::default() };
    let length = 200_000;
    scene.nodes = (1..=length)
        .map(|next| Node { children: if next < length { vec![next] } else { vec![] }, ..Node::default() })
        .collect();
    let error = validate(&scene, &Limits::default()).unwrap_err();
    assert_eq!(error, SceneError::TooMany { what: "nodes below one another", count: 257, limit: 256 });
    assert!(validate(&scene, &Limits::NONE).is_ok());
}

#[test]
fn transforms_and_materials_and_extras_are_checked() {
    let trs = |translation, rotation, scale| Transform::Trs { translation, rotation, scale };
    let unit = [0.0, 0.0, 0.0, 1.0];
    for transform in [
        trs([f32::NAN, 0.0, 0.0], unit, [1.0; 3]),
        trs([0.0; 3], [0.0; 4], [1.0; 3]),
        trs([0.0; 3], [f32::NAN; 4], [1.0; 3]),
        trs([0.0; 3], unit, [f32::INFINITY, 1.0, 1.0]),
        Transform::Rows([f32::NAN; 12]),
    ] {
        assert!(refused(|s| s.nodes[0].transform = transform).starts_with("node 0 \"root\": the "));
    }
    assert_eq!(
        refused(|s| s.materials[0].metallic = f32::NAN),
        "material 0 \"paint\": metallic is NaN, allowed: 0..=1"
    );
    assert!(refused(|s| s.materials[0].base_color[2] = 1.5).contains("base_color is 1.5"));
    assert!(refused(|s| s.materials[0].roughness = -0.1).contains("roughness is -0.1"));
    assert_eq!(
        refused(|s| s.nodes[0].extras = [("k".to_string(), Extra::Number(f64::NAN))].into()),
        "node 0 \"root\": extra \"k\" is not a finite number"
    );
    let instances = |transforms| Instances { name: "i".into(), mesh: 0, parent: None, transforms };
    assert_eq!(
        refused(|s| s.instances = vec![instances(vec![0; 47].into())]),
        "instances 0 \"i\": 47 bytes are not a multiple of 48"
    );
    let mut second_bad = [1.0; 24];
    second_bad[20] = f32::NEG_INFINITY;
    assert!(
        refused(|s| s.instances = vec![instances(f32s(&second_bad))]).contains("instance 1: the matrix is not finite")
    );
}

#[test]
fn every_limit_holds() {
    let mut scene = scene();
    scene.instances = vec![Instances { name: "x".into(), mesh: 0, parent: Some(0), transforms: f32s(&[0.0; 12]) }];
    scene.nodes[0].extras = [("key".to_string(), Extra::Text("t".into()))].into();
    let exact = Limits {
        meshes: 1,
        surfaces: 1,
        vertices: 3,
        triangles: 1,
        nodes: 1,
        instances: 1,
        materials: 1,
        depth: 1,
        text: 5,
        extras: 1,
        ..Limits::default()
    };
    assert!(validate(&scene, &exact).is_ok());
    for (what, limits) in [
        ("meshes", Limits { meshes: 0, ..exact }),
        ("surfaces", Limits { surfaces: 0, ..exact }),
        ("vertices", Limits { vertices: 2, ..exact }),
        ("triangles", Limits { triangles: 0, ..exact }),
        ("nodes", Limits { nodes: 0, ..exact }),
        ("instances", Limits { instances: 0, ..exact }),
        ("materials", Limits { materials: 0, ..exact }),
        ("nodes below one another", Limits { depth: 0, ..exact }),
        ("bytes of a name", Limits { text: 4, ..exact }),
        ("extras of one thing", Limits { extras: 0, ..exact }),
    ] {
        match validate(&scene, &limits) {
            Err(SceneError::TooMany { what: found, .. }) => assert_eq!(found, what),
            other => panic!("{what}: {other:?}"),
        }
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    // Mostly small floats and indices, so that a good share of the scenes is sound.
    let float = prop_oneof![8 => (-2.0f32..2.0).boxed(), 1 => any::<f32>().boxed()];
    prop_oneof![
        proptest::collection::vec(float, 0..25).prop_map(|v| f32s(&v).into_owned()),
        proptest::collection::vec(0u32..4, 0..10).prop_map(|v| u32s(&v).into_owned()),
        proptest::collection::vec(any::<u8>(), 0..30),
        Just(triangle().positions.into_owned()),
        Just(triangle().indices.into_owned()),
        Just(Vec::new()),
    ]
}

prop_compose! {
    fn any_surface()(
        positions in bytes(), normals in bytes(), colors in bytes(), indices in bytes(),
        material in proptest::option::of(0usize..3),
    ) -> Surface<'static> {
        Surface {
            positions: positions.into(),
            normals: normals.into(),
            colors: colors.into(),
            indices: indices.into(),
            material,
            ..Surface::default()
        }
    }
}

prop_compose! {
    fn any_scene()(
        surfaces in proptest::collection::vec(prop_oneof![3 => Just(triangle()).boxed(), 1 => any_surface().boxed()], 0..4),
        children in proptest::collection::vec(proptest::collection::vec(0usize..7, 0..3), 0..6),
        mesh in proptest::option::of(0usize..2),
        instances in proptest::option::of((0usize..2, proptest::option::of(0usize..4), bytes())),
        roots in proptest::collection::vec(0usize..6, 0..3),
        matrix in proptest::array::uniform12(-2.0f32..2.0),
    ) -> Scene<'static> {
        let node = |children| Node { mesh, children, ..Node::default() };
        let mut nodes: Vec<Node> = children.into_iter().map(node).collect();
        if let Some(last) = nodes.last_mut() {
            last.transform = Transform::Rows(matrix);
        }
        Scene {
            name: "any".into(),
            nodes,
            meshes: vec![Mesh { name: "m".into(), surfaces, ..Mesh::default() }],
            materials: vec![Material::default(), Material::default()],
            instances: instances.into_iter().map(|(mesh, parent, transforms)| {
                Instances { name: "i".into(), mesh, parent, transforms: transforms.into() }
            }).collect(),
            roots,
            ..Scene::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_scene_is_refused_or_becomes_a_sound_file(scene in any_scene()) {
        let checked = validate(&scene, &Limits::default());
        match glb::write(&scene) {
            Ok(file) => {
                prop_assert!(checked.is_ok());
                let glb = Glb::read(&file);
                let nodes = glb.count("nodes");
                for mesh in glb.json["meshes"].as_array().into_iter().flatten() {
                    for primitive in mesh["primitives"].as_array().unwrap() {
                        let vertices = glb.accessor(&primitive["attributes"]["POSITION"]).len() / 12;
                        for index in glb.accessor(&primitive["indices"]).chunks_exact(4) {
                            prop_assert!((u32::from_le_bytes(index.try_into().unwrap()) as usize) < vertices);
                        }
                    }
                }
                for node in glb.json["nodes"].as_array().into_iter().flatten() {
                    for child in node["children"].as_array().into_iter().flatten() {
                        prop_assert!((child.as_u64().unwrap() as usize) < nodes);
                    }
                }
            }
            Err(SceneError::BadTransform { .. }) => {}
            Err(error) => prop_assert_eq!(Err(error), checked),
        }
    }
}
