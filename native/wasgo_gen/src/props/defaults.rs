//! Specs as text, in which what is not said is as is usual for their kind: a reed is higher than a meadow's grass.

use serde::{Deserialize, Deserializer};

use super::fence::{FenceKind, FenceSpec};
use super::floor::LogSpec;
use super::meadow::{GrassKind, GrassSpec};
use super::stone::{RockKind, RockSpec};

/// What is given is a value: nothing is no way to ask for the usual one.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A struct with the kind and an option for every other field of a spec, and what the spec is made of it.
macro_rules! text {
    ($text:ident of $spec:ident, $usual:expr, $kind:ident: $kinds:ty, $($field:ident: $type:ty),+) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $text {
            #[serde(default)]
            $kind: $kinds,
            $(#[serde(default, deserialize_with = "given")] $field: Option<$type>),+
        }

        impl From<$text> for $spec {
            fn from(text: $text) -> Self {
                let usual: fn($kinds) -> Self = $usual;
                let mut spec = usual(text.$kind);
                $(if let Some(value) = text.$field { spec.$field = value; })+
                spec
            }
        }
    };
}

text!(RockText of RockSpec, RockSpec::new, kind: RockKind,
    size: f32, roughness: f32, color: [f32; 3], moss: f32, triangles: u32);
text!(GrassText of GrassSpec, GrassSpec::new, kind: GrassKind,
    height: f32, radius: f32, blades: u32, flowers: u32, dark: [f32; 3], light: [f32; 3], blossom: [f32; 3]);
text!(FenceText of FenceSpec, FenceSpec::new, kind: FenceKind,
    height: f32, spacing: f32, rails: u32, age: f32, color: [f32; 3]);

/// A stump, which is a log but for what is usual.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StumpText {
    #[serde(default, deserialize_with = "given")]
    length: Option<f32>,
    #[serde(default, deserialize_with = "given")]
    radius: Option<f32>,
    #[serde(default, deserialize_with = "given")]
    bark: Option<[f32; 3]>,
    #[serde(default, deserialize_with = "given")]
    moss: Option<f32>,
}

/// Reads a stump.
pub(super) fn stump<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogSpec, D::Error> {
    let (text, usual) = (StumpText::deserialize(deserializer)?, LogSpec::stump());
    Ok(LogSpec {
        length: text.length.unwrap_or(usual.length),
        radius: text.radius.unwrap_or(usual.radius),
        bark: text.bark.unwrap_or(usual.bark),
        moss: text.moss.unwrap_or(usual.moss),
    })
}
