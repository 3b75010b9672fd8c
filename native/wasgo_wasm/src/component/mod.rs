//! Components: WebAssembly with types of its own for strings, lists, records and the rest (the Component Model).
//!
//! A component is compiled once ([`Component`]) and run by instances ([`ComponentInstance`]), as a module is. What differs:
//!
//! * Its functions have names in interfaces (`wasgo:test/shapes.area`) and typed values ([`wasmtime::component::Val`]), which the
//!   canonical ABI copies in and out of its memories.
//! * After a trap it may not be entered again; that is the Component Model's rule.
//! * It may ask for WASI, which tool-chains link into everything; it gets an empty world, with the time and randomness that it was granted.
//! * What else it was granted it imports from `wasgo:script`, with types ([`Imports`]).

mod calls;
mod compiled;
mod describe;
mod granted;
mod handle;
mod host;
mod instance;
mod lease;
mod link;
mod scan;
mod script;
mod values;
mod weigh;
mod world;

pub use calls::{Arguments, Returned, Signature};
pub use compiled::{Component, ItemInfo};
pub use describe::describe_type;
pub use handle::Handle;
pub use host::{HostFunction, Imports, TypedReply, TypedRequest};
pub use instance::ComponentInstance;
pub(crate) use instance::{Core, Host, instantiate, reap};
pub use wasmtime::component::types::Type;
pub use wasmtime::component::{ResourceType, Val};
