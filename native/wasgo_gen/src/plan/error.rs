//! What can be wrong with a plan.

use serde::de::DeserializeOwned;

/// A plan that can't be followed: where, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanError {
    /// The place in the plan, as in `scatter[2].spacing`, or from a field down to a node: `terrain.height: blend.b > noise "dunes"`.
    pub place: String,
    /// What is wrong there.
    pub fault: Fault,
}

impl std::fmt::Display for PlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.fault, self.place.as_str()) {
            // `chunk.samples is 1`, but `terrain.height: noise: octaves is 40`.
            (Fault::OutOfRange { parameter, value, allowed }, place) if parameter.is_empty() => {
                write!(f, "{place} is {value}, allowed: {allowed}")
            }
            (fault, "") => write!(f, "{fault}"),
            (fault, place) => write!(f, "{place}: {fault}"),
        }
    }
}

impl std::error::Error for PlanError {}

/// What is wrong with a place of a plan.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// A value outside of its range, or not a number.
    #[error("{parameter} is {value}, allowed: {allowed}")]
    OutOfRange {
        /// Which of a node's parameters; empty where the place says it.
        parameter: String,
        /// Its value.
        value: String,
        /// What is allowed, in words.
        allowed: String,
    },
    /// A node that the plan hasn't got.
    #[error("the plan has no node {id:?}")]
    NoNode {
        /// Its name.
        id: String,
    },
    /// A node that is made of itself.
    #[error("the node is made of itself")]
    Cycle,
    /// More of something than a plan may have.
    #[error("more than {max} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most allowed.
        max: usize,
    },
    /// The terrain's height or slope within what makes the terrain.
    #[error("the terrain's own height and slope are known only to what lies and stands on it")]
    NoGround,
    /// Numbers that can grow beyond all bounds.
    #[error("its values may be too large for a number: {what} gives up to {value}")]
    Unbounded {
        /// Which operation.
        what: String,
        /// How large.
        value: String,
    },
    /// Rules that try too many places in a chunk.
    #[error("with the rules before it {places} places are tried in a chunk of {size} m, allowed: at most {max}")]
    TooDense {
        /// The places of this rule and those before it.
        places: u64,
        /// Side of the chunk in metres.
        size: f64,
        /// The most allowed.
        max: usize,
    },
    /// A rule that keeps away from one that isn't before it.
    #[error("no rule before this one is named {name:?}")]
    NoRule {
        /// The name.
        name: String,
    },
    /// Neither a terrain nor a volume.
    #[error("the plan has neither a terrain nor a volume")]
    Empty,
    /// Something that needs a terrain, in a plan that has none.
    #[error("the plan has no terrain for it to stand on")]
    NoTerrain,
    /// A script that the plan doesn't name.
    #[error("the plan has no script {name:?}")]
    NoScript {
        /// The name.
        name: String,
    },
    /// A script whose bytes nobody gave.
    #[error("the script's bytes were not given with the plan")]
    ScriptMissing,
    /// A script other than that which the plan was made with.
    #[error("another script was given: the SHA-256 of its bytes is {given}, and the plan has {wanted}")]
    OtherScript {
        /// Digest of what was given.
        given: String,
        /// The plan's.
        wanted: String,
    },
    /// Not the form of a plan.
    #[error("{0}")]
    Form(String),
}

impl PlanError {
    /// Reads JSON text; errors have the place in it.
    pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Self> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let place = error.path().to_string();
            Self {
                place: if place == "." { String::new() } else { place },
                fault: Fault::Form(error.inner().to_string()),
            }
        })?;
        reader.end().map_err(|error| Self { place: String::new(), fault: Fault::Form(error.to_string()) })?;
        Ok(read)
    }

    /// Puts what holds the place before it, as in `fence` before `points[2]`.
    pub(crate) fn within(mut self, holder: &str) -> Self {
        self.place = if self.place.is_empty() { holder.into() } else { format!("{holder}.{}", self.place) };
        self
    }

    pub(crate) fn range(place: impl Into<String>, value: impl ToString, allowed: impl Into<String>) -> Self {
        let fault = Fault::OutOfRange { parameter: String::new(), value: value.to_string(), allowed: allowed.into() };
        Self { place: place.into(), fault }
    }
}
