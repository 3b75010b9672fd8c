//! The store as its users see it: real files, real threads, real SQLite.

mod confined;
mod deadlines;
mod functions;
mod model;
mod opening;
mod queue;
mod statements;
mod support;
mod transactions;
mod values;
