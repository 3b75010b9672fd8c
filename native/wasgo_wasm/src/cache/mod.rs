//! Machine code that was compiled before: in this process, or in a folder that outlives it.
//!
//! An entry's key is a digest of the wasm, the engine's settings and version, the machine, and the caller's *flavour*. Who asks for a
//! key that somebody in this process has gets the same machine code; who asks for one that is being compiled waits for that, without
//! holding a thread; else the entry is looked for in the folder, and then compiled and stored there.
//!
//! # Whom a folder trusts
//!
//! Loading machine code is running it, so that a folder's trust is that of this process's user. The folder, the key and every
//! entry must belong to that user and be writable by nobody else, and none may be a symbolic link; a folder that is not so is refused
//! when it is opened, and an entry that is not so is deleted and compiled anew. Each entry ends with a digest under the folder's key, over
//! all its bytes and its name: damage, half-written files and files that somebody made who can't read the key are found before anything
//! of them is used. Large entries are mapped into memory, and so belong on a local disk: one that is cut short under a running process,
//! by this user or on a network's disk, ends the process as it would for any mapped library.
//!
//! The digest of a large entry is computed at its first use in a process; after that the file's identity, size and times vouch for it.
//! They can't be those of another content as long as the machine's clock and disk are not forged, for which one must be root.
//!
//! # Faults
//!
//! Nothing that goes wrong with the folder fails a compilation; [`CacheInfo`] counts it.

mod artefact;
#[cfg(unix)]
mod folder;
#[cfg(not(unix))]
#[path = "unsupported.rs"]
mod folder;
mod live;
mod sealed;

use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use wasmtime::component::Component;

pub use artefact::Artefact;
use folder::{Folder, Found};
use live::Live;

use crate::error::Error;
use crate::executor::Callback;

/// Goes into each key, and changes when what is stored with an artefact does.
const FORMAT: u32 = 1;

/// Bytes that a folder may hold unless its user says otherwise: some hundred large modules, or thousands of scripts. 512 MiB.
pub const DEFAULT_CACHE_BYTES: u64 = 512 << 20;

/// Something compiled, and what its compiler noted of it.
pub struct Compiled<A> {
    /// The artefact.
    pub artefact: A,
    /// Bytes that were stored beside it.
    pub notes: Vec<u8>,
}

/// What a cache has done since it was made, and what its folder holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheInfo {
    /// The folder, if there is one.
    pub folder: Option<PathBuf>,
    /// Bytes that the folder may hold.
    pub max_bytes: u64,
    /// Bytes that it holds.
    pub bytes: u64,
    /// Entries that it holds.
    pub entries: u64,
    /// Answered by what this process had, or was compiling, already.
    pub shared: u64,
    /// Loaded from the folder.
    pub hits: u64,
    /// Compiled.
    pub misses: u64,
    /// Entries that were damaged, or that others could have written. Each is a miss too.
    pub refused: u64,
    /// Entries written.
    pub stored: u64,
    /// Entries that could not be written: the disk was full or read-only, or the entry larger than the folder may be.
    pub failed: u64,
    /// Entries deleted to make room.
    pub evicted: u64,
}

#[derive(Default)]
struct Counts {
    shared: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    refused: AtomicU64,
    stored: AtomicU64,
    failed: AtomicU64,
    evicted: AtomicU64,
}

struct Parts {
    modules: Live<wasmtime::Module>,
    components: Live<Component>,
    folder: RwLock<Option<Arc<Folder>>>,
    counts: Counts,
}

/// A cache of machine code; clones are handles on the same one.
#[derive(Clone)]
pub struct Cache(Arc<Parts>);

impl Default for Cache {
    fn default() -> Self {
        Self::new()
    }
}

impl Cache {
    /// A cache without a folder: it shares what lives in this process.
    pub fn new() -> Self {
        Self(Arc::new(Parts {
            modules: Live::new(),
            components: Live::new(),
            folder: RwLock::new(None),
            counts: Counts::default(),
        }))
    }

    /// A cache with a folder, which is made if it isn't there, of at most `max_bytes`.
    ///
    /// # Errors
    /// [`Error::Cache`] when the folder can't be made or read, or can't be trusted.
    pub fn open(folder: &Path, max_bytes: u64) -> Result<Self, Error> {
        let cache = Self::new();
        cache.set_folder(Some((folder, max_bytes)))?;
        Ok(cache)
    }

    /// Takes another folder, or none. What lives in this process is shared all the same. Reads the folder, which may take
    /// milliseconds.
    ///
    /// # Errors
    /// As for [`Self::open`]; the cache then is as it was.
    pub fn set_folder(&self, folder: Option<(&Path, u64)>) -> Result<(), Error> {
        let folder = match folder {
            Some((path, max_bytes)) => Some(Arc::new(Folder::open(path, max_bytes)?)),
            None => None,
        };
        *self.0.folder.write().unwrap_or_else(PoisonError::into_inner) = folder;
        Ok(())
    }

    /// Counts, and what is in the folder. Reads the folder, which may take milliseconds.
    pub fn info(&self) -> CacheInfo {
        let counts = &self.0.counts;
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut info = CacheInfo {
            shared: get(&counts.shared),
            hits: get(&counts.hits),
            misses: get(&counts.misses),
            refused: get(&counts.refused),
            stored: get(&counts.stored),
            failed: get(&counts.failed),
            evicted: get(&counts.evicted),
            ..CacheInfo::default()
        };
        if let Some(folder) = self.folder() {
            let (entries, bytes) = folder.usage().unwrap_or_default();
            info.folder = Some(folder.path().to_owned());
            info.max_bytes = folder.max_bytes();
            info.entries = entries as u64;
            info.bytes = bytes;
        }
        info
    }

    /// How many artefacts somebody holds, and bytes of their machine code.
    pub fn live(&self) -> (usize, u64) {
        let (modules, of_modules) = self.0.modules.held();
        let (components, of_components) = self.0.components.held();
        (modules + components, of_modules + of_components)
    }

    /// Deletes all entries of the folder; answers how many. What is loaded stays so.
    ///
    /// # Errors
    /// [`Error::Cache`] when one can't be deleted.
    pub fn clear(&self) -> Result<u64, Error> {
        match self.folder() {
            Some(folder) => folder.clear().map_err(|error| Error::cache(folder.path(), "unusable", error)),
            None => Ok(0),
        }
    }

    /// Gives `done` a module: see [`Self::component`], whose twin this is.
    pub fn module(
        &self,
        engine: &wasmtime::Engine,
        flavour: &str,
        wasm: &[u8],
        make: impl FnOnce() -> Result<(wasmtime::Module, Vec<u8>), Error>,
        done: Callback<Result<Arc<Compiled<wasmtime::Module>>, Error>>,
    ) {
        self.obtain(&self.0.modules, engine, flavour, wasm, make, done);
    }

    /// Gives `done` a component for these bytes: one that lives, or from the folder, or what `make` compiles, with notes on it.
    ///
    /// All this happens on the calling thread, and takes as long as compiling takes; but when another thread is compiling the same
    /// this returns at once, and `done` is called there. Engines with the same `flavour` and settings share entries.
    pub fn component(
        &self,
        engine: &wasmtime::Engine,
        flavour: &str,
        wasm: &[u8],
        make: impl FnOnce() -> Result<(Component, Vec<u8>), Error>,
        done: Callback<Result<Arc<Compiled<Component>>, Error>>,
    ) {
        self.obtain(&self.0.components, engine, flavour, wasm, make, done);
    }

    fn obtain<A: Artefact>(
        &self,
        live: &Live<A>,
        engine: &wasmtime::Engine,
        flavour: &str,
        wasm: &[u8],
        make: impl FnOnce() -> Result<(A, Vec<u8>), Error>,
        done: Callback<Result<Arc<Compiled<A>>, Error>>,
    ) {
        let key = key::<A>(engine, flavour, wasm);
        let make = || self.load_or_make(engine, &key, make).map(Arc::new);
        live.obtain(engine, key, make, || count(&self.0.counts.shared), done);
    }

    fn load_or_make<A: Artefact>(
        &self,
        engine: &wasmtime::Engine,
        key: &blake3::Hash,
        make: impl FnOnce() -> Result<(A, Vec<u8>), Error>,
    ) -> Result<Compiled<A>, Error> {
        let counts = &self.0.counts;
        let folder = self.folder();
        if let Some(folder) = &folder {
            match folder.load(key, artefact::maps::<A>()) {
                Found::Good(verified, notes) => match A::load(engine, verified) {
                    Ok(artefact) => {
                        count(&counts.hits);
                        return Ok(Compiled { artefact, notes });
                    }
                    Err(_) => {
                        folder.remove(key);
                        count(&counts.refused);
                    }
                },
                Found::Refused => count(&counts.refused),
                Found::Missing => {}
            }
        }
        count(&counts.misses);
        let (artefact, notes) = make()?;
        if let Some(folder) = folder {
            self.store(folder, key, &artefact, &notes);
        }
        Ok(Compiled { artefact, notes })
    }

    fn store<A: Artefact>(&self, folder: Arc<Folder>, key: &blake3::Hash, artefact: &A, notes: &[u8]) {
        let counts = &self.0.counts;
        let Ok(bytes) = artefact.to_bytes() else {
            count(&counts.failed);
            return;
        };
        let stored = match folder.store(key, &bytes, notes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.store_again(&folder, key, &bytes, notes),
            stored => stored,
        };
        match stored {
            Ok(Some(evicted)) => {
                count(&counts.stored);
                counts.evicted.fetch_add(evicted, Ordering::Relaxed);
            }
            Ok(None) | Err(_) => count(&counts.failed),
        }
    }

    /// Somebody deleted the folder: makes it anew.
    fn store_again(
        &self,
        gone: &Arc<Folder>,
        key: &blake3::Hash,
        bytes: &[u8],
        notes: &[u8],
    ) -> io::Result<Option<u64>> {
        let folder = Folder::open(gone.path(), gone.max_bytes()).map_err(io::Error::other)?;
        let stored = folder.store(key, bytes, notes);
        let mut current = self.0.folder.write().unwrap_or_else(PoisonError::into_inner);
        // Unless another was set meanwhile.
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, gone)) {
            *current = Some(Arc::new(folder));
        }
        stored
    }

    fn folder(&self) -> Option<Arc<Folder>> {
        self.0.folder.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn key<A: Artefact>(engine: &wasmtime::Engine, flavour: &str, wasm: &[u8]) -> blake3::Hash {
    let mut hasher = KeyHasher(blake3::Hasher::new());
    (FORMAT, A::KIND, flavour).hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.update(wasm).finalize()
}

/// Feeds what is `Hash` to a digest. The order and lengths of what it is fed are those of one build; another build that differs finds
/// nothing under its keys, and no wrong thing.
struct KeyHasher(blake3::Hasher);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        // Only asked of hash tables.
        0
    }
}
