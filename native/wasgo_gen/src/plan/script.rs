//! What a plan says of the scripts that it calls.

use serde::{Deserialize, Serialize};

use super::check::{at_most, whole};
use super::{Fault, Plan, PlanError};

/// The most scripts of a plan.
pub const MAX_SCRIPTS: usize = 16;

/// The most generators of a plan.
pub const MAX_GENERATORS: usize = 16;

/// The most parameters of one use of a script.
pub const MAX_PARAMETERS: usize = 64;

/// The most bytes of a parameter that is a text.
pub const MAX_PARAMETER_TEXT: usize = 4096;

/// The most fuel that a script may use for each place of a field.
pub const MAX_PLACE_FUEL: u64 = 1_000_000;

/// The most fuel that a generator may use for a chunk: about a second of a core.
pub const MAX_CHUNK_FUEL: u64 = 1_000_000_000;

/// A script that the plan calls. Its bytes are given beside the plan; the digest fixes which they are, and with them the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptSource {
    /// SHA-256 of its bytes: 64 hexadecimal digits in lower case.
    pub digest: String,
}

/// A parameter of a script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a parameter is a number, a text or null")]
pub enum ScriptValue {
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// A text.
    Text(String),
    /// Nothing.
    Null,
}

/// Things that a script makes, chunk by chunk: meshes, and where they stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorRule {
    /// A name for people, and for the meshes that it makes.
    #[serde(default)]
    pub name: String,
    /// Which of the plan's scripts.
    pub script: String,
    /// What it is told besides: at most [`MAX_PARAMETERS`].
    #[serde(default)]
    pub parameters: Vec<ScriptValue>,
    /// The coarsest level of detail whose chunks have it. Default 0.
    #[serde(default)]
    pub level: u8,
    /// Fuel that it may use for a chunk: 1,000..=[`MAX_CHUNK_FUEL`]. Default 50,000,000, about 50 ms.
    #[serde(default = "chunk_fuel")]
    pub fuel: u64,
}

const fn chunk_fuel() -> u64 {
    50_000_000
}

pub(crate) const fn place_fuel() -> u64 {
    10_000
}

impl Plan {
    pub(super) fn check_scripts(&self) -> Result<(), PlanError> {
        at_most("scripts", "scripts", self.scripts.len(), MAX_SCRIPTS)?;
        for (name, source) in &self.scripts {
            if name.is_empty() || name.len() > 64 {
                return Err(PlanError::range("scripts", format!("{name:?}"), "names of 1 to 64 bytes"));
            }
            let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if source.digest.len() != 64 || !source.digest.bytes().all(digit) {
                let allowed = "64 hexadecimal digits in lower case, the SHA-256 of its bytes";
                let digest: String = source.digest.chars().take(80).collect();
                return Err(PlanError::range(format!("scripts.{name}.digest"), format!("{digest:?}"), allowed));
            }
        }
        at_most("generators", "generators", self.generators.len(), MAX_GENERATORS)?;
        if !self.generators.is_empty() && self.terrain.is_none() {
            return Err(PlanError { place: "generators".into(), fault: Fault::NoTerrain });
        }
        self.generators.iter().enumerate().try_for_each(|(at, rule)| self.check_generator(at, rule))
    }

    fn check_generator(&self, at: usize, rule: &GeneratorRule) -> Result<(), PlanError> {
        let field = |name: &str| format!("generators[{at}].{name}");
        if rule.name.len() > 64 {
            return Err(PlanError::range(field("name"), rule.name.len(), "at most 64 bytes"));
        }
        if !self.scripts.contains_key(&rule.script) {
            return Err(PlanError { place: field("script"), fault: Fault::NoScript { name: rule.script.clone() } });
        }
        whole(&field("level"), u64::from(rule.level), 0, u64::from(self.chunk.levels))?;
        whole(&field("fuel"), rule.fuel, 1000, MAX_CHUNK_FUEL)?;
        match wrong_parameter(&rule.parameters) {
            None => Ok(()),
            Some((value, allowed)) => Err(PlanError::range(field("parameters"), value, allowed)),
        }
    }
}

/// What is wrong with a list of parameters: its value, and what is allowed.
pub(crate) fn wrong_parameter(parameters: &[ScriptValue]) -> Option<(String, String)> {
    if parameters.len() > MAX_PARAMETERS {
        return Some((format!("a list of {}", parameters.len()), format!("at most {MAX_PARAMETERS} parameters")));
    }
    parameters.iter().find_map(|parameter| match parameter {
        ScriptValue::Text(text) if text.len() > MAX_PARAMETER_TEXT => {
            Some((format!("a text of {} bytes", text.len()), format!("texts of at most {MAX_PARAMETER_TEXT} bytes")))
        }
        // It could not be stored.
        ScriptValue::Real(number) if !number.is_finite() => Some((number.to_string(), "finite numbers".into())),
        _ => None,
    })
}
