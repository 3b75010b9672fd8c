//! What can go wrong with a script.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::geometry::GeometryError;

/// A script that failed, or answered what it may not.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{place}: the script {script:?} {fault}")]
pub struct ScriptError {
    /// Where the plan uses it, as in `terrain.height: blend.b > script "craters"` or `generators[0] "towers"`.
    pub place: String,
    /// Its name in the plan.
    pub script: String,
    /// What was wrong.
    pub fault: ScriptFault,
}

/// What was wrong with a script.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScriptFault {
    /// It did not come to an answer.
    #[error("failed: {0}")]
    Failed(ScriptFailure),
    /// Not a number for each place.
    #[error("answered {bytes} bytes for {places} places, and 4 are wanted for each")]
    Length {
        /// Of the answer.
        bytes: usize,
        /// That it was asked for.
        places: usize,
    },
    /// A value that the plan says it never gives.
    #[error("gave {value} at ({}, {}, {}), and the plan says that it gives {low} to {high}", .at[0], .at[1], .at[2])]
    Value {
        /// The value; perhaps not a number.
        value: f32,
        /// The place in metres.
        at: [f64; 3],
        /// The least that the plan allows.
        low: f32,
        /// The greatest.
        high: f32,
    },
    /// Geometry that makes no sense.
    #[error("answered rubbish: {0}")]
    Geometry(#[from] GeometryError),
}

/// Why a script came to no answer, in the words of what runs it.
#[derive(Clone, Debug)]
pub struct ScriptFailure(Arc<dyn Error + Send + Sync>);

impl ScriptFailure {
    /// A failure with its cause.
    pub fn new(cause: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(cause))
    }

    /// The cause, where it is of this type.
    #[must_use]
    pub fn cause<E: Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }
}

impl PartialEq for ScriptFailure {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl fmt::Display for ScriptFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
