//! The vertex of one cell: a function of the 32 samples at and beside its corners, and of nothing else. Whichever
//! chunk asks for the cell gets the same bits.

use super::FRACTION;

/// Vertices keep this far from the faces of their cells, so that those of different cells always differ.
const MARGIN: i32 = 1 << 6;

/// One divided by a number of crossings.
const SHARE: [f32; 13] = {
    let mut shares = [0.0; 13];
    let mut count = 1;
    while count < 13 {
        shares[count] = 1.0 / count as f32;
        count += 1;
    }
    shares
};

/// Where in its cell a vertex is, in 2^-16 of the cell's side, and its normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Vertex {
    pub fraction: [i32; 3],
    pub normal: [f32; 3],
}

/// Four samples in a row along x; those in the middle are at corners of the cell.
type Row = [f32; 4];

/// The samples of a cell as rows: `rows[z][y]`, of which those in the middle are at corners.
struct Stencil {
    /// At the corners: z first, then y.
    inner: [[Row; 2]; 2],
    /// Before and behind in y: z first.
    beside: [[Row; 2]; 2],
    /// Before and behind in z: y last.
    above: [[Row; 2]; 2],
}

/// The vertex of the cell whose least corner is at `at`, where `row` and `slice` are the distances along y and z.
#[inline]
pub(super) fn vertex(samples: &[f32], at: usize, row: usize, slice: usize) -> Vertex {
    let stencil = Stencil::read(samples, at, row, slice);
    let mean = stencil.mean_of_crossings().unwrap_or_else(|| stencil.nearest_to_surface());
    let fraction = mean.map(|share| ((share * FRACTION as f32 + 0.5) as i32).clamp(MARGIN, FRACTION - MARGIN));
    Vertex { fraction, normal: stencil.normal(mean) }
}

impl Stencil {
    #[inline(always)]
    fn read(samples: &[f32], at: usize, row: usize, slice: usize) -> Self {
        let first = at - slice - row - 1;
        let window = &samples[first..first + 3 * slice + 3 * row + 4];
        let read = |z: usize, y: usize| -> Row {
            let start = z * slice + y * row;
            let part = &window[start..start + 4];
            [part[0], part[1], part[2], part[3]]
        };
        Self {
            inner: [[read(1, 1), read(1, 2)], [read(2, 1), read(2, 2)]],
            beside: [[read(1, 0), read(1, 3)], [read(2, 0), read(2, 3)]],
            above: [[read(0, 1), read(0, 2)], [read(3, 1), read(3, 2)]],
        }
    }

    /// The corners with less x, then those with more; y runs faster than z.
    #[inline(always)]
    fn corners(&self) -> [[f32; 4]; 2] {
        let [[a, b], [c, d]] = self.inner;
        [[a[1], b[1], c[1], d[1]], [a[2], b[2], c[2], d[2]]]
    }

    /// The mean of where the twelve edges are crossed, each coordinate in 0..=1; `None` when none of them is.
    #[inline(always)]
    fn mean_of_crossings(&self) -> Option<[f32; 3]> {
        let [a, b] = self.corners();
        let (x, at_x) = crossings(a, b);
        let (y, at_y) = crossings([a[0], a[2], b[0], b[2]], [a[1], a[3], b[1], b[3]]);
        let (z, at_z) = crossings([a[0], a[1], b[0], b[1]], [a[2], a[3], b[2], b[3]]);
        let count = sum(at_x) + sum(at_y) + sum(at_z);
        if count == 0.0 {
            return None;
        }
        let share = SHARE[count as usize];
        Some([
            (sum(x) + (at_y[2] + at_y[3] + at_z[2] + at_z[3])) * share,
            (sum(y) + (at_x[1] + at_x[3] + at_z[1] + at_z[3])) * share,
            (sum(z) + (at_x[2] + at_x[3] + at_y[1] + at_y[3])) * share,
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
        let front = mix(mix(a, b, y), mix(c, d, y), z);
        let gx = (front[0] - front[2]) * (1.0 - x) + (front[1] - front[3]) * x;

        let before = mix(self.beside[0][0], self.beside[1][0], z);
        let low = mix(a, c, z);
        let high = mix(b, d, z);
        let behind = mix(self.beside[0][1], self.beside[1][1], z);
        let gy = along(before, low, high, behind, y, x);

        let before = mix(self.above[0][0], self.above[0][1], y);
        let low = mix(a, b, y);
        let high = mix(c, d, y);
        let behind = mix(self.above[1][0], self.above[1][1], y);
        let gz = along(before, low, high, behind, z, x);

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

/// Where each of four edges is crossed (0 when it isn't), and 1 for each that is.
#[inline(always)]
fn crossings(from: [f32; 4], to: [f32; 4]) -> ([f32; 4], [f32; 4]) {
    let mut at = [0.0; 4];
    let mut crossed = [0.0; 4];
    for i in 0..4 {
        let crosses = (from[i] > 0.0) != (to[i] > 0.0);
        let share = from[i] / (from[i] - to[i]);
        at[i] = if crosses { share } else { 0.0 };
        crossed[i] = if crosses { 1.0 } else { 0.0 };
    }
    (at, crossed)
}

#[inline(always)]
fn sum(of: [f32; 4]) -> f32 {
    (of[0] + of[1]) + (of[2] + of[3])
}

#[inline(always)]
fn mix(from: Row, to: Row, share: f32) -> Row {
    let mut row = [0.0; 4];
    for i in 0..4 {
        row[i] = from[i] * (1.0 - share) + to[i] * share;
    }
    row
}

/// The difference across y or z of four rows that follow each other there, at `share` between the middle two and at x.
#[inline(always)]
fn along(before: Row, low: Row, high: Row, behind: Row, share: f32, x: f32) -> f32 {
    let mut row = [0.0; 4];
    for i in 0..4 {
        row[i] = (before[i] - high[i]) * (1.0 - share) + (low[i] - behind[i]) * share;
    }
    row[1] * (1.0 - x) + row[2] * x
}
