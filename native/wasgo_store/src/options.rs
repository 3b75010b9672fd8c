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

/// How long a connection to a server may take to be made, unless told otherwise.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Queries that a server is asked for at a time, by one store, beside what writes; each has a connection of its own, as have streams.
pub const SERVER_READERS: usize = 8;

/// Where a database lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file. Always taken as a plain path: `:memory:` or `file:...` are names of files like any other.
    File(PathBuf),
    /// Memory of this store alone; gone when it closes.
    Memory,
    /// A libSQL server. Needs the crate's feature `remote`.
    Server(Server),
}

/// A libSQL server, and what it is to be told.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// Its address: `http://`, `https://` or `libsql://`, which is `https://` by another name.
    pub url: String,
    /// The token that it lets one in for. Never part of a message.
    pub auth_token: Option<String>,
    /// How long a connection to it may take to be made (default [`DEFAULT_CONNECT_TIMEOUT`]); and at the opening of the store, its first
    /// answer too.
    pub connect_timeout: Duration,
}

impl Server {
    /// A server that wants no token.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), auth_token: None, connect_timeout: DEFAULT_CONNECT_TIMEOUT }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = self.auth_token.as_ref().map(|_| "...");
        f.debug_struct("Server").field("url", &self.url).field("auth_token", &token).finish_non_exhaustive()
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Memory => f.write_str("memory"),
            Self::Server(server) => f.write_str(&server.url),
        }
    }
}

/// What a file is a copy of, and how it follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// The server that has the database; what is written goes there.
    pub of: Server,
    /// How often to fetch what is new, beside when it is asked for (default never).
    pub sync_every: Option<Duration>,
    /// Whether a write's answer waits until queries see it (default true).
    pub read_your_writes: bool,
}

impl Replica {
    /// A copy that is up to date after its own store's writes.
    pub fn of(server: Server) -> Self {
        Self { of: server, sync_every: None, read_your_writes: true }
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
    /// What the file is a copy of (default none: it is a database of its own). Needs the crate's feature `replication`.
    pub replica: Option<Replica>,
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

    /// The defaults for a database on a server. What is said of files has no meaning for it.
    pub fn server(server: Server) -> Self {
        Self { readers: SERVER_READERS, ..Self::new(Location::Server(server)) }
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
            replica: None,
            functions: None,
        }
    }

    /// The readers that there are going to be.
    pub(crate) fn usable_readers(&self) -> usize {
        match self.location {
            Location::File(_) if self.wal || self.read_only => self.readers,
            Location::Server(_) => self.readers.max(1),
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
        match (&self.location, &self.replica) {
            (Location::Server(server), None) => check_server(server)?,
            (Location::File(_), Some(replica)) => {
                check_replication()?;
                check_server(&replica.of)?;
                if self.read_only {
                    return refuse("read_only", "a replica is made by what its server sends");
                }
            }
            (_, Some(_)) => return refuse("replica_of", "only a file can be a copy of a server's database"),
            (_, None) => {}
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

#[cfg(feature = "remote")]
fn check_server(server: &Server) -> Result<(), StoreError> {
    crate::remote::check(server)
}

#[cfg(not(feature = "remote"))]
fn check_server(_: &Server) -> Result<(), StoreError> {
    Err(StoreError::NotBuilt { what: "a database on a server", feature: "remote" })
}

#[cfg(feature = "replication")]
fn check_replication() -> Result<(), StoreError> {
    Ok(())
}

#[cfg(not(feature = "replication"))]
fn check_replication() -> Result<(), StoreError> {
    Err(StoreError::NotBuilt { what: "a copy of a server's database", feature: "replication" })
}
