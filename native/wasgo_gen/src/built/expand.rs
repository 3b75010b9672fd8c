//! Applies the rules of a grammar until nothing but triangles is left.

use std::collections::BTreeMap;

use super::building::{BoxCollider, Entrance};
use super::error::BuiltError;
use super::footprint::{area, as_rectangle, bounds, is_convex, is_rectilinear, offset, rectangle, wings};
use super::grammar::{Axis, Faces, Grammar, MAX_DEPTH, MAX_SHAPES, MAX_TRIANGLES, Material, Part, Size, Step, Test};
use super::solid::{Brush, Frame, Solids};
use super::{elements, facade, roof};
use crate::hash::{derive, unit};

/// How high the ground floor is above the ground, in metres.
const PLINTH: f32 = 0.15;

/// How much to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    Full,
    /// Walls with windows and timbers painted on.
    Flat,
    /// Masses and roofs.
    Boxes,
}

/// What is left to be turned into something else.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Plan { ring: Vec<[f32; 2]>, y: f32 },
    Mass { ring: Vec<[f32; 2]>, y: f32, height: f32 },
    Face { frame: Frame, width: f32, height: f32 },
    Top { ring: Vec<[f32; 2]>, y: f32 },
}

impl Shape {
    fn name(&self) -> &'static str {
        match self {
            Self::Plan { .. } => "plan",
            Self::Mass { .. } => "mass",
            Self::Face { .. } => "face",
            Self::Top { .. } => "top",
        }
    }

    /// West to east (on a face: to the right), up, and front to back, in metres.
    fn size(&self) -> [f32; 3] {
        let flat = |ring: &[[f32; 2]], height: f32| {
            let [x, z] = bounds(ring);
            [x[1] - x[0], height, z[1] - z[0]]
        };
        match self {
            Self::Plan { ring, .. } | Self::Top { ring, .. } => flat(ring, 0.0),
            Self::Mass { ring, height, .. } => flat(ring, *height),
            Self::Face { width, height, .. } => [*width, *height, 0.0],
        }
    }
}

/// What a rule knows of those that called it. Chance comes from the place in the tree alone, so that all levels of detail
/// take the same choices.
#[derive(Clone, Copy)]
pub(super) struct Context {
    pub(super) depth: usize,
    pub(super) seed: u64,
    pub(super) brush: Brush,
}

/// A building under construction.
pub(super) struct Expander<'g> {
    grammar: &'g Grammar,
    pub(super) brushes: BTreeMap<&'g str, Brush>,
    pub(super) detail: Detail,
    pub(super) solids: Solids,
    pub(super) colliders: Vec<BoxCollider>,
    pub(super) entrances: Vec<Entrance>,
    shapes: usize,
}

/// Builds an outline at one level of detail.
pub(super) fn expand<'g>(
    grammar: &'g Grammar,
    outline: &[[f32; 2]],
    foundation: f32,
    seed: u64,
    detail: Detail,
) -> Result<Expander<'g>, BuiltError> {
    let mut brushes = BTreeMap::new();
    for (number, (name, paint)) in (0u64..).zip(&grammar.paints) {
        let hash = derive(derive(seed, 77), number);
        let chosen = (hash % paint.colors.len().max(1) as u64) as usize;
        let color = paint.colors.get(chosen).copied().unwrap_or([0.5; 3]);
        // No two houses are of quite the same colour.
        let shade = 0.94 + 0.12 * unit(derive(hash, 1));
        brushes.insert(name.as_str(), Brush { material: paint.material, color }.times(shade));
    }
    let mut expander = Expander {
        grammar,
        brushes,
        detail,
        solids: Solids::default(),
        colliders: Vec::new(),
        entrances: Vec::new(),
        shapes: 0,
    };
    let stone = expander.brush("plinth");
    if detail == Detail::Full
        && let Some(ring) = offset(outline, 0.07)
    {
        expander.solids.plinth(stone, &ring, outline, [-foundation, PLINTH]);
    } else {
        expander.solids.prism(stone, outline, [-foundation, PLINTH], false, false);
    }
    let context = Context { depth: 0, seed: derive(seed, 78), brush: expander.brush("wall") };
    expander.rule(&grammar.start, Shape::Plan { ring: outline.to_vec(), y: PLINTH }, context)?;
    Ok(expander)
}

impl Expander<'_> {
    /// A paint by its name, or a plain one for what a grammar does not name.
    pub(super) fn brush(&self, name: &str) -> Brush {
        let plain = |material, color| Brush { material, color };
        self.brushes.get(name).copied().unwrap_or_else(|| match name {
            "glass" => plain(Material::Glass, [0.045, 0.065, 0.085]),
            "dark" => plain(Material::Earth, [0.018, 0.015, 0.013]),
            "trim" => plain(Material::Timber, [0.42, 0.37, 0.3]),
            "door" | "shutter" => plain(Material::Plank, [0.16, 0.08, 0.035]),
            "timber" => plain(Material::Timber, [0.09, 0.05, 0.028]),
            "roof" => plain(Material::Tile, [0.3, 0.09, 0.045]),
            "metal" => plain(Material::Metal, [0.05, 0.05, 0.055]),
            "cloth" => plain(Material::Cloth, [0.5, 0.06, 0.045]),
            "leaf" => plain(Material::Earth, [0.06, 0.16, 0.035]),
            "wall" => plain(Material::Plaster, [0.62, 0.55, 0.43]),
            _ => plain(Material::Stone, [0.27, 0.25, 0.225]),
        })
    }

    fn rule(&mut self, name: &str, shape: Shape, mut context: Context) -> Result<(), BuiltError> {
        let too_much = |what, max| BuiltError::TooMuch { rule: name.to_owned(), what, max };
        self.shapes += 1;
        context.depth += 1;
        if self.shapes > MAX_SHAPES {
            return Err(too_much("shapes", MAX_SHAPES));
        }
        if context.depth > MAX_DEPTH {
            return Err(too_much("rules inside each other", MAX_DEPTH));
        }
        let grammar = self.grammar;
        let Some(steps) = grammar.rules.get(name) else {
            return Err(BuiltError::Unknown { field: "rules".into(), name: name.to_owned() });
        };
        for (number, step) in (0u64..).zip(steps) {
            let seed = derive(context.seed, 1 + number);
            self.step(name, step, &shape, &mut Context { seed, ..context }, &mut context.brush)?;
            if self.solids.triangles() > MAX_TRIANGLES {
                return Err(too_much("triangles", MAX_TRIANGLES));
            }
        }
        Ok(())
    }

    fn step(
        &mut self,
        rule: &str,
        step: &Step,
        shape: &Shape,
        context: &mut Context,
        brush: &mut Brush,
    ) -> Result<(), BuiltError> {
        let context = *context;
        let wrong = |step| BuiltError::WrongShape { rule: rule.to_owned(), step, shape: shape.name() };
        match (step, shape) {
            (Step::Paint(name), _) => *brush = self.brush(name),
            (Step::Rule(next), _) => self.rule(next, shape.clone(), context)?,
            (Step::Extrude { height, rule }, Shape::Plan { ring, y }) => {
                let height = height[0] + (height[1] - height[0]) * unit(derive(context.seed, 9));
                self.rule(rule, Shape::Mass { ring: ring.clone(), y: *y, height }, context)?;
            }
            (Step::Extrude { .. }, _) => return Err(wrong("extrude")),
            (Step::Offset { by, rule }, _) => {
                let grown = |ring: &[[f32; 2]]| offset(ring, *by).unwrap_or_else(|| ring.to_vec());
                let next = match shape {
                    Shape::Plan { ring, y } => Shape::Plan { ring: grown(ring), y: *y },
                    Shape::Mass { ring, y, height } => {
                        let ring = grown(ring);
                        if *by > 0.0 {
                            // What stands out over the floor below is seen from there.
                            let under: Vec<_> = ring.iter().rev().map(|p| [p[0], *y, p[1]]).collect();
                            self.polygon_of_ring(self.brush("timber"), &under);
                        }
                        Shape::Mass { ring, y: *y, height: *height }
                    }
                    Shape::Top { ring, y } => Shape::Top { ring: grown(ring), y: *y },
                    Shape::Face { .. } => return Err(wrong("offset")),
                };
                self.rule(rule, next, context)?;
            }
            (Step::Split { axis, parts }, _) => {
                self.split(*axis, parts, shape, context).ok_or_else(|| wrong("split"))??
            }
            (Step::Faces(faces), Shape::Mass { ring, y, height }) => self.faces(faces, ring, *y, *height, context)?,
            (Step::Faces(_), _) => return Err(wrong("faces")),
            (Step::Roof(rule), Shape::Top { ring, y }) => roof::roof(self, rule, ring, *y, context),
            (Step::Roof(_), _) => return Err(wrong("roof")),
            (Step::Fill, Shape::Face { frame, width, height }) => {
                self.solids.rectangle(context.brush, frame, [0.0, *width], [0.0, *height], 0.0);
                elements::stones(self, context.brush, frame, [0.0, *width], [0.0, *height]);
            }
            (Step::Fill, Shape::Top { ring, y }) => {
                let points: Vec<_> = ring.iter().map(|p| [p[0], *y, p[1]]).collect();
                self.polygon_of_ring(context.brush, &points);
            }
            (Step::Fill, _) => return Err(wrong("fill")),
            (Step::Insert(element), Shape::Face { frame, width, height }) => {
                if !elements::insert(self, element, frame, *width, *height, context) {
                    facade::decorate(self, element, frame, *width, *height);
                }
            }
            (Step::Insert(_), _) => return Err(wrong("insert")),
            (Step::Choose(choices), _) => {
                let total: f32 = choices.iter().map(|choice| choice.weight).sum();
                let mut left = unit(derive(context.seed, 8)) * total;
                let chosen = choices.iter().find(|choice| {
                    left -= choice.weight;
                    left < 0.0
                });
                if let Some(choice) = chosen.or(choices.last()) {
                    self.rule(&choice.rule, shape.clone(), context)?;
                }
            }
            (Step::When { test, then, otherwise }, _) => {
                let [width, height, depth] = shape.size();
                let holds = match test {
                    Test::Wide(least) => width >= *least,
                    Test::High(least) => height >= *least,
                    Test::Deep(least) => depth >= *least,
                    Test::Rectangle => match shape {
                        Shape::Plan { ring, .. } | Shape::Mass { ring, .. } | Shape::Top { ring, .. } => {
                            as_rectangle(ring).is_some()
                        }
                        Shape::Face { .. } => true,
                    },
                };
                if let Some(next) = if holds { Some(then) } else { otherwise.as_ref() } {
                    self.rule(next, shape.clone(), context)?;
                }
            }
        }
        Ok(())
    }

    /// A ring that need not be convex.
    pub(super) fn polygon_of_ring(&mut self, brush: Brush, points: &[[f32; 3]]) {
        let mut forward: Vec<[f32; 2]> = points.iter().map(|p| [p[0], p[2]]).collect();
        let up = area(&forward) > 0.0;
        if !up {
            forward.reverse();
        }
        if is_convex(&forward) || !is_rectilinear(&forward) {
            self.solids.polygon(brush, points);
            return;
        }
        let y = points.first().map_or(0.0, |p| p[1]);
        for wing in wings(&forward) {
            let mut corners: Vec<_> = rectangle(wing.x, wing.z).iter().map(|p| [p[0], y, p[1]]).collect();
            if !up {
                corners.reverse();
            }
            self.solids.polygon(brush, &corners);
        }
    }

    fn split(&mut self, axis: Axis, parts: &[Part], shape: &Shape, context: Context) -> Option<Result<(), BuiltError>> {
        let [width, height, depth] = shape.size();
        let length = match axis {
            Axis::X => width,
            Axis::Y => height,
            Axis::Z => depth,
        };
        let mut pieces = Vec::new();
        let mut at = 0.0;
        for (part, count, size) in measure(parts, length) {
            for _ in 0..count.min(MAX_SHAPES) {
                let end = (at + size).min(length);
                if end - at > 0.02 {
                    pieces.push((at, end, part));
                }
                at = end;
            }
        }
        for (number, (from, to, part)) in (0u64..).zip(pieces) {
            let next = match (axis, shape) {
                (Axis::X, Shape::Face { frame, height, .. }) => {
                    Shape::Face { frame: frame.moved(from, 0.0, 0.0), width: to - from, height: *height }
                }
                (Axis::Y, Shape::Face { frame, width, .. }) => {
                    Shape::Face { frame: frame.moved(0.0, from, 0.0), width: *width, height: to - from }
                }
                (Axis::Y, Shape::Mass { ring, y, .. }) => {
                    Shape::Mass { ring: ring.clone(), y: y + from, height: to - from }
                }
                (Axis::X | Axis::Z, Shape::Mass { ring, .. } | Shape::Plan { ring, .. }) => {
                    let [mut x, mut z] = as_rectangle(ring)?;
                    let side = if axis == Axis::X { &mut x } else { &mut z };
                    *side = [side[0] + from, side[0] + to];
                    let ring = rectangle(x, z);
                    match shape {
                        Shape::Mass { y, height, .. } => Shape::Mass { ring, y: *y, height: *height },
                        Shape::Plan { y, .. } | Shape::Top { y, .. } => Shape::Plan { ring, y: *y },
                        Shape::Face { .. } => return None,
                    }
                }
                _ => return None,
            };
            let seed = derive(context.seed, 16 + number);
            if let Err(error) = self.rule(&part.rule, next, Context { seed, ..context }) {
                return Some(Err(error));
            }
        }
        Some(Ok(()))
    }

    fn faces(
        &mut self,
        faces: &Faces,
        ring: &[[f32; 2]],
        y: f32,
        height: f32,
        context: Context,
    ) -> Result<(), BuiltError> {
        self.collide(ring, y, height);
        let walls: Vec<(Frame, f32)> =
            (0..ring.len()).map(|at| Frame::wall(ring[at], ring[(at + 1) % ring.len()], y)).collect();
        let looks_front = |frame: &Frame| frame.n[2] < 0.0 && -frame.n[2] >= frame.n[0].abs();
        let mut entrance: Option<(usize, f32)> = None;
        for (number, (frame, width)) in walls.iter().enumerate() {
            if looks_front(frame) && entrance.is_none_or(|(_, widest)| *width > widest + 1e-3) {
                entrance = Some((number, *width));
            }
        }
        for (number, (frame, width)) in walls.into_iter().enumerate() {
            let seed = derive(context.seed, 32 + number as u64);
            let rule = if entrance.is_some_and(|(it, _)| it == number) {
                faces.entrance.as_ref().or(faces.front.as_ref())
            } else if looks_front(&frame) {
                faces.front.as_ref().or(faces.side.as_ref())
            } else if frame.n[2] > 0.0 && frame.n[2] >= frame.n[0].abs() {
                faces.back.as_ref().or(faces.side.as_ref())
            } else {
                faces.side.as_ref()
            };
            match rule {
                Some(rule) if self.detail != Detail::Boxes => {
                    self.rule(rule, Shape::Face { frame, width, height }, Context { seed, ..context })?;
                }
                _ => self.solids.rectangle(context.brush, &frame, [0.0, width], [0.0, height], 0.0),
            }
        }
        if let Some(rule) = &faces.top {
            let seed = derive(context.seed, 31);
            self.rule(rule, Shape::Top { ring: ring.to_vec(), y: y + height }, Context { seed, ..context })?;
        }
        Ok(())
    }

    fn collide(&mut self, ring: &[[f32; 2]], y: f32, height: f32) {
        let boxes: Vec<[[f32; 2]; 2]> = if is_rectilinear(ring) {
            wings(ring).iter().map(|wing| [wing.x, wing.z]).collect()
        } else {
            vec![bounds(ring)]
        };
        for [x, z] in boxes {
            self.colliders.push(BoxCollider {
                center: [(x[0] + x[1]) / 2.0, y + height / 2.0, (z[0] + z[1]) / 2.0],
                half: [(x[1] - x[0]) / 2.0, height / 2.0, (z[1] - z[0]) / 2.0],
            });
        }
    }
}

/// How many pieces of what size each part becomes in `length` metres.
fn measure(parts: &[Part], length: f32) -> Vec<(&Part, usize, f32)> {
    let (mut fixed, mut shares) = (0.0f32, 0.0f32);
    for part in parts {
        match part.size {
            Size::Fixed(metres) => fixed += metres,
            Size::Share(share) => shares += share,
            Size::Repeat(_) => shares += 1.0,
        }
    }
    // Fixed parts that do not fit are shortened alike.
    let squeeze = if fixed > length { length / fixed } else { 1.0 };
    let rest = (length - fixed * squeeze).max(0.0);
    let of = |share: f32| if shares > 0.0 { rest * share / shares } else { 0.0 };
    parts
        .iter()
        .map(|part| match part.size {
            Size::Fixed(metres) => (part, 1, metres * squeeze),
            Size::Share(share) => (part, 1, of(share)),
            Size::Repeat(metres) => {
                let room = of(1.0);
                let count = (room / metres + 0.3).floor().max(1.0);
                (part, count as usize, room / count)
            }
        })
        .collect()
}
