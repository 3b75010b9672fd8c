//! The words that Elixir has for the choices of a scene.

use wasgo_scene::{ComponentType, Filter, ImageFormat, Interpolation, MipFilter, Path, Wrap};

/// A choice and the name of the atom for it.
pub type Words<T> = &'static [(T, &'static str)];

pub const COMPONENTS: Words<ComponentType> = &[
    (ComponentType::Byte, "i8"),
    (ComponentType::UnsignedByte, "u8"),
    (ComponentType::Short, "i16"),
    (ComponentType::UnsignedShort, "u16"),
    (ComponentType::UnsignedInt, "u32"),
    (ComponentType::Float, "f32"),
];

pub const FORMATS: Words<ImageFormat> =
    &[(ImageFormat::Png, "png"), (ImageFormat::Jpeg, "jpeg"), (ImageFormat::Webp, "webp"), (ImageFormat::Ktx2, "ktx2")];

pub const FILTERS: Words<Filter> = &[(Filter::Nearest, "nearest"), (Filter::Linear, "linear")];

pub const MIP_FILTERS: Words<MipFilter> =
    &[(MipFilter::None, "none"), (MipFilter::Nearest, "nearest"), (MipFilter::Linear, "linear")];

pub const WRAPS: Words<Wrap> = &[(Wrap::Repeat, "repeat"), (Wrap::Mirror, "mirror"), (Wrap::Clamp, "clamp")];

pub const PATHS: Words<Path> = &[
    (Path::Translation, "translation"),
    (Path::Rotation, "rotation"),
    (Path::Scale, "scale"),
    (Path::Weights, "weights"),
];

pub const INTERPOLATIONS: Words<Interpolation> =
    &[(Interpolation::Linear, "linear"), (Interpolation::Step, "step"), (Interpolation::Cubic, "cubic")];

/// The word for a choice.
pub fn word<T: PartialEq>(words: Words<T>, choice: &T) -> &'static str {
    words.iter().find(|(other, _)| other == choice).map_or("", |(_, word)| *word)
}

/// The choice of a word.
pub fn choice<T: Copy>(words: Words<T>, word: &str) -> Option<T> {
    words.iter().find(|(_, other)| *other == word).map(|(choice, _)| *choice)
}
