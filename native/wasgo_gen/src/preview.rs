//! A plan as a picture, from above or at an angle: hill shade, the ground's colours, water, caves and floating rocks with their shadows,
//! and dots where things stand.
//!
//! Terrain alone is drawn row by row, from the nearest to the farthest. Where the plan has a volume, rays are followed through
//! densities, which are computed brick by brick where a ray needs them.

mod bricks;
mod built;
mod camera;
mod land;
mod light;
mod space;
mod things;

use crate::chunk::GenError;
use crate::field::{Node, RiverOutput};
use crate::generator::{Generator, with_job};
use crate::plan::{MAX_HEIGHT, MAX_WORLD, Plan};
use built::{Built, needs_depths};
use camera::Camera;
use land::{Above, Aslant};
use space::Space;
use things::Things;

/// The most pixels along a side.
pub const MAX_SIZE: u32 = 4096;

/// Degrees above the horizon from which a plan may be seen; 90 is from above.
pub const ANGLES: (f32, f32) = (15.0, 90.0);

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// The middle, in metres from the world's origin.
    pub center: [f64; 2],
    /// Side of the square that is seen, in metres: 1 to 1,000,000; to 100,000 at an angle or of a volume.
    pub metres: f64,
    /// Pixels along a side: 16 to [`MAX_SIZE`].
    pub size: u32,
    /// Whether things that stand on the ground are drawn.
    pub scatter: bool,
    /// From how many degrees above the horizon, looking north: [`ANGLES`].
    pub angle: f32,
    /// Everything above this height in metres is cut away, to look into what is below.
    pub below: Option<f64>,
}

impl View {
    /// A view from above, with things.
    #[must_use]
    pub fn new(center: [f64; 2], metres: f64, size: u32) -> Self {
        Self { center, metres, size, scatter: true, angle: 90.0, below: None }
    }
}

/// A picture: rows from top to bottom, three bytes (sRGB) a pixel.
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
    fn check(&self, plan: &Plan) -> Result<(), PreviewError> {
        let wrong = |field, value: String, allowed: String| Err(PreviewError::OutOfRange { field, value, allowed });
        if !(16..=MAX_SIZE).contains(&self.size) {
            return wrong("size", self.size.to_string(), format!("16 to {MAX_SIZE}"));
        }
        if !(ANGLES.0..=ANGLES.1).contains(&self.angle) {
            return wrong("angle", self.angle.to_string(), format!("{} to {}", ANGLES.0, ANGLES.1));
        }
        let plain = plan.volume.is_none() && self.angle >= ANGLES.1;
        let most = if plain { 1e6 } else { 1e5 };
        if !(1.0..=most).contains(&self.metres) {
            return wrong("metres", self.metres.to_string(), format!("1 to {most}"));
        }
        let height = f64::from(MAX_HEIGHT);
        if let Some(below) = self.below.filter(|below| !(-height..=height).contains(below)) {
            return wrong("below", below.to_string(), format!("{} to {height}", -height));
        }
        // At an angle more is seen than the square, in front of it and behind.
        let reach = MAX_WORLD - if plain { self.metres } else { self.metres * 8.0 + 8.0 * height };
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
        crate::png_file::png(self.size, self.size, png::ColorType::Rgb, &self.pixels)
    }
}

/// What a picture is drawn into.
struct Canvas {
    picture: Picture,
    /// How far away what each pixel shows is, in metres along the view; empty from above.
    depths: Vec<f32>,
    camera: Camera,
}

impl Canvas {
    fn put(&mut self, column: usize, row: usize, color: [f32; 3]) {
        let at = (row * self.picture.size as usize + column) * 3;
        self.picture.pixels[at..at + 3].copy_from_slice(&color.map(light::srgb));
    }
}

enum Ground {
    Above(Above),
    Aslant(Box<Aslant>),
    Space(Box<Space>),
}

/// A picture on its way: drawn bit by bit, so that whoever draws can do other things between.
pub struct Drawing {
    canvas: Canvas,
    ground: Ground,
    things: Option<Things>,
    built: Option<Built>,
    /// The plan without what would be less than a pixel and take long.
    plain: Option<Box<Generator>>,
}

impl Drawing {
    /// Begins a picture of the generator's plan.
    ///
    /// # Errors
    ///
    /// When the view is out of its range or of the world, or the plan has neither terrain nor volume.
    pub fn new(generator: &Generator, view: &View) -> Result<Self, PreviewError> {
        view.check(generator.plan())?;
        let plain = without_fine_rivers(generator.plan(), view);
        let plain = plain.and_then(|plan| Generator::with_scripts(plan, &generator.scripts).ok()).map(Box::new);
        let (canvas, ground, things, built) = with_job(|scratch| {
            let generator = plain.as_deref().unwrap_or(generator);
            let mut camera = Camera::new(view);
            let ground = if generator.plan().volume.is_some() {
                Ground::Space(Box::new(Space::new(generator, view, &mut camera, scratch)?))
            } else if generator.plan().terrain.is_none() {
                return Err(PreviewError::from(GenError::Nothing { what: "terrain" }));
            } else if view.angle >= ANGLES.1 {
                Ground::Above(Above::new(generator, view, scratch))
            } else {
                Ground::Aslant(Box::new(Aslant::new(generator, view, &mut camera, scratch)))
            };
            let pixels = (view.size as usize).pow(2);
            let built = view.scatter.then(|| Built::new(generator.plan(), view)).flatten();
            let depths = if needs_depths(view, built.as_ref()) { vec![f32::INFINITY; pixels] } else { Vec::new() };
            let picture = Picture { size: view.size, pixels: vec![0; pixels * 3] };
            let things = view.scatter.then(|| Things::new(generator.plan(), view)).flatten();
            Ok((Canvas { picture, depths, camera }, ground, things, built))
        })
        .map_err(GenError::from)??;
        Ok(Self { canvas, ground, things, built, plain })
    }

    /// Draws on for some milliseconds, with the generator that the drawing was begun with; whether the picture is done.
    ///
    /// # Errors
    ///
    /// What can't be generated.
    pub fn step(&mut self, generator: &Generator) -> Result<bool, PreviewError> {
        let generator = self.plain.as_deref().unwrap_or(generator);
        let canvas = &mut self.canvas;
        let ground = with_job(|scratch| match &mut self.ground {
            Ground::Above(above) => above.step(generator, canvas, scratch),
            Ground::Aslant(aslant) => aslant.step(generator, canvas, scratch),
            Ground::Space(space) => space.step(generator, canvas, scratch),
        })
        .map_err(GenError::from)?;
        if !ground {
            return Ok(false);
        }
        if let Some(built) = &mut self.built {
            if built.step(generator, canvas)? {
                self.built = None;
            }
            return Ok(false);
        }
        match &mut self.things {
            Some(things) => Ok(things.step(generator, canvas)?),
            None => Ok(true),
        }
    }

    /// The picture as far as it is drawn.
    #[must_use]
    pub fn finish(self) -> Picture {
        self.canvas.picture
    }
}

impl Generator {
    /// Draws the plan.
    ///
    /// # Errors
    ///
    /// When the view is out of its range or of the world, or the plan has neither terrain nor volume.
    pub fn preview(&self, view: &View) -> Result<Picture, PreviewError> {
        let mut drawing = Drawing::new(self, view)?;
        while !drawing.step(self)? {}
        Ok(drawing.finish())
    }
}

/// The plan without rivers that would be seen between pixels only, where it has such: each pixel would ask for a net of its own.
fn without_fine_rivers(plan: &Plan, view: &View) -> Option<Plan> {
    let step = view.metres / f64::from(view.size);
    let mut plain = plan.clone();
    let mut changed = false;
    for node in plain.nodes.values_mut() {
        if let Node::Rivers { of, frequency, width, valley, output, .. } = node
            && *frequency * step > 0.25
        {
            *node = match output {
                RiverOutput::Ground => Node::Affine { of: of.clone(), scale: 1.0, offset: 0.0 },
                RiverOutput::Water => Node::Constant { value: -MAX_HEIGHT },
                RiverOutput::Distance => Node::Constant { value: *width * *valley },
            };
            changed = true;
        }
    }
    changed.then_some(plain)
}
