//! What an object is notified of: Godot's numbers, and their names.

/// Those of Object, Node and Node3D in Godot 4.
const NAMES: [(&str, i32); 16] = [
    ("postinitialize", 0),
    ("predelete", 1),
    ("enter_tree", 10),
    ("exit_tree", 11),
    ("moved_in_parent", 12),
    ("ready", 13),
    ("paused", 14),
    ("unpaused", 15),
    ("physics_process", 16),
    ("process", 17),
    ("parented", 18),
    ("unparented", 19),
    ("enter_world", 41),
    ("exit_world", 42),
    ("visibility_changed", 43),
    ("transform_changed", 2000),
];

/// The number of a name.
pub(crate) fn number(name: &str) -> Option<i32> {
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, number)| *number)
}
