//! The connections that read a store's file: lent to whoever reads, one at a time.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use crate::cursor::CursorCell;
use crate::reading::Reader;
use crate::sqlite::Interrupt;
use crate::{Location, Options, StoreError};

/// Streams that may be open at a time. Each holds a connection, and a state of the file that the log cannot be emptied beyond.
pub const MAX_CURSORS: usize = 32;

pub(crate) struct Pool {
    options: Options,
    /// The file that the writer has open: another may have taken its place. None where it was not there yet.
    file: Option<FileId>,
    crew: Mutex<Crew>,
    changed: Condvar,
    cursors: AtomicUsize,
}

#[derive(Default)]
struct Crew {
    idle: Vec<Reader>,
    /// Connections there are, idle or lent.
    readers: usize,
    threads: usize,
    closed: bool,
    stopped_for_good: bool,
    interrupts: Vec<Arc<Interrupt>>,
    cursors: Vec<Weak<CursorCell>>,
}

type FileId = (u64, u64);

fn file_id(options: &Options) -> Option<FileId> {
    let Location::File(path) = &options.location else { return None };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
    }
    #[cfg(not(unix))]
    {
        std::fs::metadata(path).ok().map(|_| (0, 0))
    }
}

impl Pool {
    pub(crate) fn new(options: &Options) -> Arc<Self> {
        Arc::new(Self {
            options: options.clone(),
            file: file_id(options),
            crew: Mutex::default(),
            changed: Condvar::new(),
            cursors: AtomicUsize::new(0),
        })
    }

    fn crew(&self) -> MutexGuard<'_, Crew> {
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a connection: the one used last, for what it has prepared and read, or a new one.
    pub(crate) fn lend(self: &Arc<Self>) -> Result<Lent, StoreError> {
        let interrupt = {
            let mut crew = self.crew();
            if crew.closed {
                return Err(StoreError::Closed);
            }
            if let Some(reader) = crew.idle.pop() {
                return Ok(Lent { reader: Some(reader), pool: Arc::clone(self) });
            }
            crew.readers += 1;
            let interrupt = Arc::<Interrupt>::default();
            if crew.stopped_for_good {
                interrupt.request_for_good();
            }
            crew.interrupts.push(Arc::clone(&interrupt));
            interrupt
        };
        let opened = match self.file.is_none() || file_id(&self.options) == self.file {
            true => Reader::open(&self.options, Arc::clone(&interrupt)),
            false => Err(StoreError::Internal("another file has taken the place of the database".into())),
        };
        match opened {
            Ok(reader) => Ok(Lent { reader: Some(reader), pool: Arc::clone(self) }),
            Err(error) => {
                self.dismiss(&interrupt);
                Err(error)
            }
        }
    }

    /// A connection is gone.
    fn dismiss(&self, interrupt: &Arc<Interrupt>) {
        let mut crew = self.crew();
        crew.readers -= 1;
        crew.interrupts.retain(|known| !Arc::ptr_eq(known, interrupt));
        self.changed.notify_all();
    }

    fn take_back(&self, mut reader: Reader) {
        reader.end();
        let most_idle = 2 * self.options.readers + 2;
        let mut crew = self.crew();
        if crew.closed || crew.idle.len() >= most_idle {
            drop(crew);
            let interrupt = Arc::clone(reader.interrupt());
            drop(reader);
            self.dismiss(&interrupt);
        } else {
            crew.idle.push(reader);
        }
    }

    /// Counts a thread among those that `close` waits for; false when it is closed.
    pub(crate) fn enlist(self: &Arc<Self>) -> Option<Enlisted> {
        let mut crew = self.crew();
        if crew.closed {
            return None;
        }
        crew.threads += 1;
        Some(Enlisted(Arc::clone(self)))
    }

    /// A place for a cursor.
    pub(crate) fn place_for_cursor(self: &Arc<Self>) -> Result<CursorPlace, StoreError> {
        let free = |used| (used < MAX_CURSORS).then_some(used + 1);
        match self.cursors.fetch_update(Ordering::AcqRel, Ordering::Acquire, free) {
            Ok(_) => Ok(CursorPlace(Arc::clone(self))),
            Err(_) => Err(StoreError::TooManyCursors { max: MAX_CURSORS }),
        }
    }

    /// Has a cursor closed with the pool.
    pub(crate) fn register(&self, cursor: &Arc<CursorCell>) {
        let mut crew = self.crew();
        crew.cursors.retain(|known| known.strong_count() > 0);
        crew.cursors.push(Arc::downgrade(cursor));
    }

    /// Stops what runs on its connections.
    pub(crate) fn interrupt(&self) {
        self.crew().interrupts.iter().for_each(|interrupt| interrupt.request());
    }

    /// Stops what runs on its connections, and whatever is begun later.
    pub(crate) fn interrupt_for_good(&self) {
        let mut crew = self.crew();
        crew.stopped_for_good = true;
        crew.interrupts.iter().for_each(|interrupt| interrupt.request_for_good());
    }

    /// Returns when every thread is gone.
    pub(crate) fn wait_for_threads(&self) {
        let mut crew = self.crew();
        while crew.threads > 0 {
            crew = self.changed.wait(crew).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lends no more, and returns when every connection is closed and every thread gone.
    pub(crate) fn close(&self) {
        let (idle, cursors) = {
            let mut crew = self.crew();
            crew.closed = true;
            (std::mem::take(&mut crew.idle), std::mem::take(&mut crew.cursors))
        };
        for reader in idle {
            let interrupt = Arc::clone(reader.interrupt());
            drop(reader);
            self.dismiss(&interrupt);
        }
        for cursor in cursors {
            if let Some(cursor) = cursor.upgrade() {
                cursor.close();
            }
        }
        let mut crew = self.crew();
        while crew.readers > 0 || crew.threads > 0 {
            crew = self.changed.wait(crew).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A connection on loan; given back when dropped.
pub(crate) struct Lent {
    reader: Option<Reader>,
    pool: Arc<Pool>,
}

impl Deref for Lent {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        self.reader.as_ref().expect("it is there until it is dropped")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Reader {
        self.reader.as_mut().expect("it is there until it is dropped")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            self.pool.take_back(reader);
        }
    }
}

/// A thread that is waited for; no longer when dropped.
pub(crate) struct Enlisted(Arc<Pool>);

impl Drop for Enlisted {
    fn drop(&mut self) {
        self.0.crew().threads -= 1;
        self.0.changed.notify_all();
    }
}

/// One of the places for cursors; free again when dropped.
pub(crate) struct CursorPlace(Arc<Pool>);

impl Drop for CursorPlace {
    fn drop(&mut self) {
        self.0.cursors.fetch_sub(1, Ordering::AcqRel);
    }
}
