//! Settlements are the same whoever asks, keep their distances, and can be walked through.

use wasgo_gen::built::{
    Area, BuiltError, Ground, Layout, Preset, Region, SettlementPropKind, SettlementRule, Settlements, SizeClass,
    building,
};
use wasgo_gen::noise::simplex2;

struct Hills;

impl Ground for Hills {
    fn heights(&self, xs: &[f64], zs: &[f64], out: &mut [f32]) {
        for ((x, z), height) in xs.iter().zip(zs).zip(out) {
            let wide = simplex2(5, x / 520.0, z / 520.0) * 26.0;
            let fine = simplex2(6, x / 240.0, z / 240.0) * 11.0 + simplex2(7, x / 100.0, z / 100.0) * 3.0;
            *height = (wide + fine + 14.0) as f32;
        }
    }
}

/// With water at 0 m.
fn rule() -> SettlementRule {
    SettlementRule { water_level: Some(0.0), ..SettlementRule::default() }
}

fn height(x: f64, z: f64) -> f32 {
    let mut out = [0.0];
    Hills.heights(&[x], &[z], &mut out);
    out[0]
}

fn settlements(seed: u64) -> Settlements {
    Settlements::new(rule(), seed).unwrap()
}

fn area(x: f64, z: f64, side: f64) -> Area {
    Area { min: [x, z], max: [x + side, z + side] }
}

fn region(seed: u64) -> Region {
    settlements(seed).region(&Hills, area(-1500.0, -1500.0, 3000.0)).unwrap()
}

/// The distance of a point from a line.
fn from_line(point: [f64; 2], a: [f64; 2], b: [f64; 2]) -> f64 {
    let (dx, dz) = (b[0] - a[0], b[1] - a[1]);
    let share = (((point[0] - a[0]) * dx + (point[1] - a[1]) * dz) / (dx * dx + dz * dz)).clamp(0.0, 1.0);
    let (ex, ez) = (point[0] - a[0] - dx * share, point[1] - a[1] - dz * share);
    (ex * ex + ez * ez).sqrt()
}

fn far(a: [f64; 2], b: [f64; 2]) -> f64 {
    ((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1])).sqrt()
}

#[test]
fn overlapping_regions_see_the_same() {
    for seed in 0..3 {
        let it = settlements(seed);
        let large = it.region(&Hills, area(-1100.0, -900.0, 2600.0)).unwrap();
        assert!(!large.layouts.is_empty() && !large.roads.is_empty(), "{seed}");
        for (x, z, side) in [(-200.0, -300.0, 900.0), (256.0, -64.0, 64.0), (-900.0, 300.0, 1200.0)] {
            let small = it.region(&Hills, area(x, z, side)).unwrap();
            for layout in &small.layouts {
                let other = large.layouts.iter().find(|other| other.site.id == layout.site.id);
                assert_eq!(other, Some(layout), "{seed}");
            }
            for road in &small.roads {
                let other = large.roads.iter().find(|other| other.ends == road.ends);
                assert_eq!(other, Some(road), "{seed}");
            }
            // And nothing is missing.
            let here = small.area;
            for layout in large.layouts.iter().filter(|layout| here.holds(layout.site.position)) {
                assert!(small.layouts.iter().any(|other| other.site.id == layout.site.id), "{seed}");
            }
            for road in large.roads.iter().filter(|road| road.bounds.touches(&here)) {
                assert!(small.roads.iter().any(|other| other.ends == road.ends), "{seed}");
            }
        }
    }
}

#[test]
fn the_ground_is_shaped_the_same_in_every_bit() {
    let it = settlements(1);
    let whole = it.region(&Hills, area(-1500.0, -1500.0, 3000.0)).unwrap();
    let layout = whole.layouts.iter().max_by_key(|layout| layout.lots.len()).unwrap();
    let [x, z] = layout.site.position.map(f64::floor);
    let shapings = [
        whole.shaping(area(x - 300.0, z - 300.0, 600.0)),
        whole.shaping(area(x - 64.0, z - 64.0, 128.0)),
        it.region(&Hills, area(x - 70.0, z - 70.0, 150.0)).unwrap().shaping(area(x - 70.0, z - 70.0, 150.0)),
    ];
    let mut roads = 0;
    for step in 0..4096 {
        let (px, pz) = (x - 63.0 + f64::from(step % 64) * 1.97, z - 63.0 + f64::from(step / 64) * 1.97);
        let [a, b, c] = [0, 1, 2].map(|at: usize| shapings[at].shape(px, pz, height(px, pz)));
        assert_eq!(a, b);
        assert_eq!(a, c);
        assert!(a.height.is_finite());
        roads += u32::from(a.road_weight > 0.5);
    }
    assert!(roads > 100);
    // The batch is the same.
    let xs: Vec<f64> = (0..64).map(|at| x + f64::from(at)).collect();
    let zs = vec![z + 0.5; 64];
    let mut heights: Vec<f32> = xs.iter().zip(&zs).map(|(x, z)| height(*x, *z)).collect();
    let mut weights = vec![0.0; 64];
    let single: Vec<_> = (0..64).map(|at| shapings[0].shape(xs[at], zs[at], heights[at])).collect();
    shapings[0].shape_all(&xs, &zs, &mut heights, &mut weights);
    for at in 0..64 {
        assert_eq!((heights[at], weights[at]), (single[at].height, single[at].road_weight));
    }
}

#[test]
fn shaped_ground_has_no_steps() {
    let whole = region(1);
    for layout in whole.layouts.iter().take(3) {
        let [x, z] = layout.site.position;
        let shaping = whole.shaping(area(x - 150.0, z - 150.0, 300.0));
        let at = |px: f64, pz: f64| shaping.shape(px, pz, height(px, pz)).height;
        for step in 0..9000 {
            let (px, pz) = (x - 140.0 + f64::from(step % 95) * 2.93, z - 140.0 + f64::from(step / 95) * 2.93);
            let rise = (at(px, pz) - at(px + 0.01, pz + 0.005)).abs();
            assert!(rise < 0.12, "{rise} m within a centimetre at {px} {pz}");
        }
    }
}

fn assert_apart(layout: &Layout, whole: &Region) {
    for (number, lot) in layout.lots.iter().enumerate() {
        for other in &layout.lots[number + 1..] {
            assert!(!lot.area.overlaps(&other.area), "{:?} {:?}", lot.area, other.area);
        }
        for road in layout.streets.iter().chain(&whole.roads) {
            for pair in road.points.windows(2) {
                let (a, b) = (pair[0].place(), pair[1].place());
                if far(a, lot.area.center) > 60.0 {
                    continue;
                }
                for share in 0..=8 {
                    let share = f64::from(share) / 8.0;
                    let point = [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share];
                    assert!(lot.area.distance(point) >= f64::from(road.width) / 2.0, "{:?} {point:?}", lot.area);
                }
            }
        }
        assert!(layout.square.distance(lot.building.center) > 3.0);
        assert!(far(lot.building.center, layout.site.position) < layout.site.radius);
    }
}

#[test]
fn lots_overlap_neither_each_other_nor_streets() {
    for seed in 0..4 {
        let whole = region(seed);
        let inner = area(-1300.0, -1300.0, 2600.0);
        for layout in whole.layouts.iter().filter(|layout| inner.holds(layout.site.position)) {
            assert_apart(layout, &whole);
        }
    }
}

#[test]
fn doors_can_be_reached_from_a_street() {
    let mut doors = 0;
    for seed in 0..3 {
        let whole = region(seed);
        let inner = area(-1300.0, -1300.0, 2600.0);
        for layout in whole.layouts.iter().filter(|layout| inner.holds(layout.site.position)) {
            let [x, z] = layout.site.position;
            let shaping = whole.shaping(area(x - 250.0, z - 250.0, 500.0));
            for lot in &layout.lots {
                let built = building(&lot.spec, lot.seed).unwrap();
                let door = built.entrances[0];
                let (sin, cos) = libm::sincos(f64::from(lot.yaw));
                let (dx, dz) = (f64::from(door.position[0]), f64::from(door.position[2]));
                let place = [lot.position[0] + dx * cos + dz * sin, lot.position[2] - dx * sin + dz * cos];
                // The door is in the front wall of the building that the lot has room for.
                assert!(lot.building.distance(place) < 0.2, "{:?}", lot.preset);
                // The front of the lot is at a street or at the square, and the way there is free and not a cliff.
                let front = lot.area.at(0.0, lot.area.half[1]);
                let near_street = layout
                    .streets
                    .iter()
                    .chain(&whole.roads)
                    .flat_map(|road| road.points.windows(2))
                    .any(|pair| from_line(front, pair[0].place(), pair[1].place()) < 6.0);
                let at_square = layout.square.distance(front) < 25.0;
                assert!(near_street || at_square, "{:?} {front:?}", lot.preset);
                let before = shaping.shape(place[0], place[1], height(place[0], place[1])).height;
                assert!((f64::from(before) - lot.position[1]).abs() < 0.5, "{:?}: {before}", lot.preset);
                let way = far(front, place);
                let on = |at: f64| {
                    let share = at / way;
                    let (x, z) = (front[0] + (place[0] - front[0]) * share, front[1] + (place[1] - front[1]) * share);
                    shaping.shape(x, z, height(x, z)).height
                };
                let mut at = 0.5;
                while at < way {
                    let rise = (on(at) - on(at - 0.5)).abs();
                    assert!(rise < 0.55, "{:?}: {rise} m in half a metre", lot.preset);
                    at += 0.5;
                }
                doors += 1;
            }
        }
    }
    assert!(doors > 100, "{doors}");
}

#[test]
fn roads_are_not_too_steep_and_stay_out_of_the_water() {
    let rule = rule();
    let mut bridges = 0;
    for seed in 0..4 {
        let whole = region(seed);
        let streets = whole.layouts.iter().flat_map(|layout| &layout.streets);
        for road in whole.roads.iter().chain(streets) {
            assert!(road.points.len() >= 2);
            for pair in road.points.windows(2) {
                let length = far(pair[0].place(), pair[1].place());
                let grade = f64::from((pair[1].height - pair[0].height).abs()) / length;
                assert!(grade <= f64::from(rule.roads.max_grade) + 1e-4, "{grade}");
                assert!(length < 8.0);
            }
            for point in &road.points {
                let wet = height(point.x, point.z) < 0.35;
                assert_eq!(point.bridge, wet);
                if wet {
                    assert!(point.height >= rule.roads.clearance - 1e-3, "{point:?}");
                    bridges += 1;
                }
            }
        }
    }
    println!("{bridges} points of bridges");
}

#[test]
fn roads_meet_their_squares() {
    let whole = region(2);
    assert!(!whole.roads.is_empty());
    for road in &whole.roads {
        for (id, point) in [(road.ends[0], road.points[0]), (road.ends[1], road.points[road.points.len() - 1])] {
            if let Some(layout) = whole.layouts.iter().find(|layout| layout.site.id == id) {
                assert_eq!(point.place(), layout.site.position);
                assert_eq!(point.height, layout.site.height);
            }
        }
    }
}

#[test]
fn sites_keep_their_distance_and_suit() {
    for seed in 0..6 {
        let rule = rule();
        let sites = settlements(seed).sites(&Hills, area(-4000.0, -4000.0, 8000.0)).unwrap();
        assert!(sites.len() > 10, "{}", sites.len());
        for (number, site) in sites.iter().enumerate() {
            assert!(site.height > 0.5);
            for other in &sites[number + 1..] {
                assert!(far(site.position, other.position) >= rule.spacing);
            }
        }
    }
}

#[test]
fn villages_have_what_belongs_to_them() {
    let mut sizes = [0; 3];
    for seed in 0..6 {
        for layout in &region(seed).layouts {
            sizes[layout.site.size as usize] += 1;
            assert!(layout.lots.len() <= layout.site.size.most_lots());
            assert_eq!(layout.pads.len(), layout.lots.len() + 1);
            let has = |kind| layout.props.iter().any(|prop| prop.kind == kind);
            match layout.site.size {
                SizeClass::Town => assert!(has(SettlementPropKind::MarketCross)),
                _ => assert!(has(SettlementPropKind::Well)),
            }
            assert!(layout.props.iter().all(|prop| prop.position.iter().all(|value| value.is_finite())));
            let churches = layout.lots.iter().filter(|lot| lot.preset == Preset::Church).count();
            assert!(churches <= 1);
        }
    }
    assert!(sizes.iter().all(|count| *count > 0), "{sizes:?}");
}

#[test]
fn far_from_everything_the_ground_stays() {
    let rule = SettlementRule { density: 0.0, ..rule() };
    let region = Settlements::new(rule, 1).unwrap().region(&Hills, area(0.0, 0.0, 512.0)).unwrap();
    assert!(region.layouts.is_empty() && region.roads.is_empty());
    let shaping = region.shaping(region.area);
    assert!(shaping.is_empty());
    let shaped = shaping.shape(10.0, 10.0, 3.25);
    assert_eq!((shaped.height, shaped.road_weight, shaped.pad_weight, shaped.clear), (3.25, 0.0, 0.0, false));
}

#[test]
fn what_is_wrong_with_a_rule_is_named() {
    let refused = |change: fn(&mut SettlementRule)| {
        let mut rule = rule();
        change(&mut rule);
        Settlements::new(rule, 1).unwrap_err().to_string()
    };
    assert_eq!(refused(|rule| rule.cell = 10.0), "cell is 10, allowed: 256 to 8192");
    assert_eq!(refused(|rule| rule.spacing = f64::NAN), "spacing is NaN, allowed: 0 to 960");
    assert_eq!(refused(|rule| rule.roads.step = 2.0), "roads.step is 2, allowed: 13 to 100");
    assert_eq!(refused(|rule| rule.heights = [5.0, 1.0]), "heights: the least is above the greatest");
    assert_eq!(refused(|rule| rule.sizes = [0.0; 3]), "sizes: all are 0");
    let huge = settlements(1).region(&Hills, area(0.0, 0.0, 1e6));
    assert!(matches!(huge, Err(BuiltError::OutOfRange { .. })));
    let nowhere = settlements(1).region(&Hills, area(f64::NAN, 0.0, 1.0));
    assert!(matches!(nowhere, Err(BuiltError::OutOfRange { .. })));
    let text = serde_json::to_string(&SettlementRule::default()).unwrap();
    assert_eq!(serde_json::from_str::<SettlementRule>(&text).unwrap(), SettlementRule::default());
    assert!(serde_json::from_str::<SettlementRule>(r#"{"cells":1}"#).is_err());
}
