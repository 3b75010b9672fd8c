//! How surfaces look.

use std::borrow::Cow;

use super::extra::Extras;
use super::own;

/// How a surface looks: the metallic-roughness model of glTF.
///
/// Factors are in 0..=1 unless said otherwise, and are multiplied with their textures. The colour is multiplied with the
/// colours of the vertices too.
#[derive(Clone, Debug, PartialEq)]
pub struct Material {
    /// A name for people.
    pub name: String,
    /// Red, green, blue, alpha, linear.
    pub base_color: [f32; 4],
    /// sRGB colours and alpha.
    pub base_color_texture: Option<TextureRef>,
    /// 0 is a dielectric, 1 a metal.
    pub metallic: f32,
    /// 0 is a mirror, 1 is matt.
    pub roughness: f32,
    /// Roughness in green, metallic in blue.
    pub metallic_roughness_texture: Option<TextureRef>,
    /// Normals in the space of the tangents.
    pub normal_texture: Option<TextureRef>,
    /// Scales x and y of the normal texture; any finite number.
    pub normal_scale: f32,
    /// How much light from around arrives, in red.
    pub occlusion_texture: Option<TextureRef>,
    /// How far the occlusion counts.
    pub occlusion_strength: f32,
    /// Red, green, blue, linear: light of its own.
    pub emissive: [f32; 3],
    /// sRGB colours.
    pub emissive_texture: Option<TextureRef>,
    /// Multiplies `emissive`; 0 or more.
    pub emissive_strength: f32,
    /// What alpha does.
    pub alpha: AlphaMode,
    /// Whether back faces are drawn too.
    pub double_sided: bool,
    /// Whether the base colour is shown as it is, without light.
    pub unlit: bool,
    /// For whoever reads the scene.
    pub extras: Extras,
    /// Other extensions (`KHR_materials_clearcoat` ...) by their names. In those whose name begins with `KHR_materials_`, a
    /// value under a key that ends in `Texture` is a reference to a texture, whose `index` is a place in
    /// [`Scene::textures`](super::Scene::textures).
    pub extensions: Extras,
}

impl Default for Material {
    /// White and matt: shows the colours of the vertices as they are.
    fn default() -> Self {
        Self {
            name: String::new(),
            base_color: [1.0; 4],
            base_color_texture: None,
            metallic: 0.0,
            roughness: 1.0,
            metallic_roughness_texture: None,
            normal_texture: None,
            normal_scale: 1.0,
            occlusion_texture: None,
            occlusion_strength: 1.0,
            emissive: [0.0; 3],
            emissive_texture: None,
            emissive_strength: 1.0,
            alpha: AlphaMode::Auto,
            double_sided: false,
            unlit: false,
            extras: Extras::new(),
            extensions: Extras::new(),
        }
    }
}

impl Material {
    /// What alpha does, with [`AlphaMode::Auto`] decided.
    #[must_use]
    pub fn alpha_mode(&self) -> AlphaMode {
        match self.alpha {
            AlphaMode::Auto if self.base_color[3] < 1.0 => AlphaMode::Blend,
            AlphaMode::Auto => AlphaMode::Opaque,
            other => other,
        }
    }

    /// The references to textures that have fields of their own, with the field's name.
    pub fn textures(&self) -> impl Iterator<Item = (&'static str, &TextureRef)> {
        [
            ("base_color_texture", &self.base_color_texture),
            ("metallic_roughness_texture", &self.metallic_roughness_texture),
            ("normal_texture", &self.normal_texture),
            ("occlusion_texture", &self.occlusion_texture),
            ("emissive_texture", &self.emissive_texture),
        ]
        .into_iter()
        .filter_map(|(field, texture)| texture.as_ref().map(|texture| (field, texture)))
    }
}

/// What alpha does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum AlphaMode {
    /// Blends where the alpha of the base colour is below 1, else it is opaque. Files never have it: they say which.
    #[default]
    Auto,
    /// Nothing.
    Opaque,
    /// What is below this (0..=1) is not drawn, the rest is opaque.
    Mask(f32),
    /// Mixes with what is behind.
    Blend,
}

/// A texture as a material uses it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextureRef {
    /// Index into [`Scene::textures`](super::Scene::textures).
    pub texture: usize,
    /// Which places of the vertices: 0 for `uvs`, 1 for `uvs2`, more for `TEXCOORD_n`.
    pub uv_set: u32,
    /// Moves the places first.
    pub transform: Option<TextureTransform>,
}

/// Scales, then turns, then moves places in a texture (`KHR_texture_transform`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextureTransform {
    /// In sizes of the texture.
    pub offset: [f32; 2],
    /// Radians, counter-clockwise.
    pub rotation: f32,
    /// A factor for u and v.
    pub scale: [f32; 2],
    /// Used instead of [`TextureRef::uv_set`].
    pub uv_set: Option<u32>,
}

impl Default for TextureTransform {
    fn default() -> Self {
        Self { offset: [0.0; 2], rotation: 0.0, scale: [1.0; 2], uv_set: None }
    }
}

/// An image and how it is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texture {
    /// A name for people.
    pub name: String,
    /// Index into [`Scene::images`](super::Scene::images).
    pub image: usize,
    /// The same as PNG or JPEG, for readers that do not know the format of `image` (WebP or KTX 2).
    pub fallback: Option<usize>,
    /// Filters and what is beyond the edges.
    pub sampler: Sampler,
}

/// How a texture is read between its pixels and beyond its edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sampler {
    /// Enlarged; `None`: as the reader likes.
    pub magnify: Option<Filter>,
    /// Made smaller; `None`: as the reader likes.
    pub minify: Option<(Filter, MipFilter)>,
    /// Beyond the left and the right edge.
    pub wrap_u: Wrap,
    /// Beyond the upper and the lower edge.
    pub wrap_v: Wrap,
}

/// How pixels are mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filter {
    /// The nearest one.
    Nearest,
    /// The four around.
    Linear,
}

/// How the smaller copies of an image are mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MipFilter {
    /// There are none.
    None,
    /// The nearest one.
    Nearest,
    /// The two around.
    Linear,
}

/// What is beyond the edge of a texture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrap {
    /// It again.
    #[default]
    Repeat,
    /// It again, mirrored.
    Mirror,
    /// The pixels of the edge.
    Clamp,
}

/// A picture as a file of its own format.
#[derive(Clone, Debug, PartialEq)]
pub struct Image<'a> {
    /// A name for people.
    pub name: String,
    /// What the bytes are.
    pub format: ImageFormat,
    /// The file.
    pub bytes: Cow<'a, [u8]>,
    /// For whoever reads the scene.
    pub extras: Extras,
}

impl Image<'_> {
    /// The same image, borrowing its bytes from this one.
    #[must_use]
    pub fn borrow(&self) -> Image<'_> {
        Image { bytes: Cow::Borrowed(&self.bytes), name: self.name.clone(), extras: self.extras.clone(), ..*self }
    }

    /// The same image with its bytes owned.
    #[must_use]
    pub fn into_owned(self) -> Image<'static> {
        Image { name: self.name, format: self.format, bytes: own(self.bytes), extras: self.extras }
    }
}

/// The format of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageFormat {
    /// Every reader knows it.
    Png,
    /// Every reader knows it.
    Jpeg,
    /// By `EXT_texture_webp`.
    Webp,
    /// By `KHR_texture_basisu`.
    Ktx2,
}

impl ImageFormat {
    /// The format that these bytes begin as.
    ///
    /// ```
    /// use wasgo_scene::ImageFormat;
    /// assert_eq!(ImageFormat::of(b"\x89PNG\r\n\x1a\n..."), Some(ImageFormat::Png));
    /// assert_eq!(ImageFormat::of(b"GIF89a"), None);
    /// ```
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Self::Png),
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            [0xAB, b'K', b'T', b'X', b' ', b'2', b'0', 0xBB, ..] => Some(Self::Ktx2),
            _ => None,
        }
    }

    /// Its name among media types.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Ktx2 => "image/ktx2",
        }
    }
}
