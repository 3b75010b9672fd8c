//! Makes one of what can be walked on: ways are cut through what separates its parts, and everything around them is
//! settled anew so that all sides still fit.

use std::collections::VecDeque;

use super::solve::{Domain, Solver, Table, neighbours};
use super::{Border, Placed, TileSet, Tiles};

/// How far from a new way cells may change: at first, and where the part must not be lost.
const NEAR: u32 = 2;
const FAR: u32 = 6;

/// How many ways are tried for a part that must not be lost.
const WAYS: usize = 8;

/// Parts of more cells than this are not given up before other ways have been tried.
const LARGE: usize = 6;

/// The most parts that are joined or given up in one attempt.
const MAX_PARTS: usize = 2048;

/// Whether one can walk from a tile in a direction, as far as that tile knows.
fn passes(set: &TileSet, placed: Placed, direction: usize) -> bool {
    set.walkable(placed) && set.border(set.side(placed, direction)) != Border::Wall
}

/// The part that each cell belongs to, counted from 0; nothing where one cannot walk. `stop_at_doors` for rooms.
fn parts(set: &TileSet, tiles: &Tiles, stop_at_doors: bool) -> (Vec<Option<u32>>, u32) {
    let mut part = vec![None; tiles.cells.len()];
    let mut count = 0;
    for start in 0..tiles.cells.len() as u32 {
        if part[start as usize].is_some() || !set.walkable(tiles.cells[start as usize]) {
            continue;
        }
        part[start as usize] = Some(count);
        let mut queue = VecDeque::from([start]);
        while let Some(cell) = queue.pop_front() {
            for (direction, other) in neighbours(tiles.size, cell).into_iter().take(4).enumerate() {
                let Some(other) = other else { continue };
                let (here, there) = (tiles.cells[cell as usize], tiles.cells[other as usize]);
                let open = passes(set, here, direction) && passes(set, there, (direction + 2) % 4);
                let door = [(here, direction), (there, (direction + 2) % 4)]
                    .into_iter()
                    .any(|(placed, side)| set.border(set.side(placed, side)) == Border::Door);
                if part[other as usize].is_none() && open && !(door && stop_at_doors) {
                    part[other as usize] = Some(count);
                    queue.push_back(other);
                }
            }
        }
        count += 1;
    }
    (part, count)
}

/// The rooms of a grid: cells with neither a wall nor a door between them.
pub(super) fn rooms(set: &TileSet, tiles: &Tiles) -> Vec<Vec<u32>> {
    let (part, count) = parts(set, tiles, true);
    let mut rooms = vec![Vec::new(); count as usize];
    for (cell, part) in (0u32..).zip(part) {
        if let Some(part) = part {
            rooms[part as usize].push(cell);
        }
    }
    rooms
}

/// Joins all parts of every level of a solved grid, and gives up small ones that cannot be joined. No when that is not
/// possible.
pub(super) fn connect(set: &TileSet, table: &Table, solver: &mut Solver<'_>, allowed: &[Domain]) -> bool {
    for _ in 0..MAX_PARTS {
        let tiles = solver.tiles();
        let (part, count) = parts(set, &tiles, false);
        let level = tiles.size[0] * tiles.size[2];
        let mut open: Vec<bool> = allowed.iter().map(|domain| table.can_walk(domain)).collect();
        let Some(way) = shortest_way(&tiles, &part, count, level, &open) else {
            return unconnected(&part, level) == 0;
        };
        let lost = way.last().and_then(|cell| part[*cell as usize]);
        let large = part.iter().filter(|part| part.is_some() && **part == lost).count() > LARGE;
        let mut joined = cut(set, table, solver, allowed, &tiles, &way, NEAR);
        let first = way;
        for number in 0..WAYS {
            // What is small is given up at once, what is large after some other ways.
            if !joined && number == if large { WAYS / 2 } else { 0 } {
                joined = fill(set, table, solver, allowed, &tiles, &first, &part);
            }
            if joined {
                break;
            }
            // Not over the middle of a way that failed.
            open[first[first.len() / 2] as usize] = false;
            let Some(other) = shortest_way(&tiles, &part, count, level, &open) else { continue };
            open[other[other.len() / 2] as usize] = false;
            let reach = if number < WAYS / 2 { NEAR } else { FAR };
            joined = cut(set, table, solver, allowed, &tiles, &other, reach);
        }
        if !joined {
            return false;
        }
    }
    false
}

/// How many levels have more than one part.
fn unconnected(part: &[Option<u32>], level: u32) -> usize {
    let split = |cells: &[Option<u32>]| {
        let mut found = cells.iter().flatten();
        found.next().is_some_and(|first| found.any(|part| part != first))
    };
    part.chunks(level as usize).filter(|cells| split(cells)).count()
}

/// From the smallest part to another one on its level, over the fewest cells that may be walkable.
fn shortest_way(tiles: &Tiles, part: &[Option<u32>], count: u32, level: u32, open: &[bool]) -> Option<Vec<u32>> {
    let mut size = vec![0u32; count as usize];
    let mut floor = vec![0usize; count as usize];
    for (cell, part) in part.iter().enumerate() {
        if let Some(part) = part {
            size[*part as usize] += 1;
            floor[*part as usize] = cell / level as usize;
        }
    }
    let alone = |which: u32| (0..count).all(|other| other == which || floor[other as usize] != floor[which as usize]);
    let from = (0..count).filter(|part| !alone(*part)).min_by_key(|part| (size[*part as usize], *part))?;
    let mut before: Vec<Option<u32>> = vec![None; part.len()];
    let mut queue: VecDeque<u32> = (0..part.len() as u32).filter(|cell| part[*cell as usize] == Some(from)).collect();
    for cell in &queue {
        before[*cell as usize] = Some(*cell);
    }
    while let Some(cell) = queue.pop_front() {
        if part[cell as usize].is_some_and(|part| part != from) {
            let mut way = vec![cell];
            let mut at = cell;
            while let Some(back) = before[at as usize].filter(|back| *back != at) {
                way.push(back);
                at = back;
            }
            return Some(way);
        }
        for other in neighbours(tiles.size, cell).into_iter().take(4).flatten() {
            if before[other as usize].is_none() && open[other as usize] {
                before[other as usize] = Some(cell);
                queue.push_back(other);
            }
        }
    }
    None
}

/// Settles anew the cells of a way so that one can walk along it, and as few cells around as will do.
fn cut(
    set: &TileSet,
    table: &Table,
    solver: &mut Solver<'_>,
    allowed: &[Domain],
    tiles: &Tiles,
    way: &[u32],
    reach: u32,
) -> bool {
    let mut near = vec![false; allowed.len()];
    let mut edge: Vec<u32> = way.to_vec();
    for cell in way {
        near[*cell as usize] = true;
    }
    for _ in 0..reach {
        // What a tile set wants at least so many of stays.
        let mut domains: Vec<Domain> = (0..allowed.len())
            .map(|cell| {
                let placed = tiles.cells[cell];
                let wanted = set.tiles[placed.tile as usize].least > 0;
                if near[cell] && !wanted { allowed[cell] } else { table.only(placed) }
            })
            .collect();
        for pair in way.windows(2) {
            let [a, b] = [pair[0], pair[1]];
            let Some(direction) = neighbours(tiles.size, a).iter().take(4).position(|it| *it == Some(b)) else {
                return false;
            };
            table.keep(&mut domains[a as usize], |placed| passes(set, placed, direction));
            table.keep(&mut domains[b as usize], |placed| passes(set, placed, (direction + 2) % 4));
        }
        if solver.restart(&domains) && solver.solve() {
            return true;
        }
        let mut next = Vec::new();
        for cell in edge {
            for other in neighbours(tiles.size, cell).into_iter().take(4).flatten() {
                if !near[other as usize] {
                    near[other as usize] = true;
                    next.push(other);
                }
            }
        }
        edge = next;
    }
    false
}

/// Gives up the part that a way begins in: its cells are settled anew so that none can be walked on. No when something in
/// it is wanted, or when its surroundings do not allow it.
fn fill(
    set: &TileSet,
    table: &Table,
    solver: &mut Solver<'_>,
    allowed: &[Domain],
    tiles: &Tiles,
    way: &[u32],
    part: &[Option<u32>],
) -> bool {
    let Some(lost) = way.last().and_then(|cell| part[*cell as usize]) else { return false };
    let wanted = |cell: usize| set.tiles[tiles.cells[cell].tile as usize].least > 0;
    let gone: Vec<bool> = part.iter().map(|part| *part == Some(lost)).collect();
    if (0..gone.len()).any(|cell| gone[cell] && wanted(cell)) {
        return false;
    }
    let domains: Vec<Domain> = (0..allowed.len())
        .map(|cell| {
            let beside = neighbours(tiles.size, cell as u32).into_iter().flatten().any(|other| gone[other as usize]);
            if gone[cell] {
                let mut domain = allowed[cell];
                table.keep(&mut domain, |placed| !set.walkable(placed));
                domain
            } else if beside && !wanted(cell) {
                allowed[cell]
            } else {
                table.only(tiles.cells[cell])
            }
        })
        .collect();
    solver.restart(&domains) && solver.solve()
}
