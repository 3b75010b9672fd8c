//! Edge collapse with a measured error.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::collider::{Collider, Numbering, round_up};
use super::geometry::{Face, Point, Quadric, Shape, dot};

/// Most triangles at a vertex that takes part in a collapse: what is looked at for each stays bounded.
const MAX_FAN: usize = 32;

/// Most vertices taken away that the triangles at a vertex have in mind, for the same reason.
const MAX_POINTS: usize = 384;

/// How many neighbours of a vertex are tried, the cheapest first.
const TRIES: usize = 4;

/// A triangle may turn by a bit more than 60 degrees with one collapse.
const LEAST_COSINE: f64 = 0.45;

/// The least compactness of a triangle that isn't wanted: six times as long as wide. Physics doesn't like longer ones.
const NEEDLE: f64 = 0.08;

/// A mesh that loses vertices.
pub(super) struct Collapse {
    target: f64,
    positions: Vec<Point>,
    triangles: Vec<[u32; 3]>,
    /// Whether a triangle is still there.
    alive: Vec<bool>,
    /// Vertices taken away, with the triangle that each is near to, and how far from it.
    points: Vec<Vec<(u32, f64)>>,
    /// The triangles at each vertex.
    fans: Vec<Vec<u32>>,
    /// Whether a vertex must stay: at the border, or where more than two triangles meet at an edge.
    locked: Vec<bool>,
    quadrics: Vec<Quadric>,
    /// Whether a vertex is in the queue, once.
    queued: Vec<bool>,
    /// The cost of the cheapest collapse of a vertex as bits, which may have risen since, and the vertex.
    queue: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Collapse {
    /// Expects indices of vertices that there are.
    pub fn new(positions: &[[f32; 3]], indices: &[u32], target: f64) -> Self {
        let positions: Vec<Point> = positions.iter().map(|position| position.map(f64::from)).collect();
        let triangles = indices.as_chunks::<3>().0.to_vec();
        let mut fans = vec![Vec::new(); positions.len()];
        let mut quadrics = vec![Quadric::default(); positions.len()];
        for (number, triangle) in triangles.iter().enumerate() {
            let quadric = Quadric::of_plane(triangle.map(|vertex| positions[vertex as usize]));
            for vertex in triangle {
                fans[*vertex as usize].push(number as u32);
                quadrics[*vertex as usize].add(&quadric);
            }
        }
        let count = positions.len();
        let mut collapse = Self {
            target,
            positions,
            alive: vec![true; triangles.len()],
            points: vec![Vec::new(); triangles.len()],
            triangles,
            fans,
            locked: vec![false; count],
            quadrics,
            queued: vec![false; count],
            queue: BinaryHeap::new(),
        };
        collapse.lock();
        collapse
    }

    /// Locks the vertices around which the triangles are not one closed fan.
    fn lock(&mut self) {
        let mut ends = Vec::new();
        for vertex in 0..self.positions.len() as u32 {
            if self.is_crowded(vertex) {
                self.locked[vertex as usize] = true;
                continue;
            }
            ends.clear();
            for (from, to) in self.rim(vertex) {
                ends.push((from, true));
                ends.push((to, false));
            }
            ends.sort_unstable();
            // Each vertex of the rim is once the end of one triangle's side and once the start of the next one's.
            let closed = ends.len().is_multiple_of(2)
                && ends.chunks(2).all(|pair| pair == [(pair[0].0, false), (pair[0].0, true)])
                && ends.chunks(2).is_sorted_by(|a, b| a[0].0 < b[0].0);
            self.locked[vertex as usize] = !closed || ends.len() < 6 || !self.is_one_fan(vertex);
        }
    }

    fn is_crowded(&self, vertex: u32) -> bool {
        self.fans[vertex as usize].len() > MAX_FAN
    }

    /// Whether the rim of a vertex is one ring, not several.
    fn is_one_fan(&self, vertex: u32) -> bool {
        let Some(start) = self.rim(vertex).next() else { return false };
        let (mut at, mut steps) = (start.1, 1);
        while at != start.0 && steps <= self.fans[vertex as usize].len() {
            match self.rim(vertex).find(|(from, _)| *from == at) {
                Some((_, to)) => at = to,
                None => return false,
            }
            steps += 1;
        }
        steps == self.fans[vertex as usize].len()
    }

    /// The sides opposite of a vertex in the triangles at it.
    fn rim(&self, vertex: u32) -> impl Iterator<Item = (u32, u32)> {
        self.fans[vertex as usize].iter().filter_map(move |number| {
            let [a, b, c] = self.triangles[*number as usize];
            if a == vertex {
                Some((b, c))
            } else if b == vertex {
                Some((c, a))
            } else if c == vertex {
                Some((a, b))
            } else {
                None
            }
        })
    }

    /// Collapses whatever can be.
    pub fn run(&mut self) {
        for vertex in 0..self.positions.len() as u32 {
            self.enqueue(vertex);
        }
        let mut candidates = Vec::new();
        while let Some(Reverse((cost, vertex))) = self.queue.pop() {
            self.queued[vertex as usize] = false;
            candidates.clear();
            candidates.extend(self.rim(vertex).map(|(to, _)| (self.cost(vertex, to).to_bits(), to)));
            candidates.sort_unstable();
            if candidates.first().is_some_and(|(cheapest, _)| *cheapest > cost) {
                self.enqueue(vertex);
                continue;
            }
            for (_, to) in candidates.iter().take(TRIES) {
                if self.try_collapse(vertex, *to) {
                    break;
                }
            }
        }
    }

    /// Squares of distances: not below 0, so that their bits are in their order.
    fn cost(&self, from: u32, to: u32) -> f64 {
        self.quadrics[from as usize].at(self.positions[to as usize])
    }

    fn enqueue(&mut self, vertex: u32) {
        if self.locked[vertex as usize] || self.queued[vertex as usize] {
            return;
        }
        let cheapest = self.rim(vertex).map(|(to, _)| self.cost(vertex, to).to_bits()).min();
        if let Some(cost) = cheapest {
            self.queued[vertex as usize] = true;
            self.queue.push(Reverse((cost, vertex)));
        }
    }

    /// Moves a vertex onto a neighbour, unless the mesh would fold, tear or go too far from a vertex.
    fn try_collapse(&mut self, from: u32, to: u32) -> bool {
        let fan = &self.fans[from as usize];
        if fan.len() + self.fans[to as usize].len() > MAX_FAN + 4 || !self.keeps_shape(from, to) {
            return false;
        }
        let staying: Vec<(u32, [u32; 3])> = fan
            .iter()
            .map(|number| (*number, self.triangles[*number as usize]))
            .filter(|(_, triangle)| !triangle.contains(&to))
            .map(|(number, triangle)| (number, triangle.map(|vertex| if vertex == from { to } else { vertex })))
            .collect();
        if !staying.iter().all(|(number, after)| self.keeps_side(self.triangles[*number as usize], *after)) {
            return false;
        }
        let Some(points) = self.measure(from, &staying) else { return false };
        self.apply(from, to, &staying, points);
        true
    }

    /// Whether the two have exactly the neighbours in common that the triangles between them have.
    fn keeps_shape(&self, from: u32, to: u32) -> bool {
        let is_beside = |vertex: u32| self.rim(to).any(|(a, b)| a == vertex || b == vertex);
        let mut shared = self.rim(from).map(|(vertex, _)| vertex).filter(|vertex| is_beside(*vertex));
        let (Some(first), Some(second), None) = (shared.next(), shared.next(), shared.next()) else { return false };
        // Of three triangles one is left. In a tetrahedron that one is there already, on the other side.
        let is_there = || self.rim(to).any(|side| side == (first, second) || side == (second, first));
        let is_last = self.fans[from as usize].len() == 3 && is_there();
        !is_last && !self.is_crowded(first) && !self.is_crowded(second)
    }

    /// Whether a triangle turns little, and does not become a needle if it was none.
    fn keeps_side(&self, before: [u32; 3], after: [u32; 3]) -> bool {
        let [before, after] = [before, after].map(|corners| Shape::of(corners.map(|at| self.positions[at as usize])));
        let lengths = dot(before.normal, before.normal) * dot(after.normal, after.normal);
        let along = dot(before.normal, after.normal);
        let stays = along > 0.0 && along * along > LEAST_COSINE * LEAST_COSINE * lengths;
        stays && after.compactness() >= before.compactness().min(NEEDLE)
    }

    /// For all vertices in mind of the triangles at `from`, and for itself: which of the triangles after is nearest, and
    /// how far it is. `None` when one is too far.
    fn measure(&self, from: u32, staying: &[(u32, [u32; 3])]) -> Option<Vec<(u32, u32, f64)>> {
        let fan = &self.fans[from as usize];
        let count = fan.iter().map(|number| self.points[*number as usize].len()).sum::<usize>();
        if count >= MAX_POINTS {
            return None;
        }
        let corners = |triangle: [u32; 3]| triangle.map(|vertex| self.positions[vertex as usize]);
        let faces: Vec<Face> = staying.iter().map(|(_, triangle)| Face::new(corners(*triangle))).collect();
        let mut measured = Vec::with_capacity(count + 1);
        let in_mind = fan.iter().flat_map(|number| self.points[*number as usize].iter().map(|(point, _)| *point));
        for point in std::iter::once(from).chain(in_mind) {
            let at = self.positions[point as usize];
            let mut nearest = (f64::INFINITY, 0);
            for (face, (number, _)) in faces.iter().zip(staying) {
                if let Some(nearer) = face.nearer(at, nearest.0) {
                    nearest = (nearer, *number);
                }
            }
            let far = nearest.0.sqrt();
            if far.is_nan() || far > self.target {
                return None;
            }
            measured.push((nearest.1, point, far));
        }
        Some(measured)
    }

    fn apply(&mut self, from: u32, to: u32, staying: &[(u32, [u32; 3])], points: Vec<(u32, u32, f64)>) {
        let fan = std::mem::take(&mut self.fans[from as usize]);
        for number in fan {
            self.points[number as usize].clear();
            if !staying.iter().any(|(stays, _)| *stays == number) {
                self.alive[number as usize] = false;
                for vertex in self.triangles[number as usize] {
                    self.fans[vertex as usize].retain(|other| *other != number);
                }
            }
        }
        for (number, triangle) in staying {
            self.triangles[*number as usize] = *triangle;
            self.fans[to as usize].push(*number);
        }
        for (number, point, far) in points {
            self.points[number as usize].push((point, far));
        }
        let quadric = self.quadrics[from as usize];
        self.quadrics[to as usize].add(&quadric);
        let around: Vec<u32> = self.rim(to).map(|(vertex, _)| vertex).chain([to]).collect();
        for vertex in around {
            self.enqueue(vertex);
        }
    }

    /// What is left, with the vertices in the order in which the triangles name them.
    pub fn finish(&self, positions: &[[f32; 3]]) -> Collider {
        let mut numbering = Numbering::new(positions.len());
        let mut indices = Vec::new();
        let mut error: f64 = 0.0;
        for (number, triangle) in self.triangles.iter().enumerate().filter(|(number, _)| self.alive[*number]) {
            indices.extend(triangle.map(|vertex| numbering.number(vertex)));
            error = self.points[number].iter().fold(error, |most, (_, far)| most.max(*far));
        }
        let positions = numbering.order.iter().map(|vertex| positions[*vertex as usize]).collect();
        Collider { positions, indices, error: round_up(error) }
    }
}
