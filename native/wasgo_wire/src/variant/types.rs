//! The engine's 39 types and what is fixed about each of them.

use std::borrow::Cow;
use std::fmt;

/// A Variant type. The numbers are those of the engine's `Variant.Type` and of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // They are the engine's types under the engine's names.
pub enum Type {
    Nil = 0,
    Bool = 1,
    Int = 2,
    Float = 3,
    String = 4,
    Vector2 = 5,
    Vector2i = 6,
    Rect2 = 7,
    Rect2i = 8,
    Vector3 = 9,
    Vector3i = 10,
    Transform2D = 11,
    Vector4 = 12,
    Vector4i = 13,
    Plane = 14,
    Quaternion = 15,
    Aabb = 16,
    Basis = 17,
    Transform3D = 18,
    Projection = 19,
    Color = 20,
    StringName = 21,
    NodePath = 22,
    Rid = 23,
    Object = 24,
    Callable = 25,
    Signal = 26,
    Dictionary = 27,
    Array = 28,
    PackedByteArray = 29,
    PackedInt32Array = 30,
    PackedInt64Array = 31,
    PackedFloat32Array = 32,
    PackedFloat64Array = 33,
    PackedStringArray = 34,
    PackedVector2Array = 35,
    PackedVector3Array = 36,
    PackedColorArray = 37,
    PackedVector4Array = 38,
}

impl Type {
    /// Every type, in the order of its number.
    pub const ALL: [Type; 39] = [
        Type::Nil,
        Type::Bool,
        Type::Int,
        Type::Float,
        Type::String,
        Type::Vector2,
        Type::Vector2i,
        Type::Rect2,
        Type::Rect2i,
        Type::Vector3,
        Type::Vector3i,
        Type::Transform2D,
        Type::Vector4,
        Type::Vector4i,
        Type::Plane,
        Type::Quaternion,
        Type::Aabb,
        Type::Basis,
        Type::Transform3D,
        Type::Projection,
        Type::Color,
        Type::StringName,
        Type::NodePath,
        Type::Rid,
        Type::Object,
        Type::Callable,
        Type::Signal,
        Type::Dictionary,
        Type::Array,
        Type::PackedByteArray,
        Type::PackedInt32Array,
        Type::PackedInt64Array,
        Type::PackedFloat32Array,
        Type::PackedFloat64Array,
        Type::PackedStringArray,
        Type::PackedVector2Array,
        Type::PackedVector3Array,
        Type::PackedColorArray,
        Type::PackedVector4Array,
    ];

    /// The type of this number, if there is one.
    pub fn from_id(id: u32) -> Option<Type> {
        Type::ALL.get(usize::try_from(id).ok()?).copied()
    }

    /// The number in the format.
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The engine's name, as its `type_string` gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Type::Nil => "Nil",
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Float => "float",
            Type::String => "String",
            Type::Vector2 => "Vector2",
            Type::Vector2i => "Vector2i",
            Type::Rect2 => "Rect2",
            Type::Rect2i => "Rect2i",
            Type::Vector3 => "Vector3",
            Type::Vector3i => "Vector3i",
            Type::Transform2D => "Transform2D",
            Type::Vector4 => "Vector4",
            Type::Vector4i => "Vector4i",
            Type::Plane => "Plane",
            Type::Quaternion => "Quaternion",
            Type::Aabb => "AABB",
            Type::Basis => "Basis",
            Type::Transform3D => "Transform3D",
            Type::Projection => "Projection",
            Type::Color => "Color",
            Type::StringName => "StringName",
            Type::NodePath => "NodePath",
            Type::Rid => "RID",
            Type::Object => "Object",
            Type::Callable => "Callable",
            Type::Signal => "Signal",
            Type::Dictionary => "Dictionary",
            Type::Array => "Array",
            Type::PackedByteArray => "PackedByteArray",
            Type::PackedInt32Array => "PackedInt32Array",
            Type::PackedInt64Array => "PackedInt64Array",
            Type::PackedFloat32Array => "PackedFloat32Array",
            Type::PackedFloat64Array => "PackedFloat64Array",
            Type::PackedStringArray => "PackedStringArray",
            Type::PackedVector2Array => "PackedVector2Array",
            Type::PackedVector3Array => "PackedVector3Array",
            Type::PackedColorArray => "PackedColorArray",
            Type::PackedVector4Array => "PackedVector4Array",
        }
    }

    /// The type of this engine name, if there is one.
    pub fn from_name(name: &str) -> Option<Type> {
        Type::ALL.into_iter().find(|ty| ty.name() == name)
    }

    /// How many floats make one value, for the types that are a few floats.
    pub const fn float_components(self) -> Option<usize> {
        match self {
            Type::Vector2 => Some(2),
            Type::Vector3 => Some(3),
            Type::Rect2 | Type::Vector4 | Type::Plane | Type::Quaternion | Type::Color => Some(4),
            Type::Transform2D | Type::Aabb => Some(6),
            Type::Basis => Some(9),
            Type::Transform3D => Some(12),
            Type::Projection => Some(16),
            _ => None,
        }
    }

    /// How many 32-bit integers make one value, for the types that are a few integers.
    pub const fn int_components(self) -> Option<usize> {
        match self {
            Type::Vector2i => Some(2),
            Type::Vector3i => Some(3),
            Type::Rect2i | Type::Vector4i => Some(4),
            _ => None,
        }
    }

    /// The bytes of one element, for the packed arrays that are raw data (all but `PackedStringArray`).
    pub const fn packed_stride(self) -> Option<usize> {
        match self {
            Type::PackedByteArray => Some(1),
            Type::PackedInt32Array | Type::PackedFloat32Array => Some(4),
            Type::PackedInt64Array | Type::PackedFloat64Array | Type::PackedVector2Array => Some(8),
            Type::PackedVector3Array => Some(12),
            Type::PackedColorArray | Type::PackedVector4Array => Some(16),
            _ => None,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an array, or the keys or values of a dictionary, may hold.
///
/// `Builtin(Type::Nil)` means the same as `Untyped` and is written, and read, as that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ElementType<'a> {
    /// Anything.
    Untyped,
    /// Values of one type. Of `Type::Object`: objects of any class, or nil.
    Builtin(Type),
    /// Objects of a class of the engine, or nil. Only the name is carried; nothing is looked up.
    Class(Cow<'a, str>),
    /// Objects with a script, or nil. Only the script's path is carried; nothing is loaded.
    Script(Cow<'a, str>),
}

impl ElementType<'_> {
    /// The same, borrowing nothing.
    pub fn into_owned(self) -> ElementType<'static> {
        match self {
            ElementType::Untyped => ElementType::Untyped,
            ElementType::Builtin(ty) => ElementType::Builtin(ty),
            ElementType::Class(name) => ElementType::Class(Cow::Owned(name.into_owned())),
            ElementType::Script(path) => ElementType::Script(Cow::Owned(path.into_owned())),
        }
    }

    /// The two bits that stand for it in a header.
    pub(super) fn kind(&self) -> u32 {
        match self {
            ElementType::Untyped | ElementType::Builtin(Type::Nil) => 0,
            ElementType::Builtin(_) => 1,
            ElementType::Class(_) => 2,
            ElementType::Script(_) => 3,
        }
    }

    pub(super) fn expects(&self) -> Expects {
        match self {
            ElementType::Untyped | ElementType::Builtin(Type::Nil) => Expects::Anything,
            ElementType::Builtin(Type::Object) | ElementType::Class(_) | ElementType::Script(_) => Expects::Object,
            ElementType::Builtin(ty) => Expects::Exactly(*ty),
        }
    }
}

/// The part of an [`ElementType`] that can be checked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expects {
    Anything,
    Object,
    Exactly(Type),
}

impl Expects {
    /// `Err` with the type that was wanted.
    pub(super) fn check(self, found: Type) -> Result<(), Type> {
        match self {
            Expects::Anything => Ok(()),
            Expects::Object if matches!(found, Type::Nil | Type::Object) => Ok(()),
            Expects::Object => Err(Type::Object),
            Expects::Exactly(ty) if ty == found => Ok(()),
            Expects::Exactly(ty) => Err(ty),
        }
    }
}

/// A node path in its parts: `/root/A:position:x` has the names `root` and `A`, the subnames `position` and `x`, and is absolute.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodePath<'a> {
    /// Node names, from the first to the last.
    pub names: Vec<Cow<'a, str>>,
    /// Resource and property names.
    pub subnames: Vec<Cow<'a, str>>,
    /// Whether it starts at the root of the tree.
    pub absolute: bool,
}

impl NodePath<'_> {
    /// The same, borrowing nothing.
    pub fn into_owned(self) -> NodePath<'static> {
        let own = |parts: Vec<Cow<'_, str>>| parts.into_iter().map(|part| Cow::Owned(part.into_owned())).collect();
        NodePath { names: own(self.names), subnames: own(self.subnames), absolute: self.absolute }
    }
}
