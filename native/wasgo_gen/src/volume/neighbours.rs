//! The levels of the chunks around a chunk, and which of the edges on its faces are its own.

use super::{MAX_STEP, VolumeError};

/// The places of neighbours in [`Neighbours`]: six across faces, then twelve across edges. What lies across a corner
/// shares no edge of a cell with the chunk and has no influence.
pub const DIRECTIONS: [[i8; 3]; 18] = [
    [-1, 0, 0],
    [1, 0, 0],
    [0, -1, 0],
    [0, 1, 0],
    [0, 0, -1],
    [0, 0, 1],
    [0, -1, -1],
    [0, 1, -1],
    [0, -1, 1],
    [0, 1, 1],
    [-1, 0, -1],
    [-1, 0, 1],
    [1, 0, -1],
    [1, 0, 1],
    [-1, -1, 0],
    [1, -1, 0],
    [-1, 1, 0],
    [1, 1, 0],
];

/// How many levels coarser than a chunk the chunks around it are: one number for each of [`DIRECTIONS`].
///
/// 0 is the same level, 1 is cells of twice the size, up to [`MAX_STEP`]; any number below 0 is finer, however much and
/// in how many pieces. In an octree that names each of them: what lies beside a chunk is one chunk of its level or
/// coarser, or finer throughout. Where the world ends, 0 leaves the surface open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Neighbours {
    steps: [i8; 18],
}

impl Neighbours {
    /// All of the same level.
    pub const SAME: Self = Self { steps: [0; 18] };

    /// From the steps in the order of [`DIRECTIONS`].
    ///
    /// # Errors
    ///
    /// [`VolumeError::Step`] for one above [`MAX_STEP`].
    pub fn new(steps: [i8; 18]) -> Result<Self, VolumeError> {
        for (direction, step) in DIRECTIONS.into_iter().zip(steps) {
            if i32::from(step) > MAX_STEP as i32 {
                return Err(VolumeError::Step { direction, step, max: MAX_STEP });
            }
        }
        Ok(Self { steps })
    }

    /// The steps in the order of [`DIRECTIONS`].
    #[must_use]
    pub fn steps(&self) -> [i8; 18] {
        self.steps
    }

    /// The greatest step, at least 0.
    #[must_use]
    pub fn coarsest(&self) -> u32 {
        self.steps.iter().fold(0, |most, step| most.max(*step)) as u32
    }

    pub(super) fn step(&self, number: usize) -> i8 {
        self.steps[number]
    }
}

/// Where a direction is in [`DIRECTIONS`]; `None` for the chunk itself and for corners.
fn number(direction: [i32; 3]) -> Option<usize> {
    DIRECTIONS.iter().position(|d| d.map(i32::from) == direction)
}

/// Where an edge lies along an axis across it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Min,
    Inside,
    Max,
}

/// The two axes across an axis, such that the three are right-handed.
pub(super) const fn across(axis: usize) -> [usize; 2] {
    [(axis + 1) % 3, (axis + 2) % 3]
}

/// The signs of the four cells around an edge along the two axes across it, counter-clockwise.
pub(super) const QUADRANTS: [[bool; 2]; 4] = [[false, false], [true, false], [true, true], [false, true]];

/// All edges of the chunk's lattice in one direction that lie in one face, without its rim, or in one edge of the chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    pub axis: usize,
    pub places: [Place; 2],
    /// For each of [`QUADRANTS`] the number of the neighbour there; `None` is the chunk itself.
    pub around: [Option<usize>; 4],
}

/// Who emits what crosses the edges of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A neighbour.
    Other,
    /// This chunk; all cells around are of its size.
    Plain,
    /// This chunk; some cells around are coarser.
    Seam,
}

/// The elements of the chunk's surface: two directions in each face, and the twelve edges.
pub(super) fn elements() -> impl Iterator<Item = Element> {
    use Place::{Inside, Max, Min};
    (0..3).flat_map(|axis| {
        [Min, Inside, Max].into_iter().flat_map(move |first| {
            [Min, Inside, Max]
                .into_iter()
                .map(move |second| [first, second])
                .filter(|places| *places != [Inside, Inside])
                .map(move |places| Element::new(axis, places))
        })
    })
}

impl Element {
    fn new(axis: usize, places: [Place; 2]) -> Self {
        let around = QUADRANTS.map(|signs| {
            let mut direction = [0; 3];
            for ((axis, place), sign) in across(axis).into_iter().zip(places).zip(signs) {
                direction[axis] = match (place, sign) {
                    (Place::Min, false) => -1,
                    (Place::Max, true) => 1,
                    _ => 0,
                };
            }
            number(direction)
        });
        Self { axis, places, around }
    }

    /// Whether it is on a face that is furthest along its axis.
    pub(super) fn is_far(&self) -> bool {
        self.places.contains(&Place::Max)
    }

    /// The finest of the chunks around owns an edge; of several, the one furthest along the axes across the edge. All
    /// of them come to the same answer.
    pub(super) fn owner(&self, neighbours: &Neighbours) -> Owner {
        let rank = |signs: [bool; 2]| {
            let bits = [0, 1].map(|i| u8::from(self.places[i] != Place::Inside && signs[i]));
            bits[0] + 2 * bits[1]
        };
        let own = rank(self.places.map(|place| place == Place::Min));
        let mut owner = Owner::Plain;
        for (signs, around) in QUADRANTS.into_iter().zip(self.around) {
            let Some(number) = around else { continue };
            match neighbours.step(number) {
                ..0 => return Owner::Other,
                0 if rank(signs) > own => return Owner::Other,
                0 => {}
                _ => owner = Owner::Seam,
            }
        }
        owner
    }
}
