//! What a query outside transactions is done by: a connection to a file, or to a server.

use std::path::Path;
use std::sync::Arc;

use crate::rows::RowSink;
use crate::sqlite::{self, Interrupt, Ran, Watch};
use crate::{Limits, Options, ParamsRef, StoreError};
#[cfg(feature = "remote")]
use crate::{Location, remote};

/// A connection that queries are done by, with the one that is read in pieces, if one is. For one thread at a time.
pub(crate) enum Reader {
    File(Box<sqlite::Reader>),
    #[cfg(feature = "remote")]
    Server(Box<remote::Reader>),
}

impl Reader {
    pub(crate) fn open(options: &Options, interrupt: Arc<Interrupt>) -> Result<Self, StoreError> {
        match &options.location {
            #[cfg(feature = "remote")]
            Location::Server(server) => Ok(Self::Server(Box::new(remote::Reader::open(server, interrupt)?))),
            _ => Ok(Self::File(Box::new(sqlite::Reader::open(options, interrupt)?))),
        }
    }

    pub(crate) fn interrupt(&self) -> &Arc<Interrupt> {
        match self {
            Self::File(reader) => reader.interrupt(),
            #[cfg(feature = "remote")]
            Self::Server(reader) => reader.interrupt(),
        }
    }

    /// Runs a query to its end.
    pub(crate) fn query(
        &mut self,
        sql: &str,
        params: ParamsRef<'_>,
        limits: Limits,
        watch: Watch,
        sink: &mut dyn RowSink,
    ) -> Ran {
        match self {
            Self::File(reader) => reader.query(sql, params, limits, watch, sink),
            #[cfg(feature = "remote")]
            Self::Server(reader) => Ran::Ended(reader.query(sql, params, limits, watch, sink)),
        }
    }

    /// Whether a query can be run here.
    pub(crate) fn can_run(&mut self, sql: &str, watch: Watch) -> Result<bool, StoreError> {
        match self {
            Self::File(reader) => reader.can_run(sql, watch),
            #[cfg(feature = "remote")]
            Self::Server(_) => Ok(true),
        }
    }

    /// Begins a query that [`Self::fetch`] goes on with; false when it is one for the writer.
    pub(crate) fn begin(&mut self, sql: &str, params: ParamsRef<'_>, watch: Watch) -> Result<bool, StoreError> {
        match self {
            Self::File(reader) => reader.begin(sql, params, watch),
            #[cfg(feature = "remote")]
            Self::Server(reader) => reader.begin(sql, params, watch).map(|()| true),
        }
    }

    /// Hands the next rows of what was begun to `sink`; false when there are no more.
    pub(crate) fn fetch(&mut self, limits: Limits, watch: Watch, sink: &mut dyn RowSink) -> Result<bool, StoreError> {
        match self {
            Self::File(reader) => reader.fetch(limits, watch, sink),
            #[cfg(feature = "remote")]
            Self::Server(reader) => reader.fetch(limits, watch, sink),
        }
    }

    /// Ends what was begun.
    pub(crate) fn end(&mut self) {
        match self {
            Self::File(reader) => reader.end(),
            #[cfg(feature = "remote")]
            Self::Server(reader) => reader.end(),
        }
    }

    /// Copies the database.
    pub(crate) fn back_up(&mut self, target: &Path, watch: Watch) -> Result<(), StoreError> {
        match self {
            Self::File(reader) => reader.back_up(target, watch),
            #[cfg(feature = "remote")]
            Self::Server(_) => Err(StoreError::NotRemote { what: "a backup" }),
        }
    }
}
