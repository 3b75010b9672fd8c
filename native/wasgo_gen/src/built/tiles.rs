//! Tiles that fit together by their sides, as data, and grids filled with them.

mod connect;
mod mesh;
mod presets;
mod solve;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use mesh::{Light, TileLook, TileScene, tile_scene};
pub use presets::{Interior, dungeon_tiles, interior, interior_tiles};

use super::error::{BuiltError, range};
use crate::hash::derive;
use solve::{Solver, Table};

/// The most cells of a grid.
pub const MAX_CELLS: usize = 65_536;

/// The most tiles of a set, each turned in up to four ways.
pub const MAX_TILES: usize = 64;

/// The most sockets of a set.
pub const MAX_SOCKETS: usize = 64;

/// The most attempts at a grid.
pub const MAX_ATTEMPTS: u32 = 256;

/// What is on the border between two tiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Border {
    /// Nothing: the floor goes on.
    #[default]
    Open,
    /// A wall with a doorway.
    Door,
    /// A wall.
    Wall,
}

/// A kind of side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Socket {
    /// The sockets that may face it. It holds both ways: naming it on one of the two is enough.
    pub joins: Vec<String>,
    /// What is there. Where two sockets differ, a wall goes before a door, and a door before nothing.
    pub border: Border,
}

/// Something that stands in a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fitting {
    /// A light on the wall to the north.
    Torch,
    /// A column in the middle.
    Column,
    /// Stairs from the south up to the north.
    StairsUp,
    /// Stairs from the south down to the north, instead of a floor.
    StairsDown,
    /// A chest at the north.
    Chest,
    /// A table with stools.
    Table,
    /// A bed along the north.
    Bed,
    /// Barrels in a corner.
    Barrels,
    /// A hearth at the north.
    Hearth,
}

/// A tile. Its sides are north (-Z), east (+X), south (+Z), west (-X); seen from above they follow each other clockwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tile {
    /// Its name, unlike those of the others.
    pub name: String,
    /// How often it is chosen beside the others: 0.001..=1000. Default 1.
    #[serde(default = "one")]
    pub weight: f32,
    /// The sockets of its sides.
    pub sides: [String; 4],
    /// The socket above, for grids of more than one level; without one anything may be there.
    #[serde(default)]
    pub above: Option<String>,
    /// The socket below.
    #[serde(default)]
    pub below: Option<String>,
    /// How many ways it is turned: 1 (not at all), 2 (also by half a turn), 4. Default 4.
    #[serde(default = "four")]
    pub turns: u32,
    /// Whether one can stand in it. Default yes.
    #[serde(default = "yes")]
    pub walkable: bool,
    /// At least so many in a grid. Default 0.
    #[serde(default)]
    pub least: u32,
    /// At most so many in a grid. Default: no limit.
    #[serde(default)]
    pub most: Option<u32>,
    /// What stands in it.
    #[serde(default)]
    pub fittings: Vec<Fitting>,
}

fn one() -> f32 {
    1.0
}

fn four() -> u32 {
    4
}

fn yes() -> bool {
    true
}

/// Tiles and how they fit together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TileSet {
    /// For messages.
    pub name: String,
    /// The kinds of sides.
    pub sockets: BTreeMap<String, Socket>,
    /// The tiles.
    pub tiles: Vec<Tile>,
    /// The socket that the world around the grid has; without one, any side may face it.
    #[serde(default)]
    pub outside: Option<String>,
}

/// Cells whose tiles are known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// The cell: to the east, up, to the south.
    pub cell: [u32; 3],
    /// The tiles that it may have.
    pub tiles: Vec<String>,
    /// How it is turned, in quarters clockwise as seen from above; without it, in any way that the tile has.
    #[serde(default)]
    pub turn: Option<u32>,
}

/// What to fill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TileGrid {
    /// Cells to the east, up, to the south: each 1..=256, together at most [`MAX_CELLS`].
    pub size: [u32; 3],
    /// Cells whose tiles are known.
    #[serde(default)]
    pub fixed: Vec<Fixed>,
    /// Whether every walkable cell must be reachable from every other one on its level. Default yes.
    #[serde(default = "yes")]
    pub connected: bool,
    /// The least share of cells that can be walked on: 0..=1. Default 0.35.
    #[serde(default = "filled")]
    pub filled: f32,
    /// How often to try: 1..=[`MAX_ATTEMPTS`]. Default 32.
    #[serde(default = "attempts")]
    pub attempts: u32,
}

fn attempts() -> u32 {
    32
}

fn filled() -> f32 {
    0.35
}

impl TileGrid {
    /// One level of `width` to the east by `depth` to the south, all connected, not too empty.
    #[must_use]
    pub fn new(width: u32, depth: u32) -> Self {
        Self { size: [width, 1, depth], fixed: Vec::new(), connected: true, filled: filled(), attempts: attempts() }
    }

    /// Checks every field but the names of tiles, which only a set knows.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), BuiltError> {
        for (side, name) in self.size.iter().zip(["east", "up", "south"]) {
            range(|| format!("size ({name})"), *side, 1.0, 256.0)?;
        }
        range(|| "size (cells)".into(), self.cells() as f64, 1.0, MAX_CELLS as f64)?;
        range(|| "filled".into(), self.filled, 0.0, 1.0)?;
        range(|| "attempts".into(), self.attempts, 1.0, f64::from(MAX_ATTEMPTS))?;
        range(|| "fixed (how many)".into(), self.fixed.len() as f64, 0.0, MAX_CELLS as f64)
    }

    fn cells(&self) -> usize {
        self.size.iter().fold(1usize, |product, side| product.saturating_mul(*side as usize))
    }
}

/// A tile in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its number in the set.
    pub tile: u32,
    /// How it is turned, in quarters clockwise as seen from above.
    pub turn: u32,
}

/// A filled grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Tiles {
    /// Cells to the east, up, to the south.
    pub size: [u32; 3],
    /// The tiles: to the east first, then to the south, then up.
    pub cells: Vec<Placed>,
    /// The rooms: cells with nothing between them, in the order of their first cells. A corridor is a room too.
    pub rooms: Vec<Vec<u32>>,
    /// How many attempts it took.
    pub attempts: u32,
}

impl TileSet {
    /// Checks every field, and that all names are there.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), BuiltError> {
        range(|| "tiles (how many)".into(), self.tiles.len() as f64, 1.0, MAX_TILES as f64)?;
        range(|| "sockets (how many)".into(), self.sockets.len() as f64, 1.0, MAX_SOCKETS as f64)?;
        let known = |field: String, name: &String| match self.sockets.contains_key(name) {
            true => Ok(()),
            false => Err(BuiltError::Unknown { field, name: name.clone() }),
        };
        for (name, socket) in &self.sockets {
            socket.joins.iter().try_for_each(|other| known(format!("sockets.{name}.joins"), other))?;
        }
        if let Some(name) = &self.outside {
            known("outside".into(), name)?;
        }
        for (number, tile) in self.tiles.iter().enumerate() {
            let field = |name: &str| format!("tiles[{number}].{name}");
            if self.tiles[..number].iter().any(|other| other.name == tile.name) {
                return Err(BuiltError::Invalid { field: field("name"), reason: "another tile has the same name" });
            }
            range(|| field("weight"), tile.weight, 0.001, 1000.0)?;
            if ![1, 2, 4].contains(&tile.turns) {
                return Err(BuiltError::Invalid { field: field("turns"), reason: "allowed: 1, 2 or 4" });
            }
            range(|| field("least"), tile.least, 0.0, 64.0)?;
            range(|| field("fittings (how many)"), tile.fittings.len() as f64, 0.0, 8.0)?;
            if tile.most.is_some_and(|most| most < tile.least) {
                return Err(BuiltError::Invalid { field: field("most"), reason: "less than `least`" });
            }
            let all = tile.sides.iter().chain(&tile.above).chain(&tile.below);
            all.into_iter().try_for_each(|name| known(field("sides"), name))?;
        }
        Ok(())
    }

    /// Whether two sockets may face each other.
    #[must_use]
    pub fn joins(&self, a: &str, b: &str) -> bool {
        let names = |from: &str, to: &str| {
            self.sockets.get(from).is_some_and(|socket| socket.joins.iter().any(|name| name == to))
        };
        names(a, b) || names(b, a)
    }

    /// The socket that a placed tile has to the north, east, south or west (0 to 3); nothing for a tile that is not there.
    #[must_use]
    pub fn side(&self, placed: Placed, direction: usize) -> Option<&str> {
        let tile = self.tiles.get(placed.tile as usize)?;
        tile.sides.get((direction + 4 - placed.turn as usize % 4) % 4).map(String::as_str)
    }

    fn border(&self, socket: Option<&str>) -> Border {
        socket.and_then(|name| self.sockets.get(name)).map_or(Border::Wall, |socket| socket.border)
    }

    /// Whether a placed tile can be walked on.
    #[must_use]
    pub fn walkable(&self, placed: Placed) -> bool {
        self.tiles.get(placed.tile as usize).is_some_and(|tile| tile.walkable)
    }
}

impl Tiles {
    /// The tile in a cell, or nothing outside the grid.
    #[must_use]
    pub fn at(&self, x: i64, y: i64, z: i64) -> Option<Placed> {
        let [width, height, depth] = self.size.map(i64::from);
        let inside = (0..width).contains(&x) && (0..height).contains(&y) && (0..depth).contains(&z);
        if !inside {
            return None;
        }
        self.cells.get(((y * depth + z) * width + x) as usize).copied()
    }

    /// What is on the border of a cell to the north, east, south or west (0 to 3). A wall where the grid ends, but for a
    /// door in the tile itself.
    #[must_use]
    pub fn border(&self, set: &TileSet, [x, y, z]: [i64; 3], direction: usize) -> Border {
        let [dx, dz] = STEPS[direction % 4];
        let own = self.at(x, y, z).map_or(Border::Wall, |placed| set.border(set.side(placed, direction)));
        let other = match self.at(x + dx, y, z + dz) {
            Some(placed) => set.border(set.side(placed, (direction + 2) % 4)),
            None if own == Border::Door => Border::Door,
            None => Border::Wall,
        };
        match (own, other) {
            (Border::Wall, _) | (_, Border::Wall) => Border::Wall,
            (Border::Door, _) | (_, Border::Door) => Border::Door,
            _ => Border::Open,
        }
    }

    /// Whether all sides fit: those of neighbours, and those at the edge of the grid.
    #[must_use]
    pub fn fits(&self, set: &TileSet) -> bool {
        let [width, height, depth] = self.size.map(i64::from);
        let cells = (0..height).flat_map(|y| (0..depth).flat_map(move |z| (0..width).map(move |x| [x, y, z])));
        cells.into_iter().all(|[x, y, z]| {
            let Some(placed) = self.at(x, y, z) else { return false };
            let beside = (0..4).all(|direction| {
                let [dx, dz] = STEPS[direction];
                let other = match self.at(x + dx, y, z + dz) {
                    Some(other) => set.side(other, (direction + 2) % 4),
                    None => set.outside.as_deref(),
                };
                match (set.side(placed, direction), other) {
                    (Some(a), Some(b)) => set.joins(a, b),
                    (Some(_), None) => true,
                    (None, _) => false,
                }
            });
            let tile = |placed: Placed| set.tiles.get(placed.tile as usize);
            let upper = self.at(x, y + 1, z).and_then(tile).and_then(|tile| tile.below.as_deref());
            let above = tile(placed).and_then(|tile| tile.above.as_deref());
            beside && above.zip(upper).is_none_or(|(a, b)| set.joins(a, b))
        })
    }
}

/// North, east, south, west as steps (x, z).
pub(super) const STEPS: [[i64; 2]; 4] = [[0, -1], [1, 0], [0, 1], [-1, 0]];

/// Fills a grid with tiles by wave-function collapse: the cell with the least entropy is settled first, what that rules out
/// is taken from its neighbours, and a dead end takes back the last choice. After P. Merrell, "Example-Based Model
/// Synthesis", 2007, and M. Gumin, "WaveFunctionCollapse", 2016.
///
/// ```
/// use wasgo_gen::built::{TileGrid, dungeon, dungeon_tiles};
/// let set = dungeon_tiles();
/// let tiles = dungeon(&set, &TileGrid::new(16, 12), 42)?;
/// assert_eq!(tiles.cells.len(), 16 * 12);
/// assert!(tiles.fits(&set));
/// # Ok::<(), wasgo_gen::built::BuiltError>(())
/// ```
///
/// # Errors
///
/// A set or a grid that is not allowed; [`BuiltError::Contradiction`] when all attempts failed.
pub fn dungeon(set: &TileSet, grid: &TileGrid, seed: u64) -> Result<Tiles, BuiltError> {
    set.validate()?;
    grid.validate()?;
    let table = Table::new(set);
    let allowed = allowed(set, &table, grid)?;
    fill(set, &table, grid, &allowed, seed)
}

/// Fills a grid of which it is known what each cell may have.
fn fill(
    set: &TileSet,
    table: &Table,
    grid: &TileGrid,
    allowed: &[solve::Domain],
    seed: u64,
) -> Result<Tiles, BuiltError> {
    let (mut best, mut fullest) = (0, None::<f32>);
    let mut anchored;
    for attempt in 0..grid.attempts {
        let seed = derive(seed, 900 + u64::from(attempt));
        let mut allowed = allowed;
        // What came out too empty is given places from which it must grow, the more the oftener.
        if let Some(share) = fullest {
            anchored = allowed.to_vec();
            solve::anchor(table, grid.size, &mut anchored, grid.filled - share * 0.5, derive(seed, 3));
            allowed = &anchored;
        }
        let mut solver = Solver::new(table, grid.size, allowed, seed);
        let solved = solver.require(set) && solver.solve();
        best = best.max(solver.most_settled());
        if !solved {
            continue;
        }
        // Joining parts takes long and fills little: what is far too empty isn't joined first.
        let before = share(set, &solver.tiles());
        if before < grid.filled * 0.8 {
            fullest = Some(fullest.map_or(before, |other| other.max(before)));
            continue;
        }
        if grid.connected && !connect::connect(set, table, &mut solver, allowed) {
            continue;
        }
        let mut tiles = solver.tiles();
        let share = share(set, &tiles);
        if share < grid.filled {
            fullest = Some(fullest.map_or(share, |other| other.max(share)));
            continue;
        }
        tiles.attempts = attempt + 1;
        tiles.rooms = connect::rooms(set, &tiles);
        return Ok(tiles);
    }
    if let Some(share) = fullest {
        let (set, attempts, filled) = (set.name.clone(), grid.attempts, grid.filled);
        return Err(BuiltError::Sparse { set, attempts, share, filled });
    }
    Err(BuiltError::Contradiction { set: set.name.clone(), attempts: grid.attempts, placed: best, cells: grid.cells() })
}

/// The share of cells that can be walked on.
fn share(set: &TileSet, tiles: &Tiles) -> f32 {
    tiles.cells.iter().filter(|placed| set.walkable(**placed)).count() as f32 / tiles.cells.len().max(1) as f32
}

/// What each cell may have before anything is chosen: by fixed cells and by what is around the grid.
fn allowed(set: &TileSet, table: &Table, grid: &TileGrid) -> Result<Vec<solve::Domain>, BuiltError> {
    let [width, height, depth] = grid.size;
    let mut allowed = vec![table.all(); grid.cells()];
    if let Some(outside) = &set.outside {
        let mut at = 0;
        for _ in 0..height {
            for z in 0..depth {
                for x in 0..width {
                    let edges = [z == 0, x + 1 == width, z + 1 == depth, x == 0];
                    for (direction, _) in edges.iter().enumerate().filter(|(_, edge)| **edge) {
                        table.keep(&mut allowed[at], |placed| {
                            set.side(placed, direction).is_some_and(|side| set.joins(side, outside))
                        });
                    }
                    at += 1;
                }
            }
        }
    }
    for (number, fixed) in grid.fixed.iter().enumerate() {
        let field = || format!("fixed[{number}].cell");
        let [x, y, z] = fixed.cell;
        if x >= width || y >= height || z >= depth {
            return Err(BuiltError::Invalid { field: field(), reason: "outside the grid" });
        }
        for name in &fixed.tiles {
            if !set.tiles.iter().any(|tile| tile.name == *name) {
                return Err(BuiltError::Unknown { field: format!("fixed[{number}].tiles"), name: name.clone() });
            }
        }
        let cell = ((y * depth + z) * width + x) as usize;
        table.keep(&mut allowed[cell], |placed| {
            fixed.tiles.contains(&set.tiles[placed.tile as usize].name)
                && fixed.turn.is_none_or(|turn| turn % 4 == placed.turn)
        });
    }
    Ok(allowed)
}
