//! The WebAssembly host: engine, modules, instances, limits, services.
//!
//! Everything here runs code that nobody trusts. A guest gets memory, stack and time within [`Limits`], no imports but
//! those that were granted, and can neither hold a thread of the host nor reach another guest.
//!
//! A call is *started* on the caller's thread and polled there once ([`Instance::call`]): most calls end in that slice and
//! their result comes back directly ([`Started::Done`]). A guest still running at the next tick of the engine's epoch
//! yields; its half-run future then goes to the engine's worker threads, and the result arrives through a callback
//! ([`Started::Running`]). Nothing is run twice, and no function of this crate blocks its caller.
//!
//! This crate knows nothing of the BEAM.
#![deny(unsafe_code)]

mod abi;
mod act;
mod alarm;
mod background;
mod batch;
mod bulk;
mod cache;
mod call;
mod callable;
mod closed_wasi;
mod code;
mod complexity;
pub mod component;
mod core;
mod engine;
mod error;
mod executor;
mod flavour;
mod grants;
mod host_call;
mod imports;
mod inline;
mod instance;
mod limits;
mod lines;
mod local;
mod local_script;
mod mappings;
mod meter;
mod module;
mod pipe;
pub mod row;
mod scratch;
mod script;
mod script_batch;
mod script_guest;
mod service;
mod shape;
mod ticker;
mod trap;
mod validate;
mod wasi;

pub use abi::{Answers, Generation, Processed, RowAnswer, Rows, ScriptInfo};
pub use act::{Act, Acted, Number};
pub use alarm::Alarm;
pub use background::enter_background;
pub use batch::{ConvertMany, ManyResults, pack, packed_row_size, packed_size, unpack};
pub use cache::{Artefact, Cache, CacheInfo, Compiled, DEFAULT_CACHE_BYTES};
pub use call::Values;
pub use engine::{Engine, EngineOptions};
pub use error::{Error, LimitKind};
pub use executor::{Callback, Canceller, Started};
pub use grants::{Grants, KeyValues, KeyValuesLimits, LogLevel, LogLine, Seed, Sql, SqlAnswer, Statement};
pub use host_call::{Convert, HostHandler, HostRequest, Serving};
pub use imports::{HostImport, Imports};
pub use instance::{CallOptions, Instance, InstanceStatus};
pub use limits::{DEFAULT_FUEL, DEFAULT_TIMEOUT, Limits};
pub use lines::{Line, lines};
pub use local::{LOCAL_STACK, Local, LocalFunction, Stop};
pub use local_script::{GenerateCall, GenerateScript, LocalScript};
pub use meter::Load;
pub use module::{CompileOptions, ExternInfo, Module};
pub use scratch::Scratch;
pub use script::{Script, ScriptOptions};
pub use service::{Event, Service, ServiceOptions, WriteOutcome};
pub use shape::ModuleLimits;
pub use validate::{ModuleInfo, ModuleKind};
pub use wasi::{Cable, Clock, Directory, listener};
pub use wasmtime::{Val, ValType};
