//! The BEAM boundary: terms, resources, scheduling; no domain logic.
//!
//! Nothing here holds a scheduler: what may take longer than a millisecond is started and answers by a message, or runs on a
//! dirty scheduler and is bounded. `Wasgo.Native` has the stubs, a line each.

// The names of NIFs and resources are documented in `Wasgo.Native` and where they are used.
#![allow(missing_docs)]

mod atoms;
mod budget;
mod bytes;
mod fault;
mod float;
mod generate;
mod generate_script;
mod jobs;
mod later;
mod load;
mod objects;
mod preview;
mod prop;
mod scene;
mod slice;
mod store;
mod surface;
mod values;
mod variant;
mod volume;
mod wasm;
mod wire;
mod zstd;

rustler::init!("Elixir.Wasgo.Native");
