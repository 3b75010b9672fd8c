//! What is in a written file.

mod support;

use serde_json::json;
use support::{Glb, f32s, scene, triangle, u32s};
use wasgo_scene::transform::{quaternion_from_yaw, row_bytes, rows_from_yaw};
use wasgo_scene::{Extra, Instances, Material, Mesh, Node, Scene, SceneError, Surface, Transform, glb};

fn read(scene: &Scene<'_>) -> Glb {
    Glb::read(&glb::write(scene).unwrap())
}

#[test]
fn data_comes_back_as_it_went_in() {
    let glb = read(&scene());
    let primitive = &glb.json["meshes"][0]["primitives"][0];
    let surface = triangle();
    assert_eq!(glb.accessor(&primitive["attributes"]["POSITION"]), &*surface.positions);
    assert_eq!(glb.accessor(&primitive["attributes"]["NORMAL"]), &*surface.normals);
    assert_eq!(glb.accessor(&primitive["indices"]), &*surface.indices);
    assert_eq!(primitive["material"], 0);
    assert!(glb.json["asset"]["generator"].as_str().unwrap().starts_with("Wasgo "));
}

#[test]
fn positions_have_bounds() {
    let glb = read(&scene());
    assert_eq!(glb.json["accessors"][0]["min"], json!([0, 0, -2]));
    assert_eq!(glb.json["accessors"][0]["max"], json!([0.1, 0, 1.5]));
}

#[test]
fn colors_are_clamped() {
    let glb = read(&scene());
    let colors = glb.accessor(&glb.json["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"]);
    let expected = f32s(&[1.0, 0.5, 0.25, 1.0, 0.0, 1.0, 0.0, 1.0, 0.1, 0.2, 0.3, 1.0]);
    assert_eq!(colors, &*expected);
}

#[test]
fn views_say_what_they_are_for() {
    let glb = read(&scene());
    let targets: Vec<u64> =
        glb.json["bufferViews"].as_array().unwrap().iter().map(|view| view["target"].as_u64().unwrap()).collect();
    assert_eq!(targets, [34962, 34962, 34962, 34963]);
}

#[test]
fn an_empty_scene_is_a_file() {
    let glb = read(&Scene::default());
    assert_eq!(glb.json.as_object().unwrap().keys().collect::<Vec<_>>(), ["asset", "scene", "scenes"]);
    assert!(glb.bin.is_empty());
}

#[test]
fn surfaces_that_draw_nothing_are_skipped() {
    let mut scene = scene();
    let no_triangles = Surface { indices: u32s(&[]), ..triangle() };
    scene.meshes[0].surfaces = vec![Surface::default(), triangle(), no_triangles.clone()];
    assert_eq!(read(&scene).json["meshes"][0]["primitives"].as_array().unwrap().len(), 1);

    scene.meshes[0].surfaces = vec![Surface::default(), no_triangles];
    let glb = read(&scene);
    assert_eq!((glb.count("meshes"), glb.count("materials"), glb.count("nodes")), (0, 0, 1));
    assert!(glb.json["nodes"][0].get("mesh").is_none());
}

#[test]
fn unused_things_are_not_written() {
    let mut scene = scene();
    scene.meshes.insert(0, Mesh { name: "unused".into(), surfaces: vec![triangle()], ..Mesh::default() });
    scene.materials.insert(0, Material::default());
    scene.meshes[0].surfaces[0].material = Some(0);
    scene.meshes[1].surfaces[0].material = Some(1);
    scene.nodes[0].mesh = Some(1);
    scene.nodes.insert(0, Node { mesh: Some(0), ..Node::default() });
    scene.roots = vec![1];
    let glb = read(&scene);
    assert_eq!((glb.count("meshes"), glb.count("materials"), glb.count("nodes")), (1, 1, 1));
    assert_eq!(glb.json["nodes"][0], json!({"name": "root", "mesh": 0}));
    assert_eq!(glb.json["scenes"][0]["nodes"], json!([0]));
    assert_eq!(glb.json["meshes"][0]["primitives"][0]["material"], 0);
}

#[test]
fn equal_buffers_are_written_once() {
    let mut scene = scene();
    let lod = Surface { indices: u32s(&[0, 2, 1]), ..triangle() };
    scene.meshes.push(Mesh { name: "again".into(), surfaces: vec![triangle(), lod], ..Mesh::default() });
    scene.nodes.push(Node { mesh: Some(1), ..Node::default() });
    scene.roots.push(1);
    let glb = read(&scene);
    // Positions, normals, colours, and two sets of indices.
    assert_eq!(glb.count("accessors"), 5);
}

#[test]
fn instances_become_nodes_that_share_a_mesh() {
    let mut scene = scene();
    let mut transforms = Vec::new();
    transforms.extend(row_bytes(&rows_from_yaw([1.0, 2.0, 3.0], 0.0, 1.0)));
    transforms.extend(row_bytes(&rows_from_yaw([4.0, 5.0, 6.0], 0.75, 2.0)));
    scene.instances = vec![
        Instances { name: "many".into(), mesh: 0, parent: Some(0), transforms: transforms.clone().into() },
        Instances { name: "free".into(), mesh: 0, parent: None, transforms: transforms[..48].into() },
        Instances { name: "none".into(), mesh: 0, parent: None, transforms: (&[][..]).into() },
    ];
    let glb = read(&scene);
    let nodes = glb.json["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 6);
    assert_eq!(nodes[0], json!({"name": "root", "mesh": 0, "children": [1]}));
    assert_eq!(nodes[1], json!({"name": "many", "children": [2, 3]}));
    assert_eq!(nodes[2], json!({"mesh": 0, "translation": [1, 2, 3]}));
    assert_eq!(nodes[4], json!({"name": "free", "children": [5]}));
    assert_eq!(glb.json["scenes"][0]["nodes"], json!([0, 4]));
    let rotation: Vec<f64> = nodes[3]["rotation"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    for (found, expected) in rotation.iter().zip(quaternion_from_yaw(0.75)) {
        assert!((found - f64::from(expected)).abs() < 1e-6, "{rotation:?}");
    }
    assert!((nodes[3]["scale"][1].as_f64().unwrap() - 2.0).abs() < 1e-6);
    assert_eq!(glb.count("meshes"), 1);
    assert_eq!(glb.count("accessors"), 4);
    assert!(glb.json.get("extensionsUsed").is_none());
}

#[test]
fn extras_are_on_their_node() {
    let mut scene = scene();
    scene.nodes[0].extras = [
        ("quote\"d".to_string(), Extra::Text("line\nbreak \u{1F333}".into())),
        ("half".to_string(), Extra::Number(0.5)),
        ("yes".to_string(), Extra::Bool(true)),
    ]
    .into();
    let expected = json!({"half": 0.5, "quote\"d": "line\nbreak \u{1F333}", "yes": true});
    assert_eq!(read(&scene).json["nodes"][0]["extras"], expected);
}

#[test]
fn an_alpha_below_one_blends() {
    let mut scene = scene();
    scene.materials[0].base_color[3] = 0.5;
    scene.materials[0].double_sided = true;
    let glb = read(&scene);
    assert_eq!(glb.json["materials"][0]["alphaMode"], "BLEND");
    assert_eq!(glb.json["materials"][0]["doubleSided"], true);
}

#[test]
fn a_sheared_matrix_is_refused_by_name() {
    let mut rows = rows_from_yaw([0.0; 3], 0.3, 1.0);
    rows[1] = 0.5;
    let mut scene = scene();
    scene.nodes[0].transform = Transform::Rows(rows);
    let error = glb::write(&scene).unwrap_err();
    assert!(error.to_string().starts_with("node 0 \"root\": the matrix is not"), "{error}");

    scene.nodes[0].transform = Transform::IDENTITY;
    scene.instances =
        vec![Instances { name: "bent".into(), mesh: 0, parent: None, transforms: row_bytes(&rows).to_vec().into() }];
    let error = glb::write(&scene).unwrap_err();
    assert!(matches!(error, SceneError::BadTransform { .. }));
    assert!(error.to_string().starts_with("instances 0 \"bent\", instance 0: "), "{error}");
}

#[test]
fn the_same_scene_is_the_same_bytes() {
    assert_eq!(glb::write(&scene()), glb::write(&scene()));
}
