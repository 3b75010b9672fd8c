//! The water of rivers, as something to draw.

use crate::chunk::{ChunkId, GenError, Lattice};
use crate::field::program::Scratch;
use crate::generator::{Generator, each_block, with_job};
use crate::mesh::MeshData;
use crate::plan::MAX_HEIGHT;

/// Linear red, green, blue, alpha.
const COLOR: [f32; 4] = [0.05, 0.2, 0.28, 0.8];

impl Generator {
    /// Height of the rivers' water at places, in metres; -[`MAX_HEIGHT`] where there is none.
    pub(crate) fn river_heights(&self, x: &[f64], z: &[f64], out: &mut [f32], scratch: &mut Scratch) {
        let Some(program) = &self.rivers else {
            return out.fill(-MAX_HEIGHT);
        };
        each_block(program, x, None, z, &[], scratch, &mut [&mut *out]);
        for height in out {
            *height = height.clamp(-MAX_HEIGHT, MAX_HEIGHT);
        }
    }

    /// The water of the rivers in a chunk: triangles of the chunk's samples, of those squares in which it is above the ground or reaches
    /// under its banks. Empty where there is none, and where samples are so far apart that rivers fall between them. Positions are in metres from
    /// the chunk's origin. Chunks of one level agree on their border.
    ///
    /// # Errors
    ///
    /// Those of [`Generator::chunk`].
    pub fn river_water(&self, id: ChunkId) -> Result<MeshData, GenError> {
        self.key(&id)?;
        if self.rivers.is_none() {
            return Ok(MeshData::default());
        }
        let lattice = Lattice::new(self.plan(), &id);
        let side = lattice.samples;
        let at = |axis: usize, n: usize| lattice.world(axis, n as i64);
        let x: Vec<f64> = (0..side * side).map(|n| at(0, n % side)).collect();
        let z: Vec<f64> = (0..side * side).map(|n| at(1, n / side)).collect();
        let (mut water, mut ground) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        with_job(|scratch| self.river_heights(&x, &z, &mut water, scratch))?;
        if water.iter().all(|height| *height <= -MAX_HEIGHT) {
            return Ok(MeshData::default());
        }
        with_job(|scratch| self.heights_in(&x, &z, id.level, &mut ground, scratch))?;
        let mut mesh = MeshData::default();
        let mut numbers = vec![None; x.len()];
        for (column, row) in (0..side - 1).flat_map(|row| (0..side - 1).map(move |column| (column, row))) {
            let a = row * side + column;
            let (b, c, d) = (a + side, a + 1, a + side + 1);
            let known = [a, b, c, d].iter().all(|n| water[*n] > -MAX_HEIGHT);
            if !known || [a, b, c, d].iter().all(|n| water[*n] <= ground[*n]) {
                continue;
            }
            for n in [a, b, c, c, b, d] {
                let number = *numbers[n].get_or_insert_with(|| {
                    mesh.positions.push([lattice.local(n % side), water[n], lattice.local(n / side)]);
                    mesh.normals.push([0.0, 1.0, 0.0]);
                    mesh.colors.push(COLOR);
                    mesh.positions.len() as u32 - 1
                });
                mesh.indices.push(number);
            }
        }
        Ok(mesh)
    }
}
