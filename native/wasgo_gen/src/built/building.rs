//! A building from its footprint and a grammar.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::error::{BuiltError, range};
use super::expand::{Detail, expand};
use super::footprint::Footprint;
use super::grammar::{Grammar, Material};
use super::presets::{Preset, grammar};
use super::solid::Solids;
use crate::MeshData;

/// By which grammar to build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// One that comes with the crate.
    Preset(Preset),
    /// One's own.
    Grammar(Box<Grammar>),
}

/// What to build. Stored without a footprint, it has the one that suits its preset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct BuildingSpec {
    /// Its outline.
    pub footprint: Footprint,
    /// Its grammar.
    pub style: Style,
    /// How far its foundation reaches below the origin, for ground that falls off: 0..=10 m. Default 1.2.
    pub foundation: f32,
}

/// A building as it may be stored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    #[serde(default)]
    footprint: Option<Footprint>,
    style: Style,
    #[serde(default = "foundation")]
    foundation: f32,
}

impl TryFrom<Stored> for BuildingSpec {
    type Error = &'static str;

    fn try_from(Stored { footprint, style, foundation }: Stored) -> Result<Self, Self::Error> {
        let footprint = match (footprint, &style) {
            (Some(footprint), _) => footprint,
            (None, Style::Preset(preset)) => preset.footprint(),
            (None, Style::Grammar(_)) => return Err("a building by a grammar of one's own needs a footprint"),
        };
        Ok(Self { footprint, style, foundation })
    }
}

fn foundation() -> f32 {
    1.2
}

impl BuildingSpec {
    /// A building by a preset.
    #[must_use]
    pub fn new(preset: Preset, footprint: Footprint) -> Self {
        Self { footprint, style: Style::Preset(preset), foundation: foundation() }
    }
}

/// Triangles of one material.
#[derive(Clone, Debug, PartialEq)]
pub struct Surface {
    /// What it is made of.
    pub material: Material,
    /// With normals, colours, and texture places in metres.
    pub mesh: MeshData,
}

/// One level of detail.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildingLod {
    /// One for each material, in the order of [`Material`].
    pub surfaces: Vec<Surface>,
}

impl BuildingLod {
    fn new(solids: Solids) -> Self {
        Self { surfaces: solids.finish().map(|(material, mesh)| Surface { material, mesh }).collect() }
    }

    /// How many triangles there are.
    #[must_use]
    pub fn triangles(&self) -> usize {
        self.surfaces.iter().map(|surface| surface.mesh.triangles()).sum()
    }

    /// All surfaces as one mesh, for a material that shows vertex colours.
    #[must_use]
    pub fn merged(&self) -> MeshData {
        let mut all = MeshData::default();
        for surface in &self.surfaces {
            all.append(&surface.mesh);
        }
        all
    }
}

/// A solid box along the axes of the building.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoxCollider {
    /// Its middle, in metres from the origin of the building.
    pub center: [f32; 3],
    /// Half its lengths, in metres.
    pub half: [f32; 3],
}

/// A door.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entrance {
    /// The middle of its threshold, in metres from the origin of the building.
    pub position: [f32; 3],
    /// The way out (x, z): of length 1.
    pub outward: [f32; 2],
    /// Metres.
    pub width: f32,
}

/// A building. Its origin is at the middle of the footprint's frame on the ground, its front is towards -Z.
#[derive(Clone, Debug, PartialEq)]
pub struct Building {
    /// From the finest to the coarsest: everything; walls with flat windows; boxes with roofs.
    pub lods: Vec<BuildingLod>,
    /// What one cannot walk through.
    pub colliders: Vec<BoxCollider>,
    /// The doors. The main one first, when the grammar has one in the widest wall of the front.
    pub entrances: Vec<Entrance>,
    /// The outline, counter-clockwise as seen from above.
    pub outline: Vec<[f32; 2]>,
    /// The highest point, in metres.
    pub height: f32,
}

/// Builds. The same spec and seed give the same bits on every machine.
///
/// ```
/// use wasgo_gen::built::{BuildingSpec, Footprint, Preset, building};
/// let spec = BuildingSpec::new(Preset::Cottage, Footprint::Rectangle { width: 9.0, depth: 6.5 });
/// let cottage = building(&spec, 42)?;
/// assert_eq!(cottage.lods.len(), 3);
/// assert!(!cottage.entrances.is_empty());
/// # Ok::<(), wasgo_gen::built::BuiltError>(())
/// ```
///
/// # Errors
///
/// A footprint or a grammar that is not allowed, or a grammar that makes too much or does a step to a shape that it is
/// not for; the error names the rule.
pub fn building(spec: &BuildingSpec, seed: u64) -> Result<Building, BuiltError> {
    let (outline, rules) = ready(spec)?;
    let rules = rules.as_ref();
    let full = expand(rules, &outline, spec.foundation, seed, Detail::Full)?;
    let flat = expand(rules, &outline, spec.foundation, seed, Detail::Flat)?;
    let boxes = expand(rules, &outline, spec.foundation, seed, Detail::Boxes)?;
    let (colliders, entrances) = (full.colliders, full.entrances);
    let lods: Vec<BuildingLod> = [full.solids, flat.solids, boxes.solids].map(BuildingLod::new).into();
    let points = lods.iter().flat_map(|lod| &lod.surfaces).flat_map(|surface| &surface.mesh.positions);
    let height = points.map(|point| point[1]).fold(0.0, f32::max);
    Ok(Building { lods, colliders, entrances, outline, height })
}

/// One level of detail of a building, counted from the finest, without making the others; with colliders when it is the finest.
pub(crate) fn building_lod(
    spec: &BuildingSpec,
    seed: u64,
    lod: usize,
) -> Result<(BuildingLod, Vec<BoxCollider>), BuiltError> {
    let (outline, rules) = ready(spec)?;
    let detail = match lod {
        0 => Detail::Full,
        1 => Detail::Flat,
        _ => Detail::Boxes,
    };
    let made = expand(rules.as_ref(), &outline, spec.foundation, seed, detail)?;
    let colliders = if lod == 0 { made.colliders } else { Vec::new() };
    Ok((BuildingLod::new(made.solids), colliders))
}

/// The outline and the rules of a building, checked.
fn ready(spec: &BuildingSpec) -> Result<(Vec<[f32; 2]>, Cow<'_, Grammar>), BuiltError> {
    range(|| "foundation".into(), spec.foundation, 0.0, 10.0)?;
    let outline = spec.footprint.corners()?;
    match &spec.style {
        Style::Preset(name) => Ok((outline, Cow::Owned(grammar(*name)))),
        Style::Grammar(own) => {
            own.validate()?;
            Ok((outline, Cow::Borrowed(own)))
        }
    }
}
