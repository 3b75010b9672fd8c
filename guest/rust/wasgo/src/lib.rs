//! What a Wasgo script in Rust needs: [`Row`] to read, [`RowWriter`] to answer, the [`Instance`] record of an instance table,
//! and [`script!`], which makes the module's exports. `guest/README.md` is the contract behind it.
//!
//! ```
//! use wasgo::{Row, RowWriter, notification};
//!
//! wasgo::script! { columns: "position:y", notification: bob }
//!
//! /// A node that bobs up and down. The row that comes in: time REAL (seconds), home_y REAL (metres).
//! fn bob(what: i32, row: Row, answer: RowWriter) -> Option<RowWriter> {
//!     if what != notification::PROCESS {
//!         return None;
//!     }
//!     Some(answer.real(row.real(1) + 0.5 * row.real(0).sin()))
//! }
//! # let answer = bob(17, Row::from_bytes(&[0, 0, 0, 0, 8, 0, 0, 0]).unwrap(), RowWriter::new());
//! # assert_eq!(answer.unwrap().finish().len(), 24);
//! ```
//!
//! The crate needs `alloc` and nothing else: a script may be `no_std` when it brings an allocator. It has no unsafe code but
//! for one line that says that a script has a single thread.
//!
//! [`generate`] has what a script needs that makes a part of a plan's world.
//!
//! Memory: input and answer have one buffer each, which is used again from call to call. What a script makes beside them is
//! freed as everywhere in Rust.
#![no_std]
#![warn(missing_docs)]
// Without exports nothing calls what is behind them.
#![cfg_attr(not(target_family = "wasm"), allow(dead_code))]

extern crate alloc;

pub mod abi;
pub mod generate;
mod instance;
mod row;
mod writer;

pub use instance::Instance;
pub use row::{Row, Value};
pub use writer::RowWriter;

/// Notifications of a Godot node that scripts meet most; the full list is in Godot's class reference.
pub mod notification {
    /// The node and its children are in the tree.
    pub const READY: i32 = 13;
    /// One step of the physics.
    pub const PHYSICS_PROCESS: i32 = 16;
    /// One frame.
    pub const PROCESS: i32 = 17;
    /// The first number that is the world's own.
    pub const WORLD: i32 = 10_000;
}

/// Makes the exports of a script. Each of the four keys may be left out; they come in this order:
///
/// - `columns`, a `&'static str`: the names of the returned row's columns, with commas between them and no spaces;
/// - `notification`, a `fn(what: i32, row: Row, answer: RowWriter) -> Option<RowWriter>`: the filled row, or `None` for no change;
/// - `process`, a `fn(buffer: &mut Vec<u8>)`: what the buffer holds afterwards is the answer;
/// - `generate`, a `fn(of: Generation, row: Row) -> Vec<u8>`: see [`generate`].
///
/// Write it once, in the script's main file.
#[macro_export]
macro_rules! script {
    ($(columns: $columns:expr,)? $(notification: $notification:ident)? $(,)? $(process: $process:ident)? $(,)?
        $(generate: $generate:ident)? $(,)?) => {
        $(const _: &str = $columns;)?
        $(const _: $crate::abi::Notification = $notification;)?
        $(const _: $crate::abi::Process = $process;)?
        $(const _: $crate::abi::Generate = $generate;)?

        #[cfg(target_family = "wasm")]
        const _: () = {
            #[unsafe(no_mangle)]
            extern "C" fn wasgo_alloc(size: u32) -> u32 {
                $crate::abi::alloc(size)
            }

            $(
                #[unsafe(no_mangle)]
                extern "C" fn _columns() -> u64 {
                    $crate::abi::columns($columns)
                }
            )?

            $(
                #[unsafe(no_mangle)]
                extern "C" fn _notification(what: i32, pointer: u32, length: u32) -> u64 {
                    $crate::abi::notification($notification, what, pointer, length)
                }
            )?

            $(
                #[unsafe(no_mangle)]
                extern "C" fn process(pointer: u32, length: u32) -> u64 {
                    $crate::abi::process($process, pointer, length)
                }
            )?

            $(
                #[unsafe(no_mangle)]
                extern "C" fn generate(seed: u64, x: i32, z: i32, lod: u32, pointer: u32, length: u32) -> u64 {
                    let of = $crate::generate::Generation { seed, x, z, lod };
                    $crate::abi::generate($generate, of, pointer, length)
                }
            )?
        };
    };
}
