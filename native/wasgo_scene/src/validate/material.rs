//! Checks of materials, textures and images.

use super::{Limits, extras, in_range, label, within};
use crate::{AlphaMode, Extra, ImageFormat, Material, Scene, SceneError, TextureRef};

pub(super) fn check(scene: &Scene<'_>, limits: &Limits) -> Result<(), SceneError> {
    for (index, image) in scene.images.iter().enumerate() {
        let whose = || format!("image {}", label(index, &image.name));
        if ImageFormat::of(&image.bytes) != Some(image.format) {
            return Err(SceneError::Misfit { whose: whose(), fault: "its bytes are not of its format" });
        }
        extras::check(&image.extras, limits, whose)?;
    }
    for (index, texture) in scene.textures.iter().enumerate() {
        let whose = || format!("texture {}", label(index, &texture.name));
        within("image", texture.image, scene.images.len(), whose)?;
        let extended = |image: usize| matches!(scene.images[image].format, ImageFormat::Webp | ImageFormat::Ktx2);
        if let Some(fallback) = texture.fallback {
            within("image", fallback, scene.images.len(), whose)?;
            if extended(fallback) || !extended(texture.image) {
                let fault = "a fallback is a PNG or JPEG beside an image that is neither";
                return Err(SceneError::Misfit { whose: whose(), fault });
            }
        }
    }
    for (index, material) in scene.materials.iter().enumerate() {
        check_material(index, material, scene, limits)?;
    }
    Ok(())
}

fn check_material(index: usize, material: &Material, scene: &Scene<'_>, limits: &Limits) -> Result<(), SceneError> {
    let whose = || format!("material {}", label(index, &material.name));
    let factors = material.base_color.iter().map(|value| ("base_color", *value));
    let factors = factors.chain(material.emissive.iter().map(|value| ("emissive", *value)));
    let cutoff = if let AlphaMode::Mask(cutoff) = material.alpha { cutoff } else { 0.0 };
    let single = [
        ("metallic", material.metallic),
        ("roughness", material.roughness),
        ("occlusion_strength", material.occlusion_strength),
        ("alpha", cutoff),
    ];
    for (field, value) in factors.chain(single) {
        in_range((0.0..=1.0).contains(&value), field, value, "0..=1", whose)?;
    }
    let strength = material.emissive_strength;
    in_range(strength >= 0.0, "emissive_strength", strength, "0 or more", whose)?;
    in_range(true, "normal_scale", material.normal_scale, "a finite number", whose)?;
    for (_, texture) in material.textures() {
        check_texture(texture, scene, whose)?;
    }
    for (name, extension) in &material.extensions {
        if let (true, Extra::Map(fields)) = (name.starts_with("KHR_materials_"), extension) {
            for (_, field) in fields.iter().filter(|(key, _)| key.ends_with("Texture")) {
                let Extra::Map(texture) = field else { continue };
                if let Some(Extra::Integer(index)) = texture.get("index") {
                    let index = usize::try_from(*index).unwrap_or(usize::MAX);
                    within("texture", index, scene.textures.len(), whose)?;
                }
            }
        }
    }
    extras::check(&material.extensions, limits, whose)?;
    extras::check(&material.extras, limits, whose)
}

fn check_texture(texture: &TextureRef, scene: &Scene<'_>, whose: impl Fn() -> String + Copy) -> Result<(), SceneError> {
    within("texture", texture.texture, scene.textures.len(), whose)?;
    if let Some(transform) = &texture.transform {
        let numbers = transform.offset.iter().chain(&transform.scale).chain([&transform.rotation]);
        for value in numbers {
            in_range(true, "a texture's transform", *value, "finite numbers", whose)?;
        }
    }
    Ok(())
}
