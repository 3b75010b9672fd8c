//! Lines of points: smoothing, even steps, and heights that are not too steep.

/// How far apart the points of a road are, in metres.
pub(super) const STEP: f64 = 4.0;

/// The most points of a line.
const MAX_POINTS: usize = 4096;

/// G. Chaikin's corner cutting, 1974, then points in even steps, then a little more smoothing. The ends stay.
pub(super) fn smooth(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mut line = points.to_vec();
    for _ in 0..3 {
        let mut next = Vec::with_capacity(line.len() * 2);
        next.extend(line.first());
        for pair in line.windows(2) {
            let at = |share: f64| {
                [pair[0][0] + (pair[1][0] - pair[0][0]) * share, pair[0][1] + (pair[1][1] - pair[0][1]) * share]
            };
            next.extend([at(0.25), at(0.75)]);
        }
        next.extend(line.last());
        line = next;
    }
    let mut line = even(&line, STEP);
    for _ in 0..10 {
        let old = line.clone();
        for at in 1..line.len().saturating_sub(1) {
            for axis in [0, 1] {
                line[at][axis] = (old[at - 1][axis] + 2.0 * old[at][axis] + old[at + 1][axis]) / 4.0;
            }
        }
    }
    line
}

/// Points at even distances of about `step` along a line. The ends stay.
pub(super) fn even(line: &[[f64; 2]], step: f64) -> Vec<[f64; 2]> {
    let lengths: Vec<f64> = line.windows(2).map(|pair| distance(pair[0], pair[1])).collect();
    let total: f64 = lengths.iter().sum();
    let (Some(first), Some(last)) = (line.first(), line.last()) else { return Vec::new() };
    let count = ((total / step + 0.5).floor() as usize).clamp(1, MAX_POINTS);
    let mut points = Vec::with_capacity(count + 1);
    points.push(*first);
    let (mut piece, mut behind) = (0, 0.0);
    for number in 1..count {
        let wanted = total * number as f64 / count as f64;
        while piece + 1 < lengths.len() && behind + lengths[piece] < wanted {
            behind += lengths[piece];
            piece += 1;
        }
        let share = if lengths[piece] > 0.0 { ((wanted - behind) / lengths[piece]).clamp(0.0, 1.0) } else { 0.0 };
        let (a, b) = (line[piece], line[piece + 1]);
        points.push([a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share]);
    }
    points.push(*last);
    points
}

pub(super) fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    let (dx, dz) = (b[0] - a[0], b[1] - a[1]);
    (dx * dx + dz * dz).sqrt()
}

/// Heights along a line that rise and fall by at most `grade` per metre: near the wanted ones, at least the `least` ones,
/// with the first and last as they are. Nothing when that is not possible.
pub(super) fn profile(line: &[[f64; 2]], wanted: &[f32], least: &[Option<f32>], grade: f32) -> Option<Vec<f32>> {
    let count = wanted.len();
    if count < 2 || line.len() != count || least.len() != count {
        return None;
    }
    // A little less than allowed, so that rounding does not go over it.
    let grade = f64::from(grade) * 0.999;
    let rise: Vec<f64> = line.windows(2).map(|pair| distance(pair[0], pair[1]) * grade).collect();
    let mut heights: Vec<f64> = wanted.iter().map(|height| f64::from(*height)).collect();
    let ends = [heights[0], heights[count - 1]];
    if (ends[1] - ends[0]).abs() > rise.iter().sum() {
        return None;
    }
    for _ in 0..16 {
        let old = heights.clone();
        for at in 1..count - 1 {
            heights[at] = (old[at - 1] + 2.0 * old[at] + old[at + 1]) / 4.0;
        }
    }
    // What the ends leave possible.
    let spread = |values: &mut Vec<f64>, sign: f64| {
        for at in 1..count {
            let reached = values[at - 1] * sign + rise[at - 1];
            values[at] = (values[at] * sign).min(reached) * sign;
        }
        for at in (0..count - 1).rev() {
            let reached = values[at + 1] * sign + rise[at];
            values[at] = (values[at] * sign).min(reached) * sign;
        }
    };
    let between = |sign: f64| {
        let mut values = vec![f64::MAX * sign; count];
        values[0] = ends[0];
        values[count - 1] = ends[1];
        spread(&mut values, sign);
        values
    };
    let (above, below) = (between(1.0), between(-1.0));
    for at in 0..count {
        heights[at] = heights[at].min(above[at]).max(below[at]);
    }
    let (mut upper, mut lower) = (heights.clone(), heights);
    spread(&mut upper, 1.0);
    spread(&mut lower, -1.0);
    let mut heights: Vec<f64> = upper.iter().zip(&lower).map(|(a, b)| (a + b) / 2.0).collect();
    let mut floor = vec![f64::MIN; count];
    for (floor, least) in floor.iter_mut().zip(least) {
        *floor = least.map_or(f64::MIN, f64::from);
    }
    spread(&mut floor, -1.0);
    if floor[0] > ends[0] || floor[count - 1] > ends[1] {
        return None;
    }
    for (height, floor) in heights.iter_mut().zip(&floor) {
        *height = height.max(*floor);
    }
    Some(heights.into_iter().map(|height| height as f32).collect())
}
