//! Where people live, work and meet.

use super::*;
use crate::built::grammar::RoofKind;
use Size::{Fixed, Repeat, Share};

fn village_paints() -> Vec<(&'static str, Paint)> {
    vec![
        ("wall", plaster()),
        ("stone", stone()),
        ("plinth", stone()),
        ("sill", ashlar()),
        ("trim", paint(Material::Timber, &[[0.5, 0.47, 0.4], [0.16, 0.1, 0.06], [0.36, 0.33, 0.28]])),
        ("timber", timber()),
        ("roof", tiles()),
        ("thatch", thatch()),
        ("slate", slate()),
        ("shutter", shutters()),
        ("door", doors()),
    ]
}

pub(super) fn cottage() -> Grammar {
    let small = WindowRule { width: 0.95, height: 1.05, sill: 0.85, ..WindowRule::default() };
    let pretty = WindowRule { shutters: true, flowers: true, ..small.clone() };
    let gable = |paint: &str, wall: &str| RoofRule {
        kind: RoofKind::Gable,
        pitch: 1.0,
        overhang: 0.5,
        paint: paint.into(),
        wall: wall.into(),
        chimneys: 2,
        ..RoofRule::default()
    };
    make(
        "start",
        village_paints(),
        vec![
            ("start", vec![choose([(3.0, "plastered"), (3.0, "timbered"), (2.0, "stony")])]),
            ("plastered", vec![extrude(2.55, 2.9, "plain")]),
            ("timbered", vec![extrude(2.55, 2.8, "framed")]),
            ("stony", vec![colored("stone"), extrude(2.5, 2.8, "rough")]),
            ("plain", vec![faces("front", "wall", "tiled")]),
            ("framed", vec![faces("timber_front", "timber_wall", "any_roof")]),
            ("rough", vec![faces("front", "wall", "stone_roof")]),
            ("tiled", roof(gable("roof", "wall"))),
            ("any_roof", vec![choose([(2.0, "thatched"), (1.0, "tiled")])]),
            ("thatched", roof(RoofRule { overhang: 0.6, pitch: 1.1, ..gable("thatch", "wall") })),
            ("stone_roof", vec![choose([(1.0, "stone_slate"), (1.0, "stone_thatch")])]),
            ("stone_slate", roof(gable("slate", "stone"))),
            ("stone_thatch", roof(RoofRule { overhang: 0.6, ..gable("thatch", "stone") })),
            ("front", vec![choose([(1.0, "front_middle"), (1.0, "front_left"), (1.0, "front_right")])]),
            ("front_middle", vec![split(Axis::X, [(Share(1.0), "bays"), (Fixed(1.7), "door"), (Share(1.0), "bays")])]),
            ("front_left", vec![split(Axis::X, [(Fixed(2.0), "door"), (Share(1.0), "bays")])]),
            ("front_right", vec![split(Axis::X, [(Share(1.0), "bays"), (Fixed(2.0), "door")])]),
            ("bays", vec![split(Axis::X, [(Repeat(2.5), "bay")])]),
            ("bay", vec![window(pretty.clone())]),
            ("wall", vec![when(Test::Wide(3.0), "wall_bays", "blank")]),
            ("wall_bays", vec![split(Axis::X, [(Repeat(3.1), "wall_bay")])]),
            ("wall_bay", vec![choose([(4.0, "plain_window"), (1.0, "blank")])]),
            ("plain_window", vec![window(WindowRule { shutters: true, ..small.clone() })]),
            ("blank", vec![Step::Fill]),
            ("door", vec![choose([(1.0, "door_plain"), (1.0, "door_roofed")])]),
            ("door_plain", vec![door(DoorRule::default())]),
            ("door_roofed", vec![door(DoorRule { canopy: true, height: 2.0, ..DoorRule::default() })]),
            ("timber_front", vec![choose([(1.0, "timber_middle"), (1.0, "timber_left")])]),
            (
                "timber_middle",
                vec![split(
                    Axis::X,
                    [(Share(1.0), "timber_bays"), (Fixed(1.7), "timber_door"), (Share(1.0), "timber_bays")],
                )],
            ),
            ("timber_left", vec![split(Axis::X, [(Fixed(1.8), "timber_door"), (Share(1.0), "timber_bays")])]),
            ("timber_door", vec![door(DoorRule::default()), Step::Insert(Element::Timber(false))]),
            ("timber_wall", steps("timber_bays")),
            ("timber_bays", vec![split(Axis::X, [(Repeat(3.1), "timber_bay")])]),
            ("timber_bay", vec![when(Test::Wide(2.2), "timber_both", "timber_window")]),
            ("timber_both", vec![choose([(1.0, "timber_a"), (1.0, "timber_b")])]),
            ("timber_a", vec![split(Axis::X, [(Fixed(1.0), "panel"), (Share(1.0), "timber_window")])]),
            ("timber_b", vec![split(Axis::X, [(Share(1.0), "timber_window"), (Fixed(1.0), "panel")])]),
            (
                "timber_window",
                vec![window(WindowRule { flowers: true, ..small }), Step::Insert(Element::Timber(false))],
            ),
            ("panel", vec![Step::Fill, Step::Insert(Element::Timber(true))]),
        ],
    )
}

/// The ground floor is for living, or for trade.
pub(super) fn townhouse(shop: bool) -> Grammar {
    let tall = WindowRule { width: 0.95, height: 1.4, sill: 0.8, panes: [2, 3], ..WindowRule::default() };
    let display = WindowRule { width: 2.1, height: 1.6, sill: 0.6, panes: [4, 2], ..WindowRule::default() };
    let gable = RoofRule { pitch: 1.15, overhang: 0.4, chimneys: 2, dormers: 3.4, ..RoofRule::default() };
    let mut rules = vec![
        ("start", vec![choose([(3.0, "timbered"), (2.0, "plastered")])]),
        ("timbered", vec![extrude(8.2, 11.4, "jettied")]),
        ("plastered", vec![extrude(7.8, 10.6, "straight")]),
        ("jettied", vec![split(Axis::Y, [(Fixed(3.0), "ground"), (Share(1.0), "jetty"), (Fixed(2.6), "jetty_top")])]),
        ("jetty", vec![offset(0.2, "jetty_floors")]),
        ("jetty_floors", vec![split(Axis::Y, [(Repeat(2.6), "jetty_floor")])]),
        ("jetty_floor", vec![faces("timber_bays", "timber_bays", "")]),
        ("jetty_top", vec![offset(0.38, "jetty_top_faces")]),
        ("jetty_top_faces", vec![faces("timber_bays", "timber_bays", "gabled")]),
        ("straight", vec![split(Axis::Y, [(Fixed(3.0), "ground"), (Share(1.0), "floors"), (Fixed(2.7), "top_floor")])]),
        ("floors", vec![split(Axis::Y, [(Repeat(2.7), "floor")])]),
        ("floor", vec![faces("banded_front", "banded", "")]),
        ("top_floor", vec![faces("banded", "banded", "corniced")]),
        ("banded", vec![Step::Rule("bays".into()), Step::Insert(Element::Band([0.14, 0.06]))]),
        ("banded_front", vec![choose([(1.0, "balconies"), (2.0, "banded")])]),
        ("balconies", vec![split(Axis::X, [(Share(1.0), "bays"), (Fixed(2.4), "balcony"), (Share(1.0), "bays")])]),
        (
            "balcony",
            vec![window(WindowRule {
                balcony: true,
                sill: 0.05,
                height: 2.1,
                width: 1.1,
                panes: [2, 3],
                ..WindowRule::default()
            })],
        ),
        ("corniced", vec![choose([(2.0, "gabled"), (2.0, "hipped"), (2.0, "mansard")])]),
        ("gabled", roof(gable.clone())),
        ("hipped", roof(RoofRule { kind: RoofKind::Hip, pitch: 0.95, ..gable.clone() })),
        (
            "mansard",
            roof(RoofRule { kind: RoofKind::Mansard, paint: "slate".into(), overhang: 0.25, dormers: 2.1, ..gable }),
        ),
        ("bays", vec![split(Axis::X, [(Repeat(2.2), "bay")])]),
        ("bay", vec![window(WindowRule { shutters: true, flowers: true, ..tall.clone() })]),
        ("timber_bays", vec![split(Axis::X, [(Repeat(2.9), "timber_bay")])]),
        ("timber_bay", vec![when(Test::Wide(1.9), "timber_pair", "timber_window")]),
        ("timber_pair", vec![choose([(1.0, "timber_a"), (1.0, "timber_b")])]),
        ("timber_a", vec![split(Axis::X, [(Fixed(0.85), "panel"), (Share(1.0), "timber_window")])]),
        ("timber_b", vec![split(Axis::X, [(Share(1.0), "timber_window"), (Fixed(0.85), "panel")])]),
        (
            "timber_window",
            vec![
                window(WindowRule { flowers: true, sill: 0.75, height: 1.25, ..tall }),
                Step::Insert(Element::Timber(false)),
            ],
        ),
        ("panel", vec![Step::Fill, Step::Insert(Element::Timber(true))]),
        ("ground_wall", vec![colored("stone"), split(Axis::X, [(Repeat(2.8), "ground_bay")])]),
        ("ground_bay", vec![window(WindowRule { height: 1.2, ..WindowRule::default() })]),
        ("ground", vec![colored("stone"), faces("front", "ground_wall", "")]),
    ];
    if shop {
        rules.extend([
            ("front", vec![choose([(1.0, "front_a"), (1.0, "front_b")])]),
            ("front_a", vec![split(Axis::X, [(Share(1.0), "display"), (Fixed(1.9), "door")])]),
            ("front_b", vec![split(Axis::X, [(Fixed(1.9), "door"), (Share(1.0), "display")])]),
            ("display", vec![split(Axis::X, [(Repeat(2.7), "pane")]), Step::Insert(Element::Awning(1.3))]),
            ("pane", vec![window(display)]),
            ("door", vec![door(DoorRule { height: 2.2, ..DoorRule::default() }), Step::Insert(Element::Sign)]),
        ]);
    } else {
        rules.extend([
            ("front", vec![choose([(1.0, "front_a"), (1.0, "front_b"), (1.0, "front_c")])]),
            ("front_a", vec![split(Axis::X, [(Share(1.0), "ground_bays"), (Fixed(1.9), "door")])]),
            ("front_b", vec![split(Axis::X, [(Fixed(1.9), "door"), (Share(1.0), "ground_bays")])]),
            (
                "front_c",
                vec![split(Axis::X, [(Share(1.0), "ground_bays"), (Fixed(1.9), "door"), (Share(1.0), "ground_bays")])],
            ),
            ("ground_bays", vec![split(Axis::X, [(Repeat(2.4), "ground_bay")])]),
            ("door", vec![choose([(1.0, "door_round"), (1.0, "door_square")])]),
            ("door_round", vec![door(DoorRule { arch: true, width: 1.15, height: 2.4, ..DoorRule::default() })]),
            ("door_square", vec![door(DoorRule { canopy: true, ..DoorRule::default() })]),
        ]);
    }
    let mut paints = village_paints();
    paints.push((
        "cloth",
        paint(Material::Cloth, &[[0.45, 0.05, 0.04], [0.05, 0.16, 0.3], [0.06, 0.22, 0.1], [0.55, 0.3, 0.04]]),
    ));
    make("start", paints, rules)
}

pub(super) fn farmhouse() -> Grammar {
    let simple = WindowRule { width: 0.95, height: 1.25, sill: 0.85, ..WindowRule::default() };
    let loft = RoofRule { pitch: 0.95, overhang: 0.5, chimneys: 2, ..RoofRule::default() };
    make(
        "start",
        village_paints(),
        vec![
            ("start", vec![extrude(5.0, 5.6, "house")]),
            ("house", vec![split(Axis::Y, [(Share(1.0), "lower"), (Share(0.9), "upper")])]),
            ("lower", vec![colored("stone"), faces("front", "bays", "")]),
            ("upper", vec![choose([(1.0, "upper_stone"), (1.0, "upper_plaster"), (1.0, "upper_timber")])]),
            ("upper_stone", vec![colored("stone"), faces("bays", "bays", "roof_stone")]),
            ("upper_plaster", vec![faces("bays", "bays", "roof_plaster")]),
            ("upper_timber", vec![offset(0.12, "upper_framed")]),
            ("upper_framed", vec![faces("timber_bays", "timber_bays", "roof_plaster")]),
            ("roof_stone", roof(RoofRule { paint: "slate".into(), wall: "stone".into(), ..loft.clone() })),
            ("roof_plaster", roof(loft)),
            ("front", vec![split(Axis::X, [(Share(1.0), "bays"), (Fixed(2.0), "door"), (Share(1.0), "bays")])]),
            ("door", vec![door(DoorRule { canopy: true, width: 1.2, ..DoorRule::default() })]),
            ("bays", vec![split(Axis::X, [(Repeat(2.7), "bay")])]),
            ("bay", vec![window(WindowRule { shutters: true, ..simple.clone() })]),
            ("timber_bays", vec![split(Axis::X, [(Repeat(2.7), "timber_bay")])]),
            ("timber_bay", vec![window(simple), Step::Insert(Element::Timber(false))]),
        ],
    )
}

pub(super) fn barn() -> Grammar {
    let mut paints = village_paints();
    paints.push(("plank", paint(Material::Plank, &[[0.17, 0.095, 0.05], [0.13, 0.1, 0.075], [0.24, 0.06, 0.035]])));
    make(
        "start",
        paints,
        vec![
            ("start", vec![extrude(4.2, 4.9, "barn")]),
            ("barn", vec![colored("plank"), faces("front", "side", "roof")]),
            ("front", vec![split(Axis::X, [(Share(1.0), "boards"), (Fixed(3.8), "gate"), (Share(1.0), "boards")])]),
            ("footed", vec![split(Axis::Y, [(Fixed(0.9), "foot"), (Share(1.0), "framed")])]),
            ("foot", vec![colored("stone"), Step::Fill]),
            ("framed", vec![Step::Fill, Step::Insert(Element::Timber(true))]),
            ("gate", vec![door(DoorRule { width: 3.2, height: 3.1, double: true, ..DoorRule::default() })]),
            ("side", vec![split(Axis::X, [(Repeat(3.0), "side_bay")])]),
            ("side_bay", vec![choose([(2.0, "board_bay"), (1.0, "hatch")])]),
            (
                "hatch",
                vec![
                    window(WindowRule { width: 0.7, height: 0.7, sill: 1.8, panes: [1, 1], ..WindowRule::default() }),
                    Step::Insert(Element::Timber(false)),
                ],
            ),
            ("boards", vec![split(Axis::X, [(Repeat(3.0), "board_bay")])]),
            ("board_bay", steps("footed")),
            ("roof", vec![choose([(2.0, "tiled"), (1.0, "thatched")])]),
            ("tiled", roof(RoofRule { pitch: 0.95, overhang: 0.6, wall: "plank".into(), ..RoofRule::default() })),
            (
                "thatched",
                roof(RoofRule {
                    pitch: 1.05,
                    overhang: 0.7,
                    wall: "plank".into(),
                    paint: "thatch".into(),
                    ..RoofRule::default()
                }),
            ),
        ],
    )
}

pub(super) fn hall() -> Grammar {
    let high = WindowRule { width: 1.2, height: 2.1, sill: 0.7, panes: [2, 3], arch: true, ..WindowRule::default() };
    let paints = vec![
        ("wall", paint(Material::Plaster, &[[0.62, 0.52, 0.36], [0.6, 0.56, 0.48], [0.55, 0.38, 0.28]])),
        ("stone", ashlar()),
        ("plinth", stone()),
        ("sill", ashlar()),
        ("trim", ashlar()),
        ("roof", slate()),
        ("door", doors()),
        ("timber", timber()),
    ];
    make(
        "start",
        paints,
        vec![
            ("start", vec![extrude(7.4, 8.2, "hall")]),
            ("hall", vec![split(Axis::Y, [(Share(1.15), "lower"), (Share(1.0), "upper")])]),
            ("lower", vec![faces("front", "lower_bays", "")]),
            ("upper", vec![faces("upper_bays", "upper_bays", "roof")]),
            (
                "front",
                vec![split(Axis::X, [(Share(1.0), "lower_bays"), (Fixed(3.2), "portal"), (Share(1.0), "lower_bays")])],
            ),
            ("portal", vec![split(Axis::X, [(Fixed(0.6), "pillar"), (Share(1.0), "gate"), (Fixed(0.6), "pillar")])]),
            ("gate", vec![door(DoorRule { width: 1.7, height: 3.0, arch: true, double: true, ..DoorRule::default() })]),
            ("pillar", vec![Step::Fill, Step::Insert(Element::Pillar(0.45))]),
            ("lower_bays", vec![Step::Insert(Element::Quoins), split(Axis::X, [(Repeat(2.7), "lower_bay")])]),
            ("lower_bay", vec![window(high.clone())]),
            (
                "upper_bays",
                vec![
                    Step::Insert(Element::Quoins),
                    Step::Insert(Element::Band([0.22, 0.1])),
                    split(Axis::X, [(Repeat(2.7), "upper_bay")]),
                    Step::Insert(Element::Cornice([0.22, 0.18])),
                ],
            ),
            ("upper_bay", vec![window(WindowRule { arch: false, height: 1.7, ..high })]),
            (
                "roof",
                roof(RoofRule {
                    kind: RoofKind::Mansard,
                    overhang: 0.25,
                    dormers: 2.8,
                    chimneys: 2,
                    ..RoofRule::default()
                }),
            ),
        ],
    )
}
