//! Plans that place props.

use wasgo_gen::props::{GrassKind, GrassSpec, PropSpec, RockKind, RockSpec, Species, TreeSpec, Variation};
use wasgo_gen::{Plan, PropKind, ScatterKind, ScatterRule};

/// A rule for everywhere.
pub fn rule(kind: impl Into<ScatterKind>, variants: u32, spacing: f32) -> ScatterRule {
    ScatterRule {
        kind: kind.into(),
        name: String::new(),
        variants,
        spacing,
        slope: (0.0, 1.0),
        height: (-100.0, 100.0),
        density: 1.0,
        level: 6,
        ..ScatterRule::new(PropKind::Tree)
    }
}

/// Of a height of its own.
pub fn oak() -> PropSpec {
    PropSpec::Tree(TreeSpec { height: Some(9.0), ..TreeSpec::new(Species::Oak) })
}

/// A meadow with oaks, rocks that vary, a low-poly kind and reed.
pub fn wood(seed: u64) -> Plan {
    let mut plan = Plan::flat(seed, 3.0);
    plan.chunk.samples = 17;
    plan.chunk.size = 64.0;
    plan.scatter = vec![
        rule(oak(), 2, 9.0),
        ScatterRule {
            variation: Some(Variation { hue: 1.0, ..Variation::default() }),
            ..rule(PropSpec::Rock(RockSpec::new(RockKind::Slab)), 3, 14.0)
        },
        rule(PropKind::Bush, 1, 20.0),
        rule(PropSpec::Grass(GrassSpec::new(GrassKind::Reed)), 1, 12.0),
        rule(PropSpec::Tree(TreeSpec::new(Species::Oak)), 1, 30.0),
    ];
    for rule in &mut plan.scatter {
        // Coarse chunks are wide: there are limits on what they may try.
        rule.level = 4;
    }
    plan
}
