//! A reader of GLB for tests: checks the container and hands out the JSON and the bytes.
#![allow(dead_code)]

pub mod random;

use std::borrow::Cow;

use serde_json::Value;
use wasgo_scene::{Material, Mesh, Node, Scene, Surface};

pub struct Glb {
    pub json: Value,
    pub bin: Vec<u8>,
}

fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

impl Glb {
    pub fn read(file: &[u8]) -> Self {
        assert_eq!(&file[0..4], b"glTF");
        assert_eq!(word(file, 4), 2);
        assert_eq!(word(file, 8), file.len());
        let json_length = word(file, 12);
        assert_eq!(&file[16..20], b"JSON");
        assert_eq!(json_length % 4, 0);
        let json = serde_json::from_slice(&file[20..20 + json_length]).unwrap();
        let rest = &file[20 + json_length..];
        let mut bin = Vec::new();
        if !rest.is_empty() {
            assert_eq!(word(rest, 0), rest.len() - 8);
            assert_eq!(&rest[4..8], b"BIN\0");
            assert_eq!(rest.len() % 4, 0);
            bin = rest[8..].to_vec();
        }
        Self { json, bin }
    }

    /// The bytes of an accessor, after checking that its view is in the buffer, aligned and of the right length.
    pub fn accessor(&self, number: &Value) -> &[u8] {
        let accessor = &self.json["accessors"][number.as_u64().unwrap() as usize];
        let view = &self.json["bufferViews"][accessor["bufferView"].as_u64().unwrap() as usize];
        let offset = view["byteOffset"].as_u64().unwrap() as usize;
        let length = view["byteLength"].as_u64().unwrap() as usize;
        let components = match accessor["type"].as_str().unwrap() {
            "SCALAR" => 1,
            "VEC3" => 3,
            "VEC4" => 4,
            other => panic!("unexpected type {other}"),
        };
        assert_eq!(offset % 4, 0);
        assert_eq!(accessor["count"].as_u64().unwrap() as usize * components * 4, length);
        &self.bin[offset..offset + length]
    }

    pub fn count(&self, what: &str) -> usize {
        self.json[what].as_array().map_or(0, Vec::len)
    }
}

pub fn f32s(values: &[f32]) -> Cow<'static, [u8]> {
    Cow::Owned(values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

pub fn u32s(values: &[u32]) -> Cow<'static, [u8]> {
    Cow::Owned(values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

pub fn triangle() -> Surface<'static> {
    Surface {
        positions: f32s(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.5, 0.1, 0.0, -2.0]),
        normals: f32s(&[0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]),
        colors: f32s(&[1.0, 0.5, 0.25, 1.0, 0.0, 2.0, -1.0, 1.0, 0.1, 0.2, 0.3, 1.0]),
        indices: u32s(&[0, 1, 2]),
        material: Some(0),
        ..Surface::default()
    }
}

/// One node with one triangle.
pub fn scene() -> Scene<'static> {
    Scene {
        name: "test".into(),
        nodes: vec![Node { name: "root".into(), mesh: Some(0), ..Node::default() }],
        meshes: vec![Mesh { name: "flat".into(), surfaces: vec![triangle()], ..Mesh::default() }],
        materials: vec![Material { name: "paint".into(), ..Material::default() }],
        roots: vec![0],
        ..Scene::default()
    }
}
