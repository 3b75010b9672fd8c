//! Grammars that come with the crate.

mod castle;
mod houses;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::footprint::Footprint;
use super::grammar::{
    Axis, Choice, DoorRule, Element, Faces, Grammar, Material, Paint, Part, RoofRule, Size, Step, Test, WindowRule,
};

/// A grammar that comes with the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// One floor, plastered, half-timbered or of stone, under tiles or thatch.
    Cottage,
    /// Two to four floors, each standing out over the one below.
    Townhouse,
    /// Two floors of stone with a loft.
    Farmhouse,
    /// Boards, a large door, no windows to speak of.
    Barn,
    /// A round or square tower with battlements or a spire.
    Tower,
    /// A tower, a nave with buttresses, a chancel.
    Church,
    /// Stone with pillars and a mansard roof.
    Hall,
    /// A townhouse with shop windows, an awning and a sign.
    Shop,
    /// A straight piece of a castle's wall, its front outside.
    CastleWall,
    /// Two towers with an arch between them.
    Gatehouse,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Cottage,
        Self::Townhouse,
        Self::Farmhouse,
        Self::Barn,
        Self::Tower,
        Self::Church,
        Self::Hall,
        Self::Shop,
        Self::CastleWall,
        Self::Gatehouse,
    ];

    /// As in data files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cottage => "cottage",
            Self::Townhouse => "townhouse",
            Self::Farmhouse => "farmhouse",
            Self::Barn => "barn",
            Self::Tower => "tower",
            Self::Church => "church",
            Self::Hall => "hall",
            Self::Shop => "shop",
            Self::CastleWall => "castle_wall",
            Self::Gatehouse => "gatehouse",
        }
    }

    /// A footprint that suits it.
    #[must_use]
    pub fn footprint(self) -> Footprint {
        let rectangle = |width, depth| Footprint::Rectangle { width, depth };
        match self {
            Self::Cottage => rectangle(9.0, 6.5),
            Self::Townhouse | Self::Shop => rectangle(7.5, 9.0),
            Self::Farmhouse => Footprint::L { width: 14.0, depth: 11.0, wing: 6.0, reach: 4.5 },
            Self::Barn => rectangle(15.0, 9.0),
            Self::Tower => Footprint::Round { width: 7.0, sides: 16 },
            Self::Church => rectangle(9.0, 26.0),
            Self::Hall => Footprint::U { width: 22.0, depth: 14.0, wing: 6.0, reach: 3.0 },
            Self::CastleWall => rectangle(16.0, 2.6),
            Self::Gatehouse => rectangle(15.0, 6.0),
        }
    }
}

/// The rules of a preset.
#[must_use]
pub fn grammar(preset: Preset) -> Grammar {
    match preset {
        Preset::Cottage => houses::cottage(),
        Preset::Townhouse => houses::townhouse(false),
        Preset::Shop => houses::townhouse(true),
        Preset::Farmhouse => houses::farmhouse(),
        Preset::Barn => houses::barn(),
        Preset::Hall => houses::hall(),
        Preset::Tower => castle::tower(),
        Preset::Church => castle::church(),
        Preset::CastleWall => castle::wall(),
        Preset::Gatehouse => castle::gatehouse(),
    }
}

fn make(start: &str, paints: Vec<(&str, Paint)>, rules: Vec<(&str, Vec<Step>)>) -> Grammar {
    Grammar {
        start: start.into(),
        paints: paints.into_iter().map(|(name, paint)| (name.into(), paint)).collect(),
        rules: rules.into_iter().map(|(name, steps)| (name.into(), steps)).collect::<BTreeMap<_, _>>(),
    }
}

fn paint(material: Material, colors: &[[f32; 3]]) -> Paint {
    Paint { material, colors: colors.to_vec() }
}

fn plaster() -> Paint {
    let colors = [
        [0.66, 0.58, 0.44],
        [0.71, 0.67, 0.58],
        [0.6, 0.43, 0.27],
        [0.62, 0.36, 0.26],
        [0.46, 0.49, 0.44],
        [0.68, 0.53, 0.3],
    ];
    paint(Material::Plaster, &colors)
}

fn stone() -> Paint {
    paint(Material::Stone, &[[0.3, 0.27, 0.23], [0.25, 0.245, 0.235], [0.37, 0.32, 0.25]])
}

fn ashlar() -> Paint {
    paint(Material::Stone, &[[0.43, 0.4, 0.34], [0.4, 0.385, 0.36]])
}

fn timber() -> Paint {
    paint(Material::Timber, &[[0.075, 0.042, 0.024], [0.05, 0.035, 0.025], [0.13, 0.075, 0.04]])
}

fn tiles() -> Paint {
    paint(Material::Tile, &[[0.31, 0.1, 0.05], [0.25, 0.085, 0.05], [0.36, 0.145, 0.065], [0.2, 0.09, 0.065]])
}

fn slate() -> Paint {
    paint(Material::Slate, &[[0.085, 0.095, 0.115], [0.11, 0.115, 0.12], [0.07, 0.085, 0.095]])
}

fn thatch() -> Paint {
    paint(Material::Thatch, &[[0.36, 0.26, 0.11], [0.29, 0.215, 0.1]])
}

fn shutters() -> Paint {
    let colors = [[0.045, 0.13, 0.1], [0.05, 0.11, 0.2], [0.24, 0.04, 0.03], [0.2, 0.12, 0.05], [0.1, 0.16, 0.06]];
    paint(Material::Plank, &colors)
}

fn doors() -> Paint {
    paint(Material::Plank, &[[0.15, 0.075, 0.03], [0.19, 0.035, 0.025], [0.04, 0.1, 0.12], [0.08, 0.12, 0.05]])
}

fn steps(rule: &str) -> Vec<Step> {
    vec![Step::Rule(rule.into())]
}

fn split<const N: usize>(axis: Axis, parts: [(Size, &str); N]) -> Step {
    Step::Split { axis, parts: parts.into_iter().map(|(size, rule)| Part { size, rule: rule.into() }).collect() }
}

fn choose<const N: usize>(choices: [(f32, &str); N]) -> Step {
    Step::Choose(choices.into_iter().map(|(weight, rule)| Choice { weight, rule: rule.into() }).collect())
}

fn extrude(low: f32, high: f32, rule: &str) -> Step {
    Step::Extrude { height: [low, high], rule: rule.into() }
}

fn offset(by: f32, rule: &str) -> Step {
    Step::Offset { by, rule: rule.into() }
}

fn when(test: Test, then: &str, otherwise: &str) -> Step {
    Step::When { test, then: then.into(), otherwise: Some(otherwise.into()) }
}

fn colored(paint: &str) -> Step {
    Step::Paint(paint.into())
}

fn window(rule: WindowRule) -> Step {
    Step::Insert(Element::Window(rule))
}

fn door(rule: DoorRule) -> Step {
    Step::Insert(Element::Door(rule))
}

fn faces(entrance: &str, side: &str, top: &str) -> Step {
    let name = |rule: &str| (!rule.is_empty()).then(|| rule.to_owned());
    Step::Faces(Faces { entrance: name(entrance), side: name(side), top: name(top), ..Faces::default() })
}

fn roof(rule: RoofRule) -> Vec<Step> {
    vec![Step::Roof(rule)]
}
