//! Scenes of everything that there is, by a number.

use std::collections::BTreeMap;

use wasgo_scene::transform::{quaternion_from_yaw, row_bytes};
use wasgo_scene::{
    AlphaMode, Animation, Attribute, Camera, Channel, ComponentType, ElementShape, Extra, Extras, Filter, Image,
    ImageFormat, Instances, Interpolation, Light, LightKind, Lod, Material, Mesh, MipFilter, Morph, Node, Path,
    Projection, Sampler, Scene, Skin, Surface, Texture, TextureRef, TextureTransform, Transform, Wrap,
};

use super::{f32s, u32s};

/// One pixel.
pub const PNG: [u8; 69] = [
    0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0x00, 0x00, 0x00, 0x0D, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00, 0x00, 0x90, 0x77, 0x53, 0xDE, 0x00, 0x00, 0x00, 0x0C, 0x49,
    0x44, 0x41, 0x54, 0x78, 0xDA, 0x63, 0xF8, 0xDF, 0xE0, 0x00, 0x00, 0x04, 0x41, 0x01, 0xC0, 0x32, 0x2C, 0x3E, 0x3D,
    0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82,
];

/// Numbers that a number leads to.
pub struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    fn yes(&mut self) -> bool {
        self.next() & 1 == 1
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u32 << 24) as f32
    }

    fn metres(&mut self) -> f32 {
        self.unit() * 20.0 - 10.0
    }

    fn some<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.yes().then(|| value(self))
    }

    fn name(&mut self) -> String {
        ["", "a", "Fels \u{1F333}", "quote\"d \\ and\nmore", "x/y~z"][self.below(5)].into()
    }

    fn array<const N: usize>(&mut self) -> [f32; N] {
        std::array::from_fn(|_| self.unit())
    }

    fn vectors(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.metres()).collect()
    }

    fn extras(&mut self) -> Extras {
        let count = self.below(3);
        (0..count).map(|number| (format!("key {number}"), self.extra(2))).collect()
    }

    fn extra(&mut self, depth: usize) -> Extra {
        match self.below(if depth == 0 { 5 } else { 7 }) {
            0 => Extra::Null,
            1 => Extra::Bool(self.yes()),
            2 => Extra::Integer(self.next().cast_signed() >> self.below(63)),
            3 => Extra::Number(f64::from(self.metres()) + 1e-9),
            4 => Extra::Text(self.name()),
            5 => Extra::List((0..self.below(3)).map(|_| self.extra(depth - 1)).collect()),
            _ => Extra::Map((0..self.below(3)).map(|n| (n.to_string(), self.extra(depth - 1))).collect()),
        }
    }

    fn direction(&mut self) -> [f32; 3] {
        let (sin, cos) = libm::sincosf(self.unit() * 6.0);
        [cos, 0.0, sin]
    }

    fn surface(&mut self, materials: usize, skinned: bool, morphs: usize) -> Surface<'static> {
        let vertices = 3 + self.below(30);
        let mut surface = Surface {
            positions: f32s(&self.vectors(vertices * 3)),
            normals: f32s(&(0..vertices).flat_map(|_| self.direction()).collect::<Vec<_>>()),
            uvs: f32s(&self.vectors(vertices * 2)),
            uvs2: f32s(&self.vectors(vertices * 2)),
            material: self.some(|r| r.below(materials)),
            extras: self.extras(),
            ..Surface::default()
        };
        let tangent = |r: &mut Self| {
            let [x, y, z] = r.direction();
            [x, y, z, if r.yes() { 1.0 } else { -1.0 }]
        };
        surface.tangents = f32s(&(0..vertices).flat_map(|_| tangent(self)).collect::<Vec<_>>());
        if self.yes() {
            surface.colors = f32s(&(0..vertices * 4).map(|_| self.unit()).collect::<Vec<_>>());
        }
        if skinned {
            let joints = [[0u16, 1, 2, 0], [2, 0, 0, 0], [1, 0, 0, 0]];
            let weights = [[0.5f32, 0.25, 0.25, 0.0], [1.0, 0.0, 0.0, 0.0], [0.75, 0.25, 0.0, 0.0]];
            let which: Vec<usize> = (0..vertices).map(|_| self.below(3)).collect();
            let joints = which.iter().flat_map(|w| joints[*w]).flat_map(u16::to_le_bytes);
            surface.joints = joints.collect::<Vec<_>>().into();
            surface.weights = f32s(&which.iter().flat_map(|w| weights[*w]).collect::<Vec<_>>());
        }
        if self.yes() {
            let bytes: Vec<u8> = (0..vertices * 3).map(|_| self.next() as u8).collect();
            let (component, shape) = (ComponentType::UnsignedByte, ElementShape::Vec3);
            let attribute = Attribute { component, normalized: self.yes(), shape, bytes: bytes.into() };
            surface.attributes.insert("_WIND".into(), attribute);
        }
        let corners =
            |r: &mut Self, count: usize| -> Vec<u32> { (0..count * 3).map(|_| r.below(vertices) as u32).collect() };
        let triangles = 1 + self.below(20);
        surface.indices = u32s(&corners(self, triangles));
        for number in 0..self.below(3) {
            let indices = u32s(&corners(self, 1));
            surface.lods.push(Lod { indices, error: number as f32 * 0.125 });
        }
        for number in 0..morphs {
            let mut part = |yes: bool| if yes { f32s(&self.vectors(vertices * 3)) } else { f32s(&[]) };
            surface.morphs.push(Morph {
                name: format!("morph {number}"),
                positions: part(number != 1),
                normals: part(number == 0),
                tangents: part(number == 2),
            });
        }
        surface
    }

    fn reference(&mut self, textures: usize) -> Option<TextureRef> {
        if textures == 0 || self.yes() {
            return None;
        }
        let transform = self.some(|r| TextureTransform {
            offset: r.array(),
            rotation: r.metres(),
            scale: r.array(),
            uv_set: r.some(|r| r.below(2) as u32),
        });
        Some(TextureRef { texture: self.below(textures), uv_set: self.below(2) as u32, transform })
    }

    fn material(&mut self, textures: usize) -> Material {
        let emissive = if self.yes() { self.array() } else { [0.0; 3] };
        let bright = emissive != [0.0; 3] && self.yes();
        let mut extensions = Extras::new();
        if self.yes() && textures > 0 {
            let texture = Extra::Map(BTreeMap::from([(
                "index".into(),
                Extra::Integer(i64::try_from(self.below(textures)).unwrap()),
            )]));
            extensions.insert(
                "KHR_materials_clearcoat".into(),
                Extra::Map(BTreeMap::from([
                    ("clearcoatFactor".into(), Extra::Number(0.5)),
                    ("clearcoatTexture".into(), texture),
                ])),
            );
        }
        Material {
            name: self.name(),
            base_color: self.array(),
            base_color_texture: self.reference(textures),
            metallic: self.unit(),
            roughness: self.unit(),
            metallic_roughness_texture: self.reference(textures),
            normal_texture: self.reference(textures),
            normal_scale: 1.0,
            occlusion_texture: self.reference(textures),
            occlusion_strength: 1.0,
            emissive,
            emissive_texture: self.reference(textures),
            emissive_strength: if bright { 3.5 } else { 1.0 },
            alpha: [AlphaMode::Opaque, AlphaMode::Mask(0.25), AlphaMode::Blend][self.below(3)],
            double_sided: self.yes(),
            unlit: extensions.is_empty() && !bright && self.yes(),
            extras: self.extras(),
            extensions,
        }
    }

    fn sampler(&mut self) -> Sampler {
        let filter = |r: &mut Self| if r.yes() { Filter::Nearest } else { Filter::Linear };
        let wrap = |r: &mut Self| [Wrap::Repeat, Wrap::Mirror, Wrap::Clamp][r.below(3)];
        Sampler {
            magnify: self.some(filter),
            minify: self.some(|r| (filter(r), [MipFilter::None, MipFilter::Nearest, MipFilter::Linear][r.below(3)])),
            wrap_u: wrap(self),
            wrap_v: wrap(self),
        }
    }

    fn channel(&mut self, node: usize, path: Path, numbers: usize) -> Channel<'static> {
        let interpolation = [Interpolation::Linear, Interpolation::Step, Interpolation::Cubic][self.below(3)];
        let keys = 2 + self.below(4);
        let each = if interpolation == Interpolation::Cubic { 3 } else { 1 };
        let times: Vec<f32> = (0..keys).map(|key| key as f32 * 0.25).collect();
        let values: Vec<f32> = match path {
            Path::Rotation => (0..keys * each).flat_map(|_| quaternion_from_yaw(self.metres())).collect(),
            _ => self.vectors(keys * each * numbers),
        };
        Channel { node, path, interpolation, times: f32s(&times), values: f32s(&values) }
    }
}

/// A scene of nearly everything, as a file says it: nothing is in it that a file would leave out or say otherwise.
/// `every` allows image formats that only exist by their extensions.
pub fn random_scene(number: u64, every: bool) -> Scene<'static> {
    let mut r = Random(number.wrapping_mul(0xD134_2543_DE82_EF95));
    let textures = r.below(4);
    let mut scene = Scene { name: r.name(), copyright: r.name(), extras: r.extras(), ..Scene::default() };
    if textures > 0 {
        let image = |name: &str, format, bytes: &[u8], extras| Image {
            name: name.into(),
            format,
            bytes: bytes.to_vec().into(),
            extras,
        };
        scene.images.push(image("pixel", ImageFormat::Png, &PNG, r.extras()));
        if every {
            scene.images.push(image("web", ImageFormat::Webp, b"RIFF\x04\0\0\0WEBP", Extras::new()));
            scene.images.push(image("gpu", ImageFormat::Ktx2, b"\xABKTX 20\xBB\r\n\x1A\n", Extras::new()));
        }
    }
    for _ in 0..textures {
        let image = r.below(scene.images.len());
        let fallback = (image > 0).then_some(0);
        scene.textures.push(Texture { name: r.name(), image, fallback, sampler: r.sampler() });
    }
    let materials = 1 + r.below(3);
    scene.materials = (0..materials).map(|_| r.material(textures)).collect();
    // Mesh 0 is bent by joints, mesh 1 is blended, mesh 2 is placed many times.
    let morphs = 1 + r.below(3);
    for (skinned, morphs) in [(true, 0), (false, morphs), (false, 0)] {
        let surfaces = (0..1 + r.below(2)).map(|_| r.surface(materials, skinned, morphs)).collect();
        let weights = if r.yes() { r.array::<4>()[..morphs].to_vec() } else { Vec::new() };
        scene.meshes.push(Mesh { name: r.name(), surfaces, weights, extras: r.extras(), ..Mesh::default() });
    }
    for _ in 0..2 {
        let near = 0.25 + r.unit();
        let projection = if r.yes() {
            let (aspect, far) = (r.some(|r| 0.5 + r.unit()), r.some(|r| near + 1.0 + r.unit()));
            Projection::Perspective { yfov: 0.5 + r.unit(), aspect, near, far }
        } else {
            Projection::Orthographic { xmag: 1.0 + r.unit(), ymag: 2.0, near, far: near + 5.0 }
        };
        scene.cameras.push(Camera { name: r.name(), projection, extras: r.extras() });
        let kind = [LightKind::Directional, LightKind::Point, LightKind::Spot { inner: 0.25, outer: 0.5 + r.unit() }]
            [r.below(3)];
        let range = if kind == LightKind::Directional { None } else { r.some(|r| 1.0 + r.unit()) };
        let (color, intensity) = (r.array(), r.unit() * 100.0);
        scene.lights.push(Light { name: r.name(), color, intensity, range, kind, extras: r.extras() });
    }
    tree(&mut r, &mut scene, morphs);
    drop_unused(&mut scene);
    scene
}

/// Nodes 0 to 2 are joints, 3 shows the bent mesh, 4 the blended one, the others hang somewhere.
fn tree(r: &mut Random, scene: &mut Scene<'static>, morphs: usize) {
    let place = |r: &mut Random| Transform::Trs {
        translation: std::array::from_fn(|_| r.metres()),
        rotation: [[0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.6, 0.0, 0.8]][r.below(3)],
        scale: if r.yes() { [1.0; 3] } else { [1.5, 0.5, -2.0] },
    };
    let node = |r: &mut Random| Node { name: r.name(), transform: place(r), extras: r.extras(), ..Node::default() };
    scene.nodes = (0..6 + r.below(5)).map(|_| node(r)).collect();
    scene.nodes[0].children = vec![1, 2];
    scene.nodes[3].mesh = Some(0);
    scene.nodes[3].skin = Some(0);
    scene.nodes[3].transform = Transform::IDENTITY;
    scene.nodes[4].mesh = Some(1);
    if r.yes() {
        scene.nodes[4].weights = r.array::<4>()[..morphs].to_vec();
    }
    scene.nodes[5].mesh = Some(2);
    scene.nodes[1].camera = Some(0);
    scene.nodes[2].light = Some(0);
    scene.nodes[4].camera = Some(1);
    scene.nodes[4].light = Some(1);
    let flag = Extra::Map(BTreeMap::from([("visible".into(), Extra::Bool(true))]));
    scene.nodes[5].extensions.insert("KHR_node_visibility".into(), flag);
    scene.roots = vec![0, 3];
    for index in 4..scene.nodes.len() {
        let parent = [0, 1, 2, 4, 5][r.below(5)];
        if parent < index && r.yes() {
            scene.nodes[parent].children.push(index);
        } else {
            scene.roots.push(index);
        }
    }
    let matrix = |r: &mut Random| {
        let mut matrix = [0.0f32; 16];
        [0, 5, 10, 15].iter().for_each(|at| matrix[*at] = 1.0);
        [12, 13, 14].iter().for_each(|at| matrix[*at] = r.metres());
        matrix
    };
    let matrices: Vec<f32> = (0..3).flat_map(|_| matrix(r)).collect();
    scene.skins.push(Skin {
        name: r.name(),
        joints: vec![0, 1, 2],
        inverse_bind: if r.yes() { f32s(&matrices) } else { f32s(&[]) },
        skeleton: r.some(|_| 0),
        extras: r.extras(),
    });
    for _ in 0..r.below(3) {
        let mut channels = vec![r.channel(4, Path::Weights, morphs)];
        for path in [Path::Translation, Path::Rotation, Path::Scale] {
            if r.yes() {
                let node = r.below(3);
                channels.push(r.channel(node, path, 3));
            }
        }
        scene.animations.push(Animation { name: r.name(), channels, extras: r.extras() });
    }
    for _ in 0..r.below(3) {
        let transform = |r: &mut Random| {
            let [x, y, z] = std::array::from_fn(|_| r.metres());
            row_bytes(&[2.0, 0.0, 0.0, x, 0.0, 2.0, 0.0, y, 0.0, 0.0, 2.0, z])
        };
        let transforms: Vec<u8> = (0..1 + r.below(5)).flat_map(|_| transform(r)).collect();
        let parent = r.some(|r| r.below(scene.nodes.len()));
        scene.instances.push(Instances { name: r.name(), mesh: 2, parent, transforms: transforms.into() });
    }
}

/// A file has no materials that nothing shows, and no textures and images without a material.
fn drop_unused(scene: &mut Scene<'static>) {
    let file = wasgo_scene::glb::write(scene).unwrap();
    let json = super::Glb::read(&file).json;
    let count = |what: &str| json[what].as_array().map_or(0, Vec::len);
    if count("materials") == scene.materials.len()
        && count("textures") == scene.textures.len()
        && count("images") == scene.images.len()
    {
        return;
    }
    for surface in scene.meshes.iter_mut().flat_map(|mesh| &mut mesh.surfaces) {
        surface.material = None;
    }
    scene.materials.clear();
    scene.textures.clear();
    scene.images.clear();
}
