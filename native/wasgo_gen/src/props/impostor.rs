//! Small pictures of a prop, for the cards that stand for it from afar.

use wasgo_scene::Mesh;

use super::color::to_srgb;
use super::fault::{PropError, range};
use super::model::{Finish, PropModel};
use super::variation::{check_mesh, floats, mesh_bounds, triples};
use crate::MeshData;
use crate::vector::{Vector, add, scale};

/// Samples of a pixel along a side.
const SAMPLES: usize = 2;

/// The most samples that may be looked at for one picture of any mesh: about a second's work.
const MAX_COVERED: f64 = 5e8;

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

impl Image {
    /// As a PNG file.
    #[must_use]
    pub fn png(&self) -> Vec<u8> {
        crate::png_file::png(self.width, self.height, png::ColorType::Rgba, &self.pixels)
    }
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
    let parts = model.lods.iter().take(1).flat_map(|lod| &lod.parts).filter(|part| part.finish != Finish::Card);
    let parts: Vec<&MeshData> = parts.map(|part| &part.mesh).collect();
    Ok(picture(&parts, model.bounds, size as usize))
}

/// As [`impostor()`], of any mesh: what has no colours is white.
///
/// # Errors
///
/// When `size` is not in 8..=512, or a surface is not sound, or too much of it lies on top of each other.
pub fn mesh_impostor(mesh: &Mesh<'_>, size: u32) -> Result<Image, PropError> {
    range("impostor.size", size as f32, 8.0, 512.0)?;
    check_mesh(mesh)?;
    let bounds = mesh_bounds(mesh);
    let mut parts = Vec::with_capacity(mesh.surfaces.len());
    let mut work = 0.0;
    for (number, surface) in mesh.surfaces.iter().enumerate() {
        let wrong = |fault| PropError::BadSurface { mesh: mesh.name.clone(), surface: number, fault };
        let positions = triples(&surface.positions);
        let indices: Vec<u32> =
            surface.indices.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four)).collect();
        if !indices.len().is_multiple_of(3) || indices.iter().any(|index| *index as usize >= positions.len()) {
            return Err(wrong("its triangles are not of its vertices"));
        }
        let colors: Vec<[f32; 4]> = match &*surface.colors {
            [] => vec![[1.0; 4]; positions.len()],
            bytes => floats(bytes).collect::<Vec<f32>>().as_chunks::<4>().0.to_vec(),
        };
        let part = MeshData { positions, colors, indices, ..MeshData::default() };
        work += [0, 2].map(|axis| covered(&part, bounds, axis, size as usize * SAMPLES)).iter().sum::<f64>();
        if work > MAX_COVERED {
            return Err(wrong("too much of it lies on top of each other"));
        }
        parts.push(part);
    }
    Ok(picture(&parts.iter().collect::<Vec<_>>(), bounds, size as usize))
}

fn picture(parts: &[&MeshData], bounds: [Vector; 2], size: usize) -> Image {
    let side = size * SAMPLES;
    let views = [0usize, 2].map(|axis| {
        let mut view = View { side, samples: vec![(f32::MIN, [0.0; 3]); side * side] };
        for part in parts {
            view.draw(part, bounds, axis);
        }
        view
    });
    develop(&views, size)
}

/// How many samples are looked at for a mesh, at most: those of the boxes around its triangles.
fn covered(mesh: &MeshData, [low, high]: [Vector; 2], axis: usize, side: usize) -> f64 {
    let floor = low[1].max(0.0);
    let per = [(axis, high[axis] - low[axis]), (1, high[1] - floor)];
    let box_of = |triangle: &[u32]| {
        let sides = per.map(|(axis, whole)| {
            let at = |corner: usize| mesh.positions[triangle[corner] as usize][axis];
            let (least, most) = (at(0).min(at(1)).min(at(2)), at(0).max(at(1)).max(at(2)));
            let share = f64::from((most - least) / whole.max(1e-9)).min(1.0);
            share * side as f64 + 2.0
        });
        sides[0] * sides[1]
    };
    mesh.indices.chunks_exact(3).map(box_of).sum()
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
