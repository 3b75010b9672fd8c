//! Materials, textures and images.

use std::borrow::Cow;

use super::super::{BASISU, EMISSIVE_STRENGTH, MATERIALS, TEXTURE_TRANSFORM, UNLIT, WEBP};
use super::Reader;
use super::at::At;
use super::error::{ReadError, ReadFault};
use super::source::shortened;
use crate::{
    AlphaMode, Filter, Image, ImageFormat, Material, MipFilter, Sampler, Texture, TextureRef, TextureTransform, Wrap,
};

impl<'d, 'a> Reader<'d, 'a, '_> {
    pub(super) fn read_materials(&self) -> Result<Vec<Material>, ReadError> {
        let root = self.root;
        let Some(list) = root.get("materials")? else { return Ok(Vec::new()) };
        list.at_most("materials", list.len(), self.options.limits.materials)?;
        list.items()?.map(|at| self.material(&at)).collect()
    }

    fn material(&self, at: &At<'d, '_>) -> Result<Material, ReadError> {
        let mut material = Material {
            name: at.name()?,
            // What a file leaves out is 1.
            metallic: 1.0,
            emissive: at.or("emissiveFactor", [0.0; 3], |at| at.array())?,
            emissive_texture: at.maybe("emissiveTexture", |at| self.reference(at))?,
            double_sided: at.or("doubleSided", false, |at| at.bool())?,
            extras: self.extras(at)?,
            extensions: self.extensions(at, &[UNLIT, EMISSIVE_STRENGTH])?,
            ..Material::default()
        };
        if let Some(model) = at.get("pbrMetallicRoughness")? {
            self.refuse_extensions(&model)?;
            material.base_color = model.or("baseColorFactor", [1.0; 4], |at| at.array())?;
            material.base_color_texture = model.maybe("baseColorTexture", |at| self.reference(at))?;
            material.metallic = model.or("metallicFactor", 1.0, |at| at.f32())?;
            material.roughness = model.or("roughnessFactor", 1.0, |at| at.f32())?;
            material.metallic_roughness_texture = model.maybe("metallicRoughnessTexture", |at| self.reference(at))?;
        }
        if let Some(texture) = at.get("normalTexture")? {
            material.normal_texture = Some(self.reference(&texture)?);
            material.normal_scale = texture.or("scale", 1.0, |at| at.f32())?;
        }
        if let Some(texture) = at.get("occlusionTexture")? {
            material.occlusion_texture = Some(self.reference(&texture)?);
            material.occlusion_strength = texture.or("strength", 1.0, |at| at.f32())?;
        }
        material.alpha = match at.get("alphaMode")? {
            None => AlphaMode::Opaque,
            Some(mode) => match mode.text()? {
                "OPAQUE" => AlphaMode::Opaque,
                "MASK" => AlphaMode::Mask(at.or("alphaCutoff", 0.5, |at| at.f32())?),
                "BLEND" => AlphaMode::Blend,
                _ => return mode.invalid("OPAQUE, MASK or BLEND"),
            },
        };
        if let Some(extensions) = at.get("extensions")? {
            material.unlit = extensions.get(UNLIT)?.is_some();
            if let Some(strength) = extensions.get(EMISSIVE_STRENGTH)? {
                material.emissive_strength = strength.or("emissiveStrength", 1.0, |at| at.f32())?;
            }
        }
        Ok(material)
    }

    fn reference(&self, at: &At<'d, '_>) -> Result<TextureRef, ReadError> {
        self.refuse_extensions_but(at, &[TEXTURE_TRANSFORM])?;
        let set = |at: &At<'d, '_>| match at.whole()? {
            set @ 0..=99 => Ok(set as u32),
            _ => at.invalid("a set of texture coordinates below 100"),
        };
        let mut reference = TextureRef {
            texture: at.need("index")?.index("texture", self.counts.textures)?,
            uv_set: at.or("texCoord", 0, set)?,
            transform: None,
        };
        if let Some(extensions) = at.get("extensions")?
            && let Some(transform) = extensions.get(TEXTURE_TRANSFORM)?
        {
            reference.transform = Some(TextureTransform {
                offset: transform.or("offset", [0.0; 2], |at| at.array())?,
                rotation: transform.or("rotation", 0.0, |at| at.f32())?,
                scale: transform.or("scale", [1.0; 2], |at| at.array())?,
                uv_set: transform.maybe("texCoord", set)?,
            });
        }
        Ok(reference)
    }

    pub(super) fn read_textures(&self) -> Result<Vec<Texture>, ReadError> {
        let root = self.root;
        let Some(list) = root.get("textures")? else { return Ok(Vec::new()) };
        list.at_most("textures", list.len(), self.options.limits.textures)?;
        list.items()?.map(|at| self.texture(&at)).collect()
    }

    fn texture(&self, at: &At<'d, '_>) -> Result<Texture, ReadError> {
        self.refuse_extensions_but(at, &[WEBP, BASISU])?;
        let image = |at: &At<'d, '_>| at.index("image", self.counts.images);
        let sampler = |at: &At<'d, '_>| self.entry("samplers", "sampler", at, |at| self.sampler(at));
        let source = at.maybe("source", image)?;
        let mut extended = None;
        if let Some(extensions) = at.get("extensions")? {
            for name in [WEBP, BASISU] {
                if let Some(extension) = extensions.get(name)? {
                    extended = Some(image(&extension.need("source")?)?);
                }
            }
        }
        let (image, fallback) = match (extended, source) {
            (Some(extended), source) => (extended, source),
            (None, Some(source)) => (source, None),
            (None, None) => return at.unsupported("a texture without an image"),
        };
        Ok(Texture { name: at.name()?, image, fallback, sampler: at.or("sampler", Sampler::default(), sampler)? })
    }

    fn sampler(&self, at: &At<'d, '_>) -> Result<Sampler, ReadError> {
        self.refuse_extensions(at)?;
        let wrap = |at: &At<'d, '_>| {
            Ok(match at.whole()? {
                10497 => Wrap::Repeat,
                33648 => Wrap::Mirror,
                33071 => Wrap::Clamp,
                _ => return at.invalid("a mode of wrapping"),
            })
        };
        Ok(Sampler {
            magnify: at.maybe("magFilter", |at| {
                Ok(match at.whole()? {
                    9728 => Filter::Nearest,
                    9729 => Filter::Linear,
                    _ => return at.invalid("a filter"),
                })
            })?,
            minify: at.maybe("minFilter", |at| {
                Ok(match at.whole()? {
                    9728 => (Filter::Nearest, MipFilter::None),
                    9729 => (Filter::Linear, MipFilter::None),
                    9984 => (Filter::Nearest, MipFilter::Nearest),
                    9985 => (Filter::Linear, MipFilter::Nearest),
                    9986 => (Filter::Nearest, MipFilter::Linear),
                    9987 => (Filter::Linear, MipFilter::Linear),
                    _ => return at.invalid("a filter"),
                })
            })?,
            wrap_u: at.or("wrapS", Wrap::Repeat, wrap)?,
            wrap_v: at.or("wrapT", Wrap::Repeat, wrap)?,
        })
    }

    pub(super) fn read_images(&self) -> Result<Vec<Image<'a>>, ReadError> {
        let root = self.root;
        let Some(list) = root.get("images")? else { return Ok(Vec::new()) };
        list.at_most("images", list.len(), self.options.limits.textures)?;
        list.items()?.map(|at| self.image(&at)).collect()
    }

    fn image(&self, at: &At<'d, '_>) -> Result<Image<'a>, ReadError> {
        self.refuse_extensions(at)?;
        let declared = at.maybe("mimeType", |at| at.text())?;
        let (said, bytes): (_, Cow<'a, [u8]>) = match (at.get("bufferView")?, at.get("uri")?) {
            (Some(view), _) => (None, self.view_bytes(&view)?),
            (None, Some(uri)) => self.uri(&uri)?,
            (None, None) => return Err(at.error(ReadFault::Missing("bufferView"))),
        };
        // What the bytes begin as counts, not what is said of them.
        let Some(format) = ImageFormat::of(&bytes) else {
            let kind =
                declared.or(said).map_or_else(|| "no known format".into(), |said| format!("{:?}", shortened(said)));
            return at.unsupported(format!("an image of {kind}"));
        };
        Ok(Image { name: at.name()?, format, bytes, extras: self.extras(at)? })
    }
}

/// Whether the textures of an extension's fields are known to be such.
pub(super) fn is_material(name: &str) -> bool {
    name.starts_with(MATERIALS)
}
