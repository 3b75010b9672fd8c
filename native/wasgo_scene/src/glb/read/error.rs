//! What can be wrong with a file, and where.

use crate::SceneError;

/// A file that cannot be read: where, and why.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}{fault}", place_words(.place))]
pub struct ReadError {
    /// Where: a path into the JSON, as in `/meshes/3/primitives/0/indices`, or `byte 20` of the file. Empty: the whole.
    pub place: String,
    /// What is wrong there.
    pub fault: ReadFault,
}

fn place_words(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!("{place}: ") }
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReadFault {
    /// It is neither GLB nor JSON.
    #[error("it is no glTF file: it begins neither as GLB nor as JSON")]
    NotGltf,
    /// A version that nobody here knows.
    #[error("version {0} of glTF, and only 2.0 is known")]
    Version(String),
    /// There are fewer bytes than declared.
    #[error("{needed} bytes are needed, {left} are left")]
    Truncated {
        /// How many there should be.
        needed: u64,
        /// How many there are.
        left: u64,
    },
    /// The JSON is none.
    #[error("{expected} is expected")]
    Syntax {
        /// What had to be there, in words.
        expected: &'static str,
    },
    /// A property that has to be there is not.
    #[error("{0:?} is missing")]
    Missing(&'static str),
    /// A value of another type, or out of its range.
    #[error("{expected} is expected")]
    Invalid {
        /// What had to be there, in words.
        expected: &'static str,
    },
    /// A reference to something that is not in the file.
    #[error("there is no {what} {index}, the file has {count}")]
    NoSuch {
        /// What it refers to, as in `accessor`.
        what: &'static str,
        /// The index it gives.
        index: u64,
        /// How many there are.
        count: usize,
    },
    /// More of something than the limits allow.
    #[error("{what}: {count}, at most {limit} are allowed")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: u64,
        /// The limit.
        limit: u64,
    },
    /// Something that is right, and that a scene cannot hold.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// The file is in order, and what it describes is not.
    #[error(transparent)]
    Scene(#[from] SceneError),
}

impl ReadFault {
    /// The kind of the fault, as a word.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotGltf => "not_gltf",
            Self::Version(_) => "version",
            Self::Truncated { .. } => "truncated",
            Self::Syntax { .. } => "syntax",
            Self::Missing(_) => "missing",
            Self::Invalid { .. } => "invalid",
            Self::NoSuch { .. } => "no_such",
            Self::TooMany { .. } => "too_many",
            Self::Unsupported(_) => "unsupported",
            Self::Scene(_) => "scene",
        }
    }

    /// The fault at a byte of the file.
    pub(super) fn at_byte(self, byte: usize) -> ReadError {
        ReadError { place: format!("byte {byte}"), fault: self }
    }
}
