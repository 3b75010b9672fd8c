//! The plan that is used where none is given.

use super::{Layer, Plan, PropKind, ScatterRule, Terrain};
use crate::field::{Axis, Fractal, Node, NoiseKind};

fn noise(fractal: Fractal, frequency: f64, octaves: u32, seed: u32) -> Node {
    let (lacunarity, gain, kind, dimensions) = (2.0, 0.5, NoiseKind::Simplex, 2);
    Node::Noise { kind, fractal, dimensions, frequency, octaves, lacunarity, gain, seed }
}

impl Plan {
    /// A green world of hills and lakes, with some mountains.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut plan = Self::empty(seed);
        let mut add = |name: &str, node: Node| {
            plan.nodes.insert(name.into(), node);
        };
        let scaled = |of: &str, scale, offset| Node::Affine { of: of.into(), scale, offset };
        let smooth = |of: &str, low, high| Node::Smoothstep { of: of.into(), low, high };
        // Hills with wide, flat valleys, and mountains where there are some.
        add("hills", noise(Fractal::Fbm, 1.0 / 220.0, 5, 1));
        add(
            "rolling",
            Node::Curve { of: "hills".into(), points: vec![[-1.0, -0.5], [-0.1, -0.06], [0.3, 0.2], [1.0, 1.0]] },
        );
        add("ridges", noise(Fractal::Ridged, 0.6 / 220.0, 5, 2));
        add("peaks", scaled("ridges", 1.3, -0.3));
        add("ranges", noise(Fractal::None, 0.4 / 220.0, 1, 3));
        add("mountains", smooth("ranges", -0.05, 0.65));
        add("shape", Node::Blend { a: "rolling".into(), b: "peaks".into(), by: "mountains".into() });
        add("bend_x", noise(Fractal::None, 1.5 / 220.0, 1, 4));
        add("bend_z", noise(Fractal::None, 1.5 / 220.0, 1, 5));
        let by = vec!["bend_x".into(), "bend_z".into()];
        add("bent", Node::Warp { of: "shape".into(), by, strength: 24.0 });
        add("land", scaled("bent", 38.0, 7.0));
        plan.terrain = Some(Terrain { height: "land".into(), water: Some(0.0) });

        let mut add = |name: &str, node: Node| {
            plan.nodes.insert(name.into(), node);
        };
        add("climate", noise(Fractal::Fbm, 1.0 / 300.0, 2, 6));
        add("stretched", scaled("climate", 0.8, 0.5));
        add("moisture", Node::Clamp { of: "stretched".into(), low: 0.0, high: 1.0 });
        plan.moisture = Some("moisture".into());

        // Borders between kinds of ground are uneven.
        add("height", Node::Height {});
        add("slope", Node::Slope {});
        add("tint", noise(Fractal::None, 0.11, 1, 7));
        add("uneven", Node::Add { of: vec!["height".into(), "tint".into()] });
        add("tint_slope", scaled("tint", 0.02, 0.0));
        add("uneven_slope", Node::Add { of: vec!["slope".into(), "tint_slope".into()] });
        add("above_sand", smooth("uneven", 0.0, 2.4));
        add("dryness", scaled("moisture", -1.0, 1.0));
        add("dry", Node::Multiply { of: vec!["dryness".into(), "above_sand".into()] });
        add("snow", smooth("uneven", 25.0, 29.5));
        add("rock", smooth("uneven_slope", 0.18, 0.28));
        add("shade", scaled("tint", 0.1, 0.0));
        let layer = |name: &str, color, by: Option<&str>| Layer { name: name.into(), color, by: by.map(Into::into) };
        plan.ground = vec![
            layer("sand", [0.58, 0.46, 0.26], None),
            layer("grass", [0.075, 0.26, 0.035], Some("above_sand")),
            layer("dry grass", [0.24, 0.29, 0.06], Some("dry")),
            layer("snow", [0.86, 0.89, 0.94], Some("snow")),
            layer("rock", [0.20, 0.18, 0.16], Some("rock")),
        ];
        plan.shade = Some("shade".into());

        for (kind, frequency, threshold, seed) in [
            (PropKind::Tree, 1.0 / 60.0, -0.25, 10),
            (PropKind::Conifer, 1.0 / 80.0, -0.3, 11),
            (PropKind::Bush, 1.0 / 35.0, -0.1, 12),
        ] {
            let (groves, mask) = (format!("{}_groves", kind.name()), format!("{}_mask", kind.name()));
            add(&groves, noise(Fractal::None, frequency, 1, seed));
            add(&mask, smooth(&groves, threshold, threshold + 0.1));
        }
        plan.scatter = PropKind::ALL.into_iter().map(ScatterRule::new).collect();
        for rule in &mut plan.scatter {
            let mask = format!("{}_mask", rule.kind.name());
            rule.by = plan.nodes.contains_key(&mask).then_some(mask);
        }
        plan
    }

    /// Flat ground at a height, for what is only about the things on it.
    #[must_use]
    pub fn flat(seed: u64, height: f32) -> Self {
        let mut plan = Self::empty(seed);
        plan.nodes.insert("flat".into(), Node::Constant { value: height });
        plan.terrain = Some(Terrain { height: "flat".into(), water: None });
        plan
    }

    /// Ground that rises eastwards by `rise` metres for each metre.
    #[must_use]
    pub fn ramp(seed: u64, rise: f32) -> Self {
        let mut plan = Self::empty(seed);
        plan.nodes.insert("x".into(), Node::Coordinate { axis: Axis::X });
        plan.nodes.insert("ramp".into(), Node::Affine { of: "x".into(), scale: rise, offset: 0.0 });
        plan.terrain = Some(Terrain { height: "ramp".into(), water: None });
        plan
    }
}

impl ScatterRule {
    /// The rule that [`Plan::new`] has for this kind, but for its mask.
    #[must_use]
    pub fn new(kind: PropKind) -> Self {
        let (variants, spacing, density, level) = match kind {
            PropKind::Tree => (4, 4.2, 0.9, 1),
            PropKind::Conifer => (4, 3.4, 0.95, 1),
            PropKind::Rock => (4, 6.0, 0.35, 0),
            PropKind::Bush => (3, 3.0, 0.6, 0),
        };
        let (slope, height, scale) = match kind {
            PropKind::Tree => ((0.0, 0.2), (1.8, 15.0), (0.8, 1.35)),
            PropKind::Conifer => ((0.0, 0.26), (10.0, 27.0), (0.7, 1.3)),
            PropKind::Rock => ((0.0, 0.6), (-1.5, 60.0), (0.35, 1.6)),
            PropKind::Bush => ((0.0, 0.2), (1.5, 16.0), (0.6, 1.3)),
        };
        Self {
            name: kind.name().into(),
            kind: kind.into(),
            variation: None,
            variants,
            spacing,
            density,
            by: None,
            slope,
            height,
            scale,
            level,
            avoid: Vec::new(),
        }
    }
}
