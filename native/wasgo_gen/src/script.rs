//! Scripts of users within a plan: fields whose values a script computes, and generators that make meshes chunk by chunk.
//!
//! This crate runs no script itself: whoever makes a [`Generator`](crate::Generator) gives it something that does, a [`Script`] for each name
//! that the plan has. A script must be a function of what it is told. It is not trusted to be one: a chunk calls instances of its own, in an order that the chunk alone
//! decides, so that a script which remembers something makes the same chunk all the same, and borders that don't meet are the worst of it.
//!
//! ## What a script is told
//!
//! `generate(seed, x, z, level, row)`: the plan's seed; and a row whose first value is a BLOB that says what is asked, and whose others
//! are the parameters that the plan gives. All numbers are little-endian.
//!
//! Of a **field** are asked the values at up to 512 places; `x`, `z` and `level` are 0:
//!
//! | offset | | |
//! | --- | --- | --- |
//! | 0 | u32 | 1 |
//! | 4 | u32 | how many places |
//! | 8 | 3 f64 each | x, y and z of each in metres, in the world; y is 0 for a field in the plane |
//!
//! The answer is an f32 for each place.
//!
//! Of a **generator** is asked what stands in a chunk; `x` and `z` say which, counted in chunks of that `level`:
//!
//! | offset | | |
//! | --- | --- | --- |
//! | 0 | u32 | 2 |
//! | 4 | u32 | samples along a side |
//! | 8 | f64 | x of the corner with the least coordinates, in metres |
//! | 16 | f64 | z of the same |
//! | 24 | f64 | side of the chunk in metres |
//! | 32 | f32 each | the ground's height at each sample in metres, row by row, x first |
//!
//! The answer is nothing at all, or geometry as [`geometry`] describes it.

mod error;
mod field;
mod generated;
pub mod geometry;
mod job;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

pub use error::{ScriptError, ScriptFailure, ScriptFault};
pub(crate) use field::FieldScript;
pub use generated::{Generated, GeneratedMesh, Look};
pub(crate) use job::{fail, job};

use crate::plan::{Fault, Plan, PlanError, ScriptValue};

/// The most places that a field's script is asked for at once.
pub const MAX_PLACES: usize = crate::field::kernel::BLOCK;

/// The number with which a request for values at places begins.
pub const ASKED_PLACES: u32 = 1;

/// The number with which a request for what stands in a chunk begins.
pub const ASKED_CHUNK: u32 = 2;

/// Something that runs a script.
pub trait Script: Send + Sync + Debug {
    /// An instance that nobody has called yet.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn start(&self) -> Result<Box<dyn ScriptInstance>, ScriptFailure>;
}

/// An instance of a script. It is called on one thread, and not any more once it has failed.
pub trait ScriptInstance {
    /// Calls the script, which may use so much fuel; the bytes that it answers.
    ///
    /// # Errors
    ///
    /// How it failed: no fuel left, a trap, an answer that is too large.
    fn generate(&mut self, call: &ScriptCall<'_>) -> Result<&[u8], ScriptFailure>;
}

/// What a script is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScriptCall<'a> {
    /// The plan's.
    pub seed: u64,
    /// Which chunk, or 0.
    pub x: i32,
    /// Which chunk, or 0.
    pub z: i32,
    /// Its level, or 0.
    pub level: u8,
    /// The first value of the row: what is asked.
    pub asked: &'a [u8],
    /// The other values of the row.
    pub parameters: &'a [ScriptValue],
    /// How much work the call may be: units of fuel, about a nanosecond each.
    pub fuel: u64,
    /// The most bytes that the answer may have.
    pub answer: usize,
}

/// A script given for one that a plan names.
#[derive(Clone, Debug)]
pub struct GivenScript {
    /// SHA-256 of its bytes, in lower-case hexadecimal digits.
    pub digest: String,
    /// What runs it.
    pub script: Arc<dyn Script>,
}

/// The scripts of a plan, by name.
pub(crate) type Scripts = BTreeMap<String, GivenScript>;

/// Those of the given scripts that the plan names.
pub(crate) fn bind(plan: &Plan, given: &BTreeMap<String, GivenScript>) -> Result<Scripts, PlanError> {
    let each = plan.scripts.iter().map(|(name, source)| {
        let wrong = |fault| PlanError { place: format!("scripts.{name}"), fault };
        match given.get(name) {
            None => Err(wrong(Fault::ScriptMissing)),
            Some(it) if it.digest != source.digest => {
                Err(wrong(Fault::OtherScript { given: it.digest.clone(), wanted: source.digest.clone() }))
            }
            Some(it) => Ok((name.clone(), it.clone())),
        }
    });
    each.collect()
}
