//! Small pictures of a prop, for the cards that stand for it from afar.

use super::color::to_srgb;
use super::fault::{PropError, range};
use super::model::{Finish, PropModel};
use crate::MeshData;
use crate::vector::{Vector, add, scale};

/// Samples of a pixel along a side.
const SAMPLES: usize = 2;

/// A picture: sRGB with straight alpha, 8 bits each of red, green, blue, alpha, row by row from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// 4 bytes a pixel.
    pub pixels: Vec<u8>,
}

/// One view under construction.
struct View {
    side: usize,
    /// Of each sample: how near it is, and its colour.
    samples: Vec<(f32, Vector)>,
}

/// Two pictures of the finest level side by side, each `size` pixels wide and high: seen from +Z (left), and from +X
/// (right). They show colours without light, stretched over the bounds above the ground, as the texture coordinates of
/// the cards expect. What is transparent has the mean colour, so that edges have no dark seam.
///
/// ```
/// use wasgo_gen::props::{Species, TreeSpec, impostor, tree};
/// let image = impostor(&tree(&TreeSpec::new(Species::Oak), 1)?, 64)?;
/// assert_eq!((image.width, image.height, image.pixels.len()), (128, 64, 128 * 64 * 4));
/// # Ok::<(), wasgo_gen::props::PropError>(())
/// ```
///
/// # Errors
///
/// When `size` is not in 8..=512.
pub fn impostor(model: &PropModel, size: u32) -> Result<Image, PropError> {
    range("impostor.size", size as f32, 8.0, 512.0)?;
    let side = size as usize * SAMPLES;
    let views = [0usize, 2].map(|axis| {
        let mut view = View { side, samples: vec![(f32::MIN, [0.0; 3]); side * side] };
        let parts = model.lods.iter().take(1).flat_map(|lod| &lod.parts);
        for part in parts.filter(|part| part.finish != Finish::Card) {
            view.draw(&part.mesh, model.bounds, axis);
        }
        view
    });
    Ok(develop(&views, size as usize))
}

impl View {
    fn draw(&mut self, mesh: &MeshData, [low, high]: [Vector; 2], axis: usize) {
        let floor = low[1].max(0.0);
        let wide = self.side as f32 / (high[axis] - low[axis]).max(1e-9);
        let tall = self.side as f32 / (high[1] - floor).max(1e-9);
        let project = |at: Vector| {
            let across = (at[axis] - low[axis]) * wide;
            // From +X, -Z is to the right.
            let across = if axis == 0 { across } else { self.side as f32 - across };
            [across, (high[1] - at[1]) * tall, at[2 - axis]]
        };
        let points: Vec<Vector> = mesh.positions.iter().map(|at| project(*at)).collect();
        for triangle in mesh.indices.chunks_exact(3) {
            let numbers = [triangle[0], triangle[1], triangle[2]].map(|index| index as usize);
            let colors = numbers.map(|number| {
                let [red, green, blue, _] = mesh.colors[number];
                [red, green, blue]
            });
            self.fill(numbers.map(|number| points[number]), colors);
        }
    }

    fn fill(&mut self, points: [Vector; 3], colors: [Vector; 3]) {
        let [a, b, c] = points;
        let edge = |from: Vector, to: Vector, x: f32, y: f32| {
            (to[0] - from[0]) * (y - from[1]) - (to[1] - from[1]) * (x - from[0])
        };
        let area = edge(a, b, c[0], c[1]);
        if area.abs() < 1e-6 {
            return;
        }
        let span = |axis: usize| {
            let low = a[axis].min(b[axis]).min(c[axis]).floor().max(0.0);
            let high = a[axis].max(b[axis]).max(c[axis]).ceil().clamp(0.0, self.side as f32);
            low as usize..high as usize
        };
        let inverse = 1.0 / area;
        for row in span(1) {
            for column in span(0) {
                let (x, y) = (column as f32 + 0.5, row as f32 + 0.5);
                let shares = [edge(b, c, x, y) * inverse, edge(c, a, x, y) * inverse, edge(a, b, x, y) * inverse];
                if shares.iter().any(|share| *share < 0.0) {
                    continue;
                }
                let near = shares[0] * a[2] + shares[1] * b[2] + shares[2] * c[2];
                let sample = &mut self.samples[row * self.side + column];
                if near > sample.0 {
                    let color = (0..3).fold([0.0; 3], |sum, corner| add(sum, scale(colors[corner], shares[corner])));
                    *sample = (near, color);
                }
            }
        }
    }

    /// The mean colour of what is seen of a pixel, and how much of it is.
    fn pixel(&self, column: usize, row: usize) -> (Vector, usize) {
        let mut sum = ([0.0; 3], 0);
        for y in row * SAMPLES..(row + 1) * SAMPLES {
            for x in column * SAMPLES..(column + 1) * SAMPLES {
                let (near, color) = self.samples[y * self.side + x];
                if near > f32::MIN {
                    sum = (add(sum.0, color), sum.1 + 1);
                }
            }
        }
        sum
    }
}

fn develop(views: &[View; 2], size: usize) -> Image {
    let mut mean = ([0.0; 3], 0usize);
    for (near, color) in views.iter().flat_map(|view| &view.samples) {
        if *near > f32::MIN {
            mean = (add(mean.0, *color), mean.1 + 1);
        }
    }
    let mean = scale(mean.0, 1.0 / mean.1.max(1) as f32);
    let mut pixels = Vec::with_capacity(size * size * 8);
    for row in 0..size {
        for view in views {
            for column in 0..size {
                let (sum, seen) = view.pixel(column, row);
                let color = if seen == 0 { mean } else { scale(sum, 1.0 / seen as f32) };
                pixels.extend(color.map(to_srgb));
                pixels.push((seen * 255 / (SAMPLES * SAMPLES)) as u8);
            }
        }
    }
    Image { width: 2 * size as u32, height: size as u32, pixels }
}
