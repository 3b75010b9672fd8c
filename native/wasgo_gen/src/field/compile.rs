//! From a graph of nodes to a program.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::instr::{Binary, Cellular, Curve, Domain, DomainId, Gully, Instr, MAX_OCTAVES, Noise, Unary, Value};
use super::kernel::shape::Body;
use super::node::{Axis, Node, NodeId, Shape};
use super::program::Program;
use super::rivers::{self, Rivers};
use crate::hash::derive;
use crate::plan::{Fault, PlanError};
use crate::script::{FieldScript, Scripts};

/// The most instructions of a program. Fields that are looked up elsewhere (warps, erosion) are made anew there, so that a few nodes
/// can ask for very many.
pub const MAX_INSTRUCTIONS: usize = 4096;

/// The most places at which one program looks fields up.
pub const MAX_DOMAINS: usize = 64;

/// The most nodes from a plan's field down to a leaf.
pub const MAX_DEPTH: usize = 128;

/// Over which part of its widest gullies erosion measures slopes, and the least and the most metres: what is finer than that doesn't
/// turn gullies round.
const STEP: (f64, f64, f64) = (0.04, 0.25, 40.0);

/// What a field may refer to besides places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Nothing: it makes the terrain itself.
    Terrain,
    /// The terrain's height and slope, as inputs 0 and 1.
    Ground,
}

/// The instructions of some fields of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Code {
    pub(crate) instrs: Vec<Instr>,
    /// Whether the value is the same all the way up: x and z alone decide it.
    pub(crate) planar: Vec<bool>,
    /// For each domain the instruction that makes it, but for the first, the block's own places.
    pub(crate) domains: Vec<Option<Value>>,
    pub(crate) outputs: Vec<Value>,
}

pub(crate) struct Compiler<'p> {
    nodes: &'p BTreeMap<NodeId, Node>,
    scripts: &'p Scripts,
    seed: u64,
    scope: Scope,
    code: Code,
    /// Whether x and z of a domain are the same all the way up.
    planar_domains: Vec<bool>,
    made: BTreeMap<(&'p str, DomainId), Value>,
    /// The nodes on the way down, with the parameter by which each was reached.
    path: Vec<(&'static str, &'p str)>,
    root: String,
}

impl<'p> Compiler<'p> {
    pub(crate) fn new(nodes: &'p BTreeMap<NodeId, Node>, scripts: &'p Scripts, seed: u64, scope: Scope) -> Self {
        let code = Code { domains: vec![None], ..Code::default() };
        let (made, path, root) = (BTreeMap::new(), Vec::new(), String::new());
        Self { nodes, scripts, seed, scope, code, planar_domains: vec![true], made, path, root }
    }

    /// Adds a field; `root` says where the plan has it.
    pub(crate) fn output(&mut self, root: &str, id: &'p str) -> Result<(), PlanError> {
        self.root = root.into();
        let value = self.field("", id, 0)?;
        self.code.outputs.push(value);
        Ok(())
    }

    pub(crate) fn finish(self) -> Code {
        self.code
    }

    /// `terrain.height > blend.b > noise "dunes"`.
    fn place(&self) -> String {
        let mut place = self.root.clone();
        for (n, (_, id)) in self.path.iter().enumerate() {
            let op = self.nodes.get(*id).map_or("?", Node::op);
            place.push_str(if n == 0 { ": " } else { " > " });
            place.push_str(op);
            // Content digests say nothing to people.
            if !is_digest(id) {
                place.push_str(&format!(" {id:?}"));
            }
            if let Some((parameter, _)) = self.path.get(n + 1) {
                place.push_str(&format!(".{parameter}"));
            }
        }
        place
    }

    fn error(&self, fault: Fault) -> PlanError {
        PlanError { place: self.place(), fault }
    }

    fn field(&mut self, parameter: &'static str, id: &'p str, domain: DomainId) -> Result<Value, PlanError> {
        if let Some(value) = self.made.get(&(id, domain)) {
            return Ok(*value);
        }
        let cycle = self.path.iter().any(|(_, above)| *above == id);
        self.path.push((parameter, id));
        if cycle {
            return Err(self.error(Fault::Cycle));
        }
        if self.path.len() > MAX_DEPTH {
            return Err(self.error(Fault::TooMany { what: "nodes from top to bottom", max: MAX_DEPTH }));
        }
        let Some(node) = self.nodes.get(id) else {
            self.path.pop();
            return Err(self.error(Fault::NoNode { id: id.into() }));
        };
        if let Err(wrong) = node.check() {
            let (value, allowed) = (wrong.value, wrong.allowed);
            return Err(self.error(Fault::OutOfRange { parameter: wrong.parameter.into(), value, allowed }));
        }
        let value = self.node(node, domain)?;
        self.path.pop();
        self.made.insert((id, domain), value);
        Ok(value)
    }

    fn node(&mut self, node: &'p Node, domain: DomainId) -> Result<Value, PlanError> {
        match node {
            Node::Constant { value } => self.push(Instr::Constant(*value)),
            Node::Coordinate { axis } => self.push(Instr::Coordinate(*axis, domain)),
            Node::Height {} => self.ground(0),
            Node::Slope {} => self.ground(1),
            Node::Noise { kind, fractal, dimensions, frequency, octaves, lacunarity, gain, seed } => {
                let base = self.derived(salt::NOISE + 8 * *kind as u64 + u64::from(*dimensions), *seed);
                let layers = layers(base, *octaves as usize, (*frequency, *lacunarity), *gain);
                let (seeds, frequencies, heights) = layers;
                let (kind, fractal, space, octaves) = (*kind, *fractal, *dimensions == 3, *octaves as usize);
                let noise = Noise { kind, fractal, space, octaves, seeds, frequencies, heights };
                self.push(Instr::Noise(Box::new(noise), domain))
            }
            Node::Cellular { feature, dimensions, frequency, jitter, seed } => {
                let seed = self.derived(salt::CELLULAR + u64::from(*dimensions), *seed);
                let space = *dimensions == 3;
                let cellular = Cellular { feature: *feature, space, frequency: *frequency, jitter: *jitter, seed };
                self.push(Instr::Cellular(cellular, domain))
            }
            Node::Add { of } => self.fold(Binary::Add, of, domain),
            Node::Multiply { of } => self.fold(Binary::Multiply, of, domain),
            Node::Min { of } => self.fold(Binary::Min, of, domain),
            Node::Max { of } => self.fold(Binary::Max, of, domain),
            Node::Subtract { a, b } => self.pair(Binary::Subtract, a, b, domain),
            Node::SmoothMin { a, b, radius } => self.pair(Binary::SmoothMin(*radius), a, b, domain),
            Node::SmoothMax { a, b, radius } => self.pair(Binary::SmoothMax(*radius), a, b, domain),
            Node::Affine { of, scale, offset } => {
                self.unary(Unary::Affine { scale: *scale, offset: *offset }, of, domain)
            }
            Node::Abs { of } => self.unary(Unary::Abs, of, domain),
            Node::Power { of, exponent } => self.unary(Unary::Power(*exponent), of, domain),
            Node::Clamp { of, low, high } => self.unary(Unary::Clamp { low: *low, high: *high }, of, domain),
            Node::Smoothstep { of, low, high } => self.unary(Unary::Smoothstep { low: *low, high: *high }, of, domain),
            Node::Terrace { of, height, sharpness } => {
                self.unary(Unary::Terrace { height: *height, sharpness: *sharpness }, of, domain)
            }
            Node::Curve { of, points } => {
                let of = self.field("of", of, domain)?;
                self.push(Instr::Curve(of, Box::new(Curve::new(points))))
            }
            Node::Blend { a, b, by } => {
                let a = self.field("a", a, domain)?;
                let b = self.field("b", b, domain)?;
                let by = self.field("by", by, domain)?;
                self.push(Instr::Blend { a, b, by })
            }
            Node::Warp { of, by, strength } => {
                let mut values = Vec::with_capacity(3);
                for id in by {
                    values.push(Some(self.field("by", id, domain)?));
                }
                let by = match values[..] {
                    [x, z] => [x, None, z],
                    _ => [values[0], values[1], values[2]],
                };
                let there = self.domain(Domain::Warp { from: domain, by, strength: *strength })?;
                self.field("of", of, there)
            }
            Node::Place { of, scale, yaw, offset } => {
                let (sin, cos) = libm::sincos(f64::from(*yaw));
                let factor = scale.map(|s| 1.0 / f64::from(s));
                let there = self.domain(Domain::Affine { from: domain, offset: *offset, sin, cos, factor })?;
                self.field("of", of, there)
            }
            Node::Body { shape, center } => self.push(Instr::Body { body: body(shape), center: *center, domain }),
            Node::Erode { of, frequency, strength, octaves, gain, slope, seed } => {
                let here = self.field("of", of, domain)?;
                let step = (STEP.0 / frequency).clamp(STEP.1, STEP.2);
                let mut heights = [here; 3];
                for (place, offset) in heights[1..].iter_mut().zip([[-step, 0.0, 0.0], [0.0, 0.0, -step]]) {
                    let moved = Domain::Affine { from: domain, offset, sin: 0.0, cos: 1.0, factor: [1.0; 3] };
                    let there = self.domain(moved)?;
                    *place = self.field("of", of, there)?;
                }
                let base = self.derived(salt::GULLY, *seed);
                let gully = Gully {
                    octaves: *octaves as usize,
                    seeds: std::array::from_fn(|octave| derive(u64::from(base), octave as u64) as u32),
                    frequency: *frequency,
                    strength: *strength,
                    gain: *gain,
                    slope: *slope,
                    step: step as f32,
                };
                let cut = self.push(Instr::Gully { gully, domain, heights })?;
                self.push(Instr::Binary(Binary::Add, here, cut))
            }
            Node::Rivers { of, frequency, width, depth, valley, sea, springs, output, seed } => {
                let land = self.field("of", of, domain)?;
                let program = self.apart(of)?;
                let sizes = (*width, *depth, *valley * *width);
                let seed = self.derived(salt::RIVERS, *seed);
                let rivers = Arc::new(Rivers::new(1.0 / frequency, sizes, *sea, *springs as usize, seed, program));
                let land = rivers::operand(*output, land);
                self.push(Instr::Rivers { rivers, output: *output, domain, land })
            }
            Node::Climate { temperature, moisture, climates, index, sharpness } => {
                let temperature = self.field("temperature", temperature, domain)?;
                let moisture = self.field("moisture", moisture, domain)?;
                let (climates, index, sharpness) = (climates.clone().into_boxed_slice(), *index, *sharpness);
                self.push(Instr::Climate { temperature, moisture, climates, index, sharpness })
            }
            Node::Script { script: name, parameters, dimensions, low, high, fuel } => {
                let Some(given) = self.scripts.get(name) else {
                    return Err(self.error(Fault::NoScript { name: name.clone() }));
                };
                let script = FieldScript {
                    script: Arc::clone(&given.script),
                    digest: given.digest.clone(),
                    name: name.clone(),
                    place: self.place(),
                    seed: self.seed,
                    parameters: parameters.clone(),
                    space: *dimensions == 3,
                    low: *low,
                    high: *high,
                    fuel: *fuel,
                };
                self.push(Instr::Script(Box::new(script), domain))
            }
        }
    }

    /// A field as a program of its own, for what looks it up at places that it chooses itself.
    fn apart(&self, id: &'p str) -> Result<Program, PlanError> {
        let mut compiler = Compiler::new(self.nodes, self.scripts, self.seed, Scope::Terrain);
        compiler.output(&format!("{}.of", self.place()), id)?;
        let code = compiler.finish();
        if code.instrs.iter().any(|instr| matches!(instr, Instr::Rivers { .. })) {
            return Err(self.error(Fault::TooMany { what: "rivers one upon the other", max: 1 }));
        }
        Ok(Program::new(&code))
    }

    fn ground(&mut self, input: usize) -> Result<Value, PlanError> {
        match self.scope {
            Scope::Ground => self.push(Instr::Input(input)),
            Scope::Terrain => Err(self.error(Fault::NoGround)),
        }
    }

    fn unary(&mut self, unary: Unary, of: &'p str, domain: DomainId) -> Result<Value, PlanError> {
        let of = self.field("of", of, domain)?;
        self.push(Instr::Unary(unary, of))
    }

    fn pair(&mut self, binary: Binary, a: &'p str, b: &'p str, domain: DomainId) -> Result<Value, PlanError> {
        let a = self.field("a", a, domain)?;
        let b = self.field("b", b, domain)?;
        self.push(Instr::Binary(binary, a, b))
    }

    fn fold(&mut self, binary: Binary, of: &'p [NodeId], domain: DomainId) -> Result<Value, PlanError> {
        let mut sum = self.field("of", &of[0], domain)?;
        for id in &of[1..] {
            let next = self.field("of", id, domain)?;
            sum = self.push(Instr::Binary(binary, sum, next))?;
        }
        Ok(sum)
    }

    /// A seed for one use of the plan's.
    fn derived(&self, salt: u64, seed: u32) -> u32 {
        (derive(derive(self.seed, salt), u64::from(seed)) >> 32) as u32
    }

    fn push(&mut self, instr: Instr) -> Result<Value, PlanError> {
        // The same instruction again is the same value.
        if let Some(value) = self.code.instrs.iter().position(|made| *made == instr) {
            return Ok(value);
        }
        if self.code.instrs.len() >= MAX_INSTRUCTIONS {
            return Err(self.error(Fault::TooMany { what: "instructions", max: MAX_INSTRUCTIONS }));
        }
        let planar = self.is_planar(&instr);
        self.code.instrs.push(instr);
        self.code.planar.push(planar);
        Ok(self.code.instrs.len() - 1)
    }

    fn domain(&mut self, domain: Domain) -> Result<DomainId, PlanError> {
        let made = self.code.instrs.iter().find_map(|instr| match instr {
            Instr::Domain(id, same) if *same == domain => Some(*id),
            _ => None,
        });
        if let Some(id) = made {
            return Ok(id);
        }
        let id = self.code.domains.len();
        if id >= MAX_DOMAINS {
            return Err(self.error(Fault::TooMany { what: "places at which fields are looked up", max: MAX_DOMAINS }));
        }
        let planar = match &domain {
            Domain::Warp { from, by, .. } => {
                let moved = [by[0], by[2]].into_iter().flatten();
                self.planar_domains[*from] && {
                    let mut moved = moved;
                    moved.all(|value| self.code.planar[value])
                }
            }
            Domain::Affine { from, .. } => self.planar_domains[*from],
        };
        self.planar_domains.push(planar);
        let value = self.push(Instr::Domain(id, domain))?;
        self.code.domains.push(Some(value));
        Ok(id)
    }

    fn is_planar(&self, instr: &Instr) -> bool {
        match instr {
            Instr::Constant(_) | Instr::Input(_) => true,
            Instr::Coordinate(axis, domain) => *axis != Axis::Y && self.planar_domains[*domain],
            Instr::Noise(noise, domain) => !noise.space && self.planar_domains[*domain],
            Instr::Cellular(cellular, domain) => !cellular.space && self.planar_domains[*domain],
            Instr::Body { .. } => false,
            Instr::Rivers { domain, .. } if !self.planar_domains[*domain] => false,
            Instr::Script(script, domain) => !script.space && self.planar_domains[*domain],
            Instr::Gully { domain, .. } if !self.planar_domains[*domain] => false,
            // Places are made wherever they are needed.
            Instr::Domain(..) => false,
            other => operands(other).into_iter().all(|value| self.code.planar[value]),
        }
    }
}

/// Seed, frequency and height of each octave; heights are 1 in sum.
fn layers(
    base: u32,
    octaves: usize,
    (mut frequency, lacunarity): (f64, f64),
    gain: f32,
) -> ([u32; MAX_OCTAVES], [f64; MAX_OCTAVES], [f32; MAX_OCTAVES]) {
    let (mut seeds, mut frequencies, mut heights) = ([0; MAX_OCTAVES], [0.0; MAX_OCTAVES], [0.0f32; MAX_OCTAVES]);
    let (mut height, mut total) = (1.0f32, 0.0f32);
    for octave in 0..octaves {
        seeds[octave] = derive(u64::from(base), octave as u64) as u32;
        frequencies[octave] = frequency;
        heights[octave] = height;
        total += height;
        frequency *= lacunarity;
        height *= gain;
    }
    for height in &mut heights {
        *height /= total;
    }
    (seeds, frequencies, heights)
}

/// The values that an instruction takes, those that make its domain left out.
pub(crate) fn operands(instr: &Instr) -> Vec<Value> {
    match instr {
        Instr::Constant(_) | Instr::Coordinate(..) | Instr::Input(_) => Vec::new(),
        Instr::Noise(..) | Instr::Cellular(..) | Instr::Body { .. } | Instr::Script(..) => Vec::new(),
        Instr::Unary(_, a) | Instr::Curve(a, _) => vec![*a],
        Instr::Binary(_, a, b) => vec![*a, *b],
        Instr::Blend { a, b, by } => vec![*a, *b, *by],
        Instr::Gully { heights, .. } => heights.to_vec(),
        Instr::Rivers { land, .. } => land.iter().copied().collect(),
        Instr::Climate { temperature, moisture, .. } => vec![*temperature, *moisture],
        Instr::Domain(_, Domain::Warp { by, .. }) => by.iter().flatten().copied().collect(),
        Instr::Domain(_, Domain::Affine { .. }) => Vec::new(),
    }
}

/// The domain in which an instruction looks up, or from which it makes another.
pub(crate) fn domain_of(instr: &Instr) -> Option<DomainId> {
    match instr {
        Instr::Coordinate(_, domain) | Instr::Noise(_, domain) | Instr::Cellular(_, domain) => Some(*domain),
        Instr::Body { domain, .. }
        | Instr::Gully { domain, .. }
        | Instr::Rivers { domain, .. }
        | Instr::Script(_, domain) => Some(*domain),
        Instr::Domain(_, Domain::Warp { from, .. } | Domain::Affine { from, .. }) => Some(*from),
        _ => None,
    }
}

fn body(shape: &Shape) -> Body {
    match shape {
        Shape::Sphere { radius } => Body::Sphere { radius: *radius },
        Shape::Box { half, round } => Body::Cuboid { half: *half, round: *round },
        Shape::Capsule { to, radius } => Body::Capsule { to: *to, radius: *radius },
        Shape::Torus { axis, radius, thickness } => {
            let axis = match axis {
                Axis::X => 0,
                Axis::Y => 1,
                Axis::Z => 2,
            };
            Body::Torus { axis, radius: *radius, thickness: *thickness }
        }
    }
}

/// Whether a node's name was made from its content: 16 digits.
fn is_digest(id: &str) -> bool {
    id.len() == 16 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Uses of the plan's seed. Numbers once given stay, or worlds change.
mod salt {
    pub(super) const NOISE: u64 = 100;
    pub(super) const CELLULAR: u64 = 200;
    pub(super) const GULLY: u64 = 300;
    pub(super) const RIVERS: u64 = 400;
}
