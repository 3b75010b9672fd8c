//! A plan as a picture from above: hill shade, the ground's colours, water, dots where things stand, roads and roofs.

mod built;

use crate::chunk::{ChunkId, GenError};
use crate::field::program::Scratch;
use crate::generator::{Generator, with_scratch};
use crate::plan::{MAX_WORLD, Plan, PlanError, PropKind, ScatterKind, ScatterRule};
use crate::props;

/// The most pixels along a side.
pub const MAX_SIZE: u32 = 4096;

/// The most chunks whose things are drawn: those of a wider view would be less than a pixel.
const MAX_CHUNKS: u64 = 1600;

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// The middle, in metres from the world's origin.
    pub center: [f64; 2],
    /// Side of the square that is seen, in metres: 1 to 1,000,000.
    pub metres: f64,
    /// Pixels along a side: 16 to [`MAX_SIZE`].
    pub size: u32,
    /// Whether things that stand on the ground are drawn.
    pub scatter: bool,
}

/// A picture: rows from north to south, three bytes (sRGB) a pixel.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Pixels along a side.
    pub size: u32,
    /// Red, green, blue of each pixel.
    pub pixels: Vec<u8>,
}

/// A picture that can't be drawn.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PreviewError {
    /// A part of the view out of its range.
    #[error("{field} is {value}, allowed: {allowed}")]
    OutOfRange {
        /// Which part.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is allowed, in words.
        allowed: String,
    },
    /// Something that can't be generated.
    #[error(transparent)]
    Gen(#[from] GenError),
}

impl View {
    fn check(&self) -> Result<(), PreviewError> {
        let wrong = |field, value: String, allowed: String| Err(PreviewError::OutOfRange { field, value, allowed });
        if !(16..=MAX_SIZE).contains(&self.size) {
            return wrong("size", self.size.to_string(), format!("16 to {MAX_SIZE}"));
        }
        if !(1.0..=1e6).contains(&self.metres) {
            return wrong("metres", self.metres.to_string(), "1 to 1000000".into());
        }
        let reach = MAX_WORLD - self.metres;
        match self.center.iter().find(|at| !(-reach..=reach).contains(*at)) {
            Some(at) => wrong("center", at.to_string(), format!("{} to {reach}", -reach)),
            None => Ok(()),
        }
    }
}

impl Picture {
    /// As a PNG file.
    #[must_use]
    pub fn png(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.size, self.size);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
        // Writing to memory, as many pixels as were announced: what could fail isn't here.
        let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&self.pixels));
        debug_assert!(written.is_ok(), "{written:?}");
        file
    }
}

impl Generator {
    /// Draws the plan's terrain from above.
    ///
    /// # Errors
    ///
    /// When the view is out of its range or of the world, or the plan has no terrain.
    pub fn preview(&self, view: &View) -> Result<Picture, PreviewError> {
        view.check()?;
        if self.plan().terrain.is_none() {
            return Err(GenError::Nothing { what: "terrain" }.into());
        }
        let mut picture = with_scratch(|scratch| self.draw_ground(view, scratch));
        if view.scatter {
            self.draw_things(view, &mut picture)?;
            self.draw_built(view, &mut picture);
        }
        Ok(picture)
    }

    fn draw_ground(&self, view: &View, scratch: &mut Scratch) -> Picture {
        let size = view.size as usize;
        let step = view.metres / f64::from(view.size);
        // Pixels' middles, and one more all around for the slopes.
        let along = |axis: usize| -> Vec<f64> {
            let first = view.center[axis] - view.metres * 0.5;
            (0..size + 2).map(|n| first + (n as f64 - 0.5) * step).collect()
        };
        let (xs, zs) = (along(0), along(1));
        let row = |z: f64, scratch: &mut Scratch| {
            let mut heights = vec![0.0; xs.len()];
            self.heights_in(&xs, &vec![z; xs.len()], view.level(), &mut heights, scratch);
            heights
        };
        let water = self.plan().terrain.as_ref().and_then(|terrain| terrain.water);
        let mut pixels = Vec::with_capacity(size * size * 3);
        let mut rows = [row(zs[0], scratch), row(zs[1], scratch), Vec::new()];
        for y in 0..size {
            rows[2] = row(zs[y + 2], scratch);
            let [north, here, south] = &rows;
            let normals: Vec<[f32; 3]> = (1..=size)
                .map(|x| crate::chunk::normal([here[x - 1], here[x + 1]], [north[x], south[x]], step))
                .collect();
            let slopes: Vec<f32> = normals.iter().map(|normal| 1.0 - normal[1]).collect();
            let (x, z) = (&xs[1..=size], vec![zs[y + 1]; size]);
            let mut colors = Vec::new();
            self.colors((x, None, &z), (&here[1..=size], &slopes), &mut colors, scratch);
            self.pave_row(view, x, &z, &mut colors);
            for ((color, normal), height) in colors.chunks_exact(4).zip(&normals).zip(&here[1..=size]) {
                pixels.extend(shade([color[0], color[1], color[2]], *normal, *height, water).map(srgb));
            }
            rows.rotate_left(1);
        }
        Picture { size: view.size, pixels }
    }

    fn draw_things(&self, view: &View, picture: &mut Picture) -> Result<(), PreviewError> {
        let side = f64::from(self.plan().chunk.size);
        let first = [0, 1].map(|axis: usize| ((view.center[axis] - view.metres * 0.5) / side).floor() as i32);
        let last = [0, 1].map(|axis: usize| ((view.center[axis] + view.metres * 0.5) / side).floor() as i32);
        let count = [0, 1].map(|axis: usize| (i64::from(last[axis]) - i64::from(first[axis]) + 1) as u64);
        if self.plan().scatter.is_empty() || count[0] * count[1] > MAX_CHUNKS {
            return Ok(());
        }
        let mut dots = Vec::with_capacity(self.plan().kinds());
        for rule in &self.plan().scatter {
            let dot = dot_of(self.plan(), rule)?;
            dots.extend((0..rule.variants).map(|_| dot));
        }
        let corner = [0, 1].map(|axis: usize| view.center[axis] - view.metres * 0.5);
        let scale = f64::from(view.size) / view.metres;
        for (x, z) in (first[1]..=last[1]).flat_map(|z| (first[0]..=last[0]).map(move |x| (x, z))) {
            let chunk = self.chunk(ChunkId::new(x, z))?;
            for it in &chunk.instances {
                let at =
                    |axis: usize| (chunk.origin[2 * axis] + f64::from(it.position[2 * axis]) - corner[axis]) * scale;
                let Some(Dot { color, radius }) = dots.get(it.kind as usize) else { continue };
                picture.dot([at(0), at(1)], f64::from(it.scale * radius) * scale, *color);
            }
        }
        Ok(())
    }
}

/// How the things of a rule are drawn.
#[derive(Clone, Copy)]
struct Dot {
    color: [u8; 3],
    /// In metres, at a scale of 1.
    radius: f32,
}

/// Low-poly kinds have colours that can be told apart. Other props are seen in their own: the mean of what isn't wood, a little
/// darker, as what shades itself is.
fn dot_of(plan: &Plan, rule: &ScatterRule) -> Result<Dot, GenError> {
    let color = match &rule.kind {
        ScatterKind::LowPoly(PropKind::Tree) => [24, 74, 18],
        ScatterKind::LowPoly(PropKind::Conifer) => [14, 52, 34],
        ScatterKind::LowPoly(PropKind::Rock) => [96, 92, 88],
        ScatterKind::LowPoly(PropKind::Bush) => [92, 110, 38],
        ScatterKind::Model(_) => {
            let prop = props::sample(plan, rule).map_err(|error| PlanError::of_prop("scatter", error))?;
            let [low, high] = prop.bounds;
            // What sticks out furthest is thin.
            let radius = 0.4 * ((high[0] - low[0]) + (high[2] - low[2])) * 0.5;
            return Ok(Dot { color: prop.mean_color().map(|value| srgb(value * 0.7)), radius: radius.max(0.01) });
        }
    };
    Ok(Dot { color, radius: 1.0 })
}

impl Picture {
    /// A disc with a radius in pixels, at least a part of one.
    fn dot(&mut self, [x, y]: [f64; 2], radius: f64, color: [u8; 3]) {
        let radius = radius.clamp(0.6, 64.0);
        let last = i64::from(self.size) - 1;
        let range = |at: f64| (((at - radius).floor() as i64).max(0), ((at + radius).ceil() as i64).min(last));
        let ((left, right), (top, bottom)) = (range(x), range(y));
        for row in top..=bottom {
            for column in left..=right {
                let (dx, dy) = (column as f64 + 0.5 - x, row as f64 + 0.5 - y);
                if dx * dx + dy * dy <= radius * radius {
                    let at = (row as usize * self.size as usize + column as usize) * 3;
                    self.pixels[at..at + 3].copy_from_slice(&color);
                }
            }
        }
    }
}

/// The colour of ground that the sun shines on from the north-west, as maps have it, seen through what water is above it.
fn shade(color: [f32; 3], normal: [f32; 3], height: f32, water: Option<f32>) -> [f32; 3] {
    const SUN: [f32; 3] = [-0.5, 0.707, -0.5];
    const WATER: [f32; 3] = [0.02, 0.13, 0.22];
    let light = |normal: [f32; 3]| {
        let sun = (normal[0] * SUN[0] + normal[1] * SUN[1] + normal[2] * SUN[2]).max(0.0);
        0.35 + 0.95 * sun
    };
    let ground = color.map(|value| value * light(normal));
    match water {
        Some(level) if height < level => {
            // A metre of water takes a quarter of what can be seen through it.
            let seen = libm::expf((height - level) * 0.29) * 0.75;
            let lit = light([0.0, 1.0, 0.0]);
            [0, 1, 2].map(|n| WATER[n] * lit + (ground[n] - WATER[n] * lit) * seen)
        }
        _ => ground,
    }
}

fn srgb(linear: f32) -> u8 {
    let value = linear.clamp(0.0, 1.0);
    let encoded = if value <= 0.003_130_8 { value * 12.92 } else { 1.055 * libm::powf(value, 1.0 / 2.4) - 0.055 };
    (encoded * 255.0 + 0.5) as u8
}
