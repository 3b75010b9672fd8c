//! Copies of a server's database in a file: what is new on the server is fetched into it by the `libsql` crate's replicator, on a thread
//! of its own, while connections of ours read the file as any other.

use std::time::Instant;

use crate::{Store, StoreError};

/// What a synchronization brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Synced {
    /// The frames (changed pages) that came.
    pub frames: u64,
    /// The number of the last frame that the copy has; none of a database without any.
    pub frame_no: Option<u64>,
}

impl Store {
    /// Brings a replica up to date with its server, and calls `done` then, on a thread of the store.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoReplica`], [`StoreError::Busy`], [`StoreError::Closed`]; `done` is not called then.
    pub fn sync(
        &self,
        deadline: Option<Instant>,
        done: impl FnOnce(Result<Synced, StoreError>) + Send + 'static,
    ) -> Result<(), StoreError> {
        let _submitting = self.begin_submission()?;
        #[cfg(feature = "replication")]
        if let Some(follower) = self.follower() {
            return follower.order(deadline, Box::new(done));
        }
        #[cfg(not(feature = "replication"))]
        drop((deadline, done));
        Err(StoreError::NoReplica)
    }
}

#[cfg(feature = "replication")]
pub(crate) use following::Follower;

#[cfg(feature = "replication")]
mod following {
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::thread::JoinHandle;
    use std::time::{Duration, Instant};

    use crossbeam_channel::{Receiver, Sender, TrySendError, after, bounded, never, select};
    use libsql::{Builder, Database};
    use tokio::runtime::Runtime;

    use super::Synced;
    use crate::request::call;
    use crate::{Replica, StoreError};

    /// Synchronizations that may be waiting.
    const MOST_WAITING: usize = 64;

    /// The longest time between two looks at whether the store closes.
    const LOOK: Duration = Duration::from_millis(25);

    /// How long a synchronization that nobody waits for may take, and the first.
    const PATIENCE: Duration = Duration::from_secs(300);

    type Done = Box<dyn FnOnce(Result<Synced, StoreError>) + Send>;

    struct Order {
        deadline: Option<Instant>,
        done: Done,
    }

    /// The way to the thread that fetches what is new; it ends with the last of them.
    #[derive(Clone)]
    pub(crate) struct Follower {
        orders: Sender<Order>,
        stop: Arc<AtomicBool>,
        lack: Arc<Lack>,
        thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    }

    /// Whether the copy may lack something that was written.
    struct Lack {
        writes: AtomicU64,
        behind: Arc<AtomicBool>,
    }

    impl Lack {
        /// The copy has what was written when `writes` were counted.
        fn has(&self, writes: u64) {
            if self.writes.load(Ordering::SeqCst) == writes {
                self.behind.store(false, Ordering::SeqCst);
                // One that came meanwhile has set it before, and counts now.
                if self.writes.load(Ordering::SeqCst) != writes {
                    self.behind.store(true, Ordering::SeqCst);
                }
            }
        }
    }

    impl Follower {
        /// Begins to follow. `behind` is kept true while the copy may lack what was [written](Self::wrote).
        pub(crate) fn begin(path: &Path, replica: &Replica, behind: Arc<AtomicBool>) -> Result<Self, StoreError> {
            let path = path.to_str().ok_or_else(|| StoreError::InvalidOption {
                option: "location",
                problem: "the path of a replica has to be UTF-8".to_owned(),
            })?;
            let lack = Arc::new(Lack { writes: AtomicU64::new(0), behind });
            let copy = Copy {
                path: path.to_owned(),
                replica: replica.clone(),
                stop: Arc::default(),
                lack: Arc::clone(&lack),
                database: None,
                runtime: tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(|error| StoreError::Internal(format!("no way to follow a server: {error}")))?,
            };
            let (orders, queue) = bounded(MOST_WAITING);
            let stop = Arc::clone(&copy.stop);
            let body = move || {
                crate::store::mark_as_own_thread();
                copy.follow(&queue);
            };
            let thread = crate::store::thread_for_statements("wasgo-store-sync")
                .spawn(body)
                .map_err(|error| StoreError::Internal(format!("no thread for a replica: {error}")))?;
            Ok(Self { orders, stop, lack, thread: Arc::new(Mutex::new(Some(thread))) })
        }

        /// Something was written on the server, and the copy may lack it.
        pub(crate) fn wrote(&self) {
            self.lack.writes.fetch_add(1, Ordering::SeqCst);
            self.lack.behind.store(true, Ordering::SeqCst);
        }

        pub(crate) fn order(&self, deadline: Option<Instant>, done: Done) -> Result<(), StoreError> {
            self.orders.try_send(Order { deadline, done }).map_err(|error| match error {
                TrySendError::Full(_) => StoreError::Busy { capacity: MOST_WAITING },
                TrySendError::Disconnected(_) => StoreError::Closed,
            })
        }

        /// Waits until the copy is up to date, as long as `patience` has nothing against it.
        pub(crate) fn sync(
            &self,
            deadline: Option<Instant>,
            mut patience: impl FnMut() -> Option<StoreError>,
        ) -> Result<Synced, StoreError> {
            let (send, receive) = bounded(1);
            self.order(deadline, Box::new(move |result| drop(send.send(result))))?;
            loop {
                match receive.recv_timeout(LOOK) {
                    Ok(result) => return result,
                    Err(crossbeam_channel::RecvTimeoutError::Disconnected) => return Err(StoreError::Closed),
                    Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
                }
                if let Some(why) = patience() {
                    return Err(why);
                }
            }
        }

        /// Ends what is under way; the file is closed when this returns, and nothing more is fetched.
        pub(crate) fn stop(&self) {
            self.stop.store(true, Ordering::Release);
            // It may be waiting for an order; where there is no room for another it is not.
            let _ = self.order(None, Box::new(drop));
            let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            // A panic there has been told of when it came.
            thread.into_iter().for_each(|thread| drop(thread.join()));
        }
    }

    struct Copy {
        path: String,
        replica: Replica,
        stop: Arc<AtomicBool>,
        lack: Arc<Lack>,
        /// None until the file could be opened for it.
        database: Option<Database>,
        runtime: Runtime,
    }

    impl Copy {
        fn follow(mut self, queue: &Receiver<Order>) {
            while !self.is_stopped() {
                let timer = self.replica.sync_every.map_or_else(never, after);
                select! {
                    recv(queue) -> order => match order {
                        Ok(Order { deadline, done }) => {
                            let result = self.sync(deadline);
                            call(|| done(result));
                        }
                        Err(_) => break,
                    },
                    // What fails now is told to who asks for it; and is tried again.
                    recv(timer) -> _ => drop(self.sync(None)),
                }
            }
            for Order { done, .. } in queue.try_iter() {
                call(|| done(Err(StoreError::Closed)));
            }
            drop(self.database);
            self.runtime.shutdown_background();
        }

        fn is_stopped(&self) -> bool {
            self.stop.load(Ordering::Acquire)
        }

        fn sync(&mut self, deadline: Option<Instant>) -> Result<Synced, StoreError> {
            let began = Instant::now();
            let until = deadline.unwrap_or_else(|| began + PATIENCE).min(began + PATIENCE);
            let Self { path, replica, stop, lack, database, runtime } = self;
            let written = lack.writes.load(Ordering::SeqCst);
            let work = async {
                if database.is_none() {
                    let token = replica.of.auth_token.clone().unwrap_or_default();
                    let builder = Builder::new_remote_replica(&*path, replica.of.url.clone(), token);
                    *database = Some(builder.read_your_writes(false).build().await?);
                }
                match database {
                    Some(database) => database.sync().await,
                    None => unreachable!("it was just made"),
                }
            };
            let result = runtime.block_on(async {
                let mut work = std::pin::pin!(work);
                loop {
                    let now = Instant::now();
                    if stop.load(Ordering::Acquire) {
                        return Err(StoreError::Closed);
                    }
                    if let Some(late) = now.checked_duration_since(until) {
                        return Err(StoreError::Timeout { begun: true, late });
                    }
                    let look = until.min(now + LOOK);
                    if let Ok(done) = tokio::time::timeout_at(look.into(), work.as_mut()).await {
                        let server = replica.of.url.clone();
                        return done.map_err(|error| StoreError::Sync { server, problem: error.to_string() });
                    }
                }
            });
            let replicated = result?;
            lack.has(written);
            Ok(Synced {
                frames: u64::try_from(replicated.frames_synced()).unwrap_or(u64::MAX),
                frame_no: replicated.frame_no(),
            })
        }
    }
}
