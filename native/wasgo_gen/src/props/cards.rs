//! A prop as two crossed cards with a front and a back each, cut to its outline.

use super::build::{Vertex, vertex, with_room};
use super::model::{Finish, PropLod};
use crate::MeshData;
use crate::hash::hash2;
use crate::vector::{Vector, add, lerp, scale, unit};

/// Bands into which the outline is cut.
const BANDS: usize = 7;

/// What a band holds.
#[derive(Clone, Copy)]
struct Band {
    low: f32,
    high: f32,
    sum: f32,
    squares: f32,
    color: Vector,
    weight: f32,
    colored: f32,
    /// The leaf that stands for those left and right of the middle: its rank by chance, and its colour.
    chosen: [(u64, Vector); 2],
    wind: [f32; 2],
}

const EMPTY: Band = Band {
    low: f32::MAX,
    high: f32::MIN,
    sum: 0.0,
    squares: 0.0,
    color: [0.0; 3],
    weight: 0.0,
    colored: 0.0,
    chosen: [(u64::MAX, [0.0; 3]); 2],
    wind: [0.0; 2],
};

/// Two cards, seen from -Z and +Z and from -X and +X, each side with faces of its own: one face seen from both sides would be
/// lit from below on its back. They have the colours of what they stand for, and texture coordinates
/// in an image of the bounds whose left half looks along -Z and whose right half along -X (see [`impostor`](super::impostor())).
pub(super) fn cards(lod: &PropLod, [least, greatest]: [Vector; 2]) -> MeshData {
    let height = greatest[1] - least[1].max(0.0);
    let mut mesh = with_room(BANDS * 8 + 8, BANDS * 8);
    if height <= 0.0 {
        return mesh;
    }
    let floor = least[1].max(0.0);
    for axis in [0, 2] {
        let lines = lines(lod, axis, floor, height);
        for front in [true, false] {
            card(&mut mesh, &lines, (axis, front), [least, greatest], floor, height);
        }
    }
    mesh
}

/// What each of the lines between bands sees: half a band below and half above.
fn lines(lod: &PropLod, axis: usize, floor: f32, height: f32) -> [Band; BANDS + 1] {
    let mut lines = [EMPTY; BANDS + 1];
    for part in &lod.parts {
        let mesh = &part.mesh;
        let wooden = part.finish == Finish::Bark;
        let mut see = |at: Vector, number: usize| {
            let place = (at[1] - floor) / height * BANDS as f32;
            let line = &mut lines[((place + 0.5).max(0.0) as usize).min(BANDS)];
            line.low = line.low.min(at[axis]);
            line.high = line.high.max(at[axis]);
            line.sum += at[axis];
            line.squares += at[axis] * at[axis];
            let [red, green, blue, _] = mesh.colors[number];
            // Limbs have many vertices for what is seen of them among leaves.
            let weight = if wooden { 0.12 } else { 1.0 };
            let side = usize::from(at[axis] > 0.0);
            let rank = hash2(0, number as i64, axis as i64);
            if !wooden && rank < line.chosen[side].0 {
                line.chosen[side] = (rank, [red, green, blue]);
            }
            line.color = add(line.color, scale([red, green, blue], weight));
            line.colored += weight;
            line.wind = [line.wind[0] + mesh.uvs2[number][0], line.wind[1] + mesh.uvs2[number][1]];
            line.weight += 1.0;
        };
        for (number, at) in mesh.positions.iter().enumerate() {
            see(*at, number);
        }
        if wooden {
            // Along a bare trunk vertices are further apart than lines.
            for triangle in mesh.indices.chunks_exact(3) {
                let (foot, head) = (triangle[0] as usize, triangle[2] as usize);
                for share in [0.25, 0.5, 0.75] {
                    see(lerp(mesh.positions[foot], mesh.positions[head], share), foot);
                }
            }
        }
    }
    // A line that sees nothing looks like the one below.
    for number in 1..=BANDS {
        if lines[number].weight == 0.0 {
            lines[number] = lines[number - 1];
        }
    }
    for number in (0..BANDS).rev() {
        if lines[number].weight == 0.0 {
            lines[number] = lines[number + 1];
        }
    }
    lines
}

fn card(
    mesh: &mut MeshData,
    lines: &[Band; BANDS + 1],
    (axis, front): (usize, bool),
    [least, greatest]: [Vector; 2],
    floor: f32,
    height: f32,
) {
    let side = greatest[axis] - least[axis];
    // The front looks along +Z, or along +X.
    let ahead = if front { 1.0 } else { -1.0 };
    let normal = if axis == 0 { [0.0, 0.0, ahead] } else { [ahead, 0.0, 0.0] };
    let mut before: Option<[u32; 2]> = None;
    for (number, line) in lines.iter().enumerate() {
        let share = number as f32 / BANDS as f32;
        let weight = 1.0 / line.weight.max(1.0);
        // What sticks out furthest is thin: the outline is where most ends.
        let mean = line.sum * weight;
        let reach = 1.75 * (line.squares * weight - mean * mean).max(0.0).sqrt() + height * 0.006;
        // Tops are round.
        let reach = if number == BANDS { 0.55 * reach } else { reach };
        let (left, right) = ((mean - reach).max(line.low), (mean + reach).min(line.high));
        let (middle, half) = (0.5 * (left + right), (0.5 * (right - left)).max(height * 0.004));
        let corners: [u32; 2] = std::array::from_fn(|corner| {
            // Seen from the front, from left to right: +X to the right along -Z, -Z to the right along -X.
            let right = if (corner == 1) == (axis == 0) { half } else { -half };
            let mut at = [0.0, floor + height * share, 0.0];
            at[axis] = (middle + right).clamp(least[axis], greatest[axis].max(least[axis]));
            let across = (at[axis] - least[axis]) / side.max(1e-9);
            let across = if axis == 0 { across * 0.5 } else { 1.0 - across * 0.5 };
            let mean = scale(line.color, 1.0 / line.colored.max(1e-6));
            let (rank, chosen) = line.chosen[usize::from(right > 0.0)];
            // The mean of blossoms and leaves is mud.
            let color = if rank == u64::MAX { mean } else { lerp(mean, chosen, 0.6) };
            // Shaded as something round.
            let mut round = add(normal, [0.0, 0.7, 0.0]);
            round[axis] += 0.7 * right / half;
            let normal = unit(round).unwrap_or(normal);
            vertex(
                mesh,
                Vertex { at, normal, color, uv: [across, 1.0 - share], wind: line.wind.map(|sum| sum * weight) },
            )
        });
        if let Some([left, right]) = before {
            let faces = [[left, right, corners[1]], [left, corners[1], corners[0]]];
            let faces = if front { faces } else { faces.map(|[a, b, c]| [a, c, b]) };
            mesh.indices.extend(faces.as_flattened());
        }
        before = Some(corners);
    }
}
