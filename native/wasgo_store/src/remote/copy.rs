//! What a session does for the copy of its server's database in a file.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::replica::Follower;
use crate::shared::Shared;
use crate::sqlite::{Interrupt, Watch};
use crate::{Replica, StoreError};

pub(super) struct Copy {
    follower: Follower,
    read_your_writes: bool,
}

impl Copy {
    /// Begins to follow; unless it `is_alone`, without its server, the copy is up to date when this returns.
    pub(super) fn begin(path: &Path, replica: &Replica, shared: &Shared, is_alone: bool) -> Result<Self, StoreError> {
        // While it is behind, queries go where those of a store go whose writer alone knows the answer: to the server.
        let follower = Follower::begin(path, replica, Arc::clone(&shared.private))?;
        if !is_alone && let Err(error) = follower.sync(None, || shared.is_closing().then_some(StoreError::Closed)) {
            follower.stop();
            return Err(error);
        }
        // It is the only one: a store is opened once.
        let _ = shared.follower.set(follower.clone());
        Ok(Self { follower, read_your_writes: replica.read_your_writes })
    }

    /// Waits until the copy has what was written, where that is wanted. Where it can't be had in time the write is done all the same, and
    /// queries go to the server until the copy has it.
    pub(super) fn catch_up(&self, watch: &Watch, interrupt: &Interrupt) {
        if !self.read_your_writes {
            return;
        }
        self.follower.wrote();
        let patience = || {
            let over = watch.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            (over || interrupt.is_requested()).then_some(StoreError::Interrupted)
        };
        drop(self.follower.sync(watch.deadline, patience));
    }
}
