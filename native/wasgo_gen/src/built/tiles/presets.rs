//! Tile sets that come with the crate.

use std::collections::BTreeMap;

use super::{Border, Fitting, Placed, Socket, Table, Tile, TileGrid, TileSet, Tiles, fill};
use crate::built::building::Entrance;
use crate::built::error::{BuiltError, range};
use crate::built::footprint::{bounds, inside};

fn tile(name: &str, weight: f32, sides: [&str; 4]) -> Tile {
    Tile {
        name: name.into(),
        weight,
        sides: sides.map(str::to_owned),
        above: None,
        below: None,
        turns: 4,
        walkable: true,
        least: 0,
        most: None,
        fittings: Vec::new(),
    }
}

fn with(fittings: &[Fitting], tile: Tile) -> Tile {
    Tile { fittings: fittings.to_vec(), ..tile }
}

fn once(tile: Tile) -> Tile {
    Tile { least: 1, most: Some(1), ..tile }
}

fn sockets<const N: usize>(list: [(&str, Border, &[&str]); N]) -> BTreeMap<String, Socket> {
    let socket =
        |joins: &[&str], border| Socket { joins: joins.iter().map(|name| (*name).to_owned()).collect(), border };
    list.into_iter().map(|(name, border, joins)| (name.to_owned(), socket(joins, border))).collect()
}

/// Rooms, corridors, doors, one stair up and one down. Rooms are rectangles: a side along a wall knows whether that wall
/// is to its left or to its right, looking out.
#[must_use]
pub fn dungeon_tiles() -> TileSet {
    let sockets = sockets([
        ("rock", Border::Wall, &["rock"]),
        ("open", Border::Open, &["open"]),
        ("wall_left", Border::Open, &["wall_right"]),
        ("wall_right", Border::Open, &[]),
        ("hall", Border::Open, &["hall"]),
        ("door", Border::Door, &["hall"]),
    ]);
    let edge = |first| [first, "wall_left", "open", "wall_right"];
    let tiles = vec![
        Tile { walkable: false, turns: 1, ..tile("rock", 2.6, ["rock"; 4]) },
        Tile { turns: 1, ..tile("floor", 2.0, ["open"; 4]) },
        with(&[Fitting::Column], Tile { turns: 1, ..tile("column", 0.5, ["open"; 4]) }),
        tile("edge", 1.8, edge("rock")),
        with(&[Fitting::Torch], tile("edge_torch", 0.5, edge("rock"))),
        tile("edge_door", 0.45, edge("door")),
        tile("corner", 0.65, ["rock", "wall_left", "wall_right", "rock"]),
        with(&[Fitting::Barrels], tile("corner_barrels", 0.12, ["rock", "wall_left", "wall_right", "rock"])),
        tile("corridor", 1.3, ["hall", "rock", "hall", "rock"]),
        with(&[Fitting::Torch], tile("corridor_torch", 0.4, ["rock", "hall", "rock", "hall"])),
        tile("bend", 0.5, ["hall", "hall", "rock", "rock"]),
        tile("fork", 0.3, ["hall", "hall", "rock", "hall"]),
        Tile { turns: 1, ..tile("cross", 0.08, ["hall"; 4]) },
        with(&[Fitting::Chest], tile("treasure", 0.03, ["rock", "rock", "hall", "rock"])),
        once(with(&[Fitting::StairsUp], tile("stairs_up", 0.02, ["rock", "rock", "hall", "rock"]))),
        once(with(&[Fitting::StairsDown], tile("stairs_down", 0.02, ["rock", "rock", "hall", "rock"]))),
    ];
    TileSet { name: "dungeon".into(), sockets, tiles, outside: Some("rock".into()) }
}

/// The rooms of a storey: rectangles with walls and doors between them, and no space that belongs to none.
#[must_use]
pub fn interior_tiles() -> TileSet {
    let sockets = sockets([
        ("outside", Border::Wall, &["outside", "wall", "entry"]),
        ("wall", Border::Wall, &["wall"]),
        ("open", Border::Open, &["open"]),
        ("wall_left", Border::Open, &["wall_right"]),
        ("wall_right", Border::Open, &[]),
        ("walls", Border::Open, &["walls"]),
        ("door", Border::Door, &["door"]),
        ("entry", Border::Door, &[]),
    ]);
    let mut tiles = vec![
        Tile { walkable: false, turns: 1, ..tile("outside", 1.0, ["outside"; 4]) },
        Tile { turns: 1, ..tile("floor", 4.0, ["open"; 4]) },
        with(&[Fitting::Table], Tile { turns: 1, ..tile("floor_table", 0.5, ["open"; 4]) }),
        tile("edge", 1.6, ["wall", "wall_left", "open", "wall_right"]),
        with(&[Fitting::Bed], tile("edge_bed", 0.3, ["wall", "wall_left", "open", "wall_right"])),
        with(&[Fitting::Hearth], tile("edge_hearth", 0.2, ["wall", "wall_left", "open", "wall_right"])),
        tile("corner", 0.5, ["wall", "wall_left", "wall_right", "wall"]),
        with(&[Fitting::Barrels], tile("corner_barrels", 0.15, ["wall", "wall_left", "wall_right", "wall"])),
        tile("hall", 0.15, ["wall", "walls", "wall", "walls"]),
        tile("hall_end", 0.08, ["wall", "walls", "wall", "wall"]),
    ];
    for (name, weight) in [("door", 0.12), ("entry", 1.0)] {
        tiles.extend([
            tile(&format!("edge_{name}"), weight, [name, "wall_left", "open", "wall_right"]),
            tile(&format!("corner_{name}_north"), weight * 0.4, [name, "wall_left", "wall_right", "wall"]),
            tile(&format!("corner_{name}_west"), weight * 0.4, ["wall", "wall_left", "wall_right", name]),
            tile(&format!("hall_{name}"), weight * 0.5, [name, "walls", "wall", "walls"]),
            tile(&format!("hall_end_{name}"), weight * 0.5, ["wall", "walls", "wall", name]),
        ]);
    }
    TileSet { name: "interior".into(), sockets, tiles, outside: Some("outside".into()) }
}

/// The rooms of a storey.
#[derive(Clone, Debug, PartialEq)]
pub struct Interior {
    /// The tiles, of the set [`interior_tiles`].
    pub tiles: Tiles,
    /// Where the grid's corner in the north and west is: x and z in metres from the origin of the building.
    pub origin: [f32; 2],
    /// Side of a cell in metres, to the east and to the south.
    pub cell: [f32; 2],
}

/// Fills an outline with rooms that can all be reached, with an outer door next to each entrance. Cells are about `cell`
/// metres wide (0.8..=10).
///
/// # Errors
///
/// An outline that is too large or too small for such cells; [`BuiltError::Contradiction`] when no way is found.
pub fn interior(outline: &[[f32; 2]], entrances: &[Entrance], cell: f32, seed: u64) -> Result<Interior, BuiltError> {
    range(|| "cell".into(), cell, 0.8, 10.0)?;
    range(|| "outline (corners)".into(), outline.len() as f64, 3.0, 64.0)?;
    let [x, z] = bounds(outline);
    let cells = |side: [f32; 2]| (f64::from(side[1] - side[0]) / f64::from(cell) + 0.5).floor();
    range(|| "outline (cells)".into(), cells(x), 2.0, 128.0)?;
    range(|| "outline (cells)".into(), cells(z), 2.0, 128.0)?;
    let (width, depth) = (cells(x) as u32, cells(z) as u32);
    let side = [(x[1] - x[0]) / width as f32, (z[1] - z[0]) / depth as f32];
    let set = interior_tiles();
    let table = Table::new(&set);
    let mut grid = TileGrid::new(width, depth);
    grid.attempts = 64;
    // The outline says what can be walked on.
    grid.filled = 0.0;
    let middle = |column: u32, row: u32| [x[0] + (column as f32 + 0.5) * side[0], z[0] + (row as f32 + 0.5) * side[1]];
    let within = |column: i64, row: i64| {
        (0..i64::from(width)).contains(&column)
            && (0..i64::from(depth)).contains(&row)
            && inside(outline, middle(column as u32, row as u32))
    };
    // The cell behind each entrance, and the side that the entrance is on.
    let doors: Vec<(u32, usize)> = entrances
        .iter()
        .filter_map(|entrance| {
            let [dx, dz] = entrance.outward;
            let direction =
                if dz.abs() >= dx.abs() { usize::from(dz > 0.0) * 2 } else { 1 + 2 * usize::from(dx < 0.0) };
            let at = [entrance.position[0] - dx * side[0] * 0.5, entrance.position[2] - dz * side[1] * 0.5];
            let column = ((at[0] - x[0]) / side[0]).floor() as i64;
            let row = ((at[1] - z[0]) / side[1]).floor() as i64;
            within(column, row).then(|| (row as u32 * width + column as u32, direction))
        })
        .collect();
    let mut allowed = super::allowed(&set, &table, &grid)?;
    for row in 0..depth {
        for column in 0..width {
            let cell = row * width + column;
            let room = within(i64::from(column), i64::from(row));
            table.keep(&mut allowed[cell as usize], |placed: Placed| {
                let entry = |direction: usize| set.side(placed, direction) == Some("entry");
                let wanted = |direction: usize| doors.contains(&(cell, direction));
                set.walkable(placed) == room && (0..4).all(|direction| entry(direction) == wanted(direction))
            });
        }
    }
    let tiles = fill(&set, &table, &grid, &allowed, seed)?;
    Ok(Interior { tiles, origin: [x[0], z[0]], cell: side })
}
