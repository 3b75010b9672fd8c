//! Records of an instance table.

/// One scattered thing of a chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Instance {
    /// Index into the plan's list of meshes.
    pub kind: u32,
    /// Metres from the chunk's corner.
    pub x: f32,
    /// Metres, absolute.
    pub y: f32,
    /// Metres from the chunk's corner.
    pub z: f32,
    /// Radians about +Y.
    pub yaw: f32,
    /// More than 0, at most 100.
    pub scale: f32,
    /// Of the ground below: 0 flat .. 1 vertical, 1 - normal.y.
    pub slope: f32,
    /// Of the ground below: 0 dry .. 1 wet.
    pub moisture: f32,
}

impl Instance {
    /// Bytes of a record.
    pub const SIZE: usize = 32;

    /// The records of a table, in order. Bytes at its end that are no whole record are left out.
    pub fn table(bytes: &[u8]) -> impl ExactSizeIterator<Item = Self> + '_ {
        bytes.as_chunks::<{ Self::SIZE }>().0.iter().map(Self::from_bytes)
    }

    /// The record of these bytes.
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        let [kind, rest @ ..] = words;
        let [x, y, z, yaw, scale, slope, moisture] = rest.map(f32::from_bits);
        Self { kind, x, y, z, yaw, scale, slope, moisture }
    }

    /// The bytes of this record.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let floats = [self.x, self.y, self.z, self.yaw, self.scale, self.slope, self.moisture].map(f32::to_bits);
        let words = core::iter::once(self.kind).chain(floats);
        for (place, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        bytes
    }
}
