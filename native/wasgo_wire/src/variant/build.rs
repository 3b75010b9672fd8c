//! What the decoder tells as it goes.

use super::error::DecodeError;
use super::types::{ElementType, NodePath, Type};

/// The raw little-endian data of a packed array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackedBytes<'a> {
    /// A part of the input, which a builder may keep a reference to.
    Input {
        /// The data.
        bytes: &'a [u8],
        /// Where in the input it starts.
        offset: usize,
    },
    /// Vectors that came with 64-bit components, made 32 bits wide as a packed array has them. An engine built for double
    /// precision writes such.
    Narrowed(Vec<u8>),
}

impl AsRef<[u8]> for PackedBytes<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            PackedBytes::Input { bytes, .. } => bytes,
            PackedBytes::Narrowed(bytes) => bytes,
        }
    }
}

impl From<PackedBytes<'_>> for Vec<u8> {
    fn from(packed: PackedBytes<'_>) -> Vec<u8> {
        match packed {
            PackedBytes::Input { bytes, .. } => bytes.to_vec(),
            PackedBytes::Narrowed(bytes) => bytes,
        }
    }
}

/// Makes values out of what [`decode`](super::decode) reads: children first, then the container that holds them.
pub trait Builder {
    /// What is made.
    type Value;
    /// What can go wrong; wrong bytes can in any case.
    type Error: From<DecodeError>;

    /// Null, and an object that is null.
    fn nil(&mut self) -> Result<Self::Value, Self::Error>;
    /// A bool.
    fn bool(&mut self, value: bool) -> Result<Self::Value, Self::Error>;
    /// An int.
    fn int(&mut self, value: i64) -> Result<Self::Value, Self::Error>;
    /// A float, possibly infinite or not a number.
    fn float(&mut self, value: f64) -> Result<Self::Value, Self::Error>;
    /// A String; no NUL is in it.
    fn string(&mut self, value: &str) -> Result<Self::Value, Self::Error>;
    /// A StringName; no NUL is in it.
    fn string_name(&mut self, value: &str) -> Result<Self::Value, Self::Error>;
    /// A type of a few floats, in the order that [`Encoder::floats`](super::Encoder::floats) takes them.
    fn floats(&mut self, ty: Type, components: &[f64]) -> Result<Self::Value, Self::Error>;
    /// A type of a few 32-bit integers.
    fn ints(&mut self, ty: Type, components: &[i32]) -> Result<Self::Value, Self::Error>;
    /// A NodePath.
    fn node_path(&mut self, path: NodePath<'_>) -> Result<Self::Value, Self::Error>;
    /// A RID by its number.
    fn rid(&mut self, id: u64) -> Result<Self::Value, Self::Error>;
    /// An object by its instance id.
    fn object_id(&mut self, id: u64) -> Result<Self::Value, Self::Error>;
    /// A Callable, of which the format carries nothing.
    fn callable(&mut self) -> Result<Self::Value, Self::Error>;
    /// A Signal: its name, and the instance id of the object that has it.
    fn signal(&mut self, name: &str, object: u64) -> Result<Self::Value, Self::Error>;
    /// An Array of values made before. Each is of the declared type.
    fn array(&mut self, element: ElementType<'_>, values: Vec<Self::Value>) -> Result<Self::Value, Self::Error>;
    /// A Dictionary of keys and values made before, in the order of the input. The same key may come twice: in the engine
    /// the later value stands.
    fn dictionary(
        &mut self,
        key: ElementType<'_>,
        value: ElementType<'_>,
        pairs: Vec<(Self::Value, Self::Value)>,
    ) -> Result<Self::Value, Self::Error>;
    /// Any packed array but that of strings.
    fn packed(&mut self, ty: Type, count: usize, data: PackedBytes<'_>) -> Result<Self::Value, Self::Error>;
    /// A PackedStringArray.
    fn packed_strings(&mut self, strings: Vec<&str>) -> Result<Self::Value, Self::Error>;
}
