//! Weights of the ground's layers: as the colours that they make.

use support::generator;
use wasgo_gen::built::{Area, SettlementRule};
use wasgo_gen::{ChunkId, Plan, Splat};

mod support;

fn weight(splat: &Splat, sample: usize, layer: usize) -> u32 {
    u32::from(splat.pictures[layer / 4][sample * 4 + layer % 4])
}

#[test]
fn the_weights_of_a_sample_are_whole_and_make_its_colour() {
    let mut plan = Plan::new(7);
    plan.shade = None;
    let generator = generator(&plan);
    let id = ChunkId::new(3, -2);
    let (splat, chunk) = (generator.splat(id).unwrap(), generator.chunk(id).unwrap());
    assert_eq!(
        (splat.samples, splat.layers, splat.pictures.len()),
        (65, plan.ground.len(), plan.ground.len().div_ceil(4))
    );
    let mut mixed = 0;
    for sample in 0..65 * 65 {
        let weights: Vec<u32> = (0..splat.layers).map(|layer| weight(&splat, sample, layer)).collect();
        assert_eq!(weights.iter().sum::<u32>(), 255, "{weights:?}");
        mixed += usize::from(weights.iter().filter(|weight| **weight > 20).count() > 1);
        for channel in 0..3 {
            let made: f32 = weights
                .iter()
                .zip(&plan.ground)
                .map(|(weight, layer)| *weight as f32 / 255.0 * layer.color[channel])
                .sum();
            let color = chunk.colors[sample * 4 + channel];
            // A step of a byte for each layer.
            assert!((made - color).abs() < 0.005 * splat.layers as f32, "{sample}: {made} {color}");
        }
    }
    assert!(mixed > 50);
}

#[test]
fn neighbours_agree_on_their_border_and_roads_are_a_layer() {
    let mut plan = Plan::new(42);
    plan.settlements = Some(SettlementRule { slope: 0.5, density: 1.0, ..SettlementRule::default() });
    let generator = generator(&plan);
    let around = Area { min: [-2000.0; 2], max: [2000.0; 2] };
    let [x, z] = generator.settlements(around).unwrap().layouts[0].site.position;
    let at = |metres: f64| (metres / 64.0).floor() as i32;
    let of = |x, z| generator.splat(ChunkId::new(x, z)).unwrap();
    let (west, east) = (of(at(x), at(z)), of(at(x) + 1, at(z)));
    assert_eq!(west.layers, plan.ground.len() + 1);
    for row in 0..65 {
        for layer in 0..west.layers {
            assert_eq!(weight(&west, row * 65 + 64, layer), weight(&east, row * 65, layer));
        }
    }
    // A square is there.
    let paved = (0..65 * 65).filter(|sample| weight(&west, *sample, west.layers - 1) > 128).count();
    assert!(paved > 50, "{paved}");
}
