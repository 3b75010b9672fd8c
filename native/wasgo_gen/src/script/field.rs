//! Fields whose values a script computes.

use std::sync::Arc;

use super::{ASKED_PLACES, Script, ScriptCall, ScriptError, ScriptFault, job};
use crate::field::kernel::BLOCK;
use crate::plan::ScriptValue;

/// One use of a script as a field.
#[derive(Clone, Debug)]
pub(crate) struct FieldScript {
    pub(crate) script: Arc<dyn Script>,
    /// That of its bytes.
    pub(crate) digest: String,
    /// Its name in the plan.
    pub(crate) name: String,
    /// Where the plan first uses it so.
    pub(crate) place: String,
    pub(crate) seed: u64,
    pub(crate) parameters: Vec<ScriptValue>,
    /// Whether it is told how high places are.
    pub(crate) space: bool,
    pub(crate) low: f32,
    pub(crate) high: f32,
    /// For each place.
    pub(crate) fuel: u64,
}

/// The same values: where it stands in the plan is for messages.
impl PartialEq for FieldScript {
    fn eq(&self, other: &Self) -> bool {
        let uses = |it: &Self| (it.space, it.low, it.high, it.fuel);
        (&self.name, &self.digest) == (&other.name, &other.digest)
            && self.parameters == other.parameters
            && uses(self) == uses(other)
    }
}

impl FieldScript {
    /// The values at the first `count` places. Of a job that has failed they mean nothing.
    pub(crate) fn run(&self, places: &[[f64; BLOCK]; 3], count: usize, out: &mut [f32; BLOCK]) {
        let out = &mut out[..count];
        if job::failed() {
            return out.fill(self.low);
        }
        if let Err(fault) = self.ask(places, out) {
            out.fill(self.low);
            job::fail(ScriptError { place: self.place.clone(), script: self.name.clone(), fault });
        }
    }

    fn ask(&self, places: &[[f64; BLOCK]; 3], out: &mut [f32]) -> Result<(), ScriptFault> {
        let count = out.len();
        let at = |n: usize| [places[0][n], if self.space { places[1][n] } else { 0.0 }, places[2][n]];
        let mut asked = Vec::with_capacity(8 + 24 * count);
        asked.extend(ASKED_PLACES.to_le_bytes());
        asked.extend((count as u32).to_le_bytes());
        asked.extend((0..count).flat_map(|n| at(n).map(f64::to_le_bytes)).flatten());
        let call = ScriptCall {
            seed: self.seed,
            x: 0,
            z: 0,
            level: 0,
            asked: &asked,
            parameters: &self.parameters,
            fuel: self.fuel * count as u64,
            answer: 4 * count,
        };
        job::call(&self.script, &call, |answer| {
            if answer.len() != 4 * count {
                return Err(ScriptFault::Length { bytes: answer.len(), places: count });
            }
            for (n, (out, bytes)) in out.iter_mut().zip(answer.as_chunks::<4>().0).enumerate() {
                let value = f32::from_le_bytes(*bytes);
                // NaN is in no range.
                if !(self.low..=self.high).contains(&value) {
                    return Err(ScriptFault::Value { value, at: at(n), low: self.low, high: self.high });
                }
                *out = value;
            }
            Ok(())
        })
    }
}
