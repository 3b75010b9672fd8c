//! Elixir's structs of scenes. Numbers are terms, so that a wrong one can be named.

use rustler::{Binary, NifStruct, Term};

#[derive(NifStruct)]
#[module = "Wasgo.Scene"]
pub struct SceneTerm<'a> {
    pub name: &'a str,
    pub nodes: Vec<NodeTerm<'a>>,
    pub meshes: Vec<MeshTerm<'a>>,
    pub materials: Vec<MaterialTerm<'a>>,
    pub textures: Vec<TextureTerm<'a>>,
    pub images: Vec<ImageTerm<'a>>,
    pub skins: Vec<SkinTerm<'a>>,
    pub cameras: Vec<CameraTerm<'a>>,
    pub lights: Vec<LightTerm<'a>>,
    pub animations: Vec<AnimationTerm<'a>>,
    pub instances: Vec<InstancesTerm<'a>>,
    pub roots: Vec<usize>,
    pub copyright: &'a str,
    pub extras: Term<'a>,
    pub extensions: Term<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Node"]
pub struct NodeTerm<'a> {
    pub name: &'a str,
    pub translation: Term<'a>,
    pub rotation: Term<'a>,
    pub scale: Term<'a>,
    pub matrix: Term<'a>,
    pub mesh: Option<usize>,
    pub skin: Option<usize>,
    pub weights: Vec<Term<'a>>,
    pub camera: Option<usize>,
    pub light: Option<usize>,
    pub children: Vec<usize>,
    pub extras: Term<'a>,
    pub extensions: Term<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Mesh"]
pub struct MeshTerm<'a> {
    pub name: &'a str,
    pub surfaces: Vec<SurfaceTerm<'a>>,
    pub weights: Vec<Term<'a>>,
    pub extras: Term<'a>,
    pub extensions: Term<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Surface"]
pub struct SurfaceTerm<'a> {
    pub positions: Binary<'a>,
    pub normals: Binary<'a>,
    pub tangents: Binary<'a>,
    pub colors: Binary<'a>,
    pub uvs: Binary<'a>,
    pub uvs2: Binary<'a>,
    pub joints: Binary<'a>,
    pub weights: Binary<'a>,
    pub attributes: Vec<(&'a str, AttributeTerm<'a>)>,
    pub indices: Binary<'a>,
    pub material: Option<usize>,
    pub morphs: Vec<MorphTerm<'a>>,
    pub lods: Vec<LodTerm<'a>>,
    pub extras: Term<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Attribute"]
pub struct AttributeTerm<'a> {
    pub component: Term<'a>,
    pub components: usize,
    pub normalized: bool,
    pub data: Binary<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Morph"]
pub struct MorphTerm<'a> {
    pub name: &'a str,
    pub positions: Binary<'a>,
    pub normals: Binary<'a>,
    pub tangents: Binary<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Lod"]
pub struct LodTerm<'a> {
    pub indices: Binary<'a>,
    pub error: Term<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Material"]
pub struct MaterialTerm<'a> {
    pub name: &'a str,
    pub base_color: Term<'a>,
    pub base_color_texture: Option<TextureRefTerm<'a>>,
    pub metallic: Term<'a>,
    pub roughness: Term<'a>,
    pub metallic_roughness_texture: Option<TextureRefTerm<'a>>,
    pub normal_texture: Option<TextureRefTerm<'a>>,
    pub normal_scale: Term<'a>,
    pub occlusion_texture: Option<TextureRefTerm<'a>>,
    pub occlusion_strength: Term<'a>,
    pub emissive: Term<'a>,
    pub emissive_texture: Option<TextureRefTerm<'a>>,
    pub emissive_strength: Term<'a>,
    pub alpha: Term<'a>,
    pub double_sided: bool,
    pub unlit: bool,
    pub extras: Term<'a>,
    pub extensions: Term<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.TextureRef"]
pub struct TextureRefTerm<'a> {
    pub texture: usize,
    pub uv_set: u32,
    pub offset: Term<'a>,
    pub rotation: Term<'a>,
    pub scale: Term<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Texture"]
pub struct TextureTerm<'a> {
    pub name: &'a str,
    pub image: usize,
    pub fallback: Option<usize>,
    pub magnify: Term<'a>,
    pub minify: Term<'a>,
    pub wrap_u: Term<'a>,
    pub wrap_v: Term<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Image"]
pub struct ImageTerm<'a> {
    pub name: &'a str,
    pub format: Term<'a>,
    pub data: Binary<'a>,
    pub extras: Term<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Skin"]
pub struct SkinTerm<'a> {
    pub name: &'a str,
    pub joints: Vec<usize>,
    pub inverse_bind: Binary<'a>,
    pub skeleton: Option<usize>,
    pub extras: Term<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Camera"]
pub struct CameraTerm<'a> {
    pub name: &'a str,
    pub projection: Term<'a>,
    pub near: Term<'a>,
    pub far: Term<'a>,
    pub extras: Term<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Light"]
pub struct LightTerm<'a> {
    pub name: &'a str,
    pub kind: Term<'a>,
    pub color: Term<'a>,
    pub intensity: Term<'a>,
    pub range: Term<'a>,
    pub extras: Term<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Animation"]
pub struct AnimationTerm<'a> {
    pub name: &'a str,
    pub channels: Vec<ChannelTerm<'a>>,
    pub extras: Term<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Channel"]
pub struct ChannelTerm<'a> {
    pub node: usize,
    pub path: Term<'a>,
    pub interpolation: Term<'a>,
    pub times: Binary<'a>,
    pub values: Binary<'a>,
}

#[derive(NifStruct)]
#[module = "Wasgo.Scene.Instances"]
pub struct InstancesTerm<'a> {
    pub name: &'a str,
    pub mesh: usize,
    pub parent: Option<usize>,
    pub transforms: Binary<'a>,
}
