//! The folder of a cache: who may write it, how files come and go.
//!
//! All names are looked up in the folder that was opened and checked, whatever takes its path later. Files get their names
//! when they are whole, and are never written to again; several processes may use a folder at once.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

use super::artefact::{Source, Verified};
use super::sealed::{self, Secret, TRAILER};
use crate::error::Error;

/// Entries that a folder may have, so that looking through it stays quick (about 1.5 us each).
const MAX_ENTRIES: usize = 16_384;

/// Larger artefacts are mapped into memory and share it with the other processes that use them; smaller ones are copied, which
/// takes no file descriptor for as long as the module lives.
const COPY_BELOW: u64 = 512 << 10;

/// An entry is touched when it is used and was not for so long. Touching it more often would only cost.
const TOUCH_AFTER: Duration = Duration::from_secs(600);

/// What a process that died left half-written is deleted after so long; none writes that long.
const STRAY_AFTER: Duration = Duration::from_secs(3_600);

/// A file that changed so recently is digested at each use: a change after the digest could have the same time.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// Files whose digest was right that are remembered.
const MAX_REMEMBERED: usize = 4_096;

const KEY: &str = "key";
const SUFFIX: &str = ".code";
const TEMPORARY: &str = ".tmp-";

/// What tells that a file is the same and unchanged. Its change time can't be set back.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What a folder has for a name.
pub(super) enum Found {
    /// Nothing.
    Missing,
    /// Something that can't be trusted or is damaged; it was deleted if it could be.
    Refused,
    /// The artefact and its notes.
    Good(Verified, Vec<u8>),
}

/// How much is in a folder, as of the last look and what was stored since.
struct Tally {
    bytes: u64,
    entries: usize,
    since: u64,
}

pub(super) struct Folder {
    path: PathBuf,
    dir: File,
    secret: Secret,
    max_bytes: u64,
    tally: Mutex<Tally>,
    remembered: Mutex<HashMap<(u64, u64), Stamp>>,
}

impl Folder {
    /// Opens a folder, making it if it isn't there.
    pub(super) fn open(path: &Path, max_bytes: u64) -> Result<Self, Error> {
        let unusable = |error: io::Error| Error::cache(path, "unusable", error);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
            rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR => {
                Error::cache(path, "untrusted", "it is a symbolic link or no folder")
            }
            error => unusable(error.into()),
        })?;
        let dir = File::from(dir);
        own(&dir.metadata().map_err(unusable)?, 0o022).map_err(|reason| Error::cache(path, "untrusted", reason))?;
        let secret = secret(&dir, path)?;
        let tally = Mutex::new(Tally { bytes: 0, entries: 0, since: 0 });
        let folder =
            Self { path: path.to_owned(), dir, secret, max_bytes, tally, remembered: Mutex::new(HashMap::new()) };
        let found = folder.scan().map_err(unusable)?;
        let mut tally = lock(&folder.tally);
        tally.bytes = found.iter().map(|entry| entry.size).sum();
        tally.entries = found.len();
        drop(tally);
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Looks for an entry. With `map` a large one may come as a file.
    pub(super) fn load(&self, name: &blake3::Hash, map: bool) -> Found {
        let file_name = file_name(name);
        // Without NONBLOCK, opening a pipe that has the name would wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.dir, &file_name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Found::Missing,
            Err(rustix::io::Errno::LOOP) => return self.refuse(&file_name),
            // Too many open files, for one: that says nothing about the entry.
            Err(_) => return Found::Missing,
        };
        match self.verify(file, name, map) {
            Ok(Some((source, notes))) => Found::Good(Verified::new(source), notes),
            Ok(None) => self.refuse(&file_name),
            Err(_) => self.refuse(&file_name),
        }
    }

    fn refuse(&self, file_name: &str) -> Found {
        let _ = rustix::fs::unlinkat(&self.dir, file_name, AtFlags::empty());
        Found::Refused
    }

    /// Deletes an entry that was good by its digest and could not be used all the same.
    pub(super) fn remove(&self, name: &blake3::Hash) {
        let _ = rustix::fs::unlinkat(&self.dir, file_name(name), AtFlags::empty());
    }

    fn verify(&self, file: File, name: &blake3::Hash, map: bool) -> io::Result<Option<(Source, Vec<u8>)>> {
        let mut stat = file.metadata()?;
        if !stat.is_file() || own(&stat, 0o022).is_err() {
            return Ok(None);
        }
        let now = SystemTime::now();
        if older(stat.mtime(), TOUCH_AFTER, now) {
            // On a disk that is read-only it stays as it is.
            let _ = file.set_modified(now);
            stat = file.metadata()?;
        }
        let size = stat.size();
        if !map || size < COPY_BELOW {
            // No file is larger than what the folder may hold, and none is read into memory that says so.
            if size > self.max_bytes {
                return Ok(None);
            }
            let mut bytes = Vec::with_capacity(size as usize);
            (&file).take(size).read_to_end(&mut bytes)?;
            let read = |buffer: &mut [u8], offset: u64| copy(&bytes, buffer, offset);
            let Some(contents) = sealed::check(read, size, &self.secret, name, false)? else { return Ok(None) };
            bytes.truncate(contents.artefact as usize);
            return Ok(Some((Source::Bytes(bytes), contents.notes)));
        }
        // The stamp was taken before the digest is: what changes meanwhile has another at its next use.
        let (place, stamp) = ((stat.dev(), stat.ino()), stamp(&stat));
        let trusted = lock(&self.remembered).get(&place) == Some(&stamp);
        let read = |buffer: &mut [u8], offset: u64| file.read_exact_at(buffer, offset);
        let Some(contents) = sealed::check(read, size, &self.secret, name, trusted)? else { return Ok(None) };
        if !trusted && older(stat.ctime(), SETTLED_AFTER, now) {
            let mut remembered = lock(&self.remembered);
            if remembered.len() >= MAX_REMEMBERED {
                remembered.clear();
            }
            remembered.insert(place, stamp);
        }
        Ok(Some((Source::File(file), contents.notes)))
    }

    /// Stores an entry. The answer is how many others had to go, or none when this one is larger than the whole folder may be.
    pub(super) fn store(&self, name: &blake3::Hash, artefact: &[u8], notes: &[u8]) -> io::Result<Option<u64>> {
        let size = (artefact.len() + notes.len() + TRAILER) as u64;
        if size > self.max_bytes || notes.len() > sealed::MAX_NOTES {
            return Ok(None);
        }
        let evicted = self.make_room(size)?;
        let trailer = sealed::trailer(&self.secret, name, artefact, notes);
        // There is no need to wait for the disk: what a power failure leaves half-written has no right digest.
        let temporary = Temporary::write(&self.dir, &[artefact, notes, &trailer], false)?;
        rustix::fs::renameat(&self.dir, &temporary.name, &self.dir, file_name(name))?;
        temporary.keep();
        Ok(Some(evicted))
    }

    /// Evicts the least recently used entries if `size` more bytes would be too much.
    ///
    /// Looking through the folder for each entry would take long where there are many, so that a process counts what it stores and
    /// looks again after a thirty-second of the folder's size: with other processes at work too, it may be over its limit by so
    /// much for each of them.
    fn make_room(&self, size: u64) -> io::Result<u64> {
        let mut tally = lock(&self.tally);
        tally.bytes = tally.bytes.saturating_add(size);
        tally.since = tally.since.saturating_add(size);
        tally.entries += 1;
        if tally.bytes <= self.max_bytes && tally.entries <= MAX_ENTRIES && tally.since <= self.max_bytes / 32 {
            return Ok(0);
        }
        let mut entries = self.scan()?;
        let mut bytes: u64 = entries.iter().map(|entry| entry.size).sum();
        let mut count = entries.len();
        let mut evicted = 0;
        if bytes.saturating_add(size) > self.max_bytes || count >= MAX_ENTRIES {
            // An eighth more than there must, so that not each entry to come has to evict.
            let most = (self.max_bytes - self.max_bytes / 8).saturating_sub(size);
            entries.sort_unstable_by_key(|entry| entry.modified);
            for entry in entries {
                if bytes <= most && count <= MAX_ENTRIES - MAX_ENTRIES / 8 {
                    break;
                }
                match rustix::fs::unlinkat(&self.dir, &entry.name, AtFlags::empty()) {
                    Ok(()) => evicted += 1,
                    // Another process was first.
                    Err(rustix::io::Errno::NOENT) => {}
                    Err(_) => continue,
                }
                bytes -= entry.size;
                count -= 1;
            }
            if bytes.saturating_add(size) > self.max_bytes {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        *tally = Tally { bytes: bytes.saturating_add(size), entries: count + 1, since: 0 };
        Ok(evicted)
    }

    /// Entries and bytes in the folder.
    pub(super) fn usage(&self) -> io::Result<(usize, u64)> {
        let entries = self.scan()?;
        Ok((entries.len(), entries.iter().map(|entry| entry.size).sum()))
    }

    /// Deletes all entries; answers how many.
    pub(super) fn clear(&self) -> io::Result<u64> {
        let mut tally = lock(&self.tally);
        let mut cleared = 0;
        for entry in self.scan()? {
            match rustix::fs::unlinkat(&self.dir, &entry.name, AtFlags::empty()) {
                Ok(()) => cleared += 1,
                Err(rustix::io::Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        *tally = Tally { bytes: 0, entries: 0, since: 0 };
        Ok(cleared)
    }

    /// All entries. Strays are deleted on the way; what else is in the folder is none of this cache's business.
    fn scan(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let now = SystemTime::now();
        for entry in Dir::read_from(&self.dir)? {
            let Ok(name) = entry?.file_name().to_str().map(str::to_owned) else { continue };
            let stray = name.starts_with(TEMPORARY);
            if !stray && !is_entry(&name) {
                continue;
            }
            // It may be gone by now.
            let Ok(stat) = rustix::fs::statat(&self.dir, &name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            // The system's types differ from one to the next.
            let modified: (i128, i128) = (stat.st_mtime.into(), stat.st_mtime_nsec.into());
            let size: i128 = stat.st_size.into();
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                continue;
            }
            if !stray {
                entries.push(Entry { name, size: u64::try_from(size).unwrap_or(0), modified });
            } else if i64::try_from(modified.0).is_ok_and(|at| older(at, STRAY_AFTER, now)) {
                let _ = rustix::fs::unlinkat(&self.dir, &name, AtFlags::empty());
            }
        }
        Ok(entries)
    }
}

struct Entry {
    name: String,
    size: u64,
    modified: (i128, i128),
}

/// A file that is being written. It is deleted when it was not kept.
struct Temporary<'a> {
    dir: &'a File,
    name: String,
    kept: bool,
}

impl<'a> Temporary<'a> {
    /// Writes a new file, which only this user may read, and nobody may write.
    fn write(dir: &'a File, parts: &[&[u8]], sync: bool) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{TEMPORARY}{}-{number}-{:016x}", std::process::id(), u64::from_le_bytes(random));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(dir, &name, flags, Mode::RUSR)?);
        let temporary = Self { dir, name, kept: false };
        for part in parts {
            file.write_all(part)?;
        }
        if sync {
            file.sync_all()?;
        }
        Ok(temporary)
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let _ = rustix::fs::unlinkat(self.dir, &self.name, AtFlags::empty());
        }
    }
}

/// The folder's key, which the first process to use the folder makes.
fn secret(dir: &File, path: &Path) -> Result<Secret, Error> {
    let unusable = |error: io::Error| Error::cache(path, "unusable", error);
    if let Some(secret) = read_secret(dir, path)? {
        return Ok(secret);
    }
    let mut secret: Secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| unusable(io::Error::other(error.to_string())))?;
    let temporary = Temporary::write(dir, &[&secret], true).map_err(unusable)?;
    // Unlike a rename this fails when another process was first, whose key then counts.
    match rustix::fs::linkat(dir, &temporary.name, dir, KEY, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(unusable(error.into())),
    }
    drop(temporary);
    read_secret(dir, path)?.ok_or_else(|| unusable(io::ErrorKind::NotFound.into()))
}

fn read_secret(dir: &File, path: &Path) -> Result<Option<Secret>, Error> {
    let untrusted = |reason: &str| Error::cache(path, "untrusted", format!("its file \"{KEY}\": {reason}"));
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(dir, KEY, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(rustix::io::Errno::LOOP) => return Err(untrusted("it is a symbolic link")),
        Err(error) => return Err(Error::cache(path, "unusable", io::Error::from(error))),
    };
    let stat = file.metadata().map_err(|error| Error::cache(path, "unusable", error))?;
    own(&stat, 0o077).map_err(untrusted)?;
    let mut secret: Secret = [0; 32];
    if stat.size() != secret.len() as u64 || file.read_exact_at(&mut secret, 0).is_err() {
        return Err(untrusted("it is damaged; delete the folder"));
    }
    Ok(Some(secret))
}

/// Whether something belongs to this process's user, and others may do none of `forbidden` with it.
fn own(stat: &Metadata, forbidden: u32) -> Result<(), &'static str> {
    if stat.uid() != rustix::process::geteuid().as_raw() {
        return Err("it belongs to another user");
    }
    if stat.mode() & forbidden != 0 {
        return Err("other users may change or read it");
    }
    Ok(())
}

fn file_name(name: &blake3::Hash) -> String {
    format!("{}{SUFFIX}", name.to_hex())
}

fn is_entry(name: &str) -> bool {
    name.strip_suffix(SUFFIX).is_some_and(|hex| blake3::Hash::from_hex(hex).is_ok())
}

fn stamp(stat: &Metadata) -> Stamp {
    Stamp { size: stat.size(), modified: (stat.mtime(), stat.mtime_nsec()), changed: (stat.ctime(), stat.ctime_nsec()) }
}

/// Whether a time, in seconds since 1970, is longer ago than `age`. A clock that was set back makes nothing older.
fn older(seconds: i64, age: Duration, now: SystemTime) -> bool {
    let then = u64::try_from(seconds).map_or(UNIX_EPOCH, |seconds| UNIX_EPOCH + Duration::from_secs(seconds));
    now.duration_since(then).is_ok_and(|passed| passed > age)
}

fn copy(bytes: &[u8], buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let found = usize::try_from(offset)
        .ok()
        .and_then(|start| bytes.get(start..)?.get(..buffer.len()))
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    buffer.copy_from_slice(found);
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
