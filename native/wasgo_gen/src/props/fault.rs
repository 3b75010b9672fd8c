//! What is wrong with the parameters of a prop.

/// A prop that can't be made: which parameter, its value, and what is allowed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PropError {
    /// A value outside its range, or not a number.
    #[error("{field} is {value}, allowed: {min} to {max}")]
    OutOfRange {
        /// The field, as in `tree.height`.
        field: String,
        /// Its value.
        value: f32,
        /// The least value allowed.
        min: f32,
        /// The greatest value allowed.
        max: f32,
    },
    /// A range whose least value is above its greatest.
    #[error("{field} is {low} to {high}, allowed: the first at most the second")]
    Reversed {
        /// The field.
        field: String,
        /// The first value.
        low: f32,
        /// The second value.
        high: f32,
    },
    /// More or fewer of something than a prop may have.
    #[error("{field} has {count}, allowed: {min} to {max}")]
    WrongCount {
        /// What is counted, as in `fence.points`.
        field: String,
        /// How many there are.
        count: usize,
        /// The fewest allowed.
        min: usize,
        /// The most allowed.
        max: usize,
    },
    /// A surface that is not sound, so that it can't be varied.
    #[error("mesh {mesh:?}, surface {surface}: {fault}")]
    BadSurface {
        /// The name of the mesh.
        mesh: String,
        /// The number of the surface in it.
        surface: usize,
        /// What is wrong with it.
        fault: &'static str,
    },
}

/// That a number is in a range, both ends included.
pub(super) fn range(field: &str, value: f32, min: f32, max: f32) -> Result<(), PropError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(PropError::OutOfRange { field: field.to_owned(), value, min, max })
    }
}

/// That both ends of a pair are in a range, and in order.
pub(super) fn pair(field: &str, [low, high]: [f32; 2], min: f32, max: f32) -> Result<(), PropError> {
    range(field, low, min, max)?;
    range(field, high, min, max)?;
    if low > high {
        return Err(PropError::Reversed { field: field.to_owned(), low, high });
    }
    Ok(())
}

/// That there are as many of something as there may be.
pub(super) fn count(field: &str, count: usize, min: usize, max: usize) -> Result<(), PropError> {
    if (min..=max).contains(&count) {
        Ok(())
    } else {
        Err(PropError::WrongCount { field: field.to_owned(), count, min, max })
    }
}

/// That a colour is one: linear red, green and blue in 0..=1.
pub(super) fn color(field: &str, value: [f32; 3]) -> Result<(), PropError> {
    value.into_iter().try_for_each(|part| range(field, part, 0.0, 1.0))
}
