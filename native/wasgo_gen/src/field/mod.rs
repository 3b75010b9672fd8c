//! Fields: numbers for every place of the world, from nodes put together.
//!
//! A graph of [`Node`]s is compiled to a program once. The program runs over blocks of some hundred places: each instruction is one
//! loop over all of them, and nothing is decided place by place. A field's value is a function of the place alone, in the same bits
//! whatever block it is computed in.

mod bounds;
mod check;
pub(crate) mod compile;
mod instr;
pub(crate) mod kernel;
mod node;
pub(crate) mod program;
pub(crate) mod range;
mod rivers;
mod run;

pub use compile::{MAX_DEPTH, MAX_DOMAINS, MAX_INSTRUCTIONS};
pub use node::{Axis, Feature, Fractal, Node, NodeId, NoiseKind, RiverOutput, Shape};
