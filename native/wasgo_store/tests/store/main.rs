//! The store as its users see it: real files, real threads, real SQLite.

mod access;
mod backups;
mod changes;
mod confined;
mod cursors;
mod deadlines;
mod functions;
mod model;
mod notify;
mod opening;
mod queue;
mod readers;
#[cfg(feature = "remote")]
mod remote;
mod statements;
mod support;
mod transactions;
mod values;
