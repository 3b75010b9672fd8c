//! What is solid, in cubes of samples that are computed where somebody looks.

use crate::density::{Density, sign};
use crate::field::kernel::BLOCK;
use crate::field::program::{Points, Scratch};
use crate::field::range::Span;
use crate::generator::Generator;

/// Cells along a side of a brick.
pub(super) const BRICK: usize = 8;

/// Samples along a side of a brick: those on its borders are in both.
const SIDE: usize = BRICK + 1;

/// Bricks along a side of a block: what is bounded first.
const BLOCKS: usize = 4;

/// The most bricks that are kept: some 95 MB. Beyond, all are forgotten, and made again where they are looked at.
const MAX_BRICKS: usize = 32_768;

/// The most bricks of a picture, known or not.
pub(super) const MAX_CELLS: usize = 4 << 20;

const UNKNOWN: u32 = 0;
const AIR: u32 = 1;
const SOLID: u32 = 2;
/// From here on a brick's number among those that are kept.
const FIRST: u32 = 3;

type Samples = [f32; SIDE * SIDE * SIDE];

/// Bricks of a part of the world.
pub(super) struct Bricks {
    /// Corner with the least coordinates, in metres.
    origin: [f64; 3],
    /// Side of a cell in metres.
    pub(super) cell: f64,
    /// How many bricks along each axis.
    count: [usize; 3],
    /// And how many blocks.
    block_count: [usize; 3],
    states: Vec<u32>,
    blocks: Vec<u32>,
    // Apart from each other: a growing list would be moved.
    #[allow(clippy::vec_box)]
    kept: Vec<Box<Samples>>,
    /// Heights of the terrain under each column of bricks, where there is a terrain.
    columns: Vec<Option<Box<[f32; SIDE * SIDE]>>>,
}

/// What a place is in.
pub(super) enum Around {
    /// Nothing solid within so many cells along each axis: the bounds of what is empty, in cells.
    Air([usize; 3], usize),
    /// All solid.
    Solid,
    /// Samples, by number.
    Samples(u32, [usize; 3]),
}

impl Bricks {
    /// Bricks that hold a box of the world, in metres; cells are made coarser where there would be too many.
    pub(super) fn new(low: [f64; 3], high: [f64; 3], mut cell: f64, terrain: bool) -> Self {
        let count = |cell: f64| {
            [0, 1, 2].map(|axis| (((high[axis] - low[axis]) / (cell * BRICK as f64)).ceil() as usize).max(1))
        };
        let total = |cell: f64| count(cell).iter().fold(1usize, |product, side| product.saturating_mul(*side));
        while total(cell) > MAX_CELLS {
            cell *= 1.25;
        }
        let count = count(cell);
        let block_count = count.map(|side| side.div_ceil(BLOCKS));
        let columns = if terrain { vec![None; count[0] * count[2]] } else { Vec::new() };
        Self {
            origin: low,
            cell,
            count,
            block_count,
            states: vec![UNKNOWN; count.iter().product()],
            blocks: vec![UNKNOWN; block_count.iter().product()],
            kept: Vec::new(),
            columns,
        }
    }

    /// Metres from the world's origin to cells from the bricks'.
    pub(super) fn local(&self, at: [f64; 3]) -> [f32; 3] {
        [0, 1, 2].map(|axis| ((at[axis] - self.origin[axis]) / self.cell) as f32)
    }

    /// Cells along each axis.
    pub(super) fn size(&self) -> [f32; 3] {
        self.count.map(|side| (side * BRICK) as f32)
    }

    /// And back.
    pub(super) fn place(&self, at: [f32; 3]) -> [f64; 3] {
        [0, 1, 2].map(|axis| self.origin[axis] + f64::from(at[axis]) * self.cell)
    }

    fn world(&self, axis: usize, cell: usize) -> f64 {
        self.origin[axis] + cell as f64 * self.cell
    }

    /// What is around a place in cells; nothing outside of the bricks.
    pub(super) fn around(&mut self, at: [f32; 3], generator: &Generator, scratch: &mut Scratch) -> Option<Around> {
        let brick = self.brick(at)?;
        let block = brick.map(|side| side / BLOCKS);
        let [wide, high, _] = self.block_count;
        let in_blocks = (block[2] * high + block[1]) * wide + block[0];
        if self.blocks[in_blocks] == UNKNOWN {
            let first = block.map(|side| side * BLOCKS);
            self.blocks[in_blocks] = match self.sign(first, BLOCKS, generator, scratch) {
                Some(true) => SOLID,
                Some(false) => AIR,
                None => FIRST,
            };
        }
        match self.blocks[in_blocks] {
            SOLID => return Some(Around::Solid),
            AIR => return Some(Around::Air(block.map(|side| side * BLOCKS * BRICK), BLOCKS * BRICK)),
            _ => {}
        }
        let index = self.index(brick);
        if self.states[index] == UNKNOWN {
            match self.sign(brick, 1, generator, scratch) {
                Some(true) => self.states[index] = SOLID,
                Some(false) => self.states[index] = AIR,
                // Bounds are wide: most bricks that they leave open hold nothing either.
                None => match self.compute(brick, generator, scratch) {
                    samples if samples.iter().all(|sample| *sample <= 0.0) => self.states[index] = AIR,
                    samples if samples.iter().all(|sample| *sample > 0.0) => self.states[index] = SOLID,
                    samples => self.keep(brick, samples),
                },
            }
        }
        Some(match self.states[index] {
            SOLID => Around::Solid,
            AIR => Around::Air(brick.map(|side| side * BRICK), BRICK),
            number => Around::Samples(number, brick),
        })
    }

    /// The density at a place in cells, whatever bounds say of the brick it is in; far below 0 outside.
    pub(super) fn exact(&mut self, at: [f32; 3], generator: &Generator, scratch: &mut Scratch) -> f32 {
        let Some(brick) = self.brick(at) else { return -1.0 };
        if self.states[self.index(brick)] < FIRST {
            let samples = self.compute(brick, generator, scratch);
            self.keep(brick, samples);
        }
        self.sample(self.states[self.index(brick)], brick, at)
    }

    /// The density at a place in a brick whose samples are kept.
    pub(super) fn sample(&self, number: u32, brick: [usize; 3], at: [f32; 3]) -> f32 {
        let samples = &self.kept[(number - FIRST) as usize];
        let (mut cell, mut part) = ([0usize; 3], [0.0f32; 3]);
        for axis in 0..3 {
            let inside = (at[axis] - (brick[axis] * BRICK) as f32).clamp(0.0, BRICK as f32);
            cell[axis] = (inside as usize).min(BRICK - 1);
            part[axis] = inside - cell[axis] as f32;
        }
        let first = (cell[2] * SIDE + cell[1]) * SIDE + cell[0];
        let along = |at: usize| samples[at] + (samples[at + 1] - samples[at]) * part[0];
        let plane = |at: usize| {
            let (low, high) = (along(at), along(at + SIDE));
            low + (high - low) * part[1]
        };
        let (near, far) = (plane(first), plane(first + SIDE * SIDE));
        near + (far - near) * part[2]
    }

    fn brick(&self, at: [f32; 3]) -> Option<[usize; 3]> {
        let size = self.size();
        let inside = (0..3).all(|axis| at[axis] >= 0.0 && at[axis] < size[axis]);
        inside.then(|| at.map(|at| at as usize / BRICK))
    }

    fn index(&self, brick: [usize; 3]) -> usize {
        (brick[2] * self.count[1] + brick[1]) * self.count[0] + brick[0]
    }

    /// Whether a cube of bricks is all solid or all air, as far as bounds can tell.
    fn sign(&mut self, first: [usize; 3], wide: usize, generator: &Generator, scratch: &mut Scratch) -> Option<bool> {
        let spans = [0, 1, 2].map(|axis| {
            let from = first[axis] * BRICK;
            Span { low: self.world(axis, from), high: self.world(axis, from + wide * BRICK) }
        });
        let volume = generator.density.as_ref().and_then(|density| {
            let range = *density.whole().bounds(spans, &[], scratch).first()?;
            sign(range)
        });
        if self.columns.is_empty() || volume == Some(true) {
            return volume;
        }
        if wide > 1 {
            // The terrain isn't known yet: no more than its bounds.
            let range = generator.height_bounds(spans, scratch);
            return match (volume, range) {
                (_, range) if spans[1].high < f64::from(range.low) => Some(true),
                (Some(false), range) if spans[1].low > f64::from(range.high) => Some(false),
                _ => None,
            };
        }
        let heights = self.column(first, generator, scratch);
        let (low, high) = heights.iter().fold((f32::MAX, f32::MIN), |(low, high), h| (low.min(*h), high.max(*h)));
        if spans[1].high < f64::from(low) {
            Some(true)
        } else if spans[1].low > f64::from(high) {
            volume
        } else {
            None
        }
    }

    /// Heights of the terrain over a brick.
    fn column(&mut self, brick: [usize; 3], generator: &Generator, scratch: &mut Scratch) -> [f32; SIDE * SIDE] {
        let index = brick[2] * self.count[0] + brick[0];
        if let Some(heights) = &self.columns[index] {
            return **heights;
        }
        let x: Vec<f64> = (0..SIDE * SIDE).map(|n| self.world(0, brick[0] * BRICK + n % SIDE)).collect();
        let z: Vec<f64> = (0..SIDE * SIDE).map(|n| self.world(2, brick[2] * BRICK + n / SIDE)).collect();
        let mut heights = [0.0; SIDE * SIDE];
        generator.heights_in(&x, &z, 0, &mut heights, scratch);
        self.columns[index] = Some(Box::new(heights));
        heights
    }

    /// Computes a brick's samples.
    fn compute(&mut self, brick: [usize; 3], generator: &Generator, scratch: &mut Scratch) -> Box<Samples> {
        let mut samples = Box::new([0.0f32; SIDE * SIDE * SIDE]);
        let axis = |axis: usize, n: usize| self.world(axis, brick[axis] * BRICK + n);
        let x: Vec<f64> = (0..samples.len()).map(|n| axis(0, n % SIDE)).collect();
        let y: Vec<f64> = (0..samples.len()).map(|n| axis(1, n / SIDE % SIDE)).collect();
        let z: Vec<f64> = (0..samples.len()).map(|n| axis(2, n / SIDE / SIDE)).collect();
        let spans = [0, 1, 2].map(|axis| {
            let from = brick[axis] * BRICK;
            Span { low: self.world(axis, from), high: self.world(axis, from + BRICK) }
        });
        // Where the terrain alone makes it solid.
        let bounds = |density: &Density, scratch: &mut Scratch| density.whole().bounds(spans, &[], scratch)[0];
        let density = generator.density.as_ref();
        if density.is_some_and(|density| !self.columns.is_empty() && bounds(density, scratch).high <= 0.0) {
            samples.fill(f32::MIN);
        } else if let Some(density) = density {
            for start in (0..samples.len()).step_by(BLOCK) {
                let end = (start + BLOCK).min(samples.len());
                let points = Points { x: &x[start..end], y: &y[start..end], z: &z[start..end] };
                density.whole().run(&points, &[], scratch, &mut [&mut samples[start..end]]);
            }
        }
        if !self.columns.is_empty() {
            let heights = self.column(brick, generator, scratch);
            for (n, sample) in samples.iter_mut().enumerate() {
                let above = heights[n / SIDE / SIDE * SIDE + n % SIDE] - y[n] as f32;
                *sample = sample.max(above);
            }
        }
        samples
    }

    fn keep(&mut self, brick: [usize; 3], samples: Box<Samples>) {
        if self.kept.len() >= MAX_BRICKS {
            self.kept.clear();
            for state in &mut self.states {
                *state = if *state >= FIRST { UNKNOWN } else { *state };
            }
        }
        let index = self.index(brick);
        self.states[index] = FIRST + self.kept.len() as u32;
        self.kept.push(samples);
    }
}
