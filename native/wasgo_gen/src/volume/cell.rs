//! The vertex of one cell: a function of the 32 samples at and beside its corners, and of nothing else. Whichever
//! chunk asks for the cell gets the same bits.

use super::FRACTION;

/// Vertices keep this far from the faces of their cells, so that those of different cells always differ.
const MARGIN: i32 = 1 << 6;

/// What the crossed edges of a cell add up to by the signs of its corners, before it is known where they are crossed:
/// the coordinates of the edges in x, y and z, and one divided by their number. Corner `x + 2 y + 4 z` is bit `4 x + y + 2 z`.
const CROSSED: [[f32; 4]; 256] = {
    let mut table = [[0.0; 4]; 256];
    let mut signs = 0;
    while signs < 256 {
        let mut sums = [0.0; 3];
        let mut count = 0;
        let mut from = 0;
        while from < 8 {
            let at = [from >> 2 & 1, from & 1, from >> 1 & 1];
            let mut axis = 0;
            while axis < 3 {
                let to = from | [4, 1, 2][axis];
                if to != from && signs >> from & 1 != signs >> to & 1 {
                    count += 1;
                    sums[(axis + 1) % 3] += at[(axis + 1) % 3] as f32;
                    sums[(axis + 2) % 3] += at[(axis + 2) % 3] as f32;
                }
                axis += 1;
            }
            from += 1;
        }
        let share = if count == 0 { 0.0 } else { 1.0 / count as f32 };
        table[signs] = [sums[0], sums[1], sums[2], share];
        signs += 1;
    }
    table
};

/// Where in its cell a vertex is, in 2^-16 of the cell's side, and its normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Vertex {
    pub fraction: [i32; 3],
    pub normal: [f32; 3],
}

type Four = [f32; 4];

/// The samples of a cell: rows along x of four, of which those in the middle are at corners, or of these two alone.
struct Stencil {
    /// At the corners: z first, then y.
    inner: [[Four; 2]; 2],
    /// Before and behind in y: z first.
    beside: [[[f32; 2]; 2]; 2],
    /// Before and behind in z: y last.
    above: [[[f32; 2]; 2]; 2],
}

/// The vertices of cells in a row along x.
///
/// Bit i of `cells` asks for the cell whose least corner is at `start + i + 1`; a row has `row` samples, a slice `slice`.
#[inline(always)]
pub(super) fn vertices(
    samples: &[f32],
    start: usize,
    [row, slice]: [usize; 2],
    mut cells: u128,
    mut each: impl FnMut(usize, Vertex),
) {
    // Slices of one length, so that one comparison checks the bounds of all of them.
    let line = |y: usize, z: usize| -> &[f32] {
        let first = start + y * row + z * slice - row - slice;
        &samples[first..first + row]
    };
    let inner = [[line(1, 1), line(2, 1)], [line(1, 2), line(2, 2)]];
    let beside = [[line(0, 1), line(3, 1)], [line(0, 2), line(3, 2)]];
    let above = [[line(1, 0), line(2, 0)], [line(1, 3), line(2, 3)]];
    while cells != 0 {
        let x = cells.trailing_zeros() as usize;
        cells &= cells - 1;
        if x + 4 > row {
            return;
        }
        let four = |line: &[f32]| [line[x], line[x + 1], line[x + 2], line[x + 3]];
        let two = |line: &[f32]| [line[x + 1], line[x + 2]];
        let stencil = Stencil {
            inner: [[four(inner[0][0]), four(inner[0][1])], [four(inner[1][0]), four(inner[1][1])]],
            beside: [[two(beside[0][0]), two(beside[0][1])], [two(beside[1][0]), two(beside[1][1])]],
            above: [[two(above[0][0]), two(above[0][1])], [two(above[1][0]), two(above[1][1])]],
        };
        each(x, stencil.vertex());
    }
}

impl Stencil {
    #[inline(always)]
    fn vertex(&self) -> Vertex {
        let mean = self.mean_of_crossings().unwrap_or_else(|| self.nearest_to_surface());
        Vertex { fraction: [fraction(mean[0]), fraction(mean[1]), fraction(mean[2])], normal: self.normal(mean) }
    }

    /// The corners with less x, then those with more; y runs faster than z.
    #[inline(always)]
    fn corners(&self) -> [Four; 2] {
        let [[a, b], [c, d]] = self.inner;
        [[a[1], b[1], c[1], d[1]], [a[2], b[2], c[2], d[2]]]
    }

    /// The mean of where the twelve edges are crossed, each coordinate in 0..=1; `None` when none of them is.
    #[inline(always)]
    fn mean_of_crossings(&self) -> Option<[f32; 3]> {
        let [a, b] = self.corners();
        let mut signs = 0;
        for i in 0..4 {
            signs |= usize::from(a[i] > 0.0) << i | usize::from(b[i] > 0.0) << (i + 4);
        }
        let [x, y, z, share] = CROSSED[signs];
        if share == 0.0 {
            return None;
        }
        Some([
            (x + crossings(a, b)) * share,
            (y + crossings([a[0], a[2], b[0], b[2]], [a[1], a[3], b[1], b[3]])) * share,
            (z + crossings([a[0], a[1], b[0], b[1]], [a[2], a[3], b[2], b[3]])) * share,
        ])
    }

    /// For a cell that the surface enters between its corners, as finer neighbours see it: where the linear fit comes
    /// nearest to the surface. One step of Newton's method from the middle.
    #[cold]
    fn nearest_to_surface(&self) -> [f32; 3] {
        let [a, b] = self.corners();
        let value = (f64::from(sum(a)) + f64::from(sum(b))) / 8.0;
        let gradient = self.slope();
        let square = gradient.iter().map(|g| g * g).sum::<f64>();
        if square == 0.0 {
            return [0.5; 3];
        }
        gradient.map(|g| (0.5 - value / square * g).clamp(0.0, 1.0) as f32)
    }

    /// The gradient in the middle from the corners alone.
    fn slope(&self) -> [f64; 3] {
        let [a, b] = self.corners().map(|corners| corners.map(f64::from));
        [
            (b[0] - a[0]) + (b[1] - a[1]) + (b[2] - a[2]) + (b[3] - a[3]),
            (a[1] - a[0]) + (a[3] - a[2]) + (b[1] - b[0]) + (b[3] - b[2]),
            (a[2] - a[0]) + (a[3] - a[1]) + (b[2] - b[0]) + (b[3] - b[1]),
        ]
        .map(|sum| sum / 4.0)
    }

    /// Away from what is solid: the central differences at the corners, trilinear between them.
    #[inline(always)]
    fn normal(&self, [x, y, z]: [f32; 3]) -> [f32; 3] {
        let [[a, b], [c, d]] = self.inner;
        let along_x = mix(mix(a, b, [y; 4]), mix(c, d, [y; 4]), [z; 4]);
        let gx = (along_x[0] - along_x[2]) * (1.0 - x) + (along_x[1] - along_x[3]) * x;

        // Differences along y in the first two lanes, along z in the others: at less x and at more.
        let pair = |y: &[f32; 2], z: &[f32; 2]| [y[0], y[1], z[0], z[1]];
        let [inner_a, inner_b, inner_c, inner_d] = [[a[1], a[2]], [b[1], b[2]], [c[1], c[2]], [d[1], d[2]]];
        let across = [z, z, y, y];
        let (beside, above) = (&self.beside, &self.above);
        let before = mix(pair(&beside[0][0], &above[0][0]), pair(&beside[1][0], &above[0][1]), across);
        let low = mix(pair(&inner_a, &inner_a), pair(&inner_c, &inner_b), across);
        let high = mix(pair(&inner_b, &inner_c), pair(&inner_d, &inner_d), across);
        let behind = mix(pair(&beside[0][1], &above[1][0]), pair(&beside[1][1], &above[1][1]), across);
        let (mut near, mut far) = ([0.0; 4], [0.0; 4]);
        for i in 0..4 {
            near[i] = before[i] - high[i];
            far[i] = low[i] - behind[i];
        }
        let differences = mix(near, far, [y, y, z, z]);
        let gy = differences[0] * (1.0 - x) + differences[1] * x;
        let gz = differences[2] * (1.0 - x) + differences[3] * x;

        let square = gx * gx + gy * gy + gz * gz;
        if square > 1e-24 {
            let scale = 1.0 / square.sqrt();
            [gx * scale, gy * scale, gz * scale]
        } else {
            self.faint_normal([gx, gy, gz])
        }
    }

    /// Where differences are too small for f32, or cancel out as they do in sheets thinner than a cell.
    #[cold]
    fn faint_normal(&self, central: [f32; 3]) -> [f32; 3] {
        let unit = |gradient: [f64; 3]| {
            let length = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            (length > 0.0).then(|| gradient.map(|g| (g / length) as f32))
        };
        unit(central.map(f64::from)).or_else(|| unit(self.slope().map(|g| -g))).unwrap_or([0.0, 1.0, 0.0])
    }
}

/// A share of 0..=1 in parts of a cell, rounded.
#[inline(always)]
fn fraction(share: f32) -> i32 {
    // From 2^23 on, floats are integers, and so are the low bits of their representation: cheaper than `as`.
    const INTEGERS: f32 = 8_388_608.0;
    let bits = (share * FRACTION as f32 + INTEGERS).to_bits();
    ((bits - INTEGERS.to_bits()) as i32).clamp(MARGIN, FRACTION - MARGIN)
}

/// Where four edges are crossed, added up; those that aren't count as 0.
#[inline(always)]
fn crossings(from: Four, to: Four) -> f32 {
    let mut at = [0.0; 4];
    for i in 0..4 {
        let share = from[i] / (from[i] - to[i]);
        at[i] = if (from[i] > 0.0) == (to[i] > 0.0) { 0.0 } else { share };
    }
    sum(at)
}

#[inline(always)]
fn sum(of: Four) -> f32 {
    (of[0] + of[1]) + (of[2] + of[3])
}

#[inline(always)]
fn mix(from: Four, to: Four, share: Four) -> Four {
    let mut mixed = [0.0; 4];
    for i in 0..4 {
        mixed[i] = from[i] + (to[i] - from[i]) * share[i];
    }
    mixed
}
