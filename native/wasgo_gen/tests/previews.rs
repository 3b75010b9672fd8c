//! Pictures show what the plan is: from above, at an angle, and cut open.

use wasgo_gen::field::{Axis, Node, Shape};
use wasgo_gen::preview::{Drawing, Picture, View};
use wasgo_gen::{Generator, Layer, Plan, Terrain, Volume};

/// A red ball of 20 m that floats 30 m above green ground.
fn ball(terrain: bool) -> Generator {
    let mut plan = Plan::empty(1);
    plan.nodes.insert("flat".into(), Node::Constant { value: 0.0 });
    plan.nodes.insert("y".into(), Node::Coordinate { axis: Axis::Y });
    plan.nodes.insert("ground".into(), Node::Subtract { a: "flat".into(), b: "y".into() });
    plan.nodes.insert("ball".into(), Node::Body { shape: Shape::Sphere { radius: 20.0 }, center: [0.0, 50.0, 0.0] });
    plan.nodes.insert("all".into(), Node::Max { of: vec!["ground".into(), "ball".into()] });
    plan.nodes.insert("height".into(), Node::Height {});
    plan.nodes.insert("high".into(), Node::Smoothstep { of: "height".into(), low: 10.0, high: 20.0 });
    plan.ground = vec![
        Layer { name: "grass".into(), color: [0.0, 0.6, 0.0], by: None },
        Layer { name: "rock".into(), color: [0.6, 0.0, 0.0], by: Some("high".into()) },
    ];
    let density = if terrain { "ball" } else { "all" };
    plan.volume = Some(Volume { density: density.into(), cells: 16, spacing: 1.0 });
    plan.terrain = terrain.then(|| Terrain { height: "flat".into(), water: None });
    Generator::new(plan).unwrap()
}

fn pixel(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
    let at = (y * picture.size + x) as usize * 3;
    [0, 1, 2].map(|n| picture.pixels[at + n])
}

fn is_red([red, green, _]: [u8; 3]) -> bool {
    red / 2 > green
}

fn is_green([red, green, _]: [u8; 3]) -> bool {
    green / 2 > red
}

#[test]
fn what_floats_is_seen_from_above_and_casts_a_shadow() {
    for terrain in [false, true] {
        let generator = ball(terrain);
        let picture = generator.preview(&View::new([0.0, 0.0], 160.0, 64)).unwrap();
        assert!(is_red(pixel(&picture, 32, 32)));
        assert!(is_green(pixel(&picture, 4, 4)) && is_green(pixel(&picture, 60, 32)));
        // The sun is in the north-west, 45 degrees high: the shadow lies 35 m to the south and the east of what floats 50 m high.
        let (lit, dark) = (pixel(&picture, 18, 18)[1], pixel(&picture, 46, 46)[1]);
        assert!(is_green(pixel(&picture, 46, 46)) && dark < lit - 40, "{dark} {lit}");
    }
}

#[test]
fn at_an_angle_one_sees_under_what_floats() {
    for terrain in [false, true] {
        let view = View { angle: 20.0, ..View::new([0.0, 0.0], 160.0, 64) };
        let picture = ball(terrain).preview(&view).unwrap();
        let column: Vec<[u8; 3]> = (0..64).map(|y| pixel(&picture, 32, y)).collect();
        let first = column.iter().position(|at| is_red(*at)).unwrap();
        let last = column.iter().rposition(|at| is_red(*at)).unwrap();
        // As high as it is wide, and ground below it.
        assert!((14..=18).contains(&(last - first)), "{first} {last}");
        assert!(column[last + 4..].iter().all(|at| is_green(*at)));
    }
}

#[test]
fn a_cut_opens_what_is_solid() {
    let view = View { below: Some(50.0), ..View::new([0.0, 0.0], 160.0, 64) };
    for terrain in [false, true] {
        let picture = ball(terrain).preview(&view).unwrap();
        let cut = pixel(&picture, 32, 32);
        assert!(!is_red(cut) && !is_green(cut), "{cut:?}");
        assert!(is_green(pixel(&picture, 4, 4)));
        let whole = View { below: Some(25.0), ..view };
        assert!(is_green(pixel(&ball(terrain).preview(&whole).unwrap(), 32, 32)));
    }
}

#[test]
fn hills_hide_what_is_behind_them() {
    let mut plan = Plan::empty(1);
    plan.nodes.insert("z".into(), Node::Coordinate { axis: Axis::Z });
    // A wall across the view, 40 m high.
    let points = vec![[-6.0, 0.0], [-5.0, 40.0], [5.0, 40.0], [6.0, 0.0]];
    plan.nodes.insert("wall".into(), Node::Curve { of: "z".into(), points });
    plan.nodes.insert("behind".into(), Node::Smoothstep { of: "z".into(), low: -10.0, high: -12.0 });
    plan.ground = vec![
        Layer { name: "here".into(), color: [0.0, 0.6, 0.0], by: None },
        Layer { name: "behind".into(), color: [0.6, 0.0, 0.0], by: Some("behind".into()) },
    ];
    plan.terrain = Some(Terrain { height: "wall".into(), water: None });
    let generator = Generator::new(plan).unwrap();
    let reds = |angle| {
        let picture = generator.preview(&View { angle, ..View::new([0.0, 0.0], 200.0, 64) }).unwrap();
        (0..64).filter(|y| is_red(pixel(&picture, 32, *y))).count()
    };
    let (above, aslant) = (reds(90.0), reds(30.0));
    assert!((27..=30).contains(&above), "{above}");
    // The wall's upper edge is 12 pixels above the middle; without it the ground behind would begin 2 above it.
    assert!((19..=22).contains(&aslant), "{aslant}");
}

#[test]
fn pictures_are_the_same_however_they_are_cut_up() {
    let generator = ball(true);
    let view = View { angle: 35.0, ..View::new([3.0, 5.0], 90.0, 48) };
    let whole = generator.preview(&view).unwrap();
    let mut drawing = Drawing::new(&generator, &view).unwrap();
    let mut steps = 1;
    while !drawing.step(&generator).unwrap() {
        // Another picture between.
        generator.preview(&View::new([900.0, 5.0], 50.0, 16)).unwrap();
        steps += 1;
    }
    assert!(steps > 10);
    assert_eq!(drawing.finish(), whole);
}

#[test]
fn views_out_of_range_are_refused() {
    let generator = ball(false);
    let refused = |view: View| generator.preview(&view).unwrap_err().to_string();
    let view = View::new([0.0, 0.0], 100.0, 32);
    assert_eq!(refused(View { angle: 5.0, ..view }), "angle is 5, allowed: 15 to 90");
    assert_eq!(refused(View { angle: f32::NAN, ..view }), "angle is NaN, allowed: 15 to 90");
    assert_eq!(refused(View { below: Some(1e9), ..view }), "below is 1000000000, allowed: -16384 to 16384");
    assert_eq!(refused(View { metres: 2e5, ..view }), "metres is 200000, allowed: 1 to 100000");
    assert!(refused(View { center: [1_048_000.0, 0.0], ..view }).starts_with("center is 1048000, allowed: -"));
    assert_eq!(refused(View { size: 9999, ..view }), "size is 9999, allowed: 16 to 4096");
}
