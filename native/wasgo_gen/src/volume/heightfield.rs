//! Colliders of height fields: right triangles, halved where the ground is not flat enough.

use super::collider::{Collider, ColliderError, MAX_COLLIDER_SAMPLES, Numbering, check_target, round_up};

/// A collider of a height field, no sample of which is more than `target_error` metres above or below it.
///
/// `heights` are in metres, row by row, x first, then z; the collider starts at x = 0 and z = 0, and seen from above its
/// triangles are counter-clockwise. The triangles are those of W. Evans and others ("Right-triangulated irregular networks", 2001), and the
/// error of each is measured at every sample in it. All samples at the border are kept: colliders of neighbours meet,
/// whatever their errors.
///
/// The largest power of two that divides `samples - 1` is the side of the largest triangles: with 65 samples all of the
/// field, with 66 there is nothing to leave out.
///
/// # Errors
///
/// [`ColliderError`] for a target that is no distance, fewer than 2 or more than [`MAX_COLLIDER_SAMPLES`] samples, another
/// number of heights than their square, one that is not finite, and a spacing that is no length.
pub fn heightfield_collider(
    heights: &[f32],
    samples: u32,
    spacing: f32,
    target_error: f32,
) -> Result<Collider, ColliderError> {
    check_target(target_error)?;
    let side = samples as usize;
    if !(2..=MAX_COLLIDER_SAMPLES).contains(&samples) || heights.len() != side * side {
        return Err(ColliderError::Heights { samples, heights: heights.len(), max: MAX_COLLIDER_SAMPLES });
    }
    if !(spacing > 0.0 && (spacing * samples as f32).is_finite()) {
        return Err(ColliderError::Spacing { value: spacing });
    }
    if let Some(number) = heights.iter().position(|height| !height.is_finite()) {
        return Err(ColliderError::NotFinite { what: "height", number });
    }
    let mut field = Field::new(heights, side);
    field.find_splits(f64::from(target_error));
    Ok(field.finish(spacing))
}

/// A sample by column and row.
type Sample = [usize; 2];

/// A right triangle: the ends of its longest side, then the right angle.
type Triangle = [Sample; 3];

fn middle(a: Sample, b: Sample) -> Sample {
    [usize::midpoint(a[0], b[0]), usize::midpoint(a[1], b[1])]
}

/// The halves of a triangle, turning the same way.
fn halves([a, b, c]: Triangle) -> [Triangle; 2] {
    let m = middle(a, b);
    [[c, a, m], [b, c, m]]
}

struct Field<'h> {
    heights: &'h [f32],
    side: usize,
    /// The side of the largest triangles, a power of two.
    tile: usize,
    /// Whether the triangles whose longest side has its middle at a sample are halved there.
    split: Vec<bool>,
}

impl<'h> Field<'h> {
    fn new(heights: &'h [f32], side: usize) -> Self {
        let tile = 1 << (side - 1).trailing_zeros();
        Self { heights, side, tile, split: vec![false; side * side] }
    }

    fn at(&self, [column, row]: Sample) -> usize {
        row * self.side + column
    }

    fn height(&self, sample: Sample) -> f64 {
        f64::from(self.heights[self.at(sample)])
    }

    /// The two largest triangles of every tile.
    fn roots(&self) -> impl Iterator<Item = Triangle> + use<> {
        let (tile, tiles) = (self.tile, (self.side - 1) / self.tile);
        (0..tiles * tiles).flat_map(move |number| {
            let [x, z] = [number % tiles * tile, number / tiles * tile];
            let (first, last) = ([x, z], [x + tile, z + tile]);
            [[first, last, [x + tile, z]], [last, first, [x, z + tile]]]
        })
    }

    /// From the smallest triangles up: what is split below is split above.
    fn find_splits(&mut self, target: f64) {
        let levels = 2 * self.tile.trailing_zeros();
        for level in (0..levels).rev() {
            for root in self.roots() {
                for path in 0..1usize << level {
                    let triangle = (0..level).fold(root, |triangle, bit| halves(triangle)[path >> bit & 1]);
                    let at = self.at(middle(triangle[0], triangle[1]));
                    self.split[at] = self.split[at] || self.must_split(triangle, level + 1 < levels, target);
                }
            }
        }
    }

    fn must_split(&self, triangle: Triangle, has_halves: bool, target: f64) -> bool {
        let [a, b, c] = triangle;
        let last = self.side - 1;
        let on_border = (0..2).any(|axis| a[axis] == b[axis] && (a[axis] == 0 || a[axis] == last));
        let below = |from, to| has_halves && self.split[self.at(middle(from, to))];
        on_border || below(a, c) || below(c, b) || self.error(triangle, target) > target
    }

    /// How far the samples in a triangle are above or below it at most, in metres. Stops above the target.
    fn error(&self, [a, b, c]: Triangle, target: f64) -> f64 {
        let [from, to] = [0, 1].map(|axis| [a, b, c].map(|sample| sample[axis])).map(|of| {
            let [low, high] = [of.iter().min(), of.iter().max()].map(|bound| bound.copied().unwrap_or(0));
            [low, high]
        });
        let signed = |sample: Sample| sample.map(|at| at as i64);
        let turn = |a: Sample, b: Sample, c: Sample| {
            let ([ax, ay], [bx, by], [cx, cy]) = (signed(a), signed(b), signed(c));
            (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        };
        let area = turn(a, b, c);
        let heights = [a, b, c].map(|sample| self.height(sample));
        let mut most: f64 = 0.0;
        for row in to[0]..=to[1] {
            for column in from[0]..=from[1] {
                let sample = [column, row];
                let weights = [turn(b, c, sample), turn(c, a, sample), turn(a, b, sample)];
                if weights.iter().any(|weight| weight * area.signum() < 0) {
                    continue;
                }
                let sum: f64 = weights.iter().zip(heights).map(|(weight, height)| *weight as f64 * height).sum();
                most = most.max((self.height(sample) - sum / area as f64).abs());
                if most > target {
                    return most;
                }
            }
        }
        most
    }

    fn finish(&self, spacing: f32) -> Collider {
        let mut numbering = Numbering::new(self.heights.len());
        let mut out = Collider::default();
        let mut error: f64 = 0.0;
        let mut waiting: Vec<Triangle> = Vec::new();
        for root in self.roots() {
            waiting.push(root);
            while let Some(triangle) = waiting.pop() {
                let [a, b, c] = triangle;
                let is_least = a[0].abs_diff(b[0]) <= 1 && a[1].abs_diff(b[1]) <= 1;
                if !is_least && self.split[self.at(middle(a, b))] {
                    waiting.extend(halves(triangle));
                    continue;
                }
                if !is_least {
                    error = error.max(self.error(triangle, f64::INFINITY));
                }
                out.indices.extend([a, b, c].map(|sample| numbering.number(self.at(sample) as u32)));
            }
        }
        out.error = round_up(error);
        out.positions.extend(numbering.order.iter().map(|sample| {
            let (column, row) = (*sample as usize % self.side, *sample as usize / self.side);
            [column as f32 * spacing, self.heights[*sample as usize], row as f32 * spacing]
        }));
        out
    }
}
