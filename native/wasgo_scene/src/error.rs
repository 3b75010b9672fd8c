//! What can be wrong with a scene. Every error names the thing at fault.

/// A scene that cannot be used, and why.
///
/// `mesh`, `node` and the like hold the index and the name of the thing, as in `3 "rock_0"`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SceneError {
    /// A buffer does not hold a whole number of elements, or not as many as there are vertices.
    #[error("mesh {mesh}, surface {surface}: {buffer} has {bytes} bytes, expected {expected}")]
    WrongLength {
        /// The mesh.
        mesh: String,
        /// The surface within the mesh.
        surface: usize,
        /// Which buffer, as in `positions`.
        buffer: &'static str,
        /// Its length in bytes.
        bytes: usize,
        /// What was expected, in words.
        expected: String,
    },
    /// An index names a vertex that is not there.
    #[error("mesh {mesh}, surface {surface}: index {at} is {index}, but there are {vertices} vertices")]
    IndexOutOfRange {
        /// The mesh.
        mesh: String,
        /// The surface within the mesh.
        surface: usize,
        /// The place in the index buffer.
        at: usize,
        /// The index found there.
        index: u32,
        /// How many vertices the surface has.
        vertices: usize,
    },
    /// A vertex holds NaN or an infinity.
    #[error("mesh {mesh}, surface {surface}: {buffer} of vertex {vertex} is not finite")]
    NotFinite {
        /// The mesh.
        mesh: String,
        /// The surface within the mesh.
        surface: usize,
        /// Which buffer.
        buffer: &'static str,
        /// The vertex.
        vertex: usize,
    },
    /// A normal whose length is not about 1.
    #[error("mesh {mesh}, surface {surface}: the normal of vertex {vertex} has length {length}, expected 1")]
    NormalNotUnit {
        /// The mesh.
        mesh: String,
        /// The surface within the mesh.
        surface: usize,
        /// The vertex.
        vertex: usize,
        /// The length found.
        length: f32,
    },
    /// A reference to something that is not in the scene.
    #[error("{whose}: there is no {what} {index}, the scene has {count}")]
    NoSuch {
        /// What holds the reference.
        whose: String,
        /// What it refers to, as in `mesh`.
        what: &'static str,
        /// The index it gives.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A node is its own ancestor.
    #[error("node {node} is its own ancestor")]
    Cycle {
        /// One node of the cycle.
        node: String,
    },
    /// A node is the child of two nodes, or twice of one.
    #[error("node {node} has more than one parent")]
    TwoParents {
        /// The node.
        node: String,
    },
    /// A root that is also a child, or is listed twice.
    #[error("root node {node} is also a child, or listed twice")]
    RootNotFree {
        /// The node.
        node: String,
    },
    /// A transform that is not finite, or whose rotation is not a unit quaternion.
    #[error("{whose}: {fault}")]
    BadTransform {
        /// The node, or the set of instances and the place in it.
        whose: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// A number that is not in its range.
    #[error("{whose}: {field} is {value}, allowed: {allowed}")]
    BadValue {
        /// What holds the number.
        whose: String,
        /// Which field.
        field: &'static str,
        /// The value found.
        value: f32,
        /// The range, in words.
        allowed: &'static str,
    },
    /// Two things that do not fit each other, or one that lacks what it needs.
    #[error("{whose}: {fault}")]
    Misfit {
        /// Where.
        whose: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// An extra that JSON cannot say.
    #[error("{whose}: extra {key:?} is not a finite number")]
    BadExtra {
        /// What holds the extra.
        whose: String,
        /// The key of the extra.
        key: String,
    },
    /// The buffer of a set of instances is not a whole number of 48-byte rows.
    #[error("instances {instances}: {bytes} bytes are not a multiple of 48")]
    InstancesLength {
        /// The set of instances.
        instances: String,
        /// The length of its buffer in bytes.
        bytes: usize,
    },
    /// More of something than the limits allow.
    #[error("{what}: {count}, at most {limit} are allowed")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// A file that GLB cannot hold: its lengths are 32 bits.
    #[error("the GLB would have {bytes} bytes, at most 4294967295 are possible")]
    TooLarge {
        /// The size it would have had.
        bytes: u64,
    },
}
