//! Filled grids fit, are connected, and have what they must have; their geometry has no holes.

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;
use wasgo_gen::built::{
    Border, BuiltError, Entrance, Fixed, Footprint, Socket, Tile, TileGrid, TileLook, TileSet, Tiles, dungeon,
    dungeon_tiles, interior, interior_tiles, tile_scene,
};

const STEPS: [[i64; 2]; 4] = [[0, -1], [1, 0], [0, 1], [-1, 0]];

/// The cells that one can walk to from the first walkable one, and how many walkable ones there are.
fn reached(set: &TileSet, tiles: &Tiles) -> (usize, usize) {
    let width = i64::from(tiles.size[0]);
    let at = |cell: usize| (cell as i64 % width, cell as i64 / width);
    let walkable: Vec<usize> = (0..tiles.cells.len()).filter(|cell| set.walkable(tiles.cells[*cell])).collect();
    let Some(first) = walkable.first() else { return (0, 0) };
    let mut seen = BTreeSet::from([*first]);
    let mut queue = VecDeque::from([*first]);
    while let Some(cell) = queue.pop_front() {
        let (x, z) = at(cell);
        for (direction, [dx, dz]) in STEPS.into_iter().enumerate() {
            let Some(other) = tiles.at(x + dx, 0, z + dz) else { continue };
            let next = ((z + dz) * width + x + dx) as usize;
            let open = tiles.border(set, [x, 0, z], direction) != Border::Wall;
            if open && set.walkable(other) && seen.insert(next) {
                queue.push_back(next);
            }
        }
    }
    (seen.len(), walkable.len())
}

fn count(set: &TileSet, tiles: &Tiles, name: &str) -> usize {
    tiles.cells.iter().filter(|placed| set.tiles[placed.tile as usize].name == name).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn dungeons_fit_and_are_connected(width in 6u32..20, depth in 6u32..20, seed: u64) {
        let set = dungeon_tiles();
        let grid = TileGrid { attempts: 128, ..TileGrid::new(width, depth) };
        let tiles = dungeon(&set, &grid, seed).unwrap();
        prop_assert!(tiles.fits(&set));
        let (reached, walkable) = reached(&set, &tiles);
        prop_assert_eq!(reached, walkable);
        prop_assert_eq!(count(&set, &tiles, "stairs_up"), 1);
        prop_assert_eq!(count(&set, &tiles, "stairs_down"), 1);
        let in_rooms: usize = tiles.rooms.iter().map(Vec::len).sum();
        prop_assert_eq!(in_rooms, walkable);
        prop_assert_eq!(dungeon(&set, &grid, seed).unwrap(), tiles);
    }

    #[test]
    fn interiors_fit_their_outline_and_have_their_door(width in 8.0f32..20.0, depth in 7.0f32..16.0, seed: u64) {
        let outline = Footprint::Rectangle { width, depth }.corners().unwrap();
        let door = Entrance { position: [0.0, 0.0, -depth / 2.0], outward: [0.0, -1.0], width: 1.0 };
        let rooms = interior(&outline, &[door], 1.5, seed).unwrap();
        let set = interior_tiles();
        prop_assert!(rooms.tiles.fits(&set));
        let (reached, walkable) = reached(&set, &rooms.tiles);
        prop_assert_eq!(reached, walkable);
        prop_assert_eq!(walkable, rooms.tiles.cells.len());
        let column = (width / 2.0 / rooms.cell[0]).floor() as i64;
        prop_assert_eq!(rooms.tiles.border(&set, [column, 0, 0], 0), Border::Door);
    }
}

/// Over sizes and seeds, of which some would come out nearly empty.
#[test]
fn dungeons_are_as_full_as_they_should_be() {
    let set = dungeon_tiles();
    for seed in 0..200u64 {
        let (width, depth) = (7 + (seed % 4) as u32, 6 + (seed % 5) as u32);
        let grid = TileGrid { attempts: 128, ..TileGrid::new(width, depth) };
        let tiles = dungeon(&set, &grid, seed).unwrap();
        let (reached, walkable) = reached(&set, &tiles);
        assert!(walkable as f32 >= 0.35 * (width * depth) as f32, "{seed}: {walkable} of {width} x {depth}");
        assert_eq!(reached, walkable);
        assert!(tiles.fits(&set));
    }
}

#[test]
fn a_dungeon_that_cannot_be_as_full_says_so() {
    let grid = TileGrid { filled: 0.99, attempts: 3, ..TileGrid::new(10, 10) };
    let error = dungeon(&dungeon_tiles(), &grid, 1).unwrap_err();
    assert!(matches!(error, BuiltError::Sparse { attempts: 3, share, .. } if share < 0.99), "{error}");
    let grid = TileGrid { filled: 1.5, ..grid };
    let error = dungeon(&dungeon_tiles(), &grid, 1).unwrap_err();
    assert_eq!(error.to_string(), "filled is 1.5, allowed: 0 to 1");
}

#[test]
fn wings_have_rooms_too() {
    let footprint = Footprint::L { width: 16.0, depth: 14.0, wing: 7.0, reach: 6.0 };
    let outline = footprint.corners().unwrap();
    for seed in 0..10 {
        let rooms = interior(&outline, &[], 1.5, seed).unwrap();
        let set = interior_tiles();
        let (reached, walkable) = reached(&set, &rooms.tiles);
        assert_eq!(reached, walkable);
        assert!(walkable < rooms.tiles.cells.len() && walkable * 2 > rooms.tiles.cells.len());
        assert!(rooms.tiles.fits(&set));
    }
}

fn plain(name: &str, sides: [&str; 4]) -> Tile {
    Tile {
        name: name.into(),
        weight: 1.0,
        sides: sides.map(str::to_owned),
        above: None,
        below: None,
        turns: 1,
        walkable: true,
        least: 0,
        most: None,
        fittings: Vec::new(),
    }
}

fn set(tiles: Vec<Tile>, sockets: &[(&str, &[&str])]) -> TileSet {
    let socket =
        |joins: &[&str]| Socket { joins: joins.iter().map(|name| (*name).into()).collect(), border: Border::Open };
    TileSet {
        name: "test".into(),
        sockets: sockets.iter().map(|(name, joins)| ((*name).to_owned(), socket(joins))).collect(),
        tiles,
        outside: None,
    }
}

#[test]
fn tiles_that_cannot_fit_are_named_with_how_far_it_came() {
    let tiles = set(vec![plain("a", ["x", "x", "x", "y"])], &[("x", &[]), ("y", &["y"])]);
    let grid = TileGrid { attempts: 3, ..TileGrid::new(4, 4) };
    let error = dungeon(&tiles, &grid, 1).unwrap_err();
    assert!(
        matches!(&error, BuiltError::Contradiction { set, attempts: 3, cells: 16, .. } if set == "test"),
        "{error}"
    );
    assert!(error.to_string().starts_with("tile set \"test\": no way found to fill the grid in 3 attempts"));
}

#[test]
fn levels_fit_upon_each_other() {
    let on = |name: &str, below: &str, above: &str| Tile {
        below: Some(below.into()),
        above: Some(above.into()),
        ..plain(name, ["x"; 4])
    };
    let tiles = set(
        vec![on("foot", "ground", "wall"), on("middle", "wall", "wall"), on("roof", "wall", "sky")],
        &[("x", &["x"]), ("ground", &[]), ("wall", &["wall"]), ("sky", &[])],
    );
    for seed in 0..20 {
        let grid = TileGrid { size: [3, 3, 3], connected: false, ..TileGrid::new(3, 3) };
        let filled = dungeon(&tiles, &grid, seed).unwrap();
        assert!(filled.fits(&tiles));
        for y in 0..2 {
            let [below, above] = [filled.at(1, y, 1).unwrap(), filled.at(1, y + 1, 1).unwrap()];
            assert!(below.tile < 2 && above.tile > 0);
        }
    }
}

#[test]
fn fixed_cells_are_as_they_were_fixed() {
    let tiles = dungeon_tiles();
    let fixed = Fixed { cell: [3, 0, 4], tiles: vec!["cross".into()], turn: None };
    let grid = TileGrid { fixed: vec![fixed], ..TileGrid::new(10, 10) };
    for seed in 0..6 {
        let filled = dungeon(&tiles, &grid, seed).unwrap();
        assert_eq!(tiles.tiles[filled.at(3, 0, 4).unwrap().tile as usize].name, "cross");
    }
}

#[test]
fn what_is_wrong_with_tiles_is_named() {
    let refused = |set: &TileSet, grid: &TileGrid| dungeon(set, grid, 1).unwrap_err().to_string();
    let good = || set(vec![plain("a", ["x"; 4])], &[("x", &["x"])]);
    let grid = TileGrid::new(3, 3);
    let mut tiles = good();
    tiles.tiles[0].sides[2] = "z".into();
    assert_eq!(refused(&tiles, &grid), "tiles[0].sides names \"z\", which is not there");
    let mut tiles = good();
    tiles.tiles[0].weight = f32::NAN;
    assert_eq!(refused(&tiles, &grid), "tiles[0].weight is NaN, allowed: 0.001 to 1000");
    assert_eq!(refused(&good(), &TileGrid::new(300, 3)), "size (east) is 300, allowed: 1 to 256");
    let huge = TileGrid { size: [256, 256, 256], ..TileGrid::new(1, 1) };
    assert_eq!(refused(&good(), &huge), "size (cells) is 16777216, allowed: 1 to 65536");
    let out = Fixed { cell: [0, 1, 0], tiles: vec![], turn: None };
    let grid = TileGrid { fixed: vec![out], ..TileGrid::new(3, 3) };
    assert_eq!(refused(&good(), &grid), "fixed[0].cell: outside the grid");
    assert!(serde_json::from_str::<TileGrid>(r#"{"size":[2,1,2],"sized":1}"#).is_err());
    let sets = [dungeon_tiles(), interior_tiles()];
    for set in sets {
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<TileSet>(&text).unwrap(), set);
    }
}

#[test]
fn geometry_is_sound_and_rooms_have_no_holes() {
    let tiles = dungeon_tiles();
    for seed in 0..6 {
        let filled = dungeon(&tiles, &TileGrid::new(14, 12), seed).unwrap();
        let look = TileLook::default();
        let scene = tile_scene(&tiles, &filled, &look, seed).unwrap();
        let mut all = wasgo_gen::MeshData::default();
        for surface in &scene.surfaces {
            all.append(&surface.mesh);
        }
        let sub = |a: [f32; 3], b: [f32; 3]| [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
        let dot = |a: [f32; 3], b: [f32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
        let cross = |a: [f32; 3], b: [f32; 3]| {
            [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
        };
        let corners: Vec<[[f32; 3]; 3]> =
            all.indices.chunks_exact(3).map(|t| [0, 1, 2].map(|at| all.positions[t[at] as usize])).collect();
        for (triangle, indices) in corners.iter().zip(all.indices.chunks_exact(3)) {
            let front = cross(sub(triangle[1], triangle[0]), sub(triangle[2], triangle[0]));
            assert!(dot(front, front) > 1e-14);
            assert!(dot(front, all.normals[indices[0] as usize]) > 0.0);
        }
        assert!(!scene.lights.is_empty() && !scene.colliders.is_empty());
        assert!(scene.colliders.iter().all(|it| it.half.iter().all(|half| *half > 0.0)));
        // From the middle of every walkable cell, every way ends at a front.
        for (cell, placed) in filled.cells.iter().enumerate().filter(|(_, placed)| tiles.walkable(**placed)) {
            let stairs = tiles.tiles[placed.tile as usize].name.starts_with("stairs");
            if stairs || tiles.tiles[placed.tile as usize].name == "column" {
                continue;
            }
            let from = [(cell % 14) as f32 * 3.0 + 1.45, 1.37, (cell / 14) as f32 * 3.0 + 1.53];
            for ray in 0..14u32 {
                let (sin, cos) = libm::sincosf(ray as f32 * 2.399_963);
                let way = [cos, (ray % 5) as f32 * 0.31 - 0.62, sin];
                let mut best: Option<(f32, bool)> = None;
                for [a, b, c] in &corners {
                    let (e, f) = (sub(*b, *a), sub(*c, *a));
                    let p = cross(way, f);
                    let volume = dot(e, p);
                    if volume.abs() < 1e-9 {
                        continue;
                    }
                    let t = sub(from, *a);
                    let (u, q) = (dot(t, p) / volume, cross(t, e));
                    let (v, far) = (dot(way, q) / volume, dot(f, q) / volume);
                    let eps = -1e-5;
                    let hit = u >= eps && v >= eps && u + v <= 1.0 - eps && far > 0.0;
                    if hit && best.is_none_or(|(least, _)| far < least) {
                        best = Some((far, volume > 0.0));
                    }
                }
                let name = &tiles.tiles[placed.tile as usize].name;
                assert!(matches!(best, Some((_, true))), "{seed}: {name} at {cell}, {way:?}: {best:?}");
            }
        }
    }
}
