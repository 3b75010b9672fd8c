//! Which samples a chunk needs, and where they are in the array.

use super::neighbours::{DIRECTIONS, Neighbours, Owner, elements};
use super::{MAX_CELLS, MIN_CELLS, VolumeError};

/// A box of samples.
///
/// Coordinates are those of the chunk's lattice: the corner of the chunk is 0, its far corner the number of its cells.
/// In the array x runs fastest, then y, then z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The first sample's coordinates.
    pub origin: [i32; 3],
    /// Lattice steps between samples: 1, 2, 4, 8 or 16.
    pub stride: u32,
    /// How many samples there are along x, y and z.
    pub size: [u32; 3],
    /// Where the first sample is in the array.
    pub offset: usize,
}

impl Grid {
    /// How many samples there are.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.size.iter().map(|side| *side as usize).product()
    }

    /// Coordinates of the samples in the order of the array.
    pub fn points(&self) -> impl Iterator<Item = [i32; 3]> + use<> {
        let Self { origin, stride, size, .. } = *self;
        let at = move |axis: usize, index: u32| origin[axis] + (index * stride) as i32;
        (0..size[2]).flat_map(move |z| {
            (0..size[1]).flat_map(move |y| (0..size[0]).map(move |x| [at(0, x), at(1, y), at(2, z)]))
        })
    }
}

/// The grids of a chunk of so many cells along a side, one behind the other in the array.
///
/// The first has all points of the chunk's lattice from -2 to one beyond its far corner: a cell before the chunk, and
/// what central differences need. After it comes a thin one for each coarser neighbour at whose border the chunk closes
/// the gap, at that neighbour's stride; and rarely one at stride 1, where a neighbour of the same level lies across an
/// edge, between coarser ones. With [`Neighbours::SAME`] there is the first alone.
///
/// # Errors
///
/// [`VolumeError::Cells`] for a number of cells that is not allowed, [`VolumeError::Unaligned`] when cells of a
/// neighbour don't fit into the chunk.
pub fn grids(cells: u32, neighbours: &Neighbours) -> Result<Vec<Grid>, VolumeError> {
    check(cells, neighbours)?;
    let main = Patch::main(cells);
    let patches = patches(cells, neighbours, main.samples());
    Ok(std::iter::once(main.grid()).chain(patches.into_iter().flatten().map(|patch| patch.grid())).collect())
}

/// How many samples [`grids`] ask for together.
///
/// # Errors
///
/// Those of [`grids`].
pub fn samples(cells: u32, neighbours: &Neighbours) -> Result<usize, VolumeError> {
    Ok(grids(cells, neighbours)?.iter().map(Grid::samples).sum())
}

pub(super) fn check(cells: u32, neighbours: &Neighbours) -> Result<(), VolumeError> {
    if !(MIN_CELLS..=MAX_CELLS).contains(&cells) {
        return Err(VolumeError::Cells { cells, min: MIN_CELLS, max: MAX_CELLS });
    }
    let unit = 1 << neighbours.coarsest();
    if !cells.is_multiple_of(unit) {
        return Err(VolumeError::Unaligned { cells, unit });
    }
    Ok(())
}

/// A box of cells of one size, with the samples that their vertices need: the corners, and one further on each side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patch {
    /// A cell is 2^step cells of the chunk wide.
    pub step: u32,
    /// The first cell, in cells of this size from the chunk's corner.
    pub first: [i32; 3],
    pub cells: [usize; 3],
    /// Where the samples start in the array.
    pub offset: usize,
    /// Where the indices of vertices start among those of all patches.
    pub index: usize,
}

impl Patch {
    /// The chunk's own cells, and those before it.
    pub fn main(cells: u32) -> Self {
        Self { step: 0, first: [-1; 3], cells: [cells as usize + 1; 3], offset: 0, index: 0 }
    }

    fn across(cells: u32, direction: [i8; 3], step: u32) -> Self {
        let side = (cells >> step) as i32;
        let first = direction.map(|d| [-1, 0, side][(d + 1) as usize]);
        let cells = direction.map(|d| if d == 0 { side as usize } else { 1 });
        Self { step, first, cells, offset: 0, index: 0 }
    }

    fn size(&self) -> [usize; 3] {
        self.cells.map(|cells| cells + 3)
    }

    pub fn samples(&self) -> usize {
        self.size().iter().product()
    }

    pub fn count(&self) -> usize {
        self.cells.iter().product()
    }

    /// Samples from one to the next along y, and along z.
    pub fn strides(&self) -> [usize; 2] {
        let [x, y, _] = self.size();
        [x, x * y]
    }

    /// Where the sample at a cell's least corner is among the patch's samples.
    pub fn sample_of(&self, cell: [i32; 3]) -> usize {
        let [x, y, z] = self.within(cell);
        let [row, slice] = self.strides();
        (z + 1) * slice + (y + 1) * row + x + 1
    }

    /// The cell's number among the patch's cells.
    pub fn number_of(&self, cell: [i32; 3]) -> usize {
        let [x, y, z] = self.within(cell);
        (z * self.cells[1] + y) * self.cells[0] + x
    }

    fn within(&self, cell: [i32; 3]) -> [usize; 3] {
        [0, 1, 2].map(|axis| (cell[axis] - self.first[axis]) as usize)
    }

    pub fn grid(&self) -> Grid {
        let origin = self.first.map(|first| (first - 1) << self.step);
        Grid { origin, stride: 1 << self.step, size: self.size().map(|side| side as u32), offset: self.offset }
    }
}

/// The patches beside the chunk, by number of the neighbour. `offset` is where their samples start.
pub(super) fn patches(cells: u32, neighbours: &Neighbours, offset: usize) -> [Option<Patch>; 18] {
    let mut patches = [None; 18];
    for element in elements().filter(|element| element.owner(neighbours) == Owner::Seam) {
        for number in element.around.into_iter().flatten() {
            let (step, direction) = (neighbours.step(number), DIRECTIONS[number]);
            // The main grid has no cells behind the chunk.
            if step > 0 || direction.contains(&1) {
                patches[number] = Some(Patch::across(cells, direction, step as u32));
            }
        }
    }
    let (mut offset, mut index) = (offset, 0);
    for patch in patches.iter_mut().flatten() {
        (patch.offset, patch.index) = (offset, index);
        offset += patch.samples();
        index += patch.count();
    }
    patches
}
