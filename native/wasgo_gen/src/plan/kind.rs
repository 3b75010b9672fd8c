//! What a scatter rule places: one of the low-poly kinds, or a prop with its parameters.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Fault, PlanError, PropKind};
use crate::props::{PropError, PropSpec};

/// What a rule places. In text a low-poly kind is its name, a prop a map: `"rock"`, `{"rock": {"kind": "slab"}}`.
///
/// ```
/// use wasgo_gen::{PropKind, ScatterKind};
/// let kind: ScatterKind = serde_json::from_str(r#""bush""#)?;
/// assert_eq!(kind, PropKind::Bush.into());
/// let kind: ScatterKind = serde_json::from_str(r#"{"tree": {"species": "oak", "height": 9}}"#)?;
/// assert_eq!(kind.name(), "tree_oak");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ScatterKind {
    /// Of 100 to 400 triangles and one material.
    LowPoly(PropKind),
    /// With levels of detail, colliders and a material for each finish.
    Model(Box<PropSpec>),
}

impl ScatterKind {
    /// As in the names of meshes: `tree`, `tree_oak`, `fern`. No low-poly kind and prop have the same.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::LowPoly(kind) => kind.name().into(),
            Self::Model(spec) => spec.name(),
        }
    }

    /// The kind alone: `tree` of `tree_oak`, and of the low-poly kind too.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::LowPoly(kind) => kind.name(),
            Self::Model(spec) => spec.kind(),
        }
    }

    /// The most triangles that one of it has in its finest level.
    #[must_use]
    pub fn max_triangles(&self) -> u32 {
        match self {
            Self::LowPoly(_) => 400,
            Self::Model(spec) => spec.max_triangles(),
        }
    }

    /// Checks the parameters; `place` is the kind's own.
    pub(super) fn check(&self, place: &str) -> Result<(), PlanError> {
        match self {
            Self::LowPoly(_) => Ok(()),
            Self::Model(spec) => {
                spec.validate().map_err(|error| PlanError::of_prop(&format!("{place}.{}", spec.kind()), error))
            }
        }
    }
}

impl From<PropKind> for ScatterKind {
    fn from(kind: PropKind) -> Self {
        Self::LowPoly(kind)
    }
}

impl From<PropSpec> for ScatterKind {
    fn from(spec: PropSpec) -> Self {
        Self::Model(Box::new(spec))
    }
}

impl PlanError {
    /// An error of a prop's parameters, which are at a place of a plan. What the error calls the whole, as in `tree.height`, is the place.
    #[must_use]
    pub fn of_prop(place: &str, error: PropError) -> Self {
        let at = |field: &str| match field.split_once('.') {
            Some((_, field)) => format!("{place}.{field}"),
            None => place.to_owned(),
        };
        match error {
            PropError::OutOfRange { field, value, min, max } => {
                Self::range(at(&field), value, format!("{min} to {max}"))
            }
            PropError::Reversed { field, low, high } => {
                Self::range(at(&field), format!("{low} to {high}"), "the first at most the second")
            }
            PropError::WrongCount { field, count, min, max } => {
                Self::range(at(&field), count, format!("{min} to {max}"))
            }
            error @ PropError::BadSurface { .. } => {
                Self { place: place.to_owned(), fault: Fault::Form(error.to_string()) }
            }
        }
    }
}

impl<'de> Deserialize<'de> for ScatterKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not by trying one form and then the other: an error within a prop's parameters must keep its place.
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = ScatterKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a low-poly kind, or a prop with its parameters")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<ScatterKind, E> {
        const NAMES: [&str; 4] = ["tree", "conifer", "rock", "bush"];
        PropKind::from_name(name).map(Into::into).ok_or_else(|| E::unknown_variant(name, &NAMES))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ScatterKind, A::Error> {
        PropSpec::deserialize(MapAccessDeserializer::new(map)).map(Into::into)
    }
}
