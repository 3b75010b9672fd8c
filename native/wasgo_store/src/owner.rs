//! The owner thread: takes requests in order, keeps those that an open transaction holds up, and answers each.
//!
//! It must never leave a request unanswered, or run one outside its transaction.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, at, never, select};

use crate::StoreError;
use crate::readers::Threads;
use crate::request::Command;
use crate::session::Backend;
use crate::shared::{Job, Shared, Work};
use crate::sqlite::Watch;

pub(crate) struct Owner {
    session: Box<dyn Backend>,
    jobs: Receiver<Job>,
    wake: Receiver<()>,
    shared: Arc<Shared>,
    /// Requests held up by the open transaction, in order. Each has its place in the queue still, which bounds them.
    waiting: VecDeque<Job>,
    /// Whether some of those may belong to the open transaction.
    holder_may_wait: bool,
    /// Every handle is gone: no more requests, no more `close`.
    orphaned: bool,
}

impl Owner {
    pub(crate) fn new(session: Box<dyn Backend>, jobs: Receiver<Job>, wake: Receiver<()>, shared: Arc<Shared>) -> Self {
        Self { session, jobs, wake, shared, waiting: VecDeque::new(), holder_may_wait: false, orphaned: false }
    }

    /// Serves until the store is closed, or orphaned and done. What is left: the database, and requests not answered.
    pub(crate) fn run(mut self, threads: Option<&Threads>) -> (Box<dyn Backend>, VecDeque<Job>) {
        while !self.shared.is_closing() {
            self.session.roll_back_if_abandoned();
            if !self.waiting.is_empty() {
                self.refuse_hopeless();
            }
            if let Some(job) = self.next_waiting() {
                self.start(job);
            } else if !self.orphaned {
                self.await_something();
            } else if self.session.is_idle() {
                break;
            } else {
                // Nobody can end it any more, and others wait for its end.
                self.session.roll_back();
            }
        }
        // An orphan does all that was accepted; a reader has a way to the writer as long as it lives, so that there is none now.
        if let Some(threads) = threads.filter(|_| !self.shared.is_closing()) {
            threads.finish();
        }
        (self.session, self.waiting)
    }

    /// Takes the first of those that wait and may run now. The holder's own requests are among them when its
    /// transaction was begun from here, with more behind it.
    fn next_waiting(&mut self) -> Option<Job> {
        if self.session.is_idle() {
            self.holder_may_wait = true;
            return self.waiting.pop_front();
        }
        if !self.holder_may_wait {
            return None;
        }
        let session = &self.session;
        let at = self.waiting.iter().position(|job| session.is_held_by(job.token.as_ref().map(|token| &token.state)));
        self.holder_may_wait = at.is_some();
        self.waiting.remove(at?)
    }

    fn await_something(&mut self) {
        let deadlines = self.waiting.iter().filter_map(|job| job.terms.deadline);
        let timer = deadlines.min().map_or_else(never, at);
        select! {
            recv(self.jobs) -> job => match job {
                Ok(job) => self.admit(job),
                Err(_) => self.orphaned = true,
            },
            recv(self.wake) -> _ => {}
            recv(timer) -> _ => {}
        }
    }

    fn admit(&mut self, job: Job) {
        let holder = job.token.as_ref().map(|token| &token.state);
        if self.session.is_idle() || self.session.is_held_by(holder) {
            self.start(job);
        } else {
            self.waiting.push_back(job);
        }
    }

    /// Refuses those that wait in vain: for a transaction to end by a deadline that passed, or under a token given up.
    fn refuse_hopeless(&mut self) {
        let now = Instant::now();
        let refusal = |job: &Job| {
            let given_up = job.token.as_ref().is_some_and(|token| token.state.is_abandoned());
            let late = job.terms.deadline.and_then(|deadline| now.checked_duration_since(deadline));
            match (given_up, late) {
                (true, _) => Some(StoreError::NoTransaction),
                (false, Some(late)) => Some(StoreError::Timeout { begun: false, late }),
                (false, None) => None,
            }
        };
        if !self.waiting.iter().any(|job| refusal(job).is_some()) {
            return;
        }
        for job in std::mem::take(&mut self.waiting) {
            match refusal(&job) {
                None => self.waiting.push_back(job),
                Some(error) => {
                    drop(job.place);
                    job.done.answer(Err(error));
                }
            }
        }
    }

    fn start(&mut self, job: Job) {
        drop(job.place);
        // A close that came while this request was on its way.
        if self.shared.is_closing() {
            return;
        }
        let token = job.token.map(|token| token.state);
        let watch = Watch { token, ..job.terms.watch() };
        self.session.record(self.shared.subscribers.any());
        match job.work {
            Work::Command(Command::Query { sql, params, limits }) => {
                let mut once = Some(watch);
                job.done.answer_with(&mut |sink| {
                    let Some(watch) = once.take() else { return Ok(false) };
                    self.guarded(|session| session.query(&sql, (&params).into(), limits, watch, sink))
                });
            }
            Work::Fetch { cursor, query, limits } => {
                let mut once = Some(watch);
                job.done.answer_with(&mut |sink| {
                    let Some(watch) = once.take() else { return Ok(false) };
                    self.guarded(|session| session.fetch(cursor, &query, limits, watch, sink))
                });
            }
            Work::CloseCursor(cursor) => self.session.close_cursor(cursor),
            Work::BackUp(path) => {
                let result = self.guarded(|session| session.back_up(&path, watch));
                job.done.answer(result);
            }
            Work::Command(command) => {
                let result = self.guarded(|session| session.run(command, watch));
                job.done.answer(result);
            }
        }
    }

    /// Runs something, and tells of what it committed before it is answered.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut dyn Backend) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let session = &mut *self.session;
        let result = catch_unwind(AssertUnwindSafe(|| work(session))).unwrap_or_else(|_| {
            self.session.roll_back();
            Err(StoreError::Internal("panic while running a request".into()))
        });
        let changes = self.session.take_committed();
        if !changes.is_empty() {
            self.shared.subscribers.tell(&changes);
        }
        result
    }
}
