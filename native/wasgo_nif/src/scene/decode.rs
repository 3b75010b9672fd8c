//! Scenes out of Elixir's structs. Binaries are borrowed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rustler::{Atom, Binary, Term, TermType};
use wasgo_scene::{
    AlphaMode, Animation, Attribute, Camera, Channel, ElementShape, Extra, Extras, Image, Instances, Light, LightKind,
    Lod, Material, Mesh, Morph, Node, Projection, Sampler, Scene, Skin, Surface, Texture, TextureRef, TextureTransform,
    Transform,
};

use super::terms::{
    AnimationTerm, AttributeTerm, CameraTerm, ChannelTerm, LightTerm, MaterialTerm, MeshTerm, NodeTerm, SceneTerm,
    SurfaceTerm, TextureRefTerm, TextureTerm,
};
use super::words::{self, Words, choice};
use crate::{atoms, float};

/// What is wrong with the terms of a scene, in words.
pub struct Wrong(pub String);

type Read<T> = Result<T, Wrong>;

/// Lists and maps around an extra, beyond which nothing is read: the native side walks them by recursion.
const EXTRA_DEPTH: usize = 64;

pub fn scene<'a>(scene: &SceneTerm<'a>) -> Read<Scene<'a>> {
    Ok(Scene {
        name: scene.name.into(),
        nodes: scene.nodes.iter().map(node).collect::<Read<_>>()?,
        meshes: scene.meshes.iter().map(mesh).collect::<Read<_>>()?,
        materials: scene.materials.iter().map(material).collect::<Read<_>>()?,
        textures: scene.textures.iter().map(texture).collect::<Read<_>>()?,
        images: scene
            .images
            .iter()
            .map(|each| {
                Ok(Image {
                    name: each.name.into(),
                    format: word("the format", each.name, words::FORMATS, each.format)?,
                    bytes: bytes(each.data),
                    extras: extras(each.name, each.extras)?,
                })
            })
            .collect::<Read<_>>()?,
        skins: scene
            .skins
            .iter()
            .map(|each| {
                Ok(Skin {
                    name: each.name.into(),
                    joints: each.joints.clone(),
                    inverse_bind: bytes(each.inverse_bind),
                    skeleton: each.skeleton,
                    extras: extras(each.name, each.extras)?,
                })
            })
            .collect::<Read<_>>()?,
        cameras: scene.cameras.iter().map(camera).collect::<Read<_>>()?,
        lights: scene.lights.iter().map(light).collect::<Read<_>>()?,
        animations: scene.animations.iter().map(animation).collect::<Read<_>>()?,
        instances: scene
            .instances
            .iter()
            .map(|set| Instances {
                name: set.name.into(),
                mesh: set.mesh,
                parent: set.parent,
                transforms: bytes(set.transforms),
            })
            .collect(),
        roots: scene.roots.clone(),
        copyright: scene.copyright.into(),
        extras: extras(scene.name, scene.extras)?,
        extensions: extras(scene.name, scene.extensions)?,
    })
}

fn bytes<'a>(binary: Binary<'a>) -> Cow<'a, [u8]> {
    Cow::Borrowed(binary.as_slice())
}

pub fn number(what: &str, name: &str, term: Term<'_>) -> Read<f32> {
    float::decode(term)
        .map(|value| value as f32)
        .ok_or_else(|| Wrong(format!("{what} of \"{name}\" must be a number, and is {term:?}")))
}

fn numbers<const N: usize>(what: &str, name: &str, term: Term<'_>) -> Read<[f32; N]> {
    let terms = rustler::types::tuple::get_tuple(term).unwrap_or_default();
    let mut array = [0.0; N];
    if terms.len() != N {
        return Err(Wrong(format!("{what} of \"{name}\" must be a tuple of {N} numbers, and is {term:?}")));
    }
    for (place, term) in array.iter_mut().zip(terms) {
        *place = number(what, name, term)?;
    }
    Ok(array)
}

fn list(what: &str, name: &str, terms: &[Term<'_>]) -> Read<Vec<f32>> {
    terms.iter().map(|term| number(what, name, *term)).collect()
}

fn word<T: Copy>(what: &str, name: &str, words: Words<T>, term: Term<'_>) -> Read<T> {
    let text = if term.is_atom() { term.atom_to_string().unwrap_or_default() } else { String::new() };
    choice(words, &text).ok_or_else(|| {
        let known: Vec<String> = words.iter().map(|(_, word)| format!(":{word}")).collect();
        Wrong(format!("{what} of \"{name}\" must be one of {}, and is {term:?}", known.join(", ")))
    })
}

fn is(term: Term<'_>, atom: Atom) -> bool {
    Atom::from_term(term).is_ok_and(|found| found == atom)
}

/// Nothing for `nil`.
fn given(term: Term<'_>) -> Option<Term<'_>> {
    (!is(term, atoms::nil())).then_some(term)
}

fn node(node: &NodeTerm<'_>) -> Read<Node> {
    let name = node.name;
    let transform = match given(node.matrix) {
        Some(matrix) => Transform::Rows(numbers("the matrix", name, matrix)?),
        None => Transform::Trs {
            translation: numbers("the translation", name, node.translation)?,
            rotation: numbers("the rotation", name, node.rotation)?,
            scale: numbers("the scale", name, node.scale)?,
        },
    };
    Ok(Node {
        name: name.into(),
        transform,
        mesh: node.mesh,
        skin: node.skin,
        weights: list("a weight", name, &node.weights)?,
        camera: node.camera,
        light: node.light,
        children: node.children.clone(),
        extras: extras(name, node.extras)?,
        extensions: extras(name, node.extensions)?,
    })
}

/// A list of pairs or a map, of names and JSON values.
fn extras(owner: &str, term: Term<'_>) -> Read<Extras> {
    let mut extras = BTreeMap::new();
    let pairs: Vec<(Term<'_>, Term<'_>)> = match rustler::MapIterator::new(term) {
        Some(pairs) => pairs.collect(),
        None => term.decode().map_err(|_| {
            Wrong(format!("the extras of \"{owner}\" must be a list of pairs or a map, and are {term:?}"))
        })?,
    };
    for (key, value) in pairs {
        let key: &str = key
            .decode()
            .map_err(|_| Wrong(format!("the name of an extra of \"{owner}\" must be text, and is {key:?}")))?;
        extras.insert(key.into(), extra(owner, key, value, 0)?);
    }
    Ok(extras)
}

fn extra(owner: &str, key: &str, term: Term<'_>, depth: usize) -> Read<Extra> {
    let wrong = || {
        Wrong(format!(
            "the extra \"{key}\" of \"{owner}\" must be text, a number, a boolean, nil, or lists or maps of them"
        ))
    };
    if depth > EXTRA_DEPTH {
        return Err(Wrong(format!("the extra \"{key}\" of \"{owner}\" nests deeper than {EXTRA_DEPTH}")));
    }
    match term.get_type() {
        TermType::Binary => Ok(Extra::Text(term.decode::<&str>().map_err(|_| wrong())?.into())),
        TermType::Integer => match term.decode::<i64>() {
            Ok(value) => Ok(Extra::Integer(value)),
            Err(_) => Err(wrong()),
        },
        TermType::Atom if is(term, atoms::true_()) => Ok(Extra::Bool(true)),
        TermType::Atom if is(term, atoms::false_()) => Ok(Extra::Bool(false)),
        TermType::Atom if is(term, atoms::nil()) => Ok(Extra::Null),
        TermType::List => {
            let items: Vec<Term<'_>> = term.decode().map_err(|_| wrong())?;
            Ok(Extra::List(items.into_iter().map(|item| extra(owner, key, item, depth + 1)).collect::<Read<_>>()?))
        }
        TermType::Map => {
            let mut fields = BTreeMap::new();
            for (name, value) in rustler::MapIterator::new(term).ok_or_else(wrong)? {
                let name: &str = name.decode().map_err(|_| wrong())?;
                fields.insert(name.into(), extra(owner, key, value, depth + 1)?);
            }
            Ok(Extra::Map(fields))
        }
        _ => float::decode(term).map(Extra::Number).ok_or_else(wrong),
    }
}

fn mesh<'a>(mesh: &MeshTerm<'a>) -> Read<Mesh<'a>> {
    Ok(Mesh {
        name: mesh.name.into(),
        surfaces: mesh.surfaces.iter().map(|each| surface(mesh.name, each)).collect::<Read<_>>()?,
        weights: list("a weight", mesh.name, &mesh.weights)?,
        extras: extras(mesh.name, mesh.extras)?,
        extensions: extras(mesh.name, mesh.extensions)?,
    })
}

fn surface<'a>(mesh: &str, surface: &SurfaceTerm<'a>) -> Read<Surface<'a>> {
    let morphs = surface.morphs.iter().map(|morph| Morph {
        name: morph.name.into(),
        positions: bytes(morph.positions),
        normals: bytes(morph.normals),
        tangents: bytes(morph.tangents),
    });
    let lods = surface
        .lods
        .iter()
        .map(|lod| Ok(Lod { indices: bytes(lod.indices), error: number("the error of a LOD", mesh, lod.error)? }));
    let mut attributes = BTreeMap::new();
    for (name, each) in &surface.attributes {
        attributes.insert((*name).into(), attribute(mesh, each)?);
    }
    Ok(Surface {
        positions: bytes(surface.positions),
        normals: bytes(surface.normals),
        tangents: bytes(surface.tangents),
        colors: bytes(surface.colors),
        uvs: bytes(surface.uvs),
        uvs2: bytes(surface.uvs2),
        joints: bytes(surface.joints),
        weights: bytes(surface.weights),
        attributes,
        indices: bytes(surface.indices),
        material: surface.material,
        morphs: morphs.collect(),
        lods: lods.collect::<Read<_>>()?,
        extras: extras(mesh, surface.extras)?,
    })
}

fn attribute<'a>(mesh: &str, attribute: &AttributeTerm<'a>) -> Read<Attribute<'a>> {
    let shape = match attribute.components {
        1 => ElementShape::Scalar,
        2 => ElementShape::Vec2,
        3 => ElementShape::Vec3,
        4 => ElementShape::Vec4,
        other => return Err(Wrong(format!("an attribute of \"{mesh}\" must have 1 to 4 components, and has {other}"))),
    };
    Ok(Attribute {
        component: word("the component of an attribute", mesh, words::COMPONENTS, attribute.component)?,
        normalized: attribute.normalized,
        shape,
        bytes: bytes(attribute.data),
    })
}

fn material(material: &MaterialTerm<'_>) -> Read<Material> {
    let name = material.name;
    let part = |what, term| number(what, name, term);
    let reference = |term: &Option<TextureRefTerm<'_>>| term.as_ref().map(|term| texture_ref(name, term)).transpose();
    Ok(Material {
        name: name.into(),
        base_color: numbers("the base colour", name, material.base_color)?,
        base_color_texture: reference(&material.base_color_texture)?,
        metallic: part("the metallic factor", material.metallic)?,
        roughness: part("the roughness", material.roughness)?,
        metallic_roughness_texture: reference(&material.metallic_roughness_texture)?,
        normal_texture: reference(&material.normal_texture)?,
        normal_scale: part("the normal scale", material.normal_scale)?,
        occlusion_texture: reference(&material.occlusion_texture)?,
        occlusion_strength: part("the occlusion strength", material.occlusion_strength)?,
        emissive: numbers("the emissive colour", name, material.emissive)?,
        emissive_texture: reference(&material.emissive_texture)?,
        emissive_strength: part("the emissive strength", material.emissive_strength)?,
        alpha: alpha(name, material.alpha)?,
        double_sided: material.double_sided,
        unlit: material.unlit,
        extras: extras(name, material.extras)?,
        extensions: extras(name, material.extensions)?,
    })
}

fn alpha(name: &str, term: Term<'_>) -> Read<AlphaMode> {
    const MODES: Words<AlphaMode> =
        &[(AlphaMode::Auto, "auto"), (AlphaMode::Opaque, "opaque"), (AlphaMode::Blend, "blend")];
    match term.decode::<(Atom, Term<'_>)>() {
        Ok((mode, cutoff)) if mode == atoms::mask() => Ok(AlphaMode::Mask(number("the cutoff", name, cutoff)?)),
        _ => word("alpha, without {:mask, cutoff},", name, MODES, term),
    }
}

fn texture_ref(name: &str, term: &TextureRefTerm<'_>) -> Read<TextureRef> {
    let transform = TextureTransform {
        offset: numbers("the offset of a texture", name, term.offset)?,
        rotation: number("the rotation of a texture", name, term.rotation)?,
        scale: numbers("the scale of a texture", name, term.scale)?,
        uv_set: None,
    };
    let transform = (transform != TextureTransform::default()).then_some(transform);
    Ok(TextureRef { texture: term.texture, uv_set: term.uv_set, transform })
}

fn texture(texture: &TextureTerm<'_>) -> Read<Texture> {
    let name = texture.name;
    let filter = |term| word("a filter", name, words::FILTERS, term);
    let magnify = if is(texture.magnify, atoms::nil()) { None } else { Some(filter(texture.magnify)?) };
    let minify = match texture.minify.decode::<(Term<'_>, Term<'_>)>() {
        Ok((pixels, copies)) => Some((filter(pixels)?, word("a filter", name, words::MIP_FILTERS, copies)?)),
        Err(_) if is(texture.minify, atoms::nil()) => None,
        Err(_) => return Err(Wrong(format!("minify of \"{name}\" must be a pair of filters or nil"))),
    };
    let wrap = |term| word("the wrapping", name, words::WRAPS, term);
    let sampler = Sampler { magnify, minify, wrap_u: wrap(texture.wrap_u)?, wrap_v: wrap(texture.wrap_v)? };
    Ok(Texture { name: name.into(), image: texture.image, fallback: texture.fallback, sampler })
}

fn camera(camera: &CameraTerm<'_>) -> Read<Camera> {
    let name = camera.name;
    let near = number("near", name, camera.near)?;
    let far = given(camera.far).map(|far| number("far", name, far)).transpose()?;
    let wrong = || {
        Wrong(format!(
            "the projection of \"{name}\" must be {{:perspective, yfov, aspect}} or {{:orthographic, xmag, ymag}}"
        ))
    };
    let (kind, first, second) = camera.projection.decode::<(Atom, Term<'_>, Term<'_>)>().map_err(|_| wrong())?;
    let projection = if kind == atoms::perspective() {
        let aspect = if is(second, atoms::nil()) { None } else { Some(number("the aspect", name, second)?) };
        Projection::Perspective { yfov: number("the field of view", name, first)?, aspect, near, far }
    } else if kind == atoms::orthographic() {
        let far = far.ok_or_else(|| Wrong(format!("the orthographic camera \"{name}\" needs far")))?;
        let (xmag, ymag) = (number("xmag", name, first)?, number("ymag", name, second)?);
        Projection::Orthographic { xmag, ymag, near, far }
    } else {
        return Err(wrong());
    };
    Ok(Camera { name: name.into(), projection, extras: extras(name, camera.extras)? })
}

fn light(light: &LightTerm<'_>) -> Read<Light> {
    const KINDS: Words<LightKind> = &[(LightKind::Directional, "directional"), (LightKind::Point, "point")];
    let name = light.name;
    let kind = match light.kind.decode::<(Atom, Term<'_>, Term<'_>)>() {
        Ok((kind, inner, outer)) if kind == atoms::spot() => LightKind::Spot {
            inner: number("the inner angle", name, inner)?,
            outer: number("the outer angle", name, outer)?,
        },
        _ => word("the kind, without {:spot, inner, outer},", name, KINDS, light.kind)?,
    };
    Ok(Light {
        name: name.into(),
        color: numbers("the colour", name, light.color)?,
        intensity: number("the intensity", name, light.intensity)?,
        range: given(light.range).map(|range| number("the range", name, range)).transpose()?,
        kind,
        extras: extras(name, light.extras)?,
    })
}

fn animation<'a>(animation: &AnimationTerm<'a>) -> Read<Animation<'a>> {
    let channel = |channel: &ChannelTerm<'a>| {
        Ok(Channel {
            node: channel.node,
            path: word("the path of a channel", animation.name, words::PATHS, channel.path)?,
            interpolation: word(
                "the interpolation of a channel",
                animation.name,
                words::INTERPOLATIONS,
                channel.interpolation,
            )?,
            times: bytes(channel.times),
            values: bytes(channel.values),
        })
    };
    Ok(Animation {
        name: animation.name.into(),
        channels: animation.channels.iter().map(channel).collect::<Read<_>>()?,
        extras: extras(animation.name, animation.extras)?,
    })
}
