//! Volumes close, whatever the levels of the chunks, and chunks agree on what they share.

mod volume_world;

use std::collections::{BTreeMap, BTreeSet};

use volume_world::{Leaf, World, densities};
use wasgo_gen::volume::{DIRECTIONS, VolumeMesh, grids};

/// Positions for the whole world: 2^-16 of a cell of level 0.
type Point = [i64; 3];

/// Where a vertex of a chunk is in the world.
fn place(world: &World, (level, at): Leaf, lattice: [i32; 3]) -> Point {
    [0, 1, 2].map(|axis| (((at[axis] * i64::from(world.cells)) << 16) + i64::from(lattice[axis])) << level)
}

/// What all the chunks of a world make together.
#[derive(Default)]
struct Joined {
    /// Bits of the normal of each vertex.
    normals: BTreeMap<Point, [u32; 3]>,
    triangles: Vec<[Point; 3]>,
    seam_triangles: usize,
}

impl Joined {
    /// Meshes every chunk, and checks that chunks agree on each vertex that they share.
    fn new(world: &World, density: &impl Fn([i64; 3]) -> f32) -> Self {
        let mut joined = Self::default();
        for leaf in &world.leaves {
            joined.add(world, *leaf, &world.mesh(*leaf, density));
        }
        joined
    }

    fn add(&mut self, world: &World, leaf: Leaf, mesh: &VolumeMesh) {
        let places: Vec<Point> = mesh.lattice.iter().map(|at| place(world, leaf, *at)).collect();
        let unique: BTreeSet<&Point> = places.iter().collect();
        assert_eq!(unique.len(), places.len(), "vertices of different cells are at one place");
        let mut used = vec![false; places.len()];
        for (place, normal) in places.iter().zip(&mesh.mesh.normals) {
            let bits = normal.map(f32::to_bits);
            let known = self.normals.entry(*place).or_insert(bits);
            assert_eq!(*known, bits, "normal at {place:?}");
            let length = normal.iter().map(|n| n * n).sum::<f32>();
            assert!((length - 1.0).abs() < 1e-5, "normal of length {length}");
        }
        for triangle in mesh.mesh.indices.as_chunks::<3>().0 {
            triangle.iter().for_each(|index| used[*index as usize] = true);
            let [a, b, c] = triangle.map(|index| places[index as usize]);
            assert!(a != b && b != c && c != a);
            self.triangles.push([a, b, c]);
        }
        assert!(used.into_iter().all(|used| used), "a vertex without a triangle");
        self.seam_triangles += mesh.stats.seam_triangles as usize;
    }

    /// Every edge is passed as often one way as the other.
    fn assert_closed(&self, name: &str) {
        let mut edges = BTreeMap::<[Point; 2], i32>::new();
        for [a, b, c] in &self.triangles {
            for (from, to) in [(a, b), (b, c), (c, a)] {
                let (key, way) = if from < to { ([*from, *to], 1) } else { ([*to, *from], -1) };
                *edges.entry(key).or_default() += way;
            }
        }
        let open: Vec<_> = edges.iter().filter(|(_, balance)| **balance != 0).collect();
        assert!(open.is_empty(), "{name}: {} of {} edges are open: {:?}", open.len(), edges.len(), open[0]);
    }

    /// In finest cells.
    fn volume(&self) -> f64 {
        let of = |[a, b, c]: &[Point; 3]| {
            let [a, b, c] = [a, b, c].map(|p| p.map(|x| x as f64 / 65_536.0));
            let cross = [b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0]];
            a.iter().zip(cross).map(|(a, b)| a * b).sum::<f64>() / 6.0
        };
        self.triangles.iter().map(of).sum()
    }
}

fn worlds() -> Vec<(String, World)> {
    let random = (0..1).map(|seed| (format!("random {seed}"), World::random(8, 3, seed)));
    let steep = (0..6).map(|seed| (format!("steep {seed}"), World::steep(8, 4, 1 + seed as u32 / 2, seed)));
    random.chain(steep).chain([("steepest".into(), World::steep(16, 5, 2, 9))]).collect()
}

#[test]
fn chunks_of_all_levels_close_together() {
    let mut steps = BTreeSet::new();
    let mut seams = 0;
    for (seed, (world_name, world)) in worlds().into_iter().enumerate() {
        for leaf in &world.leaves {
            let neighbours = world.neighbours(*leaf);
            steps.extend(neighbours.steps().into_iter().enumerate().filter(|(_, step)| *step > 0));
        }
        let margin = 3 << (world.depth - 1);
        // Half of the densities in each world, all of them in any two.
        for (name, density) in densities(world.side(), margin, seed as u64).into_iter().skip(seed % 2).step_by(2) {
            let joined = Joined::new(&world, &density);
            let name = format!("{name}, {world_name}");
            assert!(!joined.triangles.is_empty(), "{name}");
            joined.assert_closed(&name);
            assert!(joined.volume() > 0.0, "{name}");
            seams += joined.seam_triangles;
        }
    }
    let seen = |most| steps.iter().filter(|(_, step)| *step <= most).count();
    assert_eq!(seen(3), 18 * 3, "each direction has had each step: {steps:?}");
    assert!(seen(4) > 18 * 3 && seams > 10_000, "{seams} triangles at seams");
}

#[test]
fn a_neighbour_of_the_same_level_between_two_coarser_ones_has_a_grid() {
    let has = |world: &World| {
        let mut grids = world.leaves.iter().flat_map(|leaf| grids(16, &world.neighbours(*leaf)).unwrap().split_off(1));
        grids.any(|grid| grid.stride == 1)
    };
    assert!(worlds().iter().any(|(_, world)| has(world)), "the worlds of the other tests should have one");
}

#[test]
fn vertices_beyond_the_border_are_those_of_the_neighbour() {
    let mut compared = BTreeMap::<i8, usize>::new();
    for (seed, (_, world)) in worlds().into_iter().enumerate() {
        let (_, density) = densities(world.side(), 3 << (world.depth - 1), seed as u64).swap_remove(0);
        // The vertices of each chunk by cell of its own size, with all that is in a vertex.
        let mut vertices = BTreeMap::<Leaf, BTreeMap<[i64; 3], (Point, [u32; 3])>>::new();
        for leaf in &world.leaves {
            let mesh = world.mesh(*leaf, &density);
            let normals = mesh.mesh.normals.iter().map(|normal| normal.map(f32::to_bits));
            let places = mesh.lattice.iter().map(|at| self::place(&world, *leaf, *at));
            let by_cell = places.zip(normals).map(|vertex| (vertex.0.map(|p| p >> (16 + leaf.0)), vertex));
            vertices.insert(*leaf, by_cell.collect());
        }
        for (leaf, (direction, number)) in
            world.leaves.iter().flat_map(|leaf| DIRECTIONS.into_iter().zip(0..).map(move |direction| (leaf, direction)))
        {
            let step = world.neighbours(*leaf).steps()[number];
            let place = [0, 1, 2].map(|axis| leaf.1[axis] + i64::from(direction[axis]));
            let other = (leaf.0 + step.max(0) as u32, place.map(|p| p >> step.max(0)));
            let Some(theirs) = (step >= 0).then(|| vertices.get(&other)).flatten() else { continue };
            let cell = |place: Point| place.map(|p| p >> (16 + other.0));
            let of_other = |cell: [i64; 3]| (0..3).all(|a| cell[a].div_euclid(i64::from(world.cells)) == other.1[a]);
            for ours in vertices[leaf].values().filter(|vertex| of_other(cell(vertex.0))) {
                if let Some(theirs) = theirs.get(&cell(ours.0)) {
                    assert_eq!(ours, theirs, "{leaf:?} and {other:?}");
                    *compared.entry(step).or_default() += 1;
                }
            }
        }
    }
    assert!((0..=4).all(|step| compared.get(&step).is_some_and(|count| *count > 20)), "{compared:?}");
}
