//! Threads that work for others.

/// Niceness of background threads. With it a thread of the host that wants to run gets about three quarters of a core that
/// it shares with a busy background thread, and gets it at once.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Lowers the priority of the calling thread, so that work in the background, however much there is, does not keep the host's own
/// threads waiting for a core. Where a thread has no priority of its own (other systems than Linux), nothing is changed.
pub fn enter_background() {
    // Raising niceness is always allowed; where a sandbox forbids the call, threads compete as equals.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICENESS);
}
