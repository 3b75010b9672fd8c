//! Terrain alone: row by row.

use super::camera::Camera;
use super::light::{self, CUT, MAP_SUN, SIDE_SUN, SKY};
use super::{Canvas, View};
use crate::chunk::normal;
use crate::field::program::Scratch;
use crate::generator::Generator;

/// Samples that are drawn at a time.
const SLICE: usize = 16_384;

/// How much finer rows are than pixels on flat ground: slopes that face the viewer are wider.
const FINER: f64 = 0.75;

/// One row of the ground.
#[derive(Clone, Debug, Default)]
struct Row {
    heights: Vec<f32>,
}

/// Where samples are along x, and what they are cut at.
struct Lattice {
    xs: Vec<f64>,
    step: f64,
    below: Option<f32>,
    /// Of the ground that is drawn.
    level: u8,
}

impl Lattice {
    /// Pixels' middles, and one more on both sides for the slopes.
    fn new(view: &View) -> Self {
        let step = view.metres / f64::from(view.size);
        let first = view.center[0] - view.metres * 0.5;
        let xs = (0..view.size as usize + 2).map(|n| first + (n as f64 - 0.5) * step).collect();
        Self { xs, step, below: view.below.map(|below| below as f32), level: view.level() }
    }

    fn row(&self, generator: &Generator, z: f64, scratch: &mut Scratch) -> Row {
        let mut heights = vec![0.0; self.xs.len()];
        generator.heights_in(&self.xs, &vec![z; self.xs.len()], self.level, &mut heights, scratch);
        if let Some(below) = self.below {
            for height in &mut heights {
                *height = height.min(below);
            }
        }
        Row { heights }
    }

    /// Normals and colours of a row between two others, `apart` metres to both sides.
    fn look(
        &self,
        generator: &Generator,
        z: f64,
        apart: f64,
        [north, here, south]: [&Row; 3],
        scratch: &mut Scratch,
    ) -> (Vec<[f32; 3]>, Vec<[f32; 3]>) {
        let count = self.xs.len() - 2;
        let (here, wide) = (&here.heights, self.step);
        // A step's slope on one axis is another's on the other: brought to the same distance.
        let scale = (wide / apart) as f32;
        let normals: Vec<[f32; 3]> = (1..=count)
            .map(|x| {
                let [n, s] = [&north.heights, &south.heights].map(|other| here[x] + (other[x] - here[x]) * scale);
                normal([here[x - 1], here[x + 1]], [n, s], wide)
            })
            .collect();
        let slopes: Vec<f32> = normals.iter().map(|normal| 1.0 - normal[1]).collect();
        let mut colors = Vec::new();
        let (xs, zs) = (&self.xs[1..=count], &vec![z; count][..]);
        generator.colors((xs, None, zs), (&here[1..=count], &slopes), &mut colors, scratch);
        generator.pave_row(self.level, xs, zs, &mut colors);
        let cut = |height: f32| self.below.is_some_and(|below| height >= below);
        let colors = colors.chunks_exact(4).zip(&here[1..]);
        let colors = colors.map(|(c, height)| if cut(*height) { CUT } else { [c[0], c[1], c[2]] }).collect();
        (normals, colors)
    }
}

/// The height of the water over each place of a row, where there is any.
fn waters(generator: &Generator, xs: &[f64], z: f64, below: Option<f32>, scratch: &mut Scratch) -> Vec<f32> {
    let level = generator.plan().terrain.as_ref().and_then(|terrain| terrain.water);
    let mut out = vec![f32::NEG_INFINITY; xs.len()];
    generator.river_heights(xs, &vec![z; xs.len()], &mut out, scratch);
    for water in &mut out {
        *water = water.max(level.unwrap_or(f32::NEG_INFINITY)).min(below.unwrap_or(f32::INFINITY));
    }
    out
}

/// From above, from north to south.
pub(super) struct Above {
    lattice: Lattice,
    zs: Vec<f64>,
    rows: [Row; 3],
    next: usize,
}

impl Above {
    pub(super) fn new(generator: &Generator, view: &View, scratch: &mut Scratch) -> Self {
        let lattice = Lattice::new(view);
        let first = view.center[1] - view.metres * 0.5;
        let zs: Vec<f64> = (0..view.size as usize + 2).map(|n| first + (n as f64 - 0.5) * lattice.step).collect();
        let rows = [lattice.row(generator, zs[0], scratch), lattice.row(generator, zs[1], scratch), Row::default()];
        Self { lattice, zs, rows, next: 0 }
    }

    pub(super) fn step(&mut self, generator: &Generator, canvas: &mut Canvas, scratch: &mut Scratch) -> bool {
        let size = self.zs.len() - 2;
        let last = (self.next + (SLICE / size).max(1)).min(size);
        let flat = light::brightness([0.0, 1.0, 0.0], MAP_SUN, 1.0, 1.0);
        for row in self.next..last {
            self.rows[2] = self.lattice.row(generator, self.zs[row + 2], scratch);
            let [north, here, south] = &self.rows;
            let z = self.zs[row + 1];
            let (normals, colors) = self.lattice.look(generator, z, self.lattice.step, [north, here, south], scratch);
            let water = waters(generator, &self.lattice.xs[1..=size], z, self.lattice.below, scratch);
            for column in 0..size {
                let height = here.heights[column + 1];
                let bright = light::brightness(normals[column], MAP_SUN, 1.0, 1.0);
                canvas.put(column, row, light::ground(colors[column], bright, flat, height, Some(water[column])));
            }
            self.rows.rotate_left(1);
        }
        self.next = last;
        self.next == size
    }
}

/// At an angle, from the nearest row to the farthest: each hides what is behind and below it.
pub(super) struct Aslant {
    lattice: Lattice,
    /// Of the first row, and metres from row to row.
    south: f64,
    apart: f64,
    count: usize,
    rows: [Row; 3],
    next: usize,
    /// The topmost pixel of each column that is painted, in rows from above.
    horizon: Vec<f64>,
    /// What was painted last in each column.
    last: Vec<[f32; 3]>,
}

impl Aslant {
    /// Turns the camera to the height of the land there.
    pub(super) fn new(generator: &Generator, view: &View, camera: &mut Camera, scratch: &mut Scratch) -> Self {
        let lattice = Lattice::new(view);
        // As coarsely as will do to see how high the land is.
        const SIDE: usize = 48;
        let along = |axis: usize, n: usize| {
            view.center[axis] + (n as f64 / (SIDE - 1) as f64 - 0.5) * view.metres * [1.0, 2.0][axis]
        };
        let xs: Vec<f64> = (0..SIDE * SIDE).map(|n| along(0, n % SIDE)).collect();
        let zs: Vec<f64> = (0..SIDE * SIDE).map(|n| along(1, n / SIDE)).collect();
        let mut heights = vec![0.0; xs.len()];
        generator.heights_in(&xs, &zs, lattice.level, &mut heights, scratch);
        let water = generator.plan().terrain.as_ref().and_then(|terrain| terrain.water);
        for height in &mut heights {
            *height = height.max(water.unwrap_or(f32::NEG_INFINITY)).min(lattice.below.unwrap_or(f32::INFINITY));
        }
        let mean = heights.iter().map(|height| f64::from(*height)).sum::<f64>() / heights.len() as f64;
        let (low, high) =
            heights.iter().fold((f32::MAX, f32::MIN), |(low, high), height| (low.min(*height), high.max(*height)));
        camera.target[1] = mean;
        let reach = view.metres * 3.0;
        let margin = f64::from(high - low) * 0.2;
        let (low, high) = (f64::from(low) - margin, f64::from(high) + margin);
        let (north, south) = camera.depth_of_field(low.max(mean - reach), high.min(mean + reach));
        let apart = lattice.step / camera.sin * FINER;
        let count = ((south - north) / apart).ceil() as usize + 1;
        let rows =
            [lattice.row(generator, south + apart, scratch), lattice.row(generator, south, scratch), Row::default()];
        let horizon = vec![view.size as f64; view.size as usize];
        Self { lattice, south, apart, count, rows, next: 0, last: vec![SKY; horizon.len()], horizon }
    }

    pub(super) fn step(&mut self, generator: &Generator, canvas: &mut Canvas, scratch: &mut Scratch) -> bool {
        let size = self.horizon.len();
        let last = (self.next + (SLICE / size).max(1)).min(self.count);
        for number in self.next..last {
            self.draw(generator, number, canvas, scratch);
        }
        self.next = last;
        if self.next < self.count {
            return false;
        }
        if self.next == self.count {
            self.sky(canvas);
            self.next += 1;
        }
        true
    }

    fn draw(&mut self, generator: &Generator, number: usize, canvas: &mut Canvas, scratch: &mut Scratch) {
        let size = self.horizon.len();
        let z = self.south - number as f64 * self.apart;
        self.rows[2] = self.lattice.row(generator, z - self.apart, scratch);
        let [south, here, north] = &self.rows;
        let (normals, colors) = self.lattice.look(generator, z, self.apart, [north, here, south], scratch);
        let water = waters(generator, &self.lattice.xs[1..=size], z, self.lattice.below, scratch);
        let flat = light::brightness([0.0, 1.0, 0.0], SIDE_SUN, 1.0, 1.0);
        // The sun comes along the row: what is below the line from a crest is in its shadow.
        let fall = (self.lattice.step * f64::from(SIDE_SUN[1] / -SIDE_SUN[0])) as f32;
        let soft = (self.lattice.step * 2.0) as f32;
        let mut shadow = f32::NEG_INFINITY;
        for column in 0..size {
            let height = here.heights[column + 1];
            shadow -= fall;
            let lit = 1.0 - ((shadow - height) / soft).clamp(0.0, 1.0);
            shadow = shadow.max(height);
            let bright = light::brightness(normals[column], SIDE_SUN, lit, 0.85 + 0.15 * lit);
            let color = light::ground(colors[column], bright, flat, height, Some(water[column]));
            let seen = f64::from(height.max(water[column]));
            let [_, top, depth] = canvas.camera.project([self.lattice.xs[column + 1], seen, z]);
            // Pixels whose middles are below the top and above what is painted already.
            let painted = self.horizon[column];
            if top < painted {
                let (first, end) = ((top - 0.5).ceil().max(0.0), (painted - 0.5).ceil().min(size as f64));
                for row in first as usize..end.max(0.0) as usize {
                    // From what was painted before to this.
                    let share = ((painted - (row as f64 + 0.5)) / (painted - top).max(1e-9)).clamp(0.0, 1.0) as f32;
                    let from = if number == 0 { color } else { self.last[column] };
                    let mixed = [0, 1, 2].map(|n| from[n] + (color[n] - from[n]) * share);
                    canvas.put(column, row, mixed);
                    canvas.depths[row * size + column] = depth as f32;
                }
                self.horizon[column] = top;
            }
            self.last[column] = color;
        }
        self.rows.rotate_left(1);
    }

    fn sky(&self, canvas: &mut Canvas) {
        for (column, horizon) in self.horizon.iter().enumerate() {
            for row in 0..((horizon - 0.5).ceil().clamp(0.0, self.horizon.len() as f64) as usize) {
                canvas.put(column, row, SKY);
            }
        }
    }
}
