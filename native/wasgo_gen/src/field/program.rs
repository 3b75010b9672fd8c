//! A program: instructions with the registers that they use, run block by block.
//!
//! Before a block is computed its bounds are: what is the same all over it is filled in, what a blend or a maximum doesn't take is left out.
//! Neither changes a bit of the result.

use super::bounds::bound;
use super::compile::{Code, domain_of, operands};
use super::instr::{Binary, Domain, Instr, Unary, Value};
use super::kernel::gully::gully as cut_gullies;
use super::kernel::{BLOCK, LANES};
use super::range::{self, Range, Span};
use super::run::{self, Places, Values};

/// Instructions, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    instrs: Vec<Instr>,
    /// The register of each value; a domain's is its own number.
    registers: Vec<usize>,
    register_count: usize,
    domain_count: usize,
    outputs: Vec<Value>,
    /// For each instruction those that must have run: what makes its operands, and the places at which it looks up.
    needs: Vec<Box<[Value]>>,
}

/// Memory to run programs in; keep it from block to block.
pub(crate) struct Scratch {
    // Swapped, not copied, one by one.
    #[allow(clippy::vec_box)]
    registers: Vec<Box<Values>>,
    #[allow(clippy::vec_box)]
    domains: Vec<Box<Places>>,
    /// Where the next value and the next domain are made.
    next_values: Box<Values>,
    next_places: Box<Places>,
    ranges: Vec<Range>,
    spans: Vec<[Span; 3]>,
    todo: Vec<Todo>,
    needed: Vec<bool>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            registers: Vec::new(),
            domains: Vec::new(),
            next_values: Box::new([0.0; BLOCK]),
            next_places: Box::new([[0.0; BLOCK]; 3]),
            ranges: Vec::new(),
            spans: Vec::new(),
            todo: Vec::new(),
            needed: Vec::new(),
        }
    }
}

/// What is done for an instruction in a block.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Todo {
    Run,
    Fill(f32),
    Copy(Value),
}

/// The points of a block: at most [`BLOCK`].
pub(crate) struct Points<'a> {
    pub(crate) x: &'a [f64],
    pub(crate) y: &'a [f64],
    pub(crate) z: &'a [f64],
}

impl Program {
    /// The whole of the code.
    pub(crate) fn new(code: &Code) -> Self {
        Self::allocate(code.instrs.clone(), code.outputs.clone(), code.domains.len())
    }

    /// Two programs: one for what is the same all the way up, and one for the rest, whose inputs are the outputs of the first.
    pub(crate) fn split(code: &Code) -> (Self, Self) {
        let mut shared = Vec::new();
        let takes = |value: Value| code.planar[value] && !matches!(code.instrs[value], Instr::Constant(_));
        let users = code.instrs.iter().zip(&code.planar).filter(|(_, planar)| !**planar);
        for value in users.flat_map(|(instr, _)| operands(instr)).chain(code.outputs.iter().copied()) {
            if takes(value) && !shared.contains(&value) {
                shared.push(value);
            }
        }
        let flat = Self::allocate(code.instrs.clone(), shared.clone(), code.domains.len());
        let mut instrs = code.instrs.clone();
        for (number, value) in shared.iter().enumerate() {
            instrs[*value] = Instr::Input(number);
        }
        let full = Self::allocate(instrs, code.outputs.clone(), code.domains.len());
        (flat, full)
    }

    /// Gives values registers: as few as hold what is still wanted. Instructions that nothing needs are never run.
    fn allocate(instrs: Vec<Instr>, outputs: Vec<Value>, domain_count: usize) -> Self {
        let mut last = vec![0; instrs.len()];
        for (at, instr) in instrs.iter().enumerate() {
            for value in operands(instr) {
                last[value] = at;
            }
        }
        for value in &outputs {
            last[*value] = instrs.len();
        }
        let mut makers = vec![None; domain_count];
        for (at, instr) in instrs.iter().enumerate() {
            if let Instr::Domain(id, _) = instr {
                makers[*id] = Some(at);
            }
        }
        let maker = |instr: &Instr| domain_of(instr).and_then(|domain| makers[domain]);
        let needs = instrs.iter().map(|instr| operands(instr).into_iter().chain(maker(instr)).collect()).collect();
        let (mut registers, mut free, mut count) = (vec![0; instrs.len()], Vec::new(), 0);
        let mut ending: Vec<Vec<Value>> = vec![Vec::new(); instrs.len() + 1];
        for (at, instr) in instrs.iter().enumerate() {
            if let Instr::Domain(id, _) = instr {
                registers[at] = *id;
            } else {
                registers[at] = free.pop().unwrap_or_else(|| {
                    count += 1;
                    count - 1
                });
                ending[last[at].max(at)].push(at);
            }
            // Only now: an instruction doesn't write where it reads.
            for value in &ending[at] {
                free.push(registers[*value]);
            }
        }
        Self { instrs, registers, register_count: count, domain_count, outputs, needs }
    }

    /// How many values it gives.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// The bounds of the values over a box of places, in the order of the outputs.
    pub(crate) fn bounds(&self, spans: [Span; 3], inputs: &[Range], scratch: &mut Scratch) -> Vec<Range> {
        self.analyse(spans, inputs, scratch);
        self.outputs.iter().map(|value| scratch.ranges[*value]).collect()
    }

    /// The first operation whose value may grow beyond what is useful, and how large it may be.
    pub(crate) fn unbounded(
        &self,
        spans: [Span; 3],
        inputs: &[Range],
        scratch: &mut Scratch,
    ) -> Option<(String, String)> {
        const MAX: f32 = 1e30;
        self.analyse(spans, inputs, scratch);
        let runaway = |range: &Range| !(range.low.abs() < MAX && range.high.abs() < MAX);
        let at = scratch.ranges.iter().position(runaway)?;
        let range = scratch.ranges[at];
        Some((self.instrs[at].name().into(), format!("{:e}", range.low.abs().max(range.high.abs()))))
    }

    /// Runs over the points; `inputs` have a value for each of them; `out` gets the outputs, each with as many.
    pub(crate) fn run(&self, points: &Points<'_>, inputs: &[&[f32]], scratch: &mut Scratch, out: &mut [&mut [f32]]) {
        let count = points.x.len();
        debug_assert!(count <= BLOCK && points.y.len() == count && points.z.len() == count);
        if count == 0 {
            return;
        }
        let spans = [range::span(points.x), range::span(points.y), range::span(points.z)];
        let ranges: Vec<Range> = inputs.iter().map(|values| range::of(&values[..count])).collect();
        self.analyse(spans, &ranges, scratch);
        self.run_analysed(points, inputs, scratch, out);
    }

    /// As `run`, once the block has been analysed.
    pub(crate) fn run_analysed(
        &self,
        points: &Points<'_>,
        inputs: &[&[f32]],
        scratch: &mut Scratch,
        out: &mut [&mut [f32]],
    ) {
        let count = points.x.len();
        self.plan(scratch);
        // Whole groups of lanes; those beyond the points repeat the last one.
        let padded = count.next_multiple_of(LANES);
        while scratch.registers.len() < self.register_count {
            scratch.registers.push(Box::new([0.0; BLOCK]));
        }
        while scratch.domains.len() < self.domain_count {
            scratch.domains.push(Box::new([[0.0; BLOCK]; 3]));
        }
        let base = &mut scratch.domains[0];
        for (axis, from) in base.iter_mut().zip([points.x, points.y, points.z]) {
            axis[..count].copy_from_slice(from);
            axis[count..padded].fill(from[count - 1]);
        }
        for at in 0..self.instrs.len() {
            if scratch.needed[at] {
                self.step(at, inputs, padded, scratch);
            }
        }
        for (value, out) in self.outputs.iter().zip(out) {
            for (out, value) in out[..count].iter_mut().zip(&scratch.registers[self.registers[*value]][..count]) {
                // Without the sign of 0, which is nobody's.
                *out = value + 0.0;
            }
        }
    }

    fn analyse(&self, base: [Span; 3], inputs: &[Range], scratch: &mut Scratch) {
        scratch.ranges.clear();
        scratch.spans.clear();
        scratch.spans.resize(self.domain_count, base);
        for instr in &self.instrs {
            if let Instr::Domain(id, domain) = instr {
                scratch.spans[*id] = moved(domain, &scratch.spans, &scratch.ranges);
            }
            let range = bound(instr, &scratch.ranges, inputs, &scratch.spans);
            scratch.ranges.push(range);
        }
    }

    /// Which instructions are run, and how.
    fn plan(&self, scratch: &mut Scratch) {
        let ranges = &scratch.ranges;
        scratch.todo.clear();
        scratch.todo.extend(self.instrs.iter().zip(ranges).map(|(instr, range)| todo(instr, *range, ranges)));
        scratch.needed.clear();
        scratch.needed.resize(self.instrs.len(), false);
        for value in &self.outputs {
            scratch.needed[*value] = true;
        }
        for at in (0..self.instrs.len()).rev() {
            if !scratch.needed[at] {
                continue;
            }
            match scratch.todo[at] {
                Todo::Fill(_) => {}
                Todo::Copy(from) => scratch.needed[from] = true,
                Todo::Run => {
                    for value in &self.needs[at] {
                        scratch.needed[*value] = true;
                    }
                }
            }
        }
    }

    fn step(&self, at: usize, inputs: &[&[f32]], count: usize, scratch: &mut Scratch) {
        let Scratch { registers, domains, next_values, next_places, todo, .. } = scratch;
        if let Instr::Domain(id, domain) = &self.instrs[at] {
            let (Domain::Warp { from, .. } | Domain::Affine { from, .. }) = domain;
            let by = match domain {
                Domain::Warp { by, .. } => by.map(|value| value.map(|value| &*registers[self.registers[value]])),
                Domain::Affine { .. } => [None; 3],
            };
            run::domain(domain, &domains[*from], by, count, next_places);
            std::mem::swap(&mut domains[*id], next_places);
            return;
        }
        let out = &mut **next_values;
        let value = |value: Value| &*registers[self.registers[value]];
        match todo[at] {
            Todo::Fill(constant) => out[..count].fill(constant),
            Todo::Copy(from) => out[..count].copy_from_slice(&value(from)[..count]),
            Todo::Run => match &self.instrs[at] {
                Instr::Constant(constant) => out[..count].fill(*constant),
                Instr::Coordinate(axis, domain) => {
                    let from = &domains[*domain][*axis as usize];
                    for (out, from) in out[..count].iter_mut().zip(from) {
                        *out = *from as f32;
                    }
                }
                Instr::Input(number) => {
                    let from = inputs[*number];
                    let given = from.len().min(count);
                    out[..given].copy_from_slice(&from[..given]);
                    out[given..count].fill(from[given - 1]);
                }
                Instr::Noise(noise, domain) => run::noise(noise, &domains[*domain], count, out),
                Instr::Cellular(cellular, domain) => {
                    run::cellular(cellular, &domains[*domain], count, out);
                }
                Instr::Body { body, center, domain } => {
                    run::body(body, *center, &domains[*domain], count, out);
                }
                Instr::Unary(unary, a) => run::unary(*unary, value(*a), count, out),
                Instr::Binary(binary, a, b) => run::binary(*binary, value(*a), value(*b), count, out),
                Instr::Blend { a, b, by } => run::blend(value(*a), value(*b), value(*by), count, out),
                Instr::Curve(a, curve) => run::curve(curve, value(*a), count, out),
                Instr::Gully { gully, domain, heights } => {
                    let heights = heights.map(value);
                    cut_gullies(gully, &domains[*domain], heights, count, out);
                }
                Instr::Rivers { rivers, output, domain, land } => {
                    rivers.run(*output, &domains[*domain], land.map(value), count, out);
                }
                Instr::Climate { temperature, moisture, climates, index, sharpness } => {
                    let climate = (&**climates, *index, *sharpness);
                    run::climates((value(*temperature), value(*moisture)), climate, count, out);
                }
                Instr::Script(script, domain) => script.run(&domains[*domain], count, out),
                Instr::Domain(..) => {}
            },
        }
        std::mem::swap(&mut registers[self.registers[at]], next_values);
    }
}

/// What an instruction comes to where its value is bounded so. Only what gives the same bits as running it.
fn todo(instr: &Instr, range: Range, ranges: &[Range]) -> Todo {
    if matches!(instr, Instr::Domain(..)) {
        return Todo::Run;
    }
    if let Some(value) = range.constant() {
        return Todo::Fill(value);
    }
    match *instr {
        Instr::Blend { a, by, .. } if ranges[by].high <= 0.0 => Todo::Copy(a),
        Instr::Blend { b, by, .. } if ranges[by].low >= 1.0 => Todo::Copy(b),
        Instr::Binary(Binary::Min, a, b) if ranges[a].high < ranges[b].low => Todo::Copy(a),
        Instr::Binary(Binary::Min, a, b) if ranges[b].high < ranges[a].low => Todo::Copy(b),
        Instr::Binary(Binary::Max, a, b) if ranges[a].low > ranges[b].high => Todo::Copy(a),
        Instr::Binary(Binary::Max, a, b) if ranges[b].low > ranges[a].high => Todo::Copy(b),
        Instr::Unary(Unary::Clamp { low, high }, a) if ranges[a].low > low && ranges[a].high < high => Todo::Copy(a),
        _ => Todo::Run,
    }
}

/// The box of a domain, from that of the one before and the values that move it.
fn moved(domain: &Domain, spans: &[[Span; 3]], ranges: &[Range]) -> [Span; 3] {
    match domain {
        Domain::Warp { from, by, strength } => {
            let mut moved = spans[*from];
            for (span, by) in moved.iter_mut().zip(by) {
                if let Some(value) = by {
                    let by = ranges[*value].monotonic(|v| v * strength);
                    *span = Span { low: span.low + f64::from(by.low), high: span.high + f64::from(by.high) };
                }
            }
            moved
        }
        Domain::Affine { from, offset, sin, cos, factor } => {
            let [x, y, z] = spans[*from];
            let turned = |of: &dyn Fn(f64, f64) -> f64| {
                let at = |x: f64, z: f64| of(x - offset[0], z - offset[2]);
                let corners = [at(x.low, z.low), at(x.low, z.high), at(x.high, z.low), at(x.high, z.high)];
                range::span(&corners)
            };
            [
                turned(&|x, z| (x * cos - z * sin) * factor[0]),
                Span { low: (y.low - offset[1]) * factor[1], high: (y.high - offset[1]) * factor[1] },
                turned(&|x, z| (x * sin + z * cos) * factor[2]),
            ]
        }
    }
}
