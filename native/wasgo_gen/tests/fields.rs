//! Fields have one value at a place, however they are asked for, and say what is wrong with them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wasgo_gen::field::{Axis, Feature, Fractal, Node, NoiseKind, RiverOutput, Shape};
use wasgo_gen::{Generator, Plan, Terrain};

fn noise(kind: NoiseKind, fractal: Fractal, dimensions: u8, frequency: f64, octaves: u32, seed: u32) -> Node {
    let octaves = if fractal == Fractal::None { 1 } else { octaves };
    Node::Noise { kind, fractal, dimensions, frequency, octaves, lacunarity: 2.1, gain: 0.45, seed }
}

/// A plan whose terrain is the last of these nodes, each named by its number.
fn plan(nodes: Vec<Node>) -> Plan {
    let mut plan = Plan::empty(7);
    let last = (nodes.len() - 1).to_string();
    plan.nodes = nodes.into_iter().enumerate().map(|(number, node)| (number.to_string(), node)).collect();
    plan.terrain = Some(Terrain { height: last, water: None });
    plan
}

fn heights(generator: &Generator, points: &[(f64, f64)]) -> Vec<f32> {
    let (x, z): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    let mut heights = vec![0.0; x.len()];
    generator.heights(&x, &z, &mut heights).unwrap();
    heights
}

/// A leaf, or a node of nodes before it.
fn node(before: usize) -> BoxedStrategy<Node> {
    let kind =
        prop_oneof![Just(NoiseKind::Simplex), Just(NoiseKind::Perlin), Just(NoiseKind::Value), Just(NoiseKind::White)];
    let fractal = prop_oneof![Just(Fractal::None), Just(Fractal::Fbm), Just(Fractal::Ridged), Just(Fractal::Billow)];
    let feature = prop_oneof![Just(Feature::Distance), Just(Feature::Border), Just(Feature::Value)];
    let leaf = prop_oneof![
        (-50.0f32..50.0).prop_map(|value| Node::Constant { value }),
        prop_oneof![Just(Axis::X), Just(Axis::Y), Just(Axis::Z)].prop_map(|axis| Node::Coordinate { axis }),
        (kind, fractal, 2u8..=3, -4.0f64..0.0, 1u32..6, 0u32..4).prop_map(
            |(kind, fractal, dims, power, octaves, seed)| {
                noise(kind, fractal, dims, libm::exp2(power * 2.0), octaves, seed)
            }
        ),
        (feature, 2u8..=3, 0.01f64..0.5, 0.0f32..=1.0).prop_map(|(feature, dimensions, frequency, jitter)| {
            Node::Cellular { feature, dimensions, frequency, jitter, seed: 1 }
        }),
        (-60.0f64..60.0, 1.0f32..40.0)
            .prop_map(|(x, radius)| Node::Body { shape: Shape::Sphere { radius }, center: [x, 3.0, -x] }),
        (1.0f32..20.0, 1.0f32..40.0).prop_map(|(round, half)| Node::Body {
            shape: Shape::Box { half: [half + round, round, half + round], round },
            center: [4.0, 0.0, 9.0]
        }),
        (5.0f32..30.0, 0.5f32..5.0).prop_map(|(radius, thickness)| Node::Body {
            shape: Shape::Torus { axis: Axis::X, radius, thickness },
            center: [0.0; 3]
        }),
        (1.0f32..30.0)
            .prop_map(|x| Node::Body { shape: Shape::Capsule { to: [x, 2.0, -x], radius: 3.0 }, center: [0.0; 3] }),
    ];
    if before == 0 {
        return leaf.boxed();
    }
    let one = move || (0..before).prop_map(|number| number.to_string());
    let two = move || (one(), one());
    prop_oneof![
        2 => leaf,
        1 => proptest::collection::vec(one(), 1..4).prop_map(|of| Node::Add { of }),
        1 => two().prop_map(|(a, b)| Node::Min { of: vec![a, b] }),
        1 => two().prop_map(|(a, b)| Node::Max { of: vec![a, b] }),
        1 => two().prop_map(|(a, b)| Node::Subtract { a, b }),
        1 => (two(), 0.5f32..20.0).prop_map(|((a, b), radius)| Node::SmoothMin { a, b, radius }),
        1 => (two(), 0.5f32..20.0).prop_map(|((a, b), radius)| Node::SmoothMax { a, b, radius }),
        1 => (one(), -3.0f32..3.0, -9.0f32..9.0).prop_map(|(of, scale, offset)| Node::Affine { of, scale, offset }),
        1 => one().prop_map(|of| Node::Abs { of }),
        1 => (one(), 0.3f32..3.0).prop_map(|(of, exponent)| {
            Node::Power { of, exponent }
        }),
        2 => (one(), -5.0f32..5.0, 0.0f32..5.0).prop_map(|(of, low, width)| Node::Clamp { of, low, high: low + width }),
        2 => (one(), -5.0f32..5.0, 0.1f32..5.0).prop_map(|(of, low, width)| Node::Smoothstep { of, low, high: low + width }),
        1 => (one(), 0.5f32..5.0, 0.0f32..=1.0).prop_map(|(of, height, sharpness)| Node::Terrace { of, height, sharpness }),
        1 => (one(), -5.0f32..5.0).prop_map(|(of, y)| Node::Curve { of, points: vec![[-3.0, y], [0.0, 1.0], [2.5, -y]] }),
        3 => (one(), one(), one()).prop_map(|(a, b, by)| Node::Blend { a, b, by }),
        2 => (two(), one(), -20.0f32..20.0).prop_map(|((x, z), of, strength)| Node::Warp { of, by: vec![x, z], strength }),
        1 => (one(), -3.0f32..3.0, 0.2f32..4.0).prop_map(|(of, yaw, scale)| {
            Node::Place { of, scale: [scale, 1.0, 2.0 * scale], yaw, offset: [5.0, 1.0, -70.0] }
        }),
        1 => (one(), 1u32..5).prop_map(|(of, octaves)| {
            Node::Erode { of, frequency: 0.05, strength: 4.0, octaves, gain: 0.5, slope: 0.3, seed: 0 }
        }),
        1 => (one(), 0u32..3, 1u32..4).prop_map(|(of, output, springs)| {
            let output = [RiverOutput::Ground, RiverOutput::Water, RiverOutput::Distance][output as usize];
            let (width, sea) = (2.0, (springs == 2).then_some(1.0));
            Node::Rivers { of, frequency: 0.03, width, depth: 2.0, valley: 5.0, sea, springs, output, seed: 0 }
        }),
        1 => two().prop_map(|(temperature, moisture)| {
            Node::Climate { temperature, moisture, climates: vec![[0.1, 0.2], [0.9, 0.4], [0.5, 0.9]], index: 1, sharpness: 9 }
        }),
    ]
    .boxed()
}

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    (1usize..14).prop_flat_map(|count| (0..count).map(node).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Blocks are analysed before they are computed: what is skipped must not change a bit.
    #[test]
    fn a_value_does_not_depend_on_the_block_it_is_computed_in(
        nodes in nodes(), x in -900.0f64..900.0, z in -900.0f64..900.0, step in 0.01f64..8.0,
    ) {
        let Ok(generator) = Generator::new(plan(nodes)) else { return Ok(()) };
        let points: Vec<(f64, f64)> =
            (0..1100).map(|n| (x + f64::from(n % 33) * step, z + f64::from(n / 33) * step)).collect();
        let together = heights(&generator, &points);
        for (n, point) in points.iter().enumerate().step_by(7) {
            let alone = heights(&generator, &[*point]);
            prop_assert_eq!(alone[0].to_bits(), together[n].to_bits(), "{:?}: {} or {}", point, alone[0], together[n]);
            prop_assert!(alone[0].is_finite());
        }
        // In another order, in blocks of another shape.
        let reversed: Vec<(f64, f64)> = points.iter().rev().copied().collect();
        let back = heights(&generator, &reversed);
        for (one, other) in together.iter().zip(back.iter().rev()) {
            prop_assert_eq!(one.to_bits(), other.to_bits());
        }
    }

    #[test]
    fn plans_of_any_nodes_are_stored_as_they_are(nodes in nodes()) {
        let plan = plan(nodes);
        let text = plan.to_json();
        prop_assert_eq!(Plan::from_json(&text).unwrap(), plan.clone());
        prop_assert_eq!(Plan::from_json(&text).unwrap().to_json(), text);
    }
}

fn refused(nodes: &[(&str, Node)], top: &str) -> String {
    let mut plan = Plan::empty(7);
    plan.nodes = nodes.iter().map(|(name, node)| ((*name).into(), node.clone())).collect::<BTreeMap<_, _>>();
    plan.terrain = Some(Terrain { height: top.into(), water: None });
    Generator::new(plan).unwrap_err().to_string()
}

#[test]
fn errors_lead_from_the_plan_to_the_node() {
    let fbm = |octaves| noise(NoiseKind::Simplex, Fractal::Fbm, 2, 0.01, octaves, 0);
    let abs = |of: &str| Node::Abs { of: of.into() };
    assert_eq!(
        refused(&[("dunes", fbm(40)), ("top", abs("dunes"))], "top"),
        "terrain.height: abs \"top\".of > noise \"dunes\": octaves is 40, allowed: 1 to 12"
    );
    assert_eq!(refused(&[("top", abs("sea"))], "top"), "terrain.height: abs \"top\": the plan has no node \"sea\"");
    assert_eq!(
        refused(&[("a", abs("b")), ("b", abs("a"))], "a"),
        "terrain.height: abs \"a\".of > abs \"b\".of > abs \"a\": the node is made of itself"
    );
    assert_eq!(
        refused(&[("h", Node::Height {})], "h"),
        "terrain.height: height \"h\": the terrain's own height and slope are known only to what lies and stands on it"
    );
    // Digests say nothing to people.
    let nan = Node::Constant { value: f32::NAN };
    assert_eq!(
        refused(&[("0123456789abcdef", nan)], "0123456789abcdef"),
        "terrain.height: constant: value is NaN, allowed: -1000000 to 1000000"
    );
}

#[test]
fn numbers_that_run_away_are_refused() {
    let mut nodes: Vec<(String, Node)> =
        vec![("0".into(), Node::Constant { value: 1e6 }), ("1".into(), Node::Coordinate { axis: Axis::X })];
    for n in 2..10 {
        let of = vec!["0".into(), (n - 1).to_string()];
        nodes.push((n.to_string(), Node::Multiply { of }));
    }
    let nodes: Vec<(&str, Node)> = nodes.iter().map(|(name, node)| (name.as_str(), node.clone())).collect();
    let message = refused(&nodes, "9");
    assert!(message.contains("multiply gives up to"), "{message}");
}

#[test]
fn programs_are_bounded() {
    // Each is made anew where the one before is looked up: 2^40 of them.
    let mut nodes = vec![noise(NoiseKind::Simplex, Fractal::None, 2, 0.01, 1, 0)];
    for n in 0..40 {
        let erode = |of: usize| Node::Erode {
            of: of.to_string(),
            frequency: 0.01,
            strength: 1.0,
            octaves: 1,
            gain: 0.5,
            slope: 1.0,
            seed: n,
        };
        nodes.push(erode(nodes.len() - 1));
    }
    let message = Generator::new(plan(nodes)).unwrap_err().to_string();
    assert!(message.contains("more than 64 places at which fields are looked up"), "{message}");
    // A ladder of any height.
    let mut nodes = vec![Node::Constant { value: 1.0 }];
    for n in 0..200 {
        nodes.push(Node::Abs { of: n.to_string() });
    }
    let message = Generator::new(plan(nodes)).unwrap_err().to_string();
    assert!(message.ends_with("more than 128 nodes from top to bottom"), "{message}");
}

/// Many nodes that share all that they are made of are one program of as many instructions.
#[test]
fn shared_nodes_are_computed_once() {
    let mut nodes = vec![noise(NoiseKind::Simplex, Fractal::None, 2, 0.01, 1, 0)];
    for n in 0..100usize {
        let of = n.to_string();
        nodes.push(Node::Min { of: vec![of.clone(), of] });
    }
    let generator = Generator::new(plan(nodes)).unwrap();
    assert!(heights(&generator, &[(3.0, 4.0)])[0].abs() <= 1.0);
}

#[test]
fn erosion_cuts_slopes_and_leaves_flats() {
    let erode = |of| Node::Erode { of, frequency: 0.02, strength: 5.0, octaves: 4, gain: 0.5, slope: 0.5, seed: 0 };
    let flat = Generator::new(plan(vec![Node::Constant { value: 3.0 }, erode("0".into())])).unwrap();
    assert!(heights(&flat, &[(1.0, 2.0), (50.0, -7.0)]).iter().all(|h| *h == 3.0));
    let ramp = |rise| Node::Affine { of: "0".into(), scale: rise, offset: 0.0 };
    let steep = plan(vec![Node::Coordinate { axis: Axis::X }, ramp(1.0), erode("1".into())]);
    let steep = Generator::new(steep).unwrap();
    // Down the slope gullies run on; across it they alternate.
    let line = |dx: f64, dz: f64| -> f32 {
        let points: Vec<_> = (0..400).map(|n| (f64::from(n) * dx, f64::from(n) * dz)).collect();
        let heights = heights(&steep, &points);
        let cut: Vec<f32> = heights.iter().zip(&points).map(|(h, p)| h - p.0 as f32).collect();
        cut.windows(2).map(|w| (w[1] - w[0]).abs()).sum()
    };
    assert!(line(0.0, 1.0) > 2.0 * line(1.0, 0.0), "{} {}", line(0.0, 1.0), line(1.0, 0.0));
}
