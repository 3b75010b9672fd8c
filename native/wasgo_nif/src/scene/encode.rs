//! Scenes as Elixir's structs. Bytes that are part of a binary of Elixir's become a part of that binary, not a copy.

use std::borrow::Cow;

use rustler::{Binary, Encoder, Env, Term};
use wasgo_scene::{
    AlphaMode, Animation, Camera, Extra, Extras, Light, LightKind, Material, Mesh, Node, Projection, Scene, Surface,
    Texture, TextureRef, TextureTransform, Transform,
};

use super::terms::{
    AnimationTerm, AttributeTerm, CameraTerm, ChannelTerm, ImageTerm, InstancesTerm, LightTerm, LodTerm, MaterialTerm,
    MeshTerm, MorphTerm, NodeTerm, SceneTerm, SkinTerm, SurfaceTerm, TextureRefTerm, TextureTerm,
};
use super::words::{self, word};
use crate::{atoms, bytes, fault};

/// The binaries that a scene may borrow from, by where their bytes are.
#[derive(Default)]
pub struct Origins<'o>(Vec<(usize, Binary<'o>)>);

impl<'o> Origins<'o> {
    pub fn add(&mut self, binary: Binary<'o>) {
        if !binary.is_empty() {
            self.0.push((binary.as_slice().as_ptr().addr(), binary));
        }
    }

    /// Those of all that a scene's struct holds.
    pub fn of(scene: &SceneTerm<'o>) -> Self {
        let mut origins = Self::default();
        for surface in scene.meshes.iter().flat_map(|mesh| &mesh.surfaces) {
            let fields = [
                surface.positions,
                surface.normals,
                surface.tangents,
                surface.colors,
                surface.uvs,
                surface.uvs2,
                surface.joints,
                surface.weights,
                surface.indices,
            ];
            let attributes = surface.attributes.iter().map(|(_, attribute)| attribute.data);
            let morphs = surface.morphs.iter().flat_map(|morph| [morph.positions, morph.normals, morph.tangents]);
            let lods = surface.lods.iter().map(|lod| lod.indices);
            fields.into_iter().chain(attributes).chain(morphs).chain(lods).for_each(|binary| origins.add(binary));
        }
        scene.images.iter().for_each(|image| origins.add(image.data));
        scene.skins.iter().for_each(|skin| origins.add(skin.inverse_bind));
        scene.instances.iter().for_each(|set| origins.add(set.transforms));
        for channel in scene.animations.iter().flat_map(|animation| &animation.channels) {
            origins.add(channel.times);
            origins.add(channel.values);
        }
        origins
    }

    /// The origin that holds these bytes, and where in it they begin.
    fn find(&self, slice: &[u8]) -> Option<(Binary<'o>, usize)> {
        let start = slice.as_ptr().addr();
        let after = self.0.partition_point(|(origin, _)| *origin <= start);
        let (origin, binary) = self.0.get(after.checked_sub(1)?)?;
        let offset = start - origin;
        (offset.checked_add(slice.len())? <= binary.len()).then_some((*binary, offset))
    }
}

/// Makes terms in one environment.
pub struct Encode<'e, 'o> {
    env: Env<'e>,
    origins: Origins<'o>,
}

impl<'e, 'o> Encode<'e, 'o> {
    pub fn new(env: Env<'e>, mut origins: Origins<'o>) -> Self {
        // Of two at one place the longer one is found.
        origins.0.sort_by_key(|(origin, binary)| (*origin, binary.len()));
        Self { env, origins }
    }

    fn binary(&self, data: &mut Cow<'_, [u8]>) -> Binary<'e> {
        if let Cow::Borrowed(slice) = data
            && let Some((origin, offset)) = self.origins.find(slice)
            && let Ok(whole) = Binary::from_term(origin.to_term(self.env))
            && let Ok(part) = whole.make_subbinary(offset, slice.len())
        {
            return if part.len() == whole.len() { whole } else { part };
        }
        let term = match data {
            Cow::Borrowed(slice) => bytes::copy(self.env, slice),
            Cow::Owned(owned) => bytes::binary(self.env, std::mem::take(owned)),
        };
        // It is a binary: it was made as one.
        Binary::from_term(term).unwrap_or_else(|_| rustler::NewBinary::new(self.env, 0).into())
    }

    fn text(&self, text: &str) -> &'e str {
        text.encode(self.env).decode().unwrap_or_default()
    }

    fn number(&self, value: f32) -> Term<'e> {
        f64::from(value).encode(self.env)
    }

    fn numbers(&self, values: &[f32]) -> Term<'e> {
        let terms: Vec<Term<'e>> = values.iter().map(|value| self.number(*value)).collect();
        rustler::types::tuple::make_tuple(self.env, &terms)
    }

    fn list(&self, values: &[f32]) -> Vec<Term<'e>> {
        values.iter().map(|value| self.number(*value)).collect()
    }

    fn word<T: PartialEq>(&self, words: words::Words<T>, choice: &T) -> Term<'e> {
        fault::atom(self.env, word(words, choice))
    }

    fn extras(&self, extras: &Extras) -> Term<'e> {
        let pairs: Vec<(&str, Term<'e>)> = extras.iter().map(|(key, extra)| (&**key, self.extra(extra))).collect();
        pairs.encode(self.env)
    }

    fn extra(&self, extra: &Extra) -> Term<'e> {
        match extra {
            Extra::Null => atoms::nil().to_term(self.env),
            Extra::Bool(value) => value.encode(self.env),
            Extra::Integer(value) => value.encode(self.env),
            Extra::Number(value) => value.encode(self.env),
            Extra::Text(text) => text.encode(self.env),
            Extra::List(items) => items.iter().map(|item| self.extra(item)).collect::<Vec<Term<'e>>>().encode(self.env),
            Extra::Map(fields) => {
                let map = Term::map_new(self.env);
                fields
                    .iter()
                    .fold(map, |map, (key, field)| map.map_put(key.encode(self.env), self.extra(field)).unwrap_or(map))
            }
        }
    }

    pub fn scene(&self, mut scene: Scene<'_>) -> Term<'e> {
        let images = scene.images.iter_mut().map(|image| ImageTerm {
            name: self.text(&image.name),
            format: self.word(words::FORMATS, &image.format),
            data: self.binary(&mut image.bytes),
            extras: self.extras(&image.extras),
        });
        let skins = scene.skins.iter_mut().map(|skin| SkinTerm {
            name: self.text(&skin.name),
            joints: skin.joints.clone(),
            inverse_bind: self.binary(&mut skin.inverse_bind),
            skeleton: skin.skeleton,
            extras: self.extras(&skin.extras),
        });
        let instances = scene.instances.iter_mut().map(|set| InstancesTerm {
            name: self.text(&set.name),
            mesh: set.mesh,
            parent: set.parent,
            transforms: self.binary(&mut set.transforms),
        });
        SceneTerm {
            name: self.text(&scene.name),
            nodes: scene.nodes.iter().map(|node| self.node(node)).collect(),
            meshes: scene.meshes.iter_mut().map(|mesh| self.mesh(mesh)).collect(),
            materials: scene.materials.iter().map(|material| self.material(material)).collect(),
            textures: scene.textures.iter().map(|texture| self.texture(texture)).collect(),
            images: images.collect(),
            skins: skins.collect(),
            cameras: scene.cameras.iter().map(|camera| self.camera(camera)).collect(),
            lights: scene.lights.iter().map(|light| self.light(light)).collect(),
            animations: scene.animations.iter_mut().map(|animation| self.animation(animation)).collect(),
            instances: instances.collect(),
            roots: scene.roots.clone(),
            copyright: self.text(&scene.copyright),
            extras: self.extras(&scene.extras),
            extensions: self.extras(&scene.extensions),
        }
        .encode(self.env)
    }

    fn node(&self, node: &Node) -> NodeTerm<'e> {
        let still = ([0.0; 3], [0.0, 0.0, 0.0, 1.0], [1.0; 3]);
        let ((translation, rotation, scale), matrix) = match &node.transform {
            Transform::Trs { translation, rotation, scale } => ((*translation, *rotation, *scale), None),
            Transform::Rows(rows) => (still, Some(self.numbers(rows))),
        };
        NodeTerm {
            name: self.text(&node.name),
            translation: self.numbers(&translation),
            rotation: self.numbers(&rotation),
            scale: self.numbers(&scale),
            matrix: matrix.encode(self.env),
            mesh: node.mesh,
            skin: node.skin,
            weights: self.list(&node.weights),
            camera: node.camera,
            light: node.light,
            children: node.children.clone(),
            extras: self.extras(&node.extras),
            extensions: self.extras(&node.extensions),
        }
    }

    fn mesh(&self, mesh: &mut Mesh<'_>) -> MeshTerm<'e> {
        MeshTerm {
            name: self.text(&mesh.name),
            surfaces: mesh.surfaces.iter_mut().map(|surface| self.surface(surface)).collect(),
            weights: self.list(&mesh.weights),
            extras: self.extras(&mesh.extras),
            extensions: self.extras(&mesh.extensions),
        }
    }

    fn surface(&self, surface: &mut Surface<'_>) -> SurfaceTerm<'e> {
        let attributes = surface.attributes.iter_mut().map(|(name, attribute)| {
            let term = AttributeTerm {
                component: self.word(words::COMPONENTS, &attribute.component),
                components: attribute.shape.components(),
                normalized: attribute.normalized,
                data: self.binary(&mut attribute.bytes),
            };
            (self.text(name), term)
        });
        let morphs = surface.morphs.iter_mut().map(|morph| MorphTerm {
            name: self.text(&morph.name),
            positions: self.binary(&mut morph.positions),
            normals: self.binary(&mut morph.normals),
            tangents: self.binary(&mut morph.tangents),
        });
        let lods = surface
            .lods
            .iter_mut()
            .map(|lod| LodTerm { indices: self.binary(&mut lod.indices), error: self.number(lod.error) });
        SurfaceTerm {
            positions: self.binary(&mut surface.positions),
            normals: self.binary(&mut surface.normals),
            tangents: self.binary(&mut surface.tangents),
            colors: self.binary(&mut surface.colors),
            uvs: self.binary(&mut surface.uvs),
            uvs2: self.binary(&mut surface.uvs2),
            joints: self.binary(&mut surface.joints),
            weights: self.binary(&mut surface.weights),
            attributes: attributes.collect(),
            indices: self.binary(&mut surface.indices),
            material: surface.material,
            morphs: morphs.collect(),
            lods: lods.collect(),
            extras: self.extras(&surface.extras),
        }
    }

    fn material(&self, material: &Material) -> MaterialTerm<'e> {
        let env = self.env;
        let reference = |texture: &Option<TextureRef>| texture.as_ref().map(|texture| self.texture_ref(texture));
        let alpha = match material.alpha {
            AlphaMode::Auto => fault::atom(env, "auto"),
            AlphaMode::Opaque => fault::atom(env, "opaque"),
            AlphaMode::Blend => fault::atom(env, "blend"),
            AlphaMode::Mask(cutoff) => (atoms::mask(), self.number(cutoff)).encode(env),
        };
        MaterialTerm {
            name: self.text(&material.name),
            base_color: self.numbers(&material.base_color),
            base_color_texture: reference(&material.base_color_texture),
            metallic: self.number(material.metallic),
            roughness: self.number(material.roughness),
            metallic_roughness_texture: reference(&material.metallic_roughness_texture),
            normal_texture: reference(&material.normal_texture),
            normal_scale: self.number(material.normal_scale),
            occlusion_texture: reference(&material.occlusion_texture),
            occlusion_strength: self.number(material.occlusion_strength),
            emissive: self.numbers(&material.emissive),
            emissive_texture: reference(&material.emissive_texture),
            emissive_strength: self.number(material.emissive_strength),
            alpha,
            double_sided: material.double_sided,
            unlit: material.unlit,
            extras: self.extras(&material.extras),
            extensions: self.extras(&material.extensions),
        }
    }

    fn texture_ref(&self, texture: &TextureRef) -> TextureRefTerm<'e> {
        let TextureTransform { offset, rotation, scale, uv_set } = texture.transform.unwrap_or_default();
        TextureRefTerm {
            texture: texture.texture,
            uv_set: uv_set.unwrap_or(texture.uv_set),
            offset: self.numbers(&offset),
            rotation: self.number(rotation),
            scale: self.numbers(&scale),
        }
    }

    fn texture(&self, texture: &Texture) -> TextureTerm<'e> {
        let env = self.env;
        let none = || atoms::nil().to_term(env);
        let sampler = texture.sampler;
        TextureTerm {
            name: self.text(&texture.name),
            image: texture.image,
            fallback: texture.fallback,
            magnify: sampler.magnify.map_or_else(none, |filter| self.word(words::FILTERS, &filter)),
            minify: sampler.minify.map_or_else(none, |(pixels, copies)| {
                (self.word(words::FILTERS, &pixels), self.word(words::MIP_FILTERS, &copies)).encode(env)
            }),
            wrap_u: self.word(words::WRAPS, &sampler.wrap_u),
            wrap_v: self.word(words::WRAPS, &sampler.wrap_v),
        }
    }

    fn camera(&self, camera: &Camera) -> CameraTerm<'e> {
        let env = self.env;
        let (projection, near, far) = match camera.projection {
            Projection::Perspective { yfov, aspect, near, far } => {
                let aspect = aspect.map(|aspect| self.number(aspect));
                ((atoms::perspective(), self.number(yfov), aspect).encode(env), near, far)
            }
            Projection::Orthographic { xmag, ymag, near, far } => {
                ((atoms::orthographic(), self.number(xmag), self.number(ymag)).encode(env), near, Some(far))
            }
        };
        CameraTerm {
            name: self.text(&camera.name),
            projection,
            near: self.number(near),
            far: far.map(|far| self.number(far)).encode(env),
            extras: self.extras(&camera.extras),
        }
    }

    fn light(&self, light: &Light) -> LightTerm<'e> {
        let kind = match light.kind {
            LightKind::Directional => fault::atom(self.env, "directional"),
            LightKind::Point => fault::atom(self.env, "point"),
            LightKind::Spot { inner, outer } => {
                (atoms::spot(), self.number(inner), self.number(outer)).encode(self.env)
            }
        };
        LightTerm {
            name: self.text(&light.name),
            kind,
            color: self.numbers(&light.color),
            intensity: self.number(light.intensity),
            range: light.range.map(|range| self.number(range)).encode(self.env),
            extras: self.extras(&light.extras),
        }
    }

    fn animation(&self, animation: &mut Animation<'_>) -> AnimationTerm<'e> {
        let channels = animation.channels.iter_mut().map(|channel| ChannelTerm {
            node: channel.node,
            path: self.word(words::PATHS, &channel.path),
            interpolation: self.word(words::INTERPOLATIONS, &channel.interpolation),
            times: self.binary(&mut channel.times),
            values: self.binary(&mut channel.values),
        });
        AnimationTerm {
            name: self.text(&animation.name),
            channels: channels.collect(),
            extras: self.extras(&animation.extras),
        }
    }
}
