//! How much of each layer of the ground there is at the samples of a chunk: what shaders mix textures by.

use crate::chunk::{ChunkId, GenError, Lattice};
use crate::generator::{Generator, with_job};
use crate::shaped::cover;

/// Layers in a picture: one for each of its channels.
const CHANNELS: usize = 4;

/// The weights of the ground's layers in a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splat {
    /// Along a side of each picture: the chunk's samples.
    pub samples: u32,
    /// The layers: those of the plan's ground, and one more for roads where the plan has settlements.
    pub layers: usize,
    /// Pictures of four layers each: four bytes a sample, row by row. All weights of a sample are 255 together.
    pub pictures: Vec<Vec<u8>>,
}

impl Generator {
    /// The weights of the ground's layers in a chunk. Chunks agree on their common borders as their colours do.
    ///
    /// # Errors
    ///
    /// Those of [`Generator::chunk`].
    pub fn splat(&self, id: ChunkId) -> Result<Splat, GenError> {
        let chunk = self.make(id, false)?;
        let lattice = Lattice::new(self.plan(), &id);
        let samples = lattice.samples;
        let count = samples * samples;
        let along = |axis: usize, number: usize| lattice.world(axis, number as i64);
        let x: Vec<f64> = (0..count).map(|n| along(0, n % samples)).collect();
        let z: Vec<f64> = (0..count).map(|n| along(1, n / samples)).collect();
        let slopes: Vec<f32> = chunk.normals.chunks_exact(3).map(|normal| 1.0 - normal[1]).collect();
        let places = (&x[..], None, &z[..]);
        let values = with_job(|scratch| self.ground_values(places, (&chunk.heights, &slopes), scratch))?;
        let mut rows = values.chunks_exact(count);
        // The first layer lies everywhere; one without a field lies nowhere, and has a place all the same.
        let mut covering: Vec<Option<Vec<f32>>> = vec![None];
        for layer in self.plan().ground.iter().skip(1) {
            covering.push(layer.by.as_ref().and_then(|_| rows.next()).map(<[f32]>::to_vec));
        }
        if self.plan().settlements.is_some() {
            let mut covers = vec![0.0; count];
            let mut heights = chunk.heights.clone();
            with_job(|_| self.shape(&x, &z, id.level, &mut heights, |n, shaped| covers[n] = cover(shaped)))?;
            covering.push(Some(covers));
        }
        let mut pictures = vec![vec![0; count * CHANNELS]; covering.len().div_ceil(CHANNELS)];
        let mut weights = vec![0.0; covering.len()];
        for n in 0..count {
            weights.fill(0.0);
            weights[0] = 1.0;
            for (layer, cover) in covering.iter().enumerate() {
                let Some(cover) = cover else { continue };
                let cover = cover[n].clamp(0.0, 1.0);
                for weight in &mut weights[..layer] {
                    *weight *= 1.0 - cover;
                }
                weights[layer] = cover;
            }
            for (layer, byte) in bytes(&weights).enumerate() {
                pictures[layer / CHANNELS][n * CHANNELS + layer % CHANNELS] = byte;
            }
        }
        Ok(Splat { samples: samples as u32, layers: covering.len(), pictures })
    }
}

/// Weights as bytes that are 255 together: what rounding leaves over goes to the greatest.
fn bytes(weights: &[f32]) -> impl Iterator<Item = u8> + use<'_> {
    let whole = |weight: f32| (weight * 255.0) as u8;
    let sum: u32 = weights.iter().map(|weight| u32::from(whole(*weight))).sum();
    let rest = 255u32.saturating_sub(sum) as u8;
    let greatest = (0..weights.len()).rev().max_by(|a, b| weights[*a].total_cmp(&weights[*b]));
    weights.iter().enumerate().map(move |(n, weight)| whole(*weight) + if Some(n) == greatest { rest } else { 0 })
}
