//! Queries that are read in pieces.
//!
//! A cursor outside a transaction holds a connection of the pool, and no thread: between two pieces nothing runs. One within a
//! transaction is a statement of the writer's connection.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::pool::{CursorPlace, Lent};
use crate::request::{Done, TokenRef};
use crate::rows::{RowSink, RowsCallback};
use crate::shared::{Terms, Work};
use crate::sqlite::Interrupt;
use crate::{Limits, Params, Store, StoreError, Token};

/// Cursors that a transaction may have open.
pub const MAX_TRANSACTION_CURSORS: usize = 16;

static NEXT_CURSOR: AtomicU64 = AtomicU64::new(1);

pub(crate) type CursorId = u64;

/// A query that is read in pieces. Begun by its first piece, ended by [`Cursor::close`], by the store's closing or when the last copy is
/// dropped.
#[derive(Clone)]
pub struct Cursor(Arc<Owned>);

/// What all copies share; the pool knows the cell, and not this.
struct Owned(Arc<CursorCell>, Store);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.close();
        if let Some(token) = &self.0.token {
            self.1.close_cursor(self.0.id, token.clone());
        }
    }
}

pub(crate) struct CursorCell {
    id: CursorId,
    query: Arc<(String, Params)>,
    token: Option<TokenRef>,
    closed: AtomicBool,
    state: Mutex<State>,
    place: Mutex<Option<CursorPlace>>,
}

enum State {
    Fresh,
    Open(Box<Lent>),
    /// A thread has it.
    Running(Arc<Interrupt>),
    Ended,
}

impl CursorCell {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it, and gives its connection back; from any thread, and again.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        drop(self.place.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut state = self.state();
        match &*state {
            State::Running(interrupt) => interrupt.request(),
            _ => {
                let ended = std::mem::replace(&mut *state, State::Ended);
                drop(state);
                drop(ended);
            }
        }
    }

    /// Reads the next piece, on a thread for that. `lend` gives a connection to who has none.
    pub(crate) fn read(
        &self,
        lend: impl FnOnce() -> Result<Lent, StoreError>,
        terms: &Terms,
        limits: Limits,
        sink: &mut dyn RowSink,
    ) -> Result<bool, StoreError> {
        terms.check()?;
        let taken = std::mem::replace(&mut *self.state(), State::Ended);
        let mut lent = match taken {
            State::Open(lent) => lent,
            State::Fresh => {
                let mut lent = lend()?;
                if !lent.begin(&self.query.0, (&self.query.1).into(), terms.watch())? {
                    return Err(StoreError::NoCursor);
                }
                Box::new(lent)
            }
            State::Running(interrupt) => {
                *self.state() = State::Running(interrupt);
                return Err(StoreError::Busy { capacity: 1 });
            }
            State::Ended => return Ok(false),
        };
        *self.state() = State::Running(Arc::clone(lent.interrupt()));
        let result = match self.closed.load(Ordering::SeqCst) {
            true => Ok(false),
            false => lent.fetch(limits, terms.watch(), sink),
        };
        let mut state = self.state();
        *state = State::Ended;
        // Looked after with the lock held: who closes it now finds what is put there.
        if matches!(result, Ok(true)) && !self.closed.load(Ordering::SeqCst) {
            *state = State::Open(lent);
        } else {
            drop(state);
            drop(lent);
        }
        result
    }
}

impl Store {
    /// A cursor on a query, outside transactions: on a file with readers. Nothing is done yet.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoCursor`] where there are no readers, [`StoreError::TooManyCursors`], [`StoreError::Closed`].
    pub fn cursor(&self, sql: impl Into<String>, params: Params) -> Result<Cursor, StoreError> {
        let Some(pool) = self.pool() else { return Err(StoreError::NoCursor) };
        let place = pool.place_for_cursor()?;
        let cursor = self.new_cursor(sql.into(), params, None, Some(place));
        pool.register(&cursor.0.0);
        Ok(cursor)
    }

    /// A cursor on a query within a transaction, with which it ends.
    pub fn cursor_within(&self, token: &Token, sql: impl Into<String>, params: Params) -> Cursor {
        self.new_cursor(sql.into(), params, Some(token.to_ref()), None)
    }

    fn new_cursor(&self, sql: String, params: Params, token: Option<TokenRef>, place: Option<CursorPlace>) -> Cursor {
        let cell = CursorCell {
            id: NEXT_CURSOR.fetch_add(1, Ordering::Relaxed),
            query: Arc::new((sql, params)),
            token,
            closed: AtomicBool::new(false),
            state: Mutex::new(State::Fresh),
            place: Mutex::new(place),
        };
        Cursor(Arc::new(Owned(Arc::new(cell), self.clone())))
    }
}

impl Cursor {
    /// Reads the next rows, as many as the limits have room for, and hands them to `done`, on a thread of the store. True there means
    /// that there may be more.
    ///
    /// # Errors
    ///
    /// Those of [`Store::submit`]; `done` is not called then. [`StoreError::NoCursor`] where the statement is none for a cursor.
    pub fn fetch(
        &self,
        limits: Limits,
        deadline: Option<Instant>,
        access: Option<Arc<crate::Access>>,
        done: RowsCallback,
    ) -> Result<(), StoreError> {
        let Owned(cell, store) = &*self.0;
        let terms = Terms { deadline, confined: false, access };
        match &cell.token {
            Some(token) => {
                let work = Work::Fetch { cursor: cell.id, query: Arc::clone(&cell.query), limits };
                store.enqueue(work, Some(token.clone()), terms, Done::rows(done))
            }
            None => store.enqueue_read(crate::readers::Read::Fetch { cursor: Arc::clone(cell), limits }, terms, done),
        }
    }

    /// Ends it. What runs for it is stopped.
    pub fn close(&self) {
        let Owned(cell, store) = &*self.0;
        cell.close();
        if let Some(token) = &cell.token {
            store.close_cursor(cell.id, token.clone());
        }
    }
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor").field("id", &self.0.0.id).finish_non_exhaustive()
    }
}
