//! Rivers are the same from whichever chunk they are seen, and run downhill all the way.

use wasgo_gen::field::{Fractal, Node, NoiseKind, RiverOutput};
use wasgo_gen::{ChunkId, Generator, Plan, Terrain};

mod support;

/// Hills with rivers, of which the terrain is one output.
fn plan(output: RiverOutput) -> Plan {
    let mut plan = Plan::empty(11);
    let (kind, fractal, dimensions, lacunarity, gain) = (NoiseKind::Simplex, Fractal::Fbm, 2, 2.0, 0.5);
    let noise = Node::Noise { kind, fractal, dimensions, frequency: 0.0006, octaves: 5, lacunarity, gain, seed: 0 };
    plan.nodes.insert("noise".into(), noise);
    plan.nodes.insert("land".into(), Node::Affine { of: "noise".into(), scale: 140.0, offset: 60.0 });
    let rivers = Node::Rivers {
        of: "land".into(),
        frequency: 1.0 / 120.0,
        width: 9.0,
        depth: 4.0,
        valley: 3.0,
        sea: Some(0.0),
        springs: 2,
        output,
        seed: 1,
    };
    plan.nodes.insert("rivers".into(), rivers);
    plan.terrain = Some(Terrain { height: "rivers".into(), water: None });
    plan
}

fn heights(generator: &Generator, points: &[(f64, f64)]) -> Vec<f32> {
    let (x, z): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    let mut out = vec![0.0; x.len()];
    generator.heights(&x, &z, &mut out).unwrap();
    out
}

/// Chunks with a river in them.
fn wet_chunks() -> Vec<(i32, i32)> {
    let distance = Generator::new(plan(RiverOutput::Distance)).unwrap();
    let middle = |n: i32| f64::from(n) * 64.0 + 32.0;
    let all: Vec<(i32, i32)> = (-12..12).flat_map(|x| (-12..12).map(move |z| (x, z))).collect();
    let points: Vec<(f64, f64)> = all.iter().map(|(x, z)| (middle(*x), middle(*z))).collect();
    let near = heights(&distance, &points);
    all.into_iter().zip(near).filter(|(_, near)| *near < 5.0).map(|(at, _)| at).collect()
}

#[test]
fn chunks_agree_on_their_borders_and_with_coarser_ones() {
    let generator = Generator::new(plan(RiverOutput::Ground)).unwrap();
    let wet = wet_chunks();
    assert!(wet.len() > 20, "{}", wet.len());
    for (x, z) in wet.into_iter().step_by(4) {
        let here = generator.chunk(ChunkId::new(x, z)).unwrap();
        let east = generator.chunk(ChunkId::new(x + 1, z)).unwrap();
        for row in 0..65 {
            assert_eq!(here.heights[row * 65 + 64].to_bits(), east.heights[row * 65].to_bits());
        }
        let coarse = generator.chunk(ChunkId { level: 1, ..ChunkId::new(x.div_euclid(2), z.div_euclid(2)) }).unwrap();
        let (column, row) = (x.rem_euclid(2) as usize * 32, z.rem_euclid(2) as usize * 32);
        for n in 0..33 {
            assert_eq!(here.heights[n * 2 * 65].to_bits(), coarse.heights[(row + n) * 65 + column].to_bits());
        }
    }
}

#[test]
fn threads_that_made_other_chunks_before_make_the_same() {
    let wet = wet_chunks();
    let one = Generator::new(plan(RiverOutput::Ground)).unwrap();
    let hashes: Vec<u64> =
        wet.iter().map(|(x, z)| support::chunk_hash(&one.chunk(ChunkId::new(*x, *z)).unwrap())).collect();
    let other = std::thread::spawn(move || {
        let generator = Generator::new(plan(RiverOutput::Ground)).unwrap();
        // The other way round, so that caches hold other things.
        let made = wet.iter().rev().map(|(x, z)| generator.chunk(ChunkId::new(*x, *z)).unwrap());
        made.map(|chunk| support::chunk_hash(&chunk)).collect::<Vec<_>>()
    });
    assert_eq!(other.join().unwrap().into_iter().rev().collect::<Vec<_>>(), hashes);
}

/// From beds, always on to the lowest water beside: it ends in the sea or in a pond, never having risen.
#[test]
fn water_runs_downhill() {
    let water = Generator::new(plan(RiverOutput::Water)).unwrap();
    let distance = Generator::new(plan(RiverOutput::Distance)).unwrap();
    let mut dropped = 0.0f32;
    for (x, z) in wet_chunks().into_iter().step_by(3) {
        let around: Vec<(f64, f64)> =
            (0..64 * 64).map(|n| (f64::from(x * 64 + n % 64), f64::from(z * 64 + n / 64))).collect();
        let near = heights(&distance, &around);
        let Some(start) = (0..around.len()).min_by(|a, b| near[*a].total_cmp(&near[*b])) else { continue };
        if near[start] > -1.0 {
            continue;
        }
        let (mut at, mut level) = (around[start], heights(&water, &[around[start]])[0]);
        let first = level;
        for _ in 0..400 {
            let circle: Vec<(f64, f64)> = (0..24)
                .map(|n| {
                    let (sin, cos) = libm::sincos(f64::from(n) * 0.261_8);
                    (at.0 + cos * 3.0, at.1 + sin * 3.0)
                })
                .collect();
            let (levels, near) = (heights(&water, &circle), heights(&distance, &circle));
            let next = (0..24).filter(|n| near[*n] < -0.3).min_by(|a, b| levels[*a].total_cmp(&levels[*b]));
            let Some(next) = next.filter(|next| levels[*next] < level) else { break };
            (at, level) = (circle[next], levels[next]);
            assert!(level >= 0.0, "below the sea");
        }
        dropped = dropped.max(first - level);
    }
    assert!(dropped > 5.0, "{dropped}");
}

#[test]
fn the_water_to_draw_lies_in_the_beds_and_agrees_on_borders() {
    let mut plan = plan(RiverOutput::Ground);
    let mut water = plan.nodes["rivers"].clone();
    if let Node::Rivers { output, .. } = &mut water {
        *output = RiverOutput::Water;
    }
    plan.nodes.insert("water".into(), water);
    plan.rivers = Some("water".into());
    let generator = Generator::new(plan).unwrap();
    let (mut wet, mut shared) = (0, 0);
    for (x, z) in wet_chunks().into_iter().step_by(3) {
        let mesh = generator.river_water(ChunkId::new(x, z)).unwrap();
        let chunk = generator.chunk(ChunkId::new(x, z)).unwrap();
        let ground = |at: &[f32; 3]| chunk.heights[at[2] as usize * 65 + at[0] as usize];
        wet += mesh.positions.iter().filter(|at| at[1] > ground(at)).count();
        // But in the sea.
        let deep = mesh.positions.iter().filter(|at| at[1] > 0.5).find(|at| at[1] > ground(at) + 4.0);
        assert!(deep.is_none(), "{deep:?} over {:?}", deep.map(ground));
        // What both have on the border is the same.
        let east = generator.river_water(ChunkId::new(x + 1, z)).unwrap();
        for at in mesh.positions.iter().filter(|at| at[0] == 64.0) {
            if let Some(other) = east.positions.iter().find(|other| other[0] == 0.0 && other[2] == at[2]) {
                assert_eq!(other[1].to_bits(), at[1].to_bits());
                shared += 1;
            }
        }
    }
    assert!(wet > 500 && shared > 10, "{wet} {shared}");
}

#[test]
fn what_is_wrong_with_rivers_is_named() {
    let refused = |change: &dyn Fn(&mut Node)| {
        let mut plan = plan(RiverOutput::Ground);
        change(plan.nodes.get_mut("rivers").unwrap());
        Generator::new(plan).unwrap_err().to_string()
    };
    let message = refused(&|node| {
        if let Node::Rivers { width, .. } = node {
            *width = 100.0;
        }
    });
    assert_eq!(
        message,
        "terrain.height: rivers \"rivers\": width is 100, allowed: so much that a river with its valley, now 700 m, \
         is at most 108 m wide"
    );
    let message = refused(&|node| {
        if let Node::Rivers { springs, .. } = node {
            *springs = 9;
        }
    });
    assert!(message.ends_with("springs is 9, allowed: 1 to 6"), "{message}");
    let mut twice = plan(RiverOutput::Ground);
    let mut again = twice.nodes["rivers"].clone();
    if let Node::Rivers { of, .. } = &mut again {
        *of = "rivers".into();
    }
    twice.nodes.insert("again".into(), again);
    twice.terrain = Some(Terrain { height: "again".into(), water: None });
    let message = Generator::new(twice).unwrap_err().to_string();
    assert_eq!(message, "terrain.height: rivers \"again\": more than 1 rivers one upon the other");
}
