//! Floors, walls, doorways and what stands between them, for a filled grid.

mod fittings;

use serde::{Deserialize, Serialize};

use super::{Border, Fitting, STEPS, TileSet, Tiles};
use crate::built::building::{BoxCollider, Surface};
use crate::built::error::{BuiltError, range};
use crate::built::grammar::Material;
use crate::built::solid::{Brush, Frame, Solids};
use crate::hash::{derive, unit};

/// The most cells that are turned into geometry at once.
const MAX_CELLS: usize = 16_384;

/// How a filled grid looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TileLook {
    /// Side of a cell in metres, to the east and to the south: 1..=20.
    pub cell: [f32; 2],
    /// Height of a level: 2..=20 m.
    pub height: f32,
    /// Half the thickness of a wall: 0.02..=0.4 m.
    pub wall: f32,
    /// Width and height of a doorway: 0.6 m to the side of a cell less two walls, 1.8 m to the height.
    pub door: [f32; 2],
    /// Doorways with round heads.
    pub arches: bool,
    /// Ceilings. Without them walls have tops, to look in from above.
    pub ceiling: bool,
    /// What walls are made of, and their linear colour.
    pub walls: (Material, [f32; 3]),
    /// What floors are made of, and their linear colour.
    pub floors: (Material, [f32; 3]),
}

impl Default for TileLook {
    fn default() -> Self {
        Self {
            cell: [3.0; 2],
            height: 3.0,
            wall: 0.3,
            door: [1.3, 2.2],
            arches: true,
            ceiling: true,
            walls: (Material::Stone, [0.2, 0.185, 0.165]),
            floors: (Material::Stone, [0.15, 0.14, 0.125]),
        }
    }
}

impl TileLook {
    /// Thin plastered walls and boards, for the rooms of a house.
    #[must_use]
    pub fn house(cell: [f32; 2]) -> Self {
        Self {
            cell,
            height: 2.6,
            wall: 0.07,
            door: [0.95, 2.05],
            arches: false,
            walls: (Material::Plaster, [0.6, 0.54, 0.43]),
            floors: (Material::Plank, [0.22, 0.12, 0.055]),
            ..Self::default()
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), BuiltError> {
        for side in self.cell {
            range(|| "cell".into(), side, 1.0, 20.0)?;
            range(|| "door (width)".into(), self.door[0], 0.6, f64::from(side - 2.0 * self.wall) - 0.05)?;
        }
        range(|| "height".into(), self.height, 2.0, 20.0)?;
        range(|| "wall".into(), self.wall, 0.02, 0.4)?;
        range(|| "door (height)".into(), self.door[1], 1.8, f64::from(self.height) - 0.05)?;
        for value in [self.walls.1, self.floors.1].as_flattened() {
            range(|| "colors".into(), *value, 0.0, 1.0)?;
        }
        Ok(())
    }
}

/// Where light comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Light {
    /// Metres from the corner of the grid.
    pub position: [f32; 3],
    /// Linear.
    pub color: [f32; 3],
    /// How far it reaches, in metres.
    pub range: f32,
}

/// A filled grid as geometry. The origin is the corner in the north and west, on the lowest floor.
#[derive(Clone, Debug, PartialEq)]
pub struct TileScene {
    /// One for each material.
    pub surfaces: Vec<Surface>,
    /// Walls, floors, ceilings and what stands around.
    pub colliders: Vec<BoxCollider>,
    /// Torches and hearths.
    pub lights: Vec<Light>,
}

/// Builds a filled grid.
///
/// # Errors
///
/// A look that is not allowed, or tiles that are not of the set.
pub fn tile_scene(set: &TileSet, tiles: &Tiles, look: &TileLook, seed: u64) -> Result<TileScene, BuiltError> {
    look.validate()?;
    range(|| "cells".into(), tiles.cells.len() as f64, 1.0, MAX_CELLS as f64)?;
    let [width, height, depth] = tiles.size;
    let stray = tiles.cells.iter().any(|placed| placed.tile as usize >= set.tiles.len());
    if stray || tiles.cells.len() as u64 != u64::from(width) * u64::from(height) * u64::from(depth) {
        return Err(BuiltError::Invalid { field: "tiles".into(), reason: "not of this set or size" });
    }
    let mut builder =
        Builder { set, tiles, look, solids: Solids::default(), colliders: Vec::new(), lights: Vec::new(), seed };
    for (number, placed) in tiles.cells.iter().enumerate() {
        if set.walkable(*placed) {
            builder.cell(number as u32);
        }
    }
    let surfaces = builder.solids.finish().map(|(material, mesh)| Surface { material, mesh }).collect();
    Ok(TileScene { surfaces, colliders: builder.colliders, lights: builder.lights })
}

pub(super) struct Builder<'a> {
    set: &'a TileSet,
    tiles: &'a Tiles,
    look: &'a TileLook,
    solids: Solids,
    colliders: Vec<BoxCollider>,
    lights: Vec<Light>,
    seed: u64,
}

/// A cell and its middle on the floor.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    at: [i64; 3],
    middle: [f32; 3],
    hash: u64,
}

impl Builder<'_> {
    fn cell(&mut self, number: u32) {
        let [width, _, depth] = self.tiles.size;
        let (x, z, y) = (number % width, number / width % depth, number / width / depth);
        let [wide, deep] = self.look.cell;
        let middle = [(x as f32 + 0.5) * wide, y as f32 * self.look.height, (z as f32 + 0.5) * deep];
        let hash = derive(self.seed, 1 + u64::from(number));
        let cell = Cell { at: [i64::from(x), i64::from(y), i64::from(z)], middle, hash };
        let borders: [Border; 4] = std::array::from_fn(|side| self.tiles.border(self.set, cell.at, side));
        let placed = self.tiles.cells[number as usize];
        let fittings = &self.set.tiles[placed.tile as usize].fittings;
        if !fittings.contains(&Fitting::StairsDown) {
            self.floor(&cell);
        }
        if self.look.ceiling {
            self.ceiling(&cell);
        }
        for side in 0..4 {
            match borders[side] {
                Border::Open => {
                    if borders[(side + 1) % 4] == Border::Open {
                        self.post(&cell, side);
                    }
                }
                border => self.panel(&cell, side, border == Border::Door, &borders),
            }
        }
        for (at, fitting) in (0u64..).zip(fittings) {
            self.fitting(*fitting, &cell, placed.turn as usize, derive(cell.hash, 20 + at));
        }
    }

    /// The length of a cell along a wall on a side, and its depth away from that wall.
    fn lengths(&self, side: usize) -> [f32; 2] {
        let [wide, deep] = self.look.cell;
        if side.is_multiple_of(2) { [wide, deep] } else { [deep, wide] }
    }

    /// On the inner face of a wall at a side, from the left end of the cell as seen from inside.
    fn frame(&self, cell: &Cell, side: usize) -> Frame {
        let [dx, dz] = STEPS[side % 4].map(|step| step as f32);
        let [length, depth] = self.lengths(side);
        let (out, n) = (depth / 2.0 - self.look.wall, [-dx, 0.0, -dz]);
        let u = [n[2], 0.0, -n[0]];
        let [x, y, z] = cell.middle;
        let origin = [x + dx * out - u[0] * length / 2.0, y, z + dz * out - u[2] * length / 2.0];
        Frame { origin, u, v: [0.0, 1.0, 0.0], n }
    }

    fn wall_brush(&self, shade: u64) -> Brush {
        let (material, color) = self.look.walls;
        Brush { material, color }.times(0.93 + 0.14 * unit(shade))
    }

    fn floor(&mut self, cell: &Cell) {
        let (material, color) = self.look.floors;
        let [wide, deep] = self.look.cell;
        let [x, y, z] = cell.middle;
        let flags = 2;
        for i in 0..flags {
            for j in 0..flags {
                let shade = derive(cell.hash, 4 + (i * flags + j) as u64);
                let brush = Brush { material, color }.times(0.86 + 0.28 * unit(shade));
                let at = |i: i32, j: i32| {
                    [x + wide * (i as f32 / flags as f32 - 0.5), y, z + deep * (j as f32 / flags as f32 - 0.5)]
                };
                self.solids.polygon(brush, &[at(i, j), at(i, j + 1), at(i + 1, j + 1), at(i + 1, j)]);
            }
        }
        self.colliders.push(BoxCollider { center: [x, y - 0.1, z], half: [wide / 2.0, 0.1, deep / 2.0] });
    }

    fn ceiling(&mut self, cell: &Cell) {
        let [wide, deep] = self.look.cell.map(|side| side / 2.0);
        let [x, y, z] = cell.middle;
        let top = y + self.look.height;
        let brush = self.wall_brush(derive(cell.hash, 3)).times(0.8);
        let corners = [
            [x - wide, top, z - deep],
            [x + wide, top, z - deep],
            [x + wide, top, z + deep],
            [x - wide, top, z + deep],
        ];
        self.solids.polygon(brush, &corners);
        self.colliders.push(BoxCollider { center: [x, top + 0.1, z], half: [wide, 0.1, deep] });
    }

    /// A wall, with or without a doorway.
    fn panel(&mut self, cell: &Cell, side: usize, door: bool, borders: &[Border; 4]) {
        let look = self.look;
        let frame = self.frame(cell, side);
        let [length, _] = self.lengths(side);
        let inset = |side: usize| if borders[side % 4] == Border::Open { 0.0 } else { look.wall };
        let u = [inset(side + 3), length - inset(side + 1)];
        let brush = self.wall_brush(derive(cell.hash, 8 + side as u64));
        if !door {
            self.solids.rectangle(brush, &frame, u, [0.0, look.height], 0.0);
            self.stones(brush, &frame, u, [0.0, look.height], derive(cell.hash, 12 + side as u64));
            self.collide(&frame, u, [0.0, look.height], [-look.wall, 0.0]);
        } else {
            self.doorway(&frame, brush, u, length);
        }
        if !look.ceiling {
            let [from, until] = [0.0, length];
            let p = |u: f32, n: f32| frame.at(u, look.height, n);
            let cap = brush.times(0.55);
            self.solids.polygon(cap, &[p(u[0], 0.0), p(u[1], 0.0), p(until, -look.wall), p(from, -look.wall)]);
        }
    }

    fn doorway(&mut self, frame: &Frame, brush: Brush, u: [f32; 2], length: f32) {
        let look = self.look;
        let [wide, high] = look.door;
        let hole = [(length - wide) / 2.0, (length + wide) / 2.0];
        for part in [[u[0], hole[0]], [hole[1], u[1]]] {
            self.solids.rectangle(brush, frame, part, [0.0, look.height], 0.0);
            self.collide(frame, part, [0.0, look.height], [-look.wall, 0.0]);
        }
        self.solids.rectangle(brush, frame, hole, [high, look.height], 0.0);
        self.collide(frame, hole, [high, look.height], [-look.wall, 0.0]);
        // The head of the hole, left to right.
        let rise = if look.arches { (wide / 2.0).min(high - 0.5) } else { 0.0 };
        let parts = if look.arches { 8u32 } else { 1 };
        let head: Vec<[f32; 2]> = (0..=parts)
            .map(|part| {
                let (sin, cos) = libm::sincosf(std::f32::consts::PI * part as f32 / parts as f32);
                [(hole[0] + hole[1]) / 2.0 - cos * wide / 2.0, high - rise + sin * rise]
            })
            .collect();
        let mut outline = vec![[hole[0], 0.0]];
        outline.extend(&head);
        outline.push([hole[1], 0.0]);
        for pair in head.windows(2) {
            let ([a, b], [c, d]) = (pair[0], pair[1]);
            let corners = [[a, b], [c, d], [c, high], [a, high]].map(|[u, v]| frame.at(u, v, 0.0));
            self.solids.polygon(brush, &corners);
        }
        let inner = brush.times(0.75);
        for pair in outline.windows(2) {
            let ([a, b], [c, d]) = (pair[0], pair[1]);
            let corners =
                [frame.at(c, d, 0.0), frame.at(a, b, 0.0), frame.at(a, b, -look.wall), frame.at(c, d, -look.wall)];
            self.solids.polygon(inner, &corners);
        }
        // Stones or boards around it.
        let trim = Brush { color: brush.color.map(|value| value * 1.35), ..brush };
        let middle = (hole[0] + hole[1]) / 2.0;
        for pair in outline.windows(2) {
            let away =
                |[u, v]: [f32; 2]| [u + if u < middle { -0.12 } else { 0.12 }, v + if v > 0.01 { 0.1 } else { 0.0 }];
            let (a, b) = (pair[0], pair[1]);
            let (c, d) = (away(b), away(a));
            let p = |[u, v]: [f32; 2], n: f32| frame.at(u, v, n);
            self.solids.polygon(trim, &[p(a, 0.04), p(b, 0.04), p(c, 0.04), p(d, 0.04)]);
            self.solids.polygon(trim, &[p(b, 0.0), p(b, 0.04), p(a, 0.04), p(a, 0.0)]);
            self.solids.polygon(trim, &[p(d, 0.0), p(d, 0.04), p(c, 0.04), p(c, 0.0)]);
        }
    }

    /// The corner of walls that begin where this cell ends, between a side and the next one.
    fn post(&mut self, cell: &Cell, side: usize) {
        let beyond = |towards: usize, border: usize| {
            let ([x, y, z], [dx, dz]) = (cell.at, STEPS[towards % 4]);
            self.tiles.border(self.set, [x + dx, y, z + dz], border % 4)
        };
        if beyond(side, side + 1) == Border::Open && beyond(side + 1, side) == Border::Open {
            return;
        }
        let (wall, height) = (self.look.wall, self.look.height);
        let brush = self.wall_brush(derive(cell.hash, 16 + side as u64));
        let [length, _] = self.lengths(side);
        let frame = self.frame(cell, side);
        self.solids.rectangle(brush, &frame, [length - wall, length], [0.0, height], 0.0);
        self.collide(&frame, [length - wall, length], [0.0, height], [-wall, 0.0]);
        if !self.look.ceiling {
            let p = |u: f32, n: f32| frame.at(u, height, n);
            let corners = [p(length - wall, 0.0), p(length, 0.0), p(length, -wall), p(length - wall, -wall)];
            self.solids.polygon(brush.times(0.55), &corners);
        }
        let next = self.frame(cell, side + 1);
        self.solids.rectangle(brush, &next, [0.0, wall], [0.0, height], 0.0);
    }

    /// Stones of another shade on a wall of stone.
    fn stones(&mut self, brush: Brush, frame: &Frame, u: [f32; 2], v: [f32; 2], seed: u64) {
        if brush.material != Material::Stone {
            return;
        }
        for at in 0..10u64 {
            let chance = |salt: u64| unit(derive(seed, at * 4 + salt));
            let (wide, high) = (0.3 + 0.3 * chance(0), 0.2);
            let room = u[1] - u[0] - wide;
            if room <= 0.0 {
                return;
            }
            let left = u[0] + room * chance(1);
            let rows = ((v[1] - v[0]) / 0.25).floor().max(1.0);
            let foot = v[0] + 0.25 * (chance(2) * rows).floor().min(rows - 1.0) + 0.02;
            let stone = brush.times(0.78 + 0.5 * chance(3));
            let out = 0.012 + 0.001 * at as f32;
            self.solids.rectangle(stone, frame, [left, left + wide], [foot, foot + high], out);
        }
    }

    fn collide(&mut self, frame: &Frame, u: [f32; 2], v: [f32; 2], n: [f32; 2]) {
        let (a, b) = (frame.at(u[0], v[0], n[0]), frame.at(u[1], v[1], n[1]));
        self.colliders.push(BoxCollider {
            center: std::array::from_fn(|axis| (a[axis] + b[axis]) / 2.0),
            half: std::array::from_fn(|axis| (b[axis] - a[axis]).abs() / 2.0),
        });
    }
}
