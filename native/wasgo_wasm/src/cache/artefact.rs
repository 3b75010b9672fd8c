//! What can be cached: modules and components, and the one place where machine code is taken from a file.

use std::fs::File;
use std::path::PathBuf;

/// Something compiled that can be written down.
pub trait Artefact: Clone + Send + Sync + 'static {
    /// Goes into the key, so that a module and a component of the same bytes differ.
    const KIND: &'static str;

    /// The engine that it belongs to.
    fn engine(&self) -> &wasmtime::Engine;

    /// Bytes of memory that its machine code takes.
    fn code_bytes(&self) -> u64;

    /// Its machine code and what belongs to it.
    ///
    /// # Errors
    /// What wasmtime says.
    fn to_bytes(&self) -> wasmtime::Result<Vec<u8>>;

    #[doc(hidden)]
    fn load(engine: &wasmtime::Engine, verified: Verified) -> wasmtime::Result<Self>;
}

/// Bytes of an artefact that this cache wrote: only [`Verified::new`] makes one, and what makes it has checked the keyed digest
/// of the very file or bytes in it.
#[doc(hidden)]
pub struct Verified(Source);

pub(super) enum Source {
    Bytes(Vec<u8>),
    File(File),
}

impl Verified {
    /// Only for what was checked just before.
    pub(super) fn new(source: Source) -> Self {
        Self(source)
    }
}

impl Artefact for wasmtime::Module {
    const KIND: &'static str = "module";

    fn code_bytes(&self) -> u64 {
        let range = self.image_range();
        (range.end as u64).saturating_sub(range.start as u64)
    }

    fn engine(&self) -> &wasmtime::Engine {
        self.engine()
    }

    fn to_bytes(&self) -> wasmtime::Result<Vec<u8>> {
        self.serialize()
    }

    #[allow(unsafe_code)]
    fn load(engine: &wasmtime::Engine, verified: Verified) -> wasmtime::Result<Self> {
        match verified.0 {
            // SAFETY: the bytes are what `serialize` gave: their keyed digest was right, and only who reads the folder's key
            // could have made it. Wasmtime checks that they were made for this engine and machine.
            Source::Bytes(bytes) => unsafe { Self::deserialize(engine, bytes) },
            // SAFETY: as above. The file is the one whose digest was checked and not one that took its name since, belongs to this
            // user and can be written by nobody else; this crate never writes to a file that has its final name.
            Source::File(file) => unsafe { Self::deserialize_open_file(engine, file) },
        }
    }
}

impl Artefact for wasmtime::component::Component {
    const KIND: &'static str = "component";

    fn code_bytes(&self) -> u64 {
        let range = self.image_range();
        (range.end as u64).saturating_sub(range.start as u64)
    }

    fn engine(&self) -> &wasmtime::Engine {
        self.engine()
    }

    fn to_bytes(&self) -> wasmtime::Result<Vec<u8>> {
        self.serialize()
    }

    #[allow(unsafe_code)]
    fn load(engine: &wasmtime::Engine, verified: Verified) -> wasmtime::Result<Self> {
        match verified.0 {
            // SAFETY: as for modules.
            Source::Bytes(bytes) => unsafe { Self::deserialize(engine, bytes) },
            Source::File(file) => {
                let path = path_of(&file)?;
                // SAFETY: as for modules: the path is the open file's own, whatever has its name now.
                unsafe { Self::deserialize_file(engine, path) }
            }
        }
    }
}

/// A path that opens the same file again, whether or not it still has a name. Wasmtime takes components by path only.
#[cfg(target_os = "linux")]
fn path_of(file: &File) -> std::io::Result<PathBuf> {
    use std::os::fd::AsRawFd;
    Ok(format!("/proc/self/fd/{}", file.as_raw_fd()).into())
}

#[cfg(not(target_os = "linux"))]
fn path_of(_file: &File) -> std::io::Result<PathBuf> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Whether a component can be loaded from an open file here. Where it can't, it is read into memory.
pub(super) fn maps<A: Artefact>() -> bool {
    A::KIND == wasmtime::Module::KIND || (cfg!(target_os = "linux") && std::path::Path::new("/proc/self/fd").exists())
}
