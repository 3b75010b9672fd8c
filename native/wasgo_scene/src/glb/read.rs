//! Reads GLB and glTF.

mod accessor;
mod at;
mod container;
mod error;
mod extension;
mod material;
mod mesh;
mod parse;
mod source;
mod tree;
mod triangles;

use std::borrow::Cow;
use std::cell::Cell;

use self::at::At;
pub use self::error::{ReadError, ReadFault};
use super::{GENERATOR_PREFIX, LIGHTS};
use crate::validate::{Limits, validate_but_surfaces};
use crate::{Instances, Node, Scene, Transform};

/// Hands out the bytes of a relative URI, if there are any.
pub type Resolver<'o> = dyn Fn(&str) -> Option<Vec<u8>> + 'o;

/// How a file is read, and what it may take.
#[derive(Clone, Copy)]
pub struct ReadOptions<'o> {
    /// How much of everything there may be. Default: those of [`Limits`].
    pub limits: Limits,
    /// Bytes of the JSON. Default 64 MiB.
    pub json_bytes: usize,
    /// Values of the JSON, each of which takes up to 128 bytes while it is read. Default 4,194,304.
    pub json_values: usize,
    /// Bytes taken for data that can't be used where it is in the file: decoded, converted, sparse. Default 512 MiB.
    pub memory: usize,
    /// Whether what a scene can't hold is left out instead of an error: extensions that this crate does not know and that may
    /// refer to parts of the file, points and lines, attributes of unknown names. A normal of no length becomes +Y. What a
    /// file requires is refused in any case. Default: no.
    pub lossy: bool,
    /// Which of the file's scenes; `None`: the one that the file says, else the first.
    pub scene: Option<usize>,
    /// Hands out files that this one refers to by relative URIs. Default: there are none.
    pub resolver: Option<&'o Resolver<'o>>,
}

impl Default for ReadOptions<'_> {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            json_bytes: 64 << 20,
            json_values: 4_194_304,
            memory: 512 << 20,
            lossy: false,
            scene: None,
            resolver: None,
        }
    }
}

/// The scene in a GLB file, with the default [`ReadOptions`].
///
/// # Errors
///
/// As [`read_with`].
pub fn read(file: &[u8]) -> Result<Scene<'_>, ReadError> {
    read_with(file, &ReadOptions::default())
}

/// The scene in a GLB file, or in a glTF file (JSON) whose data is in `data:` URIs.
///
/// Borrows from the file what is there as a scene has it: packed f32 data, 32-bit indices, images. Everything else is
/// converted: narrower and normalized integers, interleaved and sparse data, strips and fans, triangles without indices.
///
/// - One scene is read. Nodes of others stay in the list of nodes, and no root leads to them.
/// - Unknown extensions are kept as they are when they hold no whole number, which might refer to a part of the file; the
///   others are an error with their name, unless [`ReadOptions::lossy`]. Those of materials are kept.
/// - Nodes of `EXT_mesh_gpu_instancing` become [`Instances`].
/// - Normals and tangents whose length is not about 1, as those of few bits, are brought to it.
/// - Extras that are no object are below the name `value`.
///
/// # Errors
///
/// The first fault with its place in the JSON or in the file.
pub fn read_with<'a>(file: &'a [u8], options: &ReadOptions<'_>) -> Result<Scene<'a>, ReadError> {
    let parts = container::parts(file)?;
    if parts.json.len() > options.json_bytes {
        let (count, limit) = (parts.json.len() as u64, options.json_bytes as u64);
        return Err(ReadFault::TooMany { what: "bytes of JSON", count, limit }.at_byte(parts.json_at));
    }
    let value = parse::parse(parts.json, parts.json_at, options.json_values)?;
    let root = At::root(&value);
    check_asset(&root)?;
    let count = |key: &str| root.get(key).map(|list| list.map_or(0, |list| list.len()));
    let counts = Counts {
        nodes: count("nodes")?,
        meshes: count("meshes")?,
        materials: count("materials")?,
        textures: count("textures")?,
        images: count("images")?,
        skins: count("skins")?,
        cameras: count("cameras")?,
        lights: count_lights(&root)?,
        surfaces: Cell::new(0),
        vertices: Cell::new(0),
        triangles: Cell::new(0),
    };
    let own = generator(&root)?.starts_with(GENERATOR_PREFIX);
    let mut reader = Reader { root, options, counts, buffers: Vec::new(), memory: Cell::new(options.memory), own };
    reader.check_required()?;
    reader.read_buffers(parts.bin)?;
    let mut scene = reader.scene()?;
    merge_groups(&mut scene);
    validate_but_surfaces(&scene, &options.limits)
        .map_err(|error| ReadError { place: String::new(), fault: ReadFault::Scene(error) })?;
    Ok(scene)
}

/// How many things there are to refer to, and how many of the largest were read.
struct Counts {
    nodes: usize,
    meshes: usize,
    materials: usize,
    textures: usize,
    images: usize,
    skins: usize,
    cameras: usize,
    lights: usize,
    surfaces: Cell<usize>,
    vertices: Cell<usize>,
    triangles: Cell<usize>,
}

/// `'d`: the parsed JSON, `'a`: the file.
struct Reader<'d, 'a, 'o> {
    root: At<'d, 'd>,
    options: &'o ReadOptions<'o>,
    counts: Counts,
    buffers: Vec<Cow<'a, [u8]>>,
    /// How many bytes may still be taken.
    memory: Cell<usize>,
    /// Whether this crate wrote the file.
    own: bool,
}

impl<'d, 'a> Reader<'d, 'a, '_> {
    /// Called before so many bytes are taken.
    fn charge(&self, at: &At<'d, '_>, bytes: usize) -> Result<(), ReadError> {
        match self.memory.get().checked_sub(bytes) {
            Some(left) => {
                self.memory.set(left);
                Ok(())
            }
            None => {
                let used = self.options.memory - self.memory.get();
                at.at_most("bytes of decoded data", used.saturating_add(bytes), self.options.memory)
            }
        }
    }

    /// Reads the item of a list of the file that is referred to.
    fn entry<T>(
        &self,
        list: &'static str,
        what: &'static str,
        reference: &At<'d, '_>,
        read: impl FnOnce(&At<'d, '_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let root = self.root;
        let list = root.get(list)?;
        let count = list.as_ref().map_or(0, At::len);
        let index = reference.index(what, count)?;
        match list.as_ref().and_then(|list| list.item(index)) {
            Some(at) => read(&at),
            None => Err(reference.error(ReadFault::NoSuch { what, index: index as u64, count })),
        }
    }

    fn scene(&self) -> Result<Scene<'a>, ReadError> {
        let root = self.root;
        let (nodes, instances) = self.read_nodes()?;
        let mut scene = Scene {
            meshes: self.read_meshes()?,
            materials: self.read_materials()?,
            textures: self.read_textures()?,
            images: self.read_images()?,
            skins: self.read_skins()?,
            cameras: self.read_cameras()?,
            lights: self.read_lights()?,
            animations: self.read_animations()?,
            nodes,
            instances,
            copyright: root.need("asset")?.or("copyright", "", |at| at.text())?.into(),
            extensions: self.extensions(&root, &[LIGHTS])?,
            ..Scene::default()
        };
        match root.get("scenes")? {
            None => scene.roots = orphans(&scene.nodes),
            Some(list) => {
                let number = match self.options.scene {
                    Some(number) => number,
                    None => root.or("scene", 0, |at| at.index("scene", list.len()))?,
                };
                let Some(at) = list.item(number) else {
                    let (index, count) = (number as u64, list.len());
                    return Err(list.error(ReadFault::NoSuch { what: "scene", index, count }));
                };
                self.refuse_extensions(&at)?;
                scene.name = at.name()?;
                scene.extras = self.extras(&at)?;
                scene.roots = at.or("nodes", Vec::new(), |at| at.indices("node", self.counts.nodes))?;
            }
        }
        Ok(scene)
    }
}

fn check_asset(root: &At<'_, '_>) -> Result<(), ReadError> {
    let asset = root.need("asset")?;
    let version = match asset.get("minVersion")? {
        Some(least) => least,
        None => asset.need("version")?,
    };
    let text = version.text()?;
    // A later minor version only adds what may be left unread.
    let known = if version.place().ends_with("minVersion") { text == "2.0" } else { text.starts_with("2.") };
    if known { Ok(()) } else { Err(version.error(ReadFault::Version(source::shortened(text)))) }
}

fn generator<'d>(root: &At<'d, '_>) -> Result<&'d str, ReadError> {
    root.need("asset")?.or("generator", "", |at| at.text())
}

fn count_lights(root: &At<'_, '_>) -> Result<usize, ReadError> {
    let Some(extensions) = root.get("extensions")? else { return Ok(0) };
    let Some(lights) = extensions.get(LIGHTS)? else { return Ok(0) };
    Ok(lights.get("lights")?.map_or(0, |list| list.len()))
}

/// The nodes that are nobody's child.
fn orphans(nodes: &[Node]) -> Vec<usize> {
    let mut free = vec![true; nodes.len()];
    for child in nodes.iter().flat_map(|node| &node.children) {
        free[*child] = false;
    }
    (0..nodes.len()).filter(|node| free[*node]).collect()
}

/// A node that does nothing but hold instances is no node of its own: the set hangs in its parent. Only such nodes at the
/// end of the list go, so that all numbers stay.
fn merge_groups(scene: &mut Scene<'_>) {
    let mut kept = scene.nodes.len();
    let plain = |set: &Instances<'_>, node: &Node| {
        *node == Node { name: set.name.clone(), transform: Transform::IDENTITY, ..Node::default() }
    };
    let mut sets = scene.instances.iter_mut().rev();
    let mut gone = Vec::new();
    while let Some(set) = sets.next()
        && kept > 0
        && set.parent == Some(kept - 1)
        && plain(set, &scene.nodes[kept - 1])
    {
        kept -= 1;
        gone.push(set);
    }
    let used = |node: &usize| *node >= kept;
    let joint = scene.skins.iter().any(|skin| skin.joints.iter().chain(&skin.skeleton).any(used));
    let moved = scene.animations.iter().flat_map(|animation| &animation.channels).any(|channel| used(&channel.node));
    if joint || moved || gone.is_empty() {
        return;
    }
    for set in gone {
        set.parent = None;
    }
    let mut parents = vec![None; scene.nodes.len() - kept];
    for (index, node) in scene.nodes[..kept].iter().enumerate() {
        for child in node.children.iter().filter(|child| used(child)) {
            parents[child - kept] = Some(index);
        }
    }
    let first = scene.instances.len() - parents.len();
    for (set, parent) in scene.instances[first..].iter_mut().zip(&parents) {
        set.parent = *parent;
    }
    // Instances that neither a parent nor a root leads to stay out of sight.
    let mut shown: Vec<bool> = parents.iter().map(Option::is_some).collect();
    for root in scene.roots.iter().filter(|root| used(root)) {
        shown[root - kept] = true;
    }
    let mut number = 0;
    scene.instances.retain(|_| {
        number += 1;
        number <= first || shown[number - 1 - first]
    });
    scene.roots.retain(|root| !used(root));
    for node in &mut scene.nodes {
        node.children.retain(|child| !used(child));
    }
    scene.nodes.truncate(kept);
}
