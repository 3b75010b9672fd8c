//! Jobs: what is made in one go, such as a chunk, with instances of scripts that nobody has called before.
//!
//! Fields are computed where nothing can fail but a script. So a failure is kept here until the job ends: what was computed then is dropped.

use std::cell::RefCell;
use std::sync::Arc;

use super::{Script, ScriptCall, ScriptError, ScriptFault, ScriptInstance};

#[derive(Default)]
struct Job {
    instances: Vec<(Arc<dyn Script>, Box<dyn ScriptInstance>)>,
    failure: Option<ScriptError>,
}

thread_local! {
    /// The job that this thread is at.
    static JOB: RefCell<Option<Job>> = const { RefCell::new(None) };
}

/// Puts back the job in the midst of which another was done.
struct Return(Option<Job>);

impl Drop for Return {
    fn drop(&mut self) {
        let outer = self.0.take();
        let done = JOB.with(|job| job.replace(outer));
        drop(done);
    }
}

/// Does a job. What is kept beyond it, and found by others later, must have been made in a job of its own: so it does not hang on who
/// asked first, and nothing is kept that came of a failure.
pub(crate) fn job<T>(work: impl FnOnce() -> T) -> Result<T, ScriptError> {
    let outer = JOB.with(|job| job.replace(Some(Job::default())));
    let back = Return(outer);
    let made = work();
    let failure = JOB.with(|job| job.borrow_mut().as_mut().and_then(|job| job.failure.take()));
    drop(back);
    failure.map_or(Ok(made), Err)
}

/// Whether the job has failed: what it computes from now on is for nothing.
pub(super) fn failed() -> bool {
    JOB.with(|job| job.borrow().as_ref().is_some_and(|job| job.failure.is_some()))
}

/// The job has failed. Only its first failure counts.
pub(crate) fn fail(error: ScriptError) {
    JOB.with(|job| {
        let mut job = job.borrow_mut();
        debug_assert!(job.is_some(), "a script is only called within a job");
        if let Some(job) = job.as_mut() {
            job.failure.get_or_insert(error);
        }
    });
}

/// Calls the job's instance of a script, and reads its answer.
pub(super) fn call<T>(
    script: &Arc<dyn Script>,
    call: &ScriptCall<'_>,
    read: impl FnOnce(&[u8]) -> Result<T, ScriptFault>,
) -> Result<T, ScriptFault> {
    JOB.with(|job| {
        let mut job = job.borrow_mut();
        let mut spare = Job::default();
        let job = job.as_mut().unwrap_or(&mut spare);
        let at = match job.instances.iter().position(|(known, _)| Arc::ptr_eq(known, script)) {
            Some(at) => at,
            None => {
                let instance = script.start().map_err(ScriptFault::Failed)?;
                job.instances.push((Arc::clone(script), instance));
                job.instances.len() - 1
            }
        };
        read(job.instances[at].1.generate(call).map_err(ScriptFault::Failed)?)
    })
}
