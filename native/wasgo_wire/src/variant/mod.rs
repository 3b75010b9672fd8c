//! Godot's binary Variant format: what the engine's `var_to_bytes` writes and `bytes_to_var` reads, without full objects.
//!
//! Encoding gives the engine's own bytes, bit for bit. Decoding takes what the engine takes, except for these, which are
//! refused: full objects (they name a class to build), typed arrays and dictionaries holding a value of another type than
//! they declare, and node paths in the format of older engines.
//!
//! - [`Encoder`] writes one value, call by call, and [`decode`] drives a [`Builder`]: neither makes a tree in between.
//! - [`Value`] is such a tree, for tests and for Rust code that wants one: [`encode`] and [`decode_value`].
//! - [`Limits`] bounds depth and size both ways.
//!
//! Bytes after the value are not an error here, as they are none in the engine: [`decode`] tells how many were used and
//! the caller decides.
//!
//! ```
//! use wasgo_wire::variant::{Limits, Value, decode_value, encode};
//!
//! let bytes = encode(&Value::Int(7), &Limits::default())?;
//! assert_eq!(bytes, [2, 0, 0, 0, 7, 0, 0, 0]);
//! assert_eq!(decode_value(&bytes, &Limits::default())?, (Value::Int(7), 8));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod build;
mod decode;
mod encode;
mod error;
mod limits;
mod read;
mod types;
mod value;

pub use build::{Builder, PackedBytes};
pub use decode::decode;
pub use encode::Encoder;
pub use error::{DecodeError, DecodeReason, EncodeError, Reading};
pub use limits::{DEFAULT_MAX_BYTES, DEFAULT_MAX_DEPTH, Limits, MAX_BYTES, MAX_DEPTH};
pub use types::{ElementType, NodePath, Type};
pub use value::{Array, Dictionary, Value, ValueBuilder, decode_value, encode};
