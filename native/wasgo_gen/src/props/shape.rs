//! Bodies made of shared points and triangles, before they have colours and normals. All are closed or face outwards,
//! counter-clockwise.

use std::collections::BTreeMap;
use std::f32::consts::TAU;

use crate::noise::simplex3;
use crate::vector::{Vector, add, cross, lerp, mul, scale, sub, unit};

/// A body.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) points: Vec<Vector>,
    pub(super) triangles: Vec<[u32; 3]>,
}

impl Shape {
    /// A sphere of radius 1: an icosahedron with every edge in `frequency` parts, 20 * frequency^2 triangles.
    pub(super) fn sphere(frequency: u32) -> Self {
        let (corners, faces) = icosahedron();
        let mut points = Vec::new();
        let mut triangles = Vec::new();
        // A point on an edge belongs to two faces, a corner to five: known by its corners and their weights.
        let mut known: BTreeMap<[(usize, u32); 3], u32> = BTreeMap::new();
        for face in faces {
            let mut point = |b: u32, c: u32| {
                // Corners without weight are alike, and last.
                let weights = [frequency - b - c, b, c];
                let mut key = [0, 1, 2].map(|n| if weights[n] > 0 { (face[n], weights[n]) } else { (usize::MAX, 0) });
                key.sort_unstable();
                let sum = key
                    .iter()
                    .filter(|(_, weight)| *weight > 0)
                    .fold([0.0; 3], |sum, (corner, weight)| add(sum, scale(corners[*corner], *weight as f32)));
                *known.entry(key).or_insert_with(|| {
                    points.push(unit(sum).unwrap_or([0.0, 1.0, 0.0]));
                    points.len() as u32 - 1
                })
            };
            for row in 0..frequency {
                for column in 0..frequency - row {
                    let (b, c) = (column, row);
                    triangles.push([point(b, c), point(b + 1, c), point(b, c + 1)]);
                    if column + 1 < frequency - row {
                        triangles.push([point(b + 1, c), point(b + 1, c + 1), point(b, c + 1)]);
                    }
                }
            }
        }
        Self { points, triangles }
    }

    /// Eight faces around 0, the corners at distance 1.
    pub(super) fn octahedron() -> Self {
        let points = vec![
            [1.0, 0.0, 0.0],
            [-1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            [0.0, -1.0, 0.0],
            [0.0, 0.0, 1.0],
            [0.0, 0.0, -1.0],
        ];
        let triangles = vec![[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]];
        Self { points, triangles }
    }

    /// A tube along a path of (middle, radius), open at its foot, ending in a point a little above its head. `sides` at least 3.
    pub(super) fn tube(path: &[(Vector, f32)], sides: u32) -> Self {
        let mut shape = Self { points: Vec::new(), triangles: Vec::new() };
        let mut direction = [0.0, 1.0, 0.0];
        for (number, (middle, radius)) in path.iter().enumerate() {
            let before = path[number.saturating_sub(1)].0;
            let after = path[(number + 1).min(path.len() - 1)].0;
            direction = unit(sub(after, before)).unwrap_or(direction);
            let (across, along) = frame(direction);
            for side in 0..sides {
                let (sin, cos) = libm::sincosf(side as f32 * TAU / sides as f32);
                let out = add(scale(across, cos * radius), scale(along, sin * radius));
                shape.points.push(add(*middle, out));
            }
        }
        let rings = path.len() as u32;
        for ring in 0..rings.saturating_sub(1) {
            for side in 0..sides {
                let next = (side + 1) % sides;
                let (a, b) = (ring * sides + side, ring * sides + next);
                shape.triangles.push([a, b, a + sides]);
                shape.triangles.push([b, b + sides, a + sides]);
            }
        }
        if let Some((middle, radius)) = path.last() {
            let tip = shape.points.len() as u32;
            shape.points.push(add(*middle, scale(direction, radius * 0.6)));
            let head = (rings - 1) * sides;
            for side in 0..sides {
                shape.triangles.push([head + side, head + (side + 1) % sides, tip]);
            }
        }
        shape
    }

    /// A skirt: a cone from a tip down to an edge of given points, closed below by a flatter cone up to `inside`.
    pub(super) fn skirt(tip: Vector, edge: &[Vector], inside: Vector) -> Self {
        let count = edge.len() as u32;
        let mut points = edge.to_vec();
        points.extend([tip, inside]);
        let sides = (0..count).flat_map(|side| {
            let next = (side + 1) % count;
            [[side, next, count], [next, side, count + 1]]
        });
        let triangles = sides.collect();
        Self { points, triangles }
    }

    /// A body turned from a profile of (radius, height) from its foot to its top, closed where the radius is 0.
    /// Walked upwards along the outside, down along an inside. `sides` at least 3.
    pub(super) fn lathe(profile: &[(f32, f32)], sides: u32) -> Self {
        let mut shape = Self { points: Vec::new(), triangles: Vec::new() };
        let mut below: Option<Vec<u32>> = None;
        for (radius, height) in profile {
            let first = shape.points.len() as u32;
            let ring: Vec<u32> = if *radius <= 0.0 {
                shape.points.push([0.0, *height, 0.0]);
                vec![first; sides as usize]
            } else {
                for side in 0..sides {
                    // Negative angles: counter-clockwise as seen from above.
                    let (sin, cos) = libm::sincosf(side as f32 * -TAU / sides as f32);
                    shape.points.push([cos * radius, *height, sin * radius]);
                }
                (first..first + sides).collect()
            };
            if let Some(below) = below {
                for side in 0..sides as usize {
                    let next = (side + 1) % sides as usize;
                    let (a, b, c, d) = (below[side], below[next], ring[next], ring[side]);
                    if a != b {
                        shape.triangles.push([a, b, d]);
                    }
                    if c != d {
                        shape.triangles.push([b, c, d]);
                    }
                }
            }
            below = Some(ring);
        }
        shape
    }

    /// A beam from one point to another: `width` wide, and `height` high as seen along it, as far as it is not vertical.
    pub(super) fn beam(from: Vector, to: Vector, width: f32, height: f32) -> Self {
        let along = unit(sub(to, from)).unwrap_or([0.0, 1.0, 0.0]);
        let side = unit(cross(along, [0.0, 1.0, 0.0])).unwrap_or([1.0, 0.0, 0.0]);
        let up = cross(side, along);
        let corner =
            |end: Vector, x: f32, y: f32| add(end, add(scale(side, x * width * 0.5), scale(up, y * height * 0.5)));
        let ring = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
        let mut points: Vec<Vector> = ring.iter().map(|(x, y)| corner(from, *x, *y)).collect();
        points.extend(ring.iter().map(|(x, y)| corner(to, *x, *y)));
        let mut triangles = vec![[0, 1, 2], [0, 2, 3], [4, 6, 5], [4, 7, 6]];
        for side in 0..4u32 {
            let next = (side + 1) % 4;
            triangles.extend([[side, side + 4, next], [next, side + 4, next + 4]]);
        }
        Self { points, triangles }
    }

    /// Every point times the factors, then moved.
    pub(super) fn placed(mut self, factors: Vector, offset: Vector) -> Self {
        for point in &mut self.points {
            *point = add(mul(*point, factors), offset);
        }
        self
    }

    /// Every point out or in along its direction from 0, by up to `strength` of its distance.
    pub(super) fn rough(mut self, seed: u64, frequency: f32, strength: f32) -> Self {
        for point in &mut self.points {
            let [x, y, z] = point.map(|v| f64::from(v * frequency));
            *point = scale(*point, 1.0 + strength * simplex3(seed, x, y, z) as f32);
        }
        self
    }

    /// Turned about +Y (from +Z to +X when positive).
    pub(super) fn turned(mut self, angle: f32) -> Self {
        let (sin, cos) = libm::sincosf(angle);
        for [x, _, z] in &mut self.points {
            (*x, *z) = (*x * cos + *z * sin, *z * cos - *x * sin);
        }
        self
    }

    /// Turned about +X (nodding forward, towards -Z, when negative).
    pub(super) fn pitched(mut self, angle: f32) -> Self {
        let (sin, cos) = libm::sincosf(angle);
        for [_, y, z] in &mut self.points {
            (*y, *z) = (*y * cos - *z * sin, *y * sin + *z * cos);
        }
        self
    }

    /// Turned about +Z (leaning to -X when positive).
    pub(super) fn rolled(mut self, angle: f32) -> Self {
        let (sin, cos) = libm::sincosf(angle);
        for [x, y, _] in &mut self.points {
            (*x, *y) = (*x * cos - *y * sin, *x * sin + *y * cos);
        }
        self
    }
}

/// Two directions square to `up`, so that turning from the first to the second is counter-clockwise as seen from its tip.
fn frame(up: Vector) -> (Vector, Vector) {
    let other = if up[0].abs() > 0.9 { [0.0, 1.0, 0.0] } else { [1.0, 0.0, 0.0] };
    let across = unit(cross(up, other)).unwrap_or([0.0, 0.0, 1.0]);
    (across, cross(up, across))
}

/// Twelve points of length 1 and twenty faces.
fn icosahedron() -> ([Vector; 12], [[usize; 3]; 20]) {
    // 1 and the golden ratio, at length 1.
    const A: f32 = 0.525_731_1;
    const B: f32 = 0.850_650_8;
    let corners = [
        [-A, B, 0.0],
        [A, B, 0.0],
        [-A, -B, 0.0],
        [A, -B, 0.0],
        [0.0, -A, B],
        [0.0, A, B],
        [0.0, -A, -B],
        [0.0, A, -B],
        [B, 0.0, -A],
        [B, 0.0, A],
        [-B, 0.0, -A],
        [-B, 0.0, A],
    ];
    let faces = [
        [0, 11, 5],
        [0, 5, 1],
        [0, 1, 7],
        [0, 7, 10],
        [0, 10, 11],
        [1, 5, 9],
        [5, 11, 4],
        [11, 10, 2],
        [10, 7, 6],
        [7, 1, 8],
        [3, 9, 4],
        [3, 4, 2],
        [3, 2, 6],
        [3, 6, 8],
        [3, 8, 9],
        [4, 9, 5],
        [2, 4, 11],
        [6, 2, 10],
        [8, 6, 7],
        [9, 8, 1],
    ];
    (corners, faces)
}

/// Points on a straight line with radii that shrink evenly: a path for [`Shape::tube`].
pub(super) fn taper(from: (Vector, f32), to: (Vector, f32), parts: u32) -> Vec<(Vector, f32)> {
    let at = |part: u32| {
        let share = part as f32 / parts as f32;
        (lerp(from.0, to.0, share), from.1 + (to.1 - from.1) * share)
    };
    (0..=parts).map(at).collect()
}
