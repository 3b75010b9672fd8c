//! Copies of a whole store, made while it is used.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::pool::{Enlisted, Lent};
use crate::readers::caught;
use crate::request::{Done, call};
use crate::shared::{Terms, Work};
use crate::store::BackupRuns;
use crate::{Reply, Store, StoreError};

impl Store {
    /// Copies the database into a new file, and calls `done` when that is complete, on a thread of the store. What is there when it fails
    /// is removed.
    ///
    /// A file with the write-ahead log, or one that is read-only, is copied on a thread of its own in the state that it has when the copy
    /// begins, and everything else goes on. In memory, and where there are no readers, the writer does it and nothing else meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError::Exists`] and [`StoreError::CannotWrite`] with the path; [`StoreError::BackupRunning`]; those of
    /// [`Store::submit`]; [`StoreError::NotRemote`]. `done` is not called then.
    pub fn back_up(
        &self,
        path: impl Into<PathBuf>,
        deadline: Option<Instant>,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) -> Result<(), StoreError> {
        if !self.has_readers() {
            self.refuse_if_remote("a backup")?;
        }
        let path = path.into();
        let _submitting = self.begin_submission()?;
        let runs = self.begin_backup()?;
        let reader = match self.pool() {
            Some(pool) => {
                let enlisted = pool.enlist().ok_or(StoreError::Closed)?;
                pool.lend().ok().map(|lent| (enlisted, lent))
            }
            None => None,
        };
        make_file(&path)?;
        let terms = Terms { deadline, confined: false, access: None };
        let begun = match reader {
            Some((enlisted, lent)) => on_its_own_thread(enlisted, lent, runs, path.clone(), terms, done),
            None => self.on_the_writer(runs, path.clone(), terms, done),
        };
        begun.inspect_err(|_| remove(&path))
    }

    fn on_the_writer(
        &self,
        runs: BackupRuns,
        path: PathBuf,
        terms: Terms,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) -> Result<(), StoreError> {
        let work = Work::BackUp(path.clone());
        let answer = move |result: Result<Reply, StoreError>| {
            drop(runs);
            finish(&path, result.map(drop), done);
        };
        self.enqueue(work, None, terms, Done::new(Box::new(answer)))
    }
}

fn on_its_own_thread(
    enlisted: Enlisted,
    mut lent: Lent,
    runs: BackupRuns,
    path: PathBuf,
    terms: Terms,
    done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
) -> Result<(), StoreError> {
    let body = move || {
        crate::store::mark_as_own_thread();
        let result = terms.check().and_then(|()| caught(|| lent.back_up(&path, terms.watch())));
        drop(lent);
        drop(runs);
        finish(&path, result, done);
        drop(enlisted);
    };
    let thread = std::thread::Builder::new().name("wasgo-store-backup".into()).spawn(body);
    thread.map(drop).map_err(|error| StoreError::Internal(format!("no thread for a backup: {error}")))
}

/// Makes the file, and fails if it is there: nobody's is written over.
fn make_file(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(StoreError::Exists { path: path.display().to_string() })
        }
        Err(error) => Err(StoreError::CannotWrite { path: path.display().to_string(), problem: error.to_string() }),
    }
}

fn finish(path: &Path, result: Result<(), StoreError>, done: impl FnOnce(Result<(), StoreError>)) {
    if result.is_err() {
        remove(path);
    }
    call(|| done(result));
}

/// Removes a copy that is none, and what SQLite may have left beside it.
fn remove(path: &Path) {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        // What is not there needs not be removed.
        let _ = std::fs::remove_file(PathBuf::from(name));
    }
}
