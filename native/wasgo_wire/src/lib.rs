//! The bytes that Wasgo exchanges with others, without the BEAM.
//!
//! [`variant`] is the Godot engine's binary Variant format, both ways; [`format`](mod@format) are the formats of serde, [`mod@zstd`] compresses. What is decoded
//! comes from a peer that is not trusted: every size it declares is checked against the bytes that are there before memory is taken.
//!
//! This crate does no input or output, starts no threads and must never panic on the bytes it is given.

#![forbid(unsafe_code)]

pub mod format;
pub mod variant;
pub mod zstd;
