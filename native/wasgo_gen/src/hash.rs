//! Integer hashing: the only source of chance here. A value depends on the seed and the coordinates alone, never on
//! what was asked before. Not for secrets.

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
const PRIMES: [u64; 2] = [0x8DA6_B343_C2B2_AE35, 0xD816_3841_FB1B_D4E5];

/// Spreads every input bit over all output bits. Constants: variant 13 of D. Stafford, "Better bit mixing", 2011.
pub(crate) const fn mix(mut h: u64) -> u64 {
    h = (h ^ (h >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    h ^ (h >> 31)
}

/// A seed for one use of a seed.
pub(crate) const fn derive(seed: u64, salt: u64) -> u64 {
    mix(mix(seed).wrapping_add(salt.wrapping_mul(GOLDEN)))
}

/// The hash of a point of the plane grid.
pub(crate) const fn hash2(seed: u64, x: i64, y: i64) -> u64 {
    let x = (x as u64).wrapping_mul(PRIMES[0]);
    let y = (y as u64).wrapping_mul(PRIMES[1]);
    mix(seed.wrapping_add(x).wrapping_add(y))
}

/// 0..1 from the upper 24 bits: exact as f32 and never 1.
pub(crate) fn unit(hash: u64) -> f32 {
    (hash >> 40) as f32 * (1.0 / 16_777_216.0)
}

/// Numbers in a row from a seed: the counter of G. Steele and others, "Fast Splittable Pseudorandom Number
/// Generators", 2014.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// `low` <= value < `high`, but for rounding.
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * unit(self.next())
    }
}
