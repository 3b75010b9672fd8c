//! Tokens: who holds a transaction that lasts over several requests.
//!
//! A token must never outlive its holder's interest: when it is abandoned, or its last copy is dropped, what it holds
//! is rolled back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::Sender;

use crate::request::TokenRef;

/// What the store's thread and the holder share of a token.
#[derive(Debug, Default)]
pub(crate) struct TokenState {
    abandoned: AtomicBool,
    /// Whether its transaction is open now. Written by the store's thread alone.
    open: AtomicBool,
}

impl TokenState {
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    pub(crate) fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::Release);
    }
}

/// The right to run requests in a transaction. Made by [`Store::token`](crate::Store::token), opened by `Begin`; usable
/// again after it ended. Copies are the same token; when the last one is dropped, the token is abandoned.
#[derive(Debug, Clone)]
pub struct Token(Arc<Guard>);

#[derive(Debug)]
struct Guard {
    state: Arc<TokenState>,
    store: u64,
    wake: Sender<()>,
}

impl Guard {
    fn abandon(&self) {
        self.state.abandoned.store(true, Ordering::Release);
        // A full channel means that the thread is to wake up anyway, a closed one that there is nothing left to roll
        // back.
        let _ = self.wake.try_send(());
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl Token {
    pub(crate) fn new(store: u64, wake: Sender<()>) -> Self {
        Self(Arc::new(Guard { state: Arc::default(), store, wake }))
    }

    pub(crate) fn to_ref(&self) -> TokenRef {
        TokenRef { state: Arc::clone(&self.0.state), store: self.0.store }
    }

    /// Gives the token up, for good, from any thread and without waiting: its transaction is rolled back, a statement
    /// that runs in it is stopped, and every request under it that has not run is refused with
    /// [`StoreError::NoTransaction`](crate::StoreError::NoTransaction).
    pub fn abandon(&self) {
        self.0.abandon();
    }
}
