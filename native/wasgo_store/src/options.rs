//! How a database is opened. Options are checked here, before a thread or a file is touched.

use std::path::PathBuf;
use std::time::Duration;

use crate::{FunctionHost, StoreError};

/// How long a statement waits for another connection's lock, unless told otherwise: long enough for any commit on a
/// slow disk, short enough to be noticed.
pub const DEFAULT_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes that one value, or one row as stored, may have unless told otherwise.
pub const DEFAULT_MAX_VALUE_BYTES: usize = 256 * 1024 * 1024;

/// The most that [`Options::max_value_bytes`] may ask for, in bytes: the limit that SQLite is compiled with.
pub const MAX_VALUE_BYTES: usize = 1_000_000_000;

/// The least that [`Options::max_value_bytes`] may ask for, in bytes: rows of the schema have to fit.
pub const MIN_VALUE_BYTES: usize = 4096;

/// Threads that read a file unless told otherwise, on a machine with few processors.
pub const MIN_READERS: usize = 2;

/// The most that [`Options::readers`] may ask for.
pub const MAX_READERS: usize = 64;

/// Where a database lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file. Always taken as a plain path: `:memory:` or `file:...` are names of files like any other.
    File(PathBuf),
    /// Memory of this store alone; gone when it closes.
    Memory,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Memory => f.write_str("memory"),
        }
    }
}

/// What a commit that returned has survived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// Kill of the process, and power loss. The default: a store must not lose what it acknowledged.
    #[default]
    Full,
    /// Kill of the process. With the write-ahead log, power loss may take back the latest commits, never half of one.
    Normal,
    /// Kill of the process. Power loss may corrupt the file.
    Off,
}

/// How to open a database.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file, or memory.
    pub location: Location,
    /// Refuse every write; the file must exist. Its journal mode is left alone.
    pub read_only: bool,
    /// Make the file if it is missing (default true; its directory has to exist).
    pub create: bool,
    /// Write-ahead log (default true): readers and the writer do not wait for each other. False is the rollback
    /// journal. No meaning for memory.
    pub wal: bool,
    /// What a commit survives (default [`Synchronous::Full`]).
    pub synchronous: Synchronous,
    /// How long to wait for another connection's lock (default [`DEFAULT_BUSY_TIMEOUT`]). A request's own deadline
    /// ends the wait too.
    pub busy_timeout: Duration,
    /// Enforce foreign keys (default true).
    pub foreign_keys: bool,
    /// The most bytes that the main database file may grow to through this store, rounded down to whole pages; beyond
    /// it writes fail with `full`. The log beside it is not counted. A file that is larger already is kept, and
    /// cannot grow.
    pub max_bytes: Option<u64>,
    /// How many threads read the file, each with a connection of its own, beside the one that writes it; half as many again, and at least
    /// four, connections serve [`Store::query_now`](crate::Store::query_now) (default: as many as there are processors, and at least
    /// [`MIN_READERS`]). 0: everything is done by one connection, in order. No meaning for memory, nor without the write-ahead log: there
    /// readers would hold up the writer.
    pub readers: usize,
    /// The most bytes of one value or row (default [`DEFAULT_MAX_VALUE_BYTES`]); beyond it statements fail with
    /// `toobig`.
    pub max_value_bytes: usize,
    /// What functions written in WebAssembly run on (default none: there are no such functions).
    pub functions: Option<FunctionHost>,
}

impl Options {
    /// The defaults for a file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::new(Location::File(path.into()))
    }

    /// The defaults for a database in memory.
    pub fn memory() -> Self {
        Self::new(Location::Memory)
    }

    fn new(location: Location) -> Self {
        Self {
            location,
            read_only: false,
            create: true,
            wal: true,
            synchronous: Synchronous::default(),
            busy_timeout: DEFAULT_BUSY_TIMEOUT,
            foreign_keys: true,
            max_bytes: None,
            readers: std::thread::available_parallelism().map_or(0, usize::from).clamp(MIN_READERS, MAX_READERS),
            max_value_bytes: DEFAULT_MAX_VALUE_BYTES,
            functions: None,
        }
    }

    /// The readers that there are going to be.
    pub(crate) fn usable_readers(&self) -> usize {
        match self.location {
            Location::File(_) if self.wal || self.read_only => self.readers,
            _ => 0,
        }
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let refuse = |option, problem: &str| Err(StoreError::InvalidOption { option, problem: problem.to_owned() });
        if let Location::File(path) = &self.location {
            let bytes = path.as_os_str().as_encoded_bytes();
            if bytes.is_empty() {
                return refuse("location", "the path is empty");
            }
            if bytes.contains(&0) {
                return refuse("location", "the path holds a NUL character");
            }
        }
        if self.readers > MAX_READERS {
            let problem = format!("{} is more than {MAX_READERS}", self.readers);
            return Err(StoreError::InvalidOption { option: "readers", problem });
        }
        if !(MIN_VALUE_BYTES..=MAX_VALUE_BYTES).contains(&self.max_value_bytes) {
            return Err(StoreError::InvalidOption {
                option: "max_value_bytes",
                problem: format!("{} is not between {MIN_VALUE_BYTES} and {MAX_VALUE_BYTES}", self.max_value_bytes),
            });
        }
        Ok(())
    }
}
