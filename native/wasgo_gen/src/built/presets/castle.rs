//! Towers, walls and churches.

use super::*;
use crate::built::grammar::RoofKind;
use Size::{Fixed, Repeat, Share};

fn stone_paints() -> Vec<(&'static str, Paint)> {
    vec![
        ("wall", stone()),
        ("stone", stone()),
        ("plinth", stone()),
        ("sill", ashlar()),
        ("trim", ashlar()),
        ("roof", paint(Material::Slate, &[[0.09, 0.1, 0.12], [0.26, 0.09, 0.05]])),
        ("slate", slate()),
        ("floor", paint(Material::Stone, &[[0.22, 0.21, 0.19]])),
        ("door", doors()),
        ("timber", timber()),
    ]
}

fn slit() -> WindowRule {
    WindowRule { width: 0.34, height: 1.3, sill: 1.1, panes: [1, 1], ..WindowRule::default() }
}

fn battlement(overhang: f32) -> RoofRule {
    RoofRule { kind: RoofKind::Battlement, pitch: 0.9, overhang, paint: "floor".into(), ..RoofRule::default() }
}

pub(super) fn tower() -> Grammar {
    make(
        "start",
        stone_paints(),
        vec![
            ("start", vec![extrude(11.0, 15.0, "tower")]),
            ("tower", vec![split(Axis::Y, [(Fixed(3.6), "base"), (Share(1.0), "shaft"), (Fixed(2.8), "crown")])]),
            ("base", vec![faces("gate", "blank", "")]),
            ("gate", vec![door(DoorRule { arch: true, width: 1.0, height: 2.2, ..DoorRule::default() })]),
            ("shaft", vec![split(Axis::Y, [(Repeat(3.4), "storey")])]),
            ("storey", vec![faces("slit", "maybe", "")]),
            ("maybe", vec![choose([(1.0, "slit"), (4.0, "blank")])]),
            ("slit", vec![window(slit())]),
            ("blank", vec![Step::Fill]),
            ("crown", vec![choose([(1.0, "spired"), (1.0, "crowned")])]),
            ("spired", vec![offset(0.22, "lookout")]),
            ("lookout", vec![faces("look", "look", "spire")]),
            (
                "look",
                vec![
                    window(WindowRule { width: 0.7, height: 1.3, arch: true, panes: [2, 1], ..WindowRule::default() }),
                    Step::Insert(Element::Band([0.2, 0.06])),
                ],
            ),
            ("spire", roof(RoofRule { kind: RoofKind::Spire, pitch: 2.0, overhang: 0.5, ..RoofRule::default() })),
            ("crowned", vec![faces("blank", "blank", "battlement")]),
            ("battlement", roof(battlement(0.35))),
        ],
    )
}

pub(super) fn wall() -> Grammar {
    make(
        "start",
        stone_paints(),
        vec![
            ("start", vec![extrude(5.6, 5.6, "wall")]),
            ("wall", vec![split(Axis::Y, [(Share(1.0), "foot"), (Fixed(2.8), "walk")])]),
            ("foot", vec![faces("blank", "blank", "")]),
            ("walk", vec![faces("slits", "blank", "battlement")]),
            ("slits", vec![split(Axis::X, [(Repeat(4.0), "slit")])]),
            ("slit", vec![window(slit())]),
            ("blank", vec![Step::Fill]),
            ("battlement", roof(battlement(0.3))),
        ],
    )
}

pub(super) fn gatehouse() -> Grammar {
    make(
        "start",
        stone_paints(),
        vec![
            (
                "start",
                vec![split(
                    Axis::X,
                    [(Fixed(4.6), "tower_plan"), (Share(1.0), "middle_plan"), (Fixed(4.6), "tower_plan")],
                )],
            ),
            ("tower_plan", vec![extrude(9.5, 9.5, "tower")]),
            ("tower", vec![split(Axis::Y, [(Fixed(3.4), "blind"), (Repeat(3.0), "storey"), (Fixed(1.6), "crown")])]),
            ("blind", vec![faces("blank", "blank", "")]),
            ("storey", vec![faces("slit", "slit", "")]),
            ("crown", vec![faces("blank", "blank", "battlement")]),
            // Behind the fronts of the towers.
            (
                "middle_plan",
                vec![split(Axis::Z, [(Fixed(0.8), "nothing"), (Share(1.0), "middle"), (Fixed(0.4), "nothing")])],
            ),
            ("nothing", vec![]),
            ("middle", vec![extrude(6.8, 6.8, "between")]),
            ("between", vec![split(Axis::Y, [(Fixed(4.6), "passage"), (Share(1.0), "over")])]),
            (
                "passage",
                vec![Step::Faces(Faces {
                    entrance: Some("arch".into()),
                    back: Some("arch".into()),
                    ..Faces::default()
                })],
            ),
            ("arch", vec![Step::Insert(Element::Arch(3.4))]),
            ("over", vec![faces("slit", "blank", "battlement")]),
            ("slit", vec![split(Axis::X, [(Repeat(2.6), "one_slit")])]),
            ("one_slit", vec![window(WindowRule { sill: 0.6, ..slit() })]),
            ("blank", vec![Step::Fill]),
            ("battlement", roof(battlement(0.3))),
        ],
    )
}

pub(super) fn church() -> Grammar {
    let nave = RoofRule { pitch: 1.25, overhang: 0.4, paint: "slate".into(), ..RoofRule::default() };
    make(
        "start",
        stone_paints(),
        vec![
            ("start", vec![split(Axis::Z, [(Fixed(5.4), "west"), (Share(1.0), "nave_plan"), (Fixed(4.5), "east")])]),
            (
                "west",
                vec![split(Axis::X, [(Share(1.0), "nothing"), (Fixed(5.4), "tower_plan"), (Share(1.0), "nothing")])],
            ),
            ("nothing", vec![]),
            ("tower_plan", vec![extrude(16.0, 19.0, "tower")]),
            ("tower", vec![split(Axis::Y, [(Fixed(5.4), "porch"), (Share(1.0), "shaft"), (Fixed(3.8), "belfry")])]),
            ("porch", vec![faces("gate", "tower_wall", "")]),
            (
                "gate",
                vec![
                    door(DoorRule { width: 1.8, height: 3.4, arch: true, double: true, ..DoorRule::default() }),
                    Step::Insert(Element::Quoins),
                ],
            ),
            ("tower_wall", vec![Step::Fill, Step::Insert(Element::Quoins)]),
            ("shaft", vec![split(Axis::Y, [(Repeat(4.0), "storey")])]),
            ("storey", vec![faces("slit", "tower_band", "")]),
            (
                "slit",
                vec![
                    window(WindowRule { width: 0.6, height: 1.6, arch: true, panes: [1, 2], ..WindowRule::default() }),
                    Step::Rule("edges".into()),
                ],
            ),
            ("edges", vec![Step::Insert(Element::Quoins), Step::Insert(Element::Band([0.25, 0.12]))]),
            ("tower_band", vec![Step::Fill, Step::Rule("edges".into())]),
            ("belfry", vec![faces("louvre", "louvre", "spire")]),
            (
                "louvre",
                vec![
                    window(WindowRule {
                        width: 1.5,
                        height: 2.5,
                        sill: 0.6,
                        arch: true,
                        panes: [2, 5],
                        ..WindowRule::default()
                    }),
                    Step::Rule("edges".into()),
                    Step::Insert(Element::Cornice([0.2, 0.14])),
                ],
            ),
            ("spire", vec![choose([(2.0, "pointed"), (1.0, "crown")])]),
            (
                "pointed",
                roof(RoofRule {
                    kind: RoofKind::Spire,
                    pitch: 2.7,
                    overhang: 0.3,
                    paint: "slate".into(),
                    ..RoofRule::default()
                }),
            ),
            ("crown", roof(battlement(0.2))),
            ("nave_plan", vec![extrude(6.4, 7.2, "nave")]),
            (
                "nave",
                vec![Step::Faces(Faces {
                    entrance: Some("blank".into()),
                    side: Some("aisle".into()),
                    back: Some("blank".into()),
                    top: Some("nave_roof".into()),
                    ..Faces::default()
                })],
            ),
            ("blank", vec![Step::Fill]),
            ("aisle", vec![split(Axis::X, [(Fixed(0.9), "pier"), (Share(1.0), "aisle_bays")])]),
            ("aisle_bays", vec![split(Axis::X, [(Repeat(4.0), "aisle_bay")])]),
            ("aisle_bay", vec![split(Axis::X, [(Share(1.0), "light"), (Fixed(0.9), "pier")])]),
            (
                "light",
                vec![window(WindowRule {
                    width: 1.4,
                    height: 3.6,
                    sill: 1.5,
                    arch: true,
                    panes: [2, 4],
                    ..WindowRule::default()
                })],
            ),
            ("pier", vec![Step::Fill, Step::Insert(Element::Buttress([0.65, 0.9]))]),
            ("nave_roof", roof(nave.clone())),
            (
                "east",
                vec![split(Axis::X, [(Share(1.0), "nothing"), (Share(5.0), "chancel_plan"), (Share(1.0), "nothing")])],
            ),
            ("chancel_plan", vec![extrude(4.8, 5.2, "chancel")]),
            (
                "chancel",
                vec![Step::Faces(Faces {
                    back: Some("rose".into()),
                    side: Some("chancel_side".into()),
                    entrance: Some("blank".into()),
                    top: Some("chancel_roof".into()),
                    ..Faces::default()
                })],
            ),
            (
                "chancel_side",
                vec![window(WindowRule {
                    width: 1.2,
                    height: 2.6,
                    sill: 1.3,
                    arch: true,
                    panes: [2, 3],
                    ..WindowRule::default()
                })],
            ),
            (
                "rose",
                vec![window(WindowRule {
                    width: 1.9,
                    height: 3.2,
                    sill: 1.2,
                    arch: true,
                    panes: [3, 3],
                    ..WindowRule::default()
                })],
            ),
            ("chancel_roof", roof(RoofRule { kind: RoofKind::Hip, ..nave })),
        ],
    )
}
