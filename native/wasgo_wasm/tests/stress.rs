//! Many threads start, cancel and drop everything there is, at random; afterwards nothing is under way and all is freed.

mod common;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use common::{call, instance, module};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use wasgo_wasm::{
    CallOptions, Callback, Canceller, Error, Imports, Instance, Limits, Module, Script, ScriptOptions, Started, Values,
};

const THREADS: u64 = 8;
const STEPS: usize = 600;

/// Longer than anything here may take by far.
const HANG: Duration = Duration::from_secs(120);

const GUEST: &str = r#"(module (memory (export "memory") 2)
    (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "one") (result i32) (i32.const 1))
    (func (export "trap") unreachable)
    (func (export "spin") (loop (br 0)))
    (func (export "fill") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 131072)) (br 0)))
    (func (export "process") (param i32 i32) (result i64)
      (if (i32.eq (i32.load8_u (local.get 0)) (i32.const 0)) (then unreachable))
      (if (i32.eq (i32.load8_u (local.get 0)) (i32.const 1)) (then (loop (br 0))))
      (i64.const 0)))"#;

/// What was started and is still to answer.
struct Pending {
    canceller: Canceller,
    answer: Receiver<Result<(), Error>>,
}

/// Callbacks that exist: each is for one answer, and gone with it.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn begin<T: Send + 'static>(
    callbacks: &Arc<AtomicUsize>,
    start: impl FnOnce(Box<dyn FnOnce() -> Callback<Result<T, Error>>>) -> Started<Result<T, Error>>,
) -> Result<Result<T, Error>, Pending> {
    let (send, answer) = channel();
    let counted = Counted::new(callbacks);
    let later = Box::new(move || -> Callback<Result<T, Error>> {
        Box::new(move |result| {
            let _ = send.send(result.map(drop));
            drop(counted);
        })
    });
    match start(later) {
        Started::Done(result) => Ok(result),
        Started::Running(canceller) => Err(Pending { canceller, answer }),
    }
}

fn expected(result: &Result<(), Error>) {
    match result {
        Ok(()) | Err(Error::Trap { .. } | Error::Limit { .. } | Error::Cancelled) => {}
        Err(Error::Busy | Error::Poisoned | Error::Closed) => {}
        Err(error) => panic!("nothing that was done explains {error:?}"),
    }
}

fn torment(seed: u64, module: &Module, script: &Script, shared: &Instance, callbacks: &Arc<AtomicUsize>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut pick = |most: usize| (random.next_u64() % most as u64) as usize;
    let mut own: VecDeque<Instance> = VecDeque::new();
    let mut pending: VecDeque<Pending> = VecDeque::new();
    for _ in 0..STEPS {
        let timeout = Some(Duration::from_millis([1, 5, 60_000][pick(3)]));
        let options = CallOptions { timeout, ..CallOptions::default() };
        let waiters = pick(3);
        let begun = match pick(10) {
            0 | 1 => match begin(callbacks, |later| {
                Instance::start(module, Imports::default(), Limits::default(), waiters, options.clone(), later)
            }) {
                Ok(instance) => {
                    own.extend(instance.ok());
                    None
                }
                Err(pending) => Some(pending),
            },
            2..=5 => {
                let name = ["one", "trap", "spin", "fill"][pick(4)];
                let instance = own.get(pick(own.len().max(1))).unwrap_or(shared);
                begin(callbacks, |later| instance.call(name, |_| Ok(Values::new()), options, later)).err()
            }
            6 => {
                let input = vec![pick(3) as u8];
                begin(callbacks, |later| script.process(input, options, later)).err()
            }
            7 => {
                if let Some(instance) = own.pop_front() {
                    // Closed or only dropped.
                    if pick(2) == 0 {
                        instance.close();
                    }
                }
                None
            }
            8 => {
                pending.iter().for_each(|pending| {
                    pending.canceller.cancel();
                });
                None
            }
            _ => {
                if let Some(Pending { canceller, answer }) = pending.pop_front() {
                    canceller.cancel();
                    expected(&answer.recv_timeout(HANG).expect("it never answered"));
                }
                None
            }
        };
        pending.extend(begun);
        if pending.len() > 16 {
            // Forgotten: its answer goes nowhere.
            pending.pop_front().unwrap().canceller.cancel();
        }
    }
    for Pending { canceller, answer } in pending {
        canceller.cancel();
        canceller.cancel();
        expected(&answer.recv_timeout(HANG).expect("it never answered"));
    }
}

#[test]
fn whatever_is_started_cancelled_and_dropped_at_random_ends() {
    let guest = module(GUEST);
    let script = Script::new(&guest, ScriptOptions::default()).unwrap();
    let callbacks = Arc::new(AtomicUsize::new(0));
    let shared = instance(GUEST);
    thread::scope(|scope| {
        for seed in 0..THREADS {
            let (guest, script, shared, callbacks) = (&guest, &script, &shared, &callbacks);
            scope.spawn(move || torment(seed, guest, script, shared, callbacks));
        }
    });
    shared.close();
    drop(script);

    // What was forgotten was cancelled, and ends too: each callback is called or dropped.
    let patience = std::time::Instant::now() + HANG;
    while callbacks.load(Ordering::SeqCst) > 0 {
        assert!(std::time::Instant::now() < patience, "{} never ended", callbacks.load(Ordering::SeqCst));
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(call(&instance(GUEST), "one", &[]).unwrap(), [1]);
}
