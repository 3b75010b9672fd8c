//! The materials, textures and images of a file.

use std::collections::BTreeMap;

use super::super::{BASISU, EMISSIVE_STRENGTH, MATERIALS, TEXTURE_TRANSFORM, UNLIT, WEBP};
use super::buffer::Buffer;
use super::json::Json;
use super::plan::{Plan, texture_index};
use super::{Used, extensions, extras, name};
use crate::{AlphaMode, Extra, Filter, ImageFormat, Material, MipFilter, Sampler, Scene, Texture, TextureRef, Wrap};

pub(super) fn write<'a>(
    json: &mut Json,
    scene: &'a Scene<'_>,
    plan: &Plan,
    buffer: &mut Buffer<'a>,
    used: &mut Used<'a>,
) {
    if plan.materials.len() > 0 {
        json.key("materials").array(|json| {
            for (_, material) in plan.materials.kept(&scene.materials) {
                json.object(|json| write_material(json, material, plan, used));
            }
        });
    }
    if plan.textures.len() == 0 {
        return;
    }
    let mut samplers: BTreeMap<Sampler, u64> = BTreeMap::new();
    let mut order = Vec::new();
    json.key("textures").array(|json| {
        for (_, texture) in plan.textures.kept(&scene.textures) {
            let sampler = (texture.sampler != Sampler::default()).then(|| {
                *samplers.entry(texture.sampler).or_insert_with(|| {
                    order.push(texture.sampler);
                    order.len() as u64 - 1
                })
            });
            json.object(|json| write_texture(json, texture, sampler, scene, plan, used));
        }
    });
    if !order.is_empty() {
        json.list("samplers", &order, |json, sampler| json.object(|json| write_sampler(json, sampler)));
    }
    json.key("images").array(|json| {
        for (_, image) in plan.images.kept(&scene.images) {
            let view = buffer.raw(&image.bytes);
            json.object(|json| {
                name(json, &image.name);
                json.key("bufferView").integer(view);
                json.key("mimeType").text(image.format.media_type());
                extras(json, &image.extras);
            });
        }
    });
}

fn write_material<'a>(json: &mut Json, material: &'a Material, plan: &Plan, used: &mut Used<'a>) {
    name(json, &material.name);
    json.key("pbrMetallicRoughness").object(|json| {
        json.list("baseColorFactor", material.base_color, |json, v| json.f32(v));
        reference(json, "baseColorTexture", material.base_color_texture.as_ref(), plan, used, None);
        json.key("metallicFactor").f32(material.metallic);
        json.key("roughnessFactor").f32(material.roughness);
        reference(json, "metallicRoughnessTexture", material.metallic_roughness_texture.as_ref(), plan, used, None);
    });
    let scale = Some(("scale", material.normal_scale));
    reference(json, "normalTexture", material.normal_texture.as_ref(), plan, used, scale);
    let strength = Some(("strength", material.occlusion_strength));
    reference(json, "occlusionTexture", material.occlusion_texture.as_ref(), plan, used, strength);
    if material.emissive != [0.0; 3] {
        json.list("emissiveFactor", material.emissive, |json, v| json.f32(v));
    }
    reference(json, "emissiveTexture", material.emissive_texture.as_ref(), plan, used, None);
    match material.alpha_mode() {
        AlphaMode::Auto | AlphaMode::Opaque => {}
        AlphaMode::Mask(cutoff) => {
            json.key("alphaMode").text("MASK");
            json.key("alphaCutoff").f32(cutoff);
        }
        AlphaMode::Blend => json.key("alphaMode").text("BLEND"),
    }
    if material.double_sided {
        json.key("doubleSided").bool(true);
    }
    let mut own = Vec::new();
    if material.unlit {
        own.push((UNLIT, Extra::Map(BTreeMap::new())));
    }
    // A strength of nothing has no effect.
    if material.emissive_strength != 1.0 && material.emissive != [0.0; 3] {
        let strength = Extra::Number(shortest(material.emissive_strength));
        own.push((EMISSIVE_STRENGTH, Extra::Map(BTreeMap::from([("emissiveStrength".into(), strength)]))));
    }
    let numbered: Vec<(&str, Extra)> =
        material.extensions.iter().map(|(name, value)| (&**name, renumbered(name, value, plan))).collect();
    let kept = numbered.iter().map(|(name, value)| (*name, value));
    extensions(json, used, kept, &own);
    extras(json, &material.extras);
}

/// The f64 whose shortest decimal is that of the f32.
pub(super) fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// The extension with the numbers that its textures have in the file.
fn renumbered(name: &str, value: &Extra, plan: &Plan) -> Extra {
    let Extra::Map(fields) = value else { return value.clone() };
    if !name.starts_with(MATERIALS) {
        return value.clone();
    }
    let mut fields = fields.clone();
    for (key, field) in &mut fields {
        let new = texture_index(key, field).and_then(|old| plan.textures.new[old]);
        if let (Some(new), Extra::Map(texture)) = (new, field) {
            texture.insert("index".into(), Extra::Integer(i64::try_from(new).unwrap_or(i64::MAX)));
        }
    }
    Extra::Map(fields)
}

fn reference(
    json: &mut Json,
    key: &str,
    texture: Option<&TextureRef>,
    plan: &Plan,
    used: &mut Used<'_>,
    factor: Option<(&str, f32)>,
) {
    let Some(texture) = texture else { return };
    let Some(index) = plan.textures.new[texture.texture] else { return };
    json.key(key).object(|json| {
        json.key("index").integer(index);
        if texture.uv_set != 0 {
            json.key("texCoord").integer(u64::from(texture.uv_set));
        }
        if let Some((factor, value)) = factor.filter(|(_, value)| *value != 1.0) {
            json.key(factor).f32(value);
        }
        if let Some(transform) = &texture.transform {
            used.optional(TEXTURE_TRANSFORM);
            json.key("extensions").object(|json| {
                json.key(TEXTURE_TRANSFORM).object(|json| {
                    if transform.offset != [0.0; 2] {
                        json.list("offset", transform.offset, |json, v| json.f32(v));
                    }
                    if transform.rotation != 0.0 {
                        json.key("rotation").f32(transform.rotation);
                    }
                    if transform.scale != [1.0; 2] {
                        json.list("scale", transform.scale, |json, v| json.f32(v));
                    }
                    if let Some(set) = transform.uv_set {
                        json.key("texCoord").integer(u64::from(set));
                    }
                });
            });
        }
    });
}

fn write_texture(
    json: &mut Json,
    texture: &Texture,
    sampler: Option<u64>,
    scene: &Scene<'_>,
    plan: &Plan,
    used: &mut Used<'_>,
) {
    name(json, &texture.name);
    if let Some(sampler) = sampler {
        json.key("sampler").integer(sampler);
    }
    let extension = match scene.images[texture.image].format {
        ImageFormat::Png | ImageFormat::Jpeg => None,
        ImageFormat::Webp => Some(WEBP),
        ImageFormat::Ktx2 => Some(BASISU),
    };
    let Some(extension) = extension else {
        if let Some(image) = plan.images.new[texture.image] {
            json.key("source").integer(image);
        }
        return;
    };
    match plan.images.get(texture.fallback) {
        Some(fallback) => {
            used.optional(extension);
            json.key("source").integer(fallback);
        }
        None => used.required(extension),
    }
    json.key("extensions").object(|json| {
        json.key(extension).object(|json| {
            if let Some(image) = plan.images.new[texture.image] {
                json.key("source").integer(image);
            }
        });
    });
}

fn write_sampler(json: &mut Json, sampler: &Sampler) {
    let plain = |filter: Filter| match filter {
        Filter::Nearest => 9728,
        Filter::Linear => 9729,
    };
    if let Some(filter) = sampler.magnify {
        json.key("magFilter").integer(plain(filter));
    }
    if let Some((filter, mip)) = sampler.minify {
        let number = match (filter, mip) {
            (filter, MipFilter::None) => plain(filter),
            (Filter::Nearest, MipFilter::Nearest) => 9984,
            (Filter::Linear, MipFilter::Nearest) => 9985,
            (Filter::Nearest, MipFilter::Linear) => 9986,
            (Filter::Linear, MipFilter::Linear) => 9987,
        };
        json.key("minFilter").integer(number);
    }
    for (key, wrap) in [("wrapS", sampler.wrap_u), ("wrapT", sampler.wrap_v)] {
        match wrap {
            Wrap::Repeat => {}
            Wrap::Mirror => json.key(key).integer(33648),
            Wrap::Clamp => json.key(key).integer(33071),
        }
    }
}
