//! Water runs downhill, and every tile comes to the same courses.

use std::collections::BTreeMap;

use super::*;
use crate::field::compile::{Compiler, Scope};
use crate::field::{Fractal, Node, NoiseKind};

fn rivers(seed: u64, sea: Option<f32>) -> Rivers {
    let (kind, fractal, dimensions, lacunarity, gain) = (NoiseKind::Simplex, Fractal::Fbm, 2, 2.0, 0.5);
    let noise = Node::Noise { kind, fractal, dimensions, frequency: 0.0008, octaves: 5, lacunarity, gain, seed: 0 };
    let nodes = [
        ("noise".to_string(), noise),
        ("land".to_string(), Node::Affine { of: "noise".into(), scale: 120.0, offset: 40.0 }),
    ];
    let nodes = nodes.into_iter().collect();
    let scripts = BTreeMap::new();
    let mut compiler = Compiler::new(&nodes, &scripts, seed, Scope::Terrain);
    compiler.output("land", "land").unwrap();
    let program = Program::new(&compiler.finish());
    Rivers::new(120.0, (10.0, 4.0, 30.0), sea, 2, 5, program)
}

#[test]
fn water_never_rises_on_its_way() {
    for seed in 0..12 {
        let rivers = rivers(seed, (seed % 2 == 0).then_some(20.0));
        let tile = rivers.make([seed as i64 - 3, 2]);
        assert!(tile.courses.len() > 100, "{}", tile.courses.len());
        for piece in &tile.courses {
            assert!(piece.to.water <= piece.from.water, "{piece:?}");
            assert!(rivers.sea.is_none_or(|sea| piece.to.water >= sea));
            assert!(piece.to.half_width >= piece.from.half_width * 0.999, "{piece:?}");
        }
        // Every piece begins where another one ends, or at a spring.
        let ends = |at: [f64; 2]| tile.courses.iter().any(|other| other.to.at == at);
        let begins = |at: [f64; 2]| tile.courses.iter().any(|other| other.from.at == at);
        let springs = tile.courses.iter().filter(|piece| !ends(piece.from.at)).count();
        let mouths = tile.courses.iter().filter(|piece| !begins(piece.to.at)).count();
        assert!(springs < tile.courses.len() / 8 && mouths < tile.courses.len() / 8, "{springs} {mouths}");
    }
}

#[test]
fn tiles_agree_about_the_courses_that_both_see() {
    let rivers = rivers(3, None);
    let (one, other) = (rivers.make([0, 0]), rivers.make([1, 0]));
    let border = rivers.cell * TILE;
    let near = |piece: &&Course| {
        piece.reach(rivers.valley)[0].low < border
            && piece.reach(rivers.valley)[0].high > border
            && (0.0..border).contains(&piece.from.at[1])
    };
    let seen = |tile: &Tile| tile.courses.iter().filter(near).copied().collect::<Vec<_>>();
    let (one, other) = (seen(&one), seen(&other));
    assert!(one.len() > 10, "{}", one.len());
    assert_eq!(one, other);
}

#[test]
fn the_land_beside_a_river_leads_down_to_its_water() {
    let rivers = rivers(3, None);
    let tile = rivers.make([0, 0]);
    let mut checked = 0;
    for piece in tile.courses.iter().filter(|piece| piece.from.half_width > 3.0) {
        let at = [0, 1].map(|axis| (piece.from.at[axis] + piece.to.at[axis]) * 0.5);
        if !at.iter().all(|at| (0.0..rivers.cell * TILE).contains(at)) {
            continue;
        }
        let mut places = [[0.0; BLOCK]; 3];
        (places[0][0], places[2][0]) = (at[0], at[1]);
        let value = |output, land: f32| {
            let mut out = [0.0; BLOCK];
            rivers.run(output, &places, Some(&[land; BLOCK]), 1, &mut out);
            out[0]
        };
        let water = value(RiverOutput::Water, 500.0);
        let mean = (piece.from.water + piece.to.water) * 0.5;
        assert!((water - mean).abs() < 0.5, "{water} {mean}");
        // Wherever the land was, above or below.
        for land in [water + 20.0, water - 5.0] {
            let bed = value(RiverOutput::Ground, land);
            assert!(bed < water - 0.5 * piece.from.depth && bed > water - rivers.depth, "{bed} {water}");
        }
        assert!(value(RiverOutput::Distance, 0.0) <= -3.0);
        checked += 1;
    }
    assert!(checked > 50, "{checked}");
}
