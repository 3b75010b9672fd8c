//! Plans with a volume: a ray for each pixel, one to the sun and some to the sky.

use std::ops::Range;

use super::bricks::{Around, BRICK, Bricks};
use super::camera::Camera;
use super::light::{self, CUT, MAP_SUN, SIDE_SUN, SKY};
use super::{ANGLES, Canvas, PreviewError, View};
use crate::field::program::{Points, Program, Scratch};
use crate::field::range::Span;
use crate::generator::Generator;
use crate::plan::MAX_HEIGHT;

/// Pixels that are drawn at a time.
const SLICE: usize = 512;

/// Pixels along a side of a cell.
const PIXELS: f64 = 2.0;

/// From sample to sample along a ray, in cells.
const STRIDE: f32 = 0.7;

/// The most steps of a ray.
const MAX_STEPS: usize = 8192;

/// How far rays to the sky go, in cells.
const OPEN: f32 = 14.0;

/// From sample to sample along rays to the sky and the sun, in cells: of those it matters only whether they get there.
const LIGHT_STRIDE: f32 = 1.5;

/// Directions to the sky: of which those that leave the surface are taken.
const SKYWARDS: [[f32; 3]; 4] = [[0.0, 1.0, 0.0], [0.866, 0.5, 0.0], [-0.433, 0.5, 0.75], [-0.433, 0.5, -0.75]];

/// A picture of what is solid.
pub(super) struct Space {
    bricks: Bricks,
    next: usize,
    sun: [f32; 3],
    below: Option<f64>,
    water: Option<f32>,
    /// How much of the sky each pixel of the row before saw, where it saw anything.
    open: Vec<Option<f32>>,
    /// Heights between which there is something, in metres.
    low: f64,
    high: f64,
}

/// Where a ray ended.
enum Hit {
    Nothing,
    /// A place in cells.
    Surface([f32; 3]),
    /// The cut through what is solid.
    Cut,
}

impl Space {
    /// Turns the camera to the height of what is there.
    pub(super) fn new(
        generator: &Generator,
        view: &View,
        camera: &mut Camera,
        scratch: &mut Scratch,
    ) -> Result<Self, PreviewError> {
        let Some((program, spacing)) = generator
            .density
            .as_ref()
            .zip(generator.plan().volume.as_ref())
            .map(|(density, volume)| (density.whole(), f64::from(volume.spacing)))
        else {
            return Err(crate::chunk::GenError::Nothing { what: "volume" }.into());
        };
        let reach = view.metres * 0.5;
        let spans = [0, 1].map(|axis: usize| Span { low: view.center[axis] - reach, high: view.center[axis] + reach });
        let terrain = generator.plan().terrain.is_some();
        let surface = Surface { generator, program, spans };
        let cut = view.below.unwrap_or(f64::from(MAX_HEIGHT));
        let (low, high) = surface.extent(cut, scratch).unwrap_or((-reach, reach));
        let (least, mean, greatest) = surface.middle(low, high, scratch).unwrap_or((low, (low + high) * 0.5, high));
        // Bounds may be wide: what is much farther than the picture is wide isn't drawn.
        let low = low.max(least - view.metres);
        let high = high.min(greatest + 2.0 * view.metres).max(low + 1e-3);
        camera.target[1] = mean.min(cut);
        let cell = (camera.step * PIXELS).max(spacing * 0.5);
        let (north, south) = camera.depth_of_field(low, high);
        let margin = cell * 64.0;
        let bricks = Bricks::new(
            [spans[0].low - margin, low - cell * 2.0, north - margin],
            [spans[0].high + margin, high + cell * 2.0, south + margin],
            cell,
            terrain,
        );
        let sun = if view.angle >= ANGLES.1 { MAP_SUN } else { SIDE_SUN };
        let water = generator.plan().terrain.as_ref().and_then(|terrain| terrain.water);
        let water = water.filter(|water| f64::from(*water) < cut);
        Ok(Self { bricks, next: 0, open: vec![None; camera.size], sun, below: view.below, water, low, high })
    }

    pub(super) fn step(&mut self, generator: &Generator, canvas: &mut Canvas, scratch: &mut Scratch) -> bool {
        // Parts of rows.
        let size = canvas.camera.size;
        let (row, first) = (self.next / size, self.next % size);
        let last = (first + SLICE).min(size);
        self.row(generator, row, first..last, canvas, scratch);
        self.next += last - first;
        self.next == size * size
    }

    fn row(
        &mut self,
        generator: &Generator,
        row: usize,
        range: Range<usize>,
        canvas: &mut Canvas,
        scratch: &mut Scratch,
    ) {
        let camera = canvas.camera;
        let size = camera.size;
        let flat = light::brightness([0.0, 1.0, 0.0], self.sun, 1.0, 1.0);
        // The surface's places are coloured together.
        let (mut columns, mut places, mut normals, mut bright) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for column in range {
            let (start, hit) = self.look(camera.place(column, row), camera.direction(), generator, scratch);
            let place = match hit {
                Hit::Surface(at) => self.world(at),
                Hit::Cut => start,
                Hit::Nothing => {
                    canvas.put(column, row, self.water.map_or(SKY, |_| light::deep(flat)));
                    self.open[column] = None;
                    continue;
                }
            };
            if let Some(depth) = canvas.depths.get_mut(row * size + column) {
                *depth = camera.project(place)[2] as f32;
            }
            if let Hit::Surface(at) = hit {
                let normal = self.normal(at, generator, scratch);
                let lit = if self.shadow(at, normal, generator, scratch) { 0.0 } else { 1.0 };
                // The sky changes little from pixel to pixel.
                let beside = if column % 2 == 1 { self.open[column - 1] } else { None };
                let above = if row % 2 == 1 { self.open[column] } else { None };
                let share = match beside.or(above) {
                    Some(share) => share,
                    None => self.open(at, normal, generator, scratch),
                };
                self.open[column] = Some(share);
                columns.push(column);
                places.push(place);
                normals.push(normal);
                bright.push(light::brightness(normal, self.sun, lit, share));
            } else {
                self.open[column] = None;
                canvas.put(column, row, CUT);
            }
        }
        let axis = |axis: usize| places.iter().map(|place: &[f64; 3]| place[axis]).collect::<Vec<f64>>();
        let (x, y, z) = (axis(0), axis(1), axis(2));
        let heights: Vec<f32> = y.iter().map(|y| *y as f32).collect();
        let slopes: Vec<f32> = normals.iter().map(|normal: &[f32; 3]| (1.0 - normal[1]).clamp(0.0, 1.0)).collect();
        let mut colors = Vec::new();
        generator.colors((&x, Some(&y), &z), (&heights, &slopes), &mut colors, scratch);
        for (n, color) in colors.chunks_exact(4).enumerate() {
            let color = [color[0], color[1], color[2]];
            canvas.put(columns[n], row, light::ground(color, bright[n], flat, heights[n], self.water));
        }
    }

    fn world(&self, at: [f32; 3]) -> [f64; 3] {
        self.bricks.place(at)
    }

    /// Follows a ray from where it comes in, which is told too.
    fn look(
        &mut self,
        through: [f64; 3],
        direction: [f64; 3],
        generator: &Generator,
        scratch: &mut Scratch,
    ) -> ([f64; 3], Hit) {
        // From the top, or from the cut, whichever is lower.
        let top = self.below.map_or(self.high, |below| below.min(self.high));
        let along = (top - through[1]) / direction[1];
        let start = [0, 1, 2].map(|axis| through[axis] + direction[axis] * along);
        let from = self.bricks.local(start);
        if self.below.is_some_and(|below| below <= self.high) && self.bricks.exact(from, generator, scratch) > 0.0 {
            return (start, Hit::Cut);
        }
        let far = (((top - self.low) / -direction[1]) / self.bricks.cell) as f32 + 4.0;
        let direction = direction.map(|part| part as f32);
        let hit = self.march(from, direction, (far, STRIDE), generator, scratch);
        let hit = hit.map(|(free, solid)| self.between(from, direction, free, solid, generator, scratch));
        (start, hit.map_or(Hit::Nothing, Hit::Surface))
    }

    /// The last place on a ray that is known to be free, and the first that is solid, in cells from its start.
    fn march(
        &mut self,
        from: [f32; 3],
        direction: [f32; 3],
        (far, stride): (f32, f32),
        generator: &Generator,
        scratch: &mut Scratch,
    ) -> Option<(f32, f32)> {
        let at = |t: f32| [0, 1, 2].map(|axis| from[axis] + direction[axis] * t);
        let size = self.bricks.size();
        let (mut t, mut free) = (0.0f32, 0.0f32);
        for _ in 0..MAX_STEPS {
            if t > far {
                return None;
            }
            let place = at(t);
            match self.bricks.around(place, generator, scratch) {
                None => {
                    // Not in the box: on, as long as it may still be entered.
                    let leaving = |axis: usize| {
                        (place[axis] < 0.0 && direction[axis] <= 0.0)
                            || (place[axis] >= size[axis] && direction[axis] >= 0.0)
                    };
                    if (0..3).any(leaving) {
                        return None;
                    }
                    free = t;
                    t += 1.0;
                }
                Some(Around::Solid) => return Some((free, t)),
                Some(Around::Air(first, wide)) => {
                    free = t;
                    t += leave(place, direction, first, wide) + 1e-2;
                }
                Some(Around::Samples(number, brick)) => {
                    let end = t + leave(place, direction, brick.map(|side| side * BRICK), BRICK) + 1e-3;
                    while t < end {
                        if self.bricks.sample(number, brick, at(t)) > 0.0 {
                            return Some((free, t));
                        }
                        free = t;
                        t += stride;
                    }
                }
            }
        }
        None
    }

    /// Where on a ray it becomes solid, between a place that isn't and one that is.
    fn between(
        &mut self,
        from: [f32; 3],
        direction: [f32; 3],
        mut free: f32,
        mut solid: f32,
        generator: &Generator,
        scratch: &mut Scratch,
    ) -> [f32; 3] {
        let at = |t: f32| [0, 1, 2].map(|axis| from[axis] + direction[axis] * t);
        for _ in 0..7 {
            let middle = (free + solid) * 0.5;
            if self.bricks.exact(at(middle), generator, scratch) > 0.0 {
                solid = middle;
            } else {
                free = middle;
            }
        }
        at(free)
    }

    fn normal(&mut self, at: [f32; 3], generator: &Generator, scratch: &mut Scratch) -> [f32; 3] {
        let mut side = |axis: usize, by: f32| {
            let mut place = at;
            place[axis] += by;
            self.bricks.exact(place, generator, scratch)
        };
        let v = [0, 1, 2].map(|axis| side(axis, -0.75) - side(axis, 0.75));
        let length = light::dot(v, v).sqrt();
        if length > 1e-12 { v.map(|part| part / length) } else { [0.0, 1.0, 0.0] }
    }

    /// Whether something is between a place and the sun.
    fn shadow(&mut self, at: [f32; 3], normal: [f32; 3], generator: &Generator, scratch: &mut Scratch) -> bool {
        if light::dot(normal, self.sun) <= 0.0 {
            return true;
        }
        let from = [0, 1, 2].map(|axis| at[axis] + normal[axis] * 1.5);
        // What is cut away casts no shadow.
        let top = self.below.map_or(self.high, |below| below.min(self.high));
        let far = (((top - self.world(at)[1]) / self.bricks.cell) as f32 / self.sun[1]).max(0.0);
        self.march(from, self.sun, (far, LIGHT_STRIDE), generator, scratch).is_some()
    }

    /// How much of the sky is seen from a place: 0..=1.
    fn open(&mut self, at: [f32; 3], normal: [f32; 3], generator: &Generator, scratch: &mut Scratch) -> f32 {
        let from = [0, 1, 2].map(|axis| at[axis] + normal[axis] * 1.5);
        let top = self.below.map_or(self.high, |below| below.min(self.high));
        let room = ((top - self.world(at)[1]) / self.bricks.cell) as f32;
        let (mut seen, mut total) = (0.0f32, 0.0f32);
        for direction in SKYWARDS {
            let facing = light::dot(normal, direction);
            if facing <= 0.05 {
                continue;
            }
            total += facing;
            let far = OPEN.min(room.max(0.0) / direction[1]);
            if self.march(from, direction, (far, LIGHT_STRIDE), generator, scratch).is_none() {
                seen += facing;
            }
        }
        // What looks down sees none of the sky, but what comes back from the ground.
        if total > 0.0 { 0.15 + 0.85 * seen / total } else { 0.25 }
    }
}

/// How far it is along a ray until it leaves a cube, in cells.
fn leave(place: [f32; 3], direction: [f32; 3], first: [usize; 3], wide: usize) -> f32 {
    let mut least = f32::INFINITY;
    for axis in 0..3 {
        let border = if direction[axis] > 0.0 { (first[axis] + wide) as f32 } else { first[axis] as f32 };
        if direction[axis].abs() > 1e-6 {
            least = least.min((border - place[axis]) / direction[axis]);
        }
    }
    least.max(0.0)
}

/// What a view sees of a world, as far as its height goes.
struct Surface<'g> {
    generator: &'g Generator,
    program: &'g Program,
    spans: [Span; 2],
}

impl Surface<'_> {
    /// Heights outside of which there is no surface, as far as bounds can tell; none where nothing is.
    fn extent(&self, cut: f64, scratch: &mut Scratch) -> Option<(f64, f64)> {
        let mut slab = |low: f64, high: f64| {
            let spans = [self.spans[0], Span { low, high }, self.spans[1]];
            let solid = self.program.bounds(spans, &[], scratch)[0];
            let land = self.generator.plan().terrain.is_some().then(|| self.generator.height_bounds(spans, scratch));
            let filled = solid.low > 0.0 || land.is_some_and(|land| f64::from(land.low) > high);
            let empty = solid.high <= 0.0 && land.is_none_or(|land| f64::from(land.high) < low);
            !filled && !empty
        };
        // Halves of halves: 2^12 slabs at most are looked at from either end.
        let mut search = |from_top: bool| {
            let mut open = vec![(-f64::from(MAX_HEIGHT), cut)];
            while let Some((low, high)) = open.pop() {
                if high <= low || !slab(low, high) {
                    continue;
                }
                if high - low <= (self.spans[0].high - self.spans[0].low) / 64.0 {
                    return Some(if from_top { high } else { low });
                }
                let middle = (low + high) * 0.5;
                let halves = [(low, middle), (middle, high)];
                // What comes last is looked at first.
                open.extend(if from_top { halves } else { [halves[1], halves[0]] });
            }
            None
        };
        search(false).zip(search(true))
    }

    /// Least, mean and greatest height of the topmost surface in some columns; none where none has one.
    fn middle(&self, low: f64, high: f64, scratch: &mut Scratch) -> Option<(f64, f64, f64)> {
        const SIDE: usize = 9;
        const STEPS: usize = 256;
        let at = |span: Span, n: usize| span.low + (span.high - span.low) * (n as f64 + 0.5) / SIDE as f64;
        let ys: Vec<f64> = (0..STEPS).map(|n| high - (high - low) * (n as f64 + 0.5) / STEPS as f64).collect();
        let mut found = Vec::new();
        for place in 0..SIDE * SIDE {
            let (x, z) = (at(self.spans[0], place % SIDE), at(self.spans[1], place / SIDE));
            let (xs, zs) = ([x; STEPS], [z; STEPS]);
            let mut values = [0.0; STEPS];
            self.program.run(&Points { x: &xs, y: &ys, z: &zs }, &[], scratch, &mut [&mut values]);
            let mut land = [f32::NEG_INFINITY];
            if self.generator.plan().terrain.is_some() {
                self.generator.heights_in(&[x], &[z], 0, &mut land, scratch);
            }
            let rock = values.iter().position(|value| *value > 0.0).map(|n| ys[n]);
            let top = rock.unwrap_or(f64::NEG_INFINITY).max(f64::from(land[0]).min(high));
            if top > f64::NEG_INFINITY {
                found.push(top);
            }
        }
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        let least = found.iter().copied().reduce(f64::min)?;
        Some((least, mean, found.iter().copied().reduce(f64::max)?))
    }
}
