//! The ground under places: whether a rule's things stand there.

use super::{Place, SALT};
use crate::chunk::Grid;
use crate::chunk::ground_at;
use crate::field::kernel::floor;
use crate::field::program::Scratch;
use crate::generator::Generator;
use crate::hash::{derive, unit};

/// A place on the ground.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) place: Place,
    pub(super) height: f32,
    /// 1 - y of the normal.
    pub(super) slope: f32,
}

/// Those of the places whose ground suits the rule.
pub(super) fn stand(
    generator: &Generator,
    grid: &Grid,
    rule: usize,
    places: Vec<Place>,
    scratch: &mut Scratch,
) -> Vec<Standing> {
    let mut standing = on_ground(generator, grid, places, scratch);
    let wanted = &generator.plan().scatter[rule];
    let holds = |(least, greatest): (f32, f32), value: f32| least <= value && value <= greatest;
    standing.retain(|it| holds(wanted.slope, it.slope) && holds(wanted.height, it.height));
    if !generator.changes.nothing() {
        let (x, z): (Vec<f64>, Vec<f64>) = standing.iter().map(|it| (it.place.x, it.place.z)).unzip();
        let (mut heights, mut taken) = (vec![0.0; x.len()], vec![false; x.len()]);
        generator.shape(&x, &z, grid.lattice.level, &mut heights, |number, shaped| taken[number] = shaped.clear);
        let mut taken = taken.into_iter();
        standing.retain(|_| taken.next() == Some(false));
    }
    if wanted.by.is_some() {
        let (x, z): (Vec<f64>, Vec<f64>) = standing.iter().map(|it| (it.place.x, it.place.z)).unzip();
        let (heights, slopes): (Vec<f32>, Vec<f32>) = standing.iter().map(|it| (it.height, it.slope)).unzip();
        let mut shares = vec![0.0; standing.len()];
        generator.mask(rule, (&x, &z), (&heights, &slopes), &mut shares, scratch);
        let mut shares = shares.into_iter();
        standing.retain(|it| shares.next().is_some_and(|share| unit(derive(it.place.hash, SALT)) < share));
    }
    standing
}

/// Heights and slopes of the finest mesh at all places.
pub(super) fn on_ground(
    generator: &Generator,
    grid: &Grid,
    places: Vec<Place>,
    scratch: &mut Scratch,
) -> Vec<Standing> {
    let step = grid.lattice.finest;
    let square = |place: &Place| {
        let ((_, x), (_, z)) = (floor(place.x / step), floor(place.z / step));
        (i64::from(x), i64::from(z))
    };
    let mut heights: Vec<Option<[f32; 4]>> = Vec::with_capacity(places.len());
    // What the chunk hasn't got is computed for all at once, at the same points: the same bits.
    let (mut x, mut z) = (Vec::new(), Vec::new());
    for place in &places {
        let (column, row) = square(place);
        let known = grid.square(column, row);
        if known.is_none() {
            for (dx, dz) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                x.push((column + dx) as f64 * step);
                z.push((row + dz) as f64 * step);
            }
        }
        heights.push(known);
    }
    let mut computed = vec![0.0; x.len()];
    generator.heights_in(&x, &z, grid.lattice.level, &mut computed, scratch);
    let mut computed = computed.chunks_exact(4).map(|four| [four[0], four[1], four[2], four[3]]);
    let mut standing = Vec::with_capacity(places.len());
    for (place, known) in places.into_iter().zip(heights) {
        let Some(corners) = known.or_else(|| computed.next()) else { continue };
        let (column, row) = square(&place);
        let (u, v) = (place.x / step - column as f64, place.z / step - row as f64);
        let (height, slope) = ground_at(corners, u, v, step);
        standing.push(Standing { place, height, slope });
    }
    standing
}
