//! What can be wrong with rules, and what cannot be built.

/// A rule that cannot be followed, or something that cannot be built from it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BuiltError {
    /// A value outside its range, or not a number.
    #[error("{field} is {value}, allowed: {min} to {max}")]
    OutOfRange {
        /// The field, as in `rules.wall[2].size`.
        field: String,
        /// Its value.
        value: f64,
        /// The least value allowed.
        min: f64,
        /// The greatest value allowed.
        max: f64,
    },
    /// A name that nothing has.
    #[error("{field} names {name:?}, which is not there")]
    Unknown {
        /// The field that holds the name.
        field: String,
        /// The name.
        name: String,
    },
    /// A field that is not allowed for another reason.
    #[error("{field}: {reason}")]
    Invalid {
        /// The field.
        field: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Tiles that fit but leave too much of the grid empty.
    #[error(
        "tile set {set:?}: in {attempts} attempts at most {share} of the cells can be walked on, and filled is {filled}"
    )]
    Sparse {
        /// The tile set's name.
        set: String,
        /// How many attempts were made.
        attempts: u32,
        /// The greatest share that came out.
        share: f32,
        /// The share that was wanted.
        filled: f32,
    },
    /// A grammar that makes too much: more shapes, a deeper tree or more triangles than a building may have.
    #[error("rule {rule:?} makes more than {max} {what}")]
    TooMuch {
        /// The rule that went over.
        rule: String,
        /// What there is too much of.
        what: &'static str,
        /// The most allowed.
        max: usize,
    },
    /// A step for another kind of shape.
    #[error("rule {rule:?}: {step} cannot be done to a {shape}")]
    WrongShape {
        /// The rule.
        rule: String,
        /// Its step.
        step: &'static str,
        /// What it was applied to.
        shape: &'static str,
    },
    /// Tiles that do not fit together.
    #[error(
        "tile set {set:?}: no way found to fill the grid in {attempts} attempts, at best {placed} of {cells} cells"
    )]
    Contradiction {
        /// The tile set.
        set: String,
        /// How often it was tried.
        attempts: u32,
        /// The most cells that were settled in one attempt.
        placed: usize,
        /// The cells of the grid.
        cells: usize,
    },
}

impl BuiltError {
    /// The same, of a field that is within another one.
    #[must_use]
    pub fn within(self, place: &str) -> Self {
        let inner = |field: String| format!("{place}.{field}");
        match self {
            Self::OutOfRange { field, value, min, max } => Self::OutOfRange { field: inner(field), value, min, max },
            Self::Unknown { field, name } => Self::Unknown { field: inner(field), name },
            Self::Invalid { field, reason } => Self::Invalid { field: inner(field), reason },
            other => other,
        }
    }
}

/// Checks that a value is within its range.
pub(super) fn range(
    field: impl FnOnce() -> String,
    value: impl Into<f64>,
    min: f64,
    max: f64,
) -> Result<(), BuiltError> {
    let value = value.into();
    if (min..=max).contains(&value) { Ok(()) } else { Err(BuiltError::OutOfRange { field: field(), value, min, max }) }
}
