//! Dots where things stand.

use super::{Canvas, View};
use crate::chunk::{ChunkId, GenError, Grid, Lattice};
use crate::generator::{Generator, with_job};
use crate::plan::{Plan, PlanError, PropKind, ScatterKind, ScatterRule};
use crate::{props, scatter};

/// The most chunks whose things are drawn: those of a wider view would be less than a pixel.
const MAX_CHUNKS: u64 = 4096;

/// Chunks that are drawn at a time.
const SLICE: usize = 8;

/// The chunks whose things are still to be drawn.
pub(super) struct Things {
    /// From north to south, so that what is nearer comes later.
    chunks: Vec<(i32, i32)>,
    next: usize,
    /// The plan with as many samples as there are pixels, which is as exact as they can show.
    plan: Plan,
    /// How each kind is drawn, as far as it was asked for: rule by rule.
    dots: Vec<Dot>,
    rules: usize,
    below: Option<f32>,
}

impl Things {
    /// Nothing where the plan has none, or the view is too wide to see them.
    pub(super) fn new(plan: &Plan, view: &View) -> Option<Self> {
        if plan.scatter.is_empty() {
            return None;
        }
        let chunks = chunks(plan, view, 0)?;
        let side = f64::from(plan.chunk.size);
        let mut plan = plan.clone();
        let pixels = (side * f64::from(view.size) / view.metres).ceil() as u32;
        plan.chunk.samples = plan.chunk.samples.min(pixels.max(4) + 1);
        Some(Self { chunks, next: 0, plan, dots: Vec::new(), rules: 0, below: view.below.map(|below| below as f32) })
    }

    pub(super) fn step(&mut self, generator: &Generator, canvas: &mut Canvas) -> Result<bool, GenError> {
        if let Some(rule) = self.plan.scatter.get(self.rules) {
            let dot = dot_of(&self.plan, rule)?;
            self.dots.extend((0..rule.variants).map(|_| dot));
            self.rules += 1;
            return Ok(false);
        }
        let last = (self.next + SLICE).min(self.chunks.len());
        for (x, z) in &self.chunks[self.next..last] {
            let lattice = Lattice::new(&self.plan, &ChunkId::new(*x, *z));
            let instances = with_job(|scratch| {
                let grid = Grid::new(generator, lattice, scratch);
                scatter::scatter(generator, &grid, scratch)
            })?;
            let [west, _, north] = lattice.origin();
            for it in &instances {
                if self.below.is_some_and(|below| it.position[1] >= below) {
                    continue;
                }
                let at =
                    [west + f64::from(it.position[0]), f64::from(it.position[1]), north + f64::from(it.position[2])];
                let Some(Dot { color, size }) = self.dots.get(it.kind as usize) else { continue };
                canvas.thing(at, size.map(|size| f64::from(size * it.scale)), *color);
            }
        }
        self.next = last;
        Ok(self.next == self.chunks.len())
    }
}

/// The chunks of a level that are seen, unless they are too many.
pub(super) fn chunks(plan: &Plan, view: &View, level: u8) -> Option<Vec<(i32, i32)>> {
    let side = f64::from(plan.chunk.size) * f64::from(1u32 << level);
    // At an angle more is seen to the north and the south.
    let (sin, _) = libm::sincos(f64::from(view.angle).to_radians());
    let half = [view.metres * 0.5, view.metres * 0.5 / sin];
    let first = [0, 1].map(|axis: usize| ((view.center[axis] - half[axis]) / side).floor() as i32);
    let last = [0, 1].map(|axis: usize| ((view.center[axis] + half[axis]) / side).floor() as i32);
    let count = [0, 1].map(|axis: usize| (i64::from(last[axis]) - i64::from(first[axis]) + 1) as u64);
    let all = (first[1]..=last[1]).flat_map(|z| (first[0]..=last[0]).map(move |x| (x, z)));
    (count[0] * count[1] <= MAX_CHUNKS).then(|| all.collect())
}

/// How the things of a rule are drawn.
#[derive(Clone, Copy)]
struct Dot {
    /// Linear.
    color: [f32; 3],
    /// Radius and height in metres, at a scale of 1.
    size: [f32; 2],
}

/// Low-poly kinds have colours that can be told apart. Other props are seen in their own: the mean of what isn't wood, a little
/// darker, as what shades itself is.
fn dot_of(plan: &Plan, rule: &ScatterRule) -> Result<Dot, GenError> {
    let (color, size) = match &rule.kind {
        ScatterKind::LowPoly(PropKind::Tree) => ([0.010, 0.068, 0.006], [1.0, 4.5]),
        ScatterKind::LowPoly(PropKind::Conifer) => ([0.005, 0.034, 0.016], [1.0, 6.0]),
        ScatterKind::LowPoly(PropKind::Rock) => ([0.117, 0.107, 0.098], [0.8, 0.8]),
        ScatterKind::LowPoly(PropKind::Bush) => ([0.107, 0.156, 0.02], [0.8, 0.8]),
        ScatterKind::Model(_) => {
            let prop = props::sample(plan, rule).map_err(|error| PlanError::of_prop("scatter", error))?;
            let [low, high] = prop.bounds;
            // What sticks out furthest is thin.
            let radius = 0.4 * ((high[0] - low[0]) + (high[2] - low[2])) * 0.5;
            (prop.mean_color().map(|value| value * 0.7), [radius.max(0.01), (high[1] - low[1]).max(0.01)])
        }
    };
    Ok(Dot { color, size })
}

impl Canvas {
    /// An upright ellipse with a radius and a height in metres, at least a part of a pixel; where something nearer is it is hidden.
    fn thing(&mut self, at: [f64; 3], [radius, height]: [f64; 2], color: [f32; 3]) {
        let camera = self.camera;
        let [x, y, depth] = camera.project([at[0], at[1] + height * 0.5 * camera.cos, at[2]]);
        let wide = (radius / camera.step).clamp(0.6, 64.0);
        let tall = ((radius * camera.sin + height * 0.5 * camera.cos) / camera.step).clamp(0.6, 256.0);
        let last = camera.size as i64 - 1;
        let range = |at: f64, by: f64| (((at - by).floor() as i64).max(0), ((at + by).ceil() as i64).min(last));
        let ((left, right), (top, bottom)) = (range(x, wide), range(y, tall));
        // What it stands on may be a pixel nearer than its middle.
        let depth = (depth - 2.0 * camera.step) as f32 - radius as f32;
        for row in top..=bottom {
            for column in left..=right {
                let (dx, dy) = ((column as f64 + 0.5 - x) / wide, (row as f64 + 0.5 - y) / tall);
                let pixel = row as usize * camera.size + column as usize;
                if dx * dx + dy * dy > 1.0 || self.depths.get(pixel).is_some_and(|seen| depth > *seen) {
                    continue;
                }
                // Lighter where the sun is.
                let light = if self.depths.is_empty() { 1.0 } else { 1.0 - 0.5 * (dx + 0.4 * dy) as f32 };
                self.put(column as usize, row as usize, color.map(|value| value * light));
            }
        }
    }
}
