//! Those who wait for an instance that is busy: in order, so many and no more, and gone when they give up.

mod common;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{call, module, wait};
use wasgo_wasm::{
    Act, Acted, CallOptions, Canceller, Error, HostHandler, HostImport, HostRequest, Imports, Instance, InstanceStatus,
    LimitKind, Limits, LogLine, Serving, Started, Values,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// `hold` lasts until its host lets it go.
const GUEST: &str = r#"(module (import "env" "hold" (func $hold)) (memory (export "memory") 1)
    (func (export "next") (result i32)
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (i32.load (i32.const 0)))
    (func (export "trap") unreachable)
    (func (export "hold") (call $hold)))"#;

fn instance(waiters: usize) -> Instance {
    let hold = HostImport { module: "env".into(), name: "hold".into(), parameters: vec![], results: vec![] };
    let imports = Imports { functions: Arc::new(vec![hold]), ..Imports::default() };
    let (limits, options) = (Limits::default(), CallOptions::default());
    wait(|later| Instance::start(&module(GUEST), imports, limits, waiters, options, later)).0.unwrap()
}

/// Hands what holds an instance to the test.
struct Holds(Mutex<Sender<Serving>>);

impl HostHandler for Holds {
    fn request(&self, request: HostRequest) {
        self.0.lock().unwrap().send(request.serving).unwrap();
    }

    fn log(&self, _lines: Vec<LogLine>) {}
}

/// Keeps an instance busy until it is let go.
struct Holder {
    call: Call,
    serving: Serving,
}

impl Holder {
    fn let_go(&self) {
        self.serving.reply(Ok(vec![]));
        assert!(self.call.end().is_ok());
    }
}

fn hold(instance: &Instance) -> Holder {
    let (send, holds) = channel();
    let call = start(instance, "hold", 60_000, Some(Arc::new(Holds(Mutex::new(send)))));
    Holder { call, serving: holds.recv_timeout(PATIENCE).unwrap() }
}

/// A call under way or in line.
struct Call {
    canceller: Canceller,
    answer: Receiver<Result<Values, Error>>,
}

fn start(instance: &Instance, name: &str, milliseconds: u64, handler: Option<Arc<dyn HostHandler>>) -> Call {
    let (send, answer) = channel();
    let timeout = Some(Duration::from_millis(milliseconds));
    let options = CallOptions { timeout, handler, ..CallOptions::default() };
    let started =
        instance.call(name, |_| Ok(Values::new()), options, || Box::new(move |result| drop(send.send(result))));
    let Started::Running(canceller) = started else { panic!("{name} ended at once") };
    Call { canceller, answer }
}

fn next(instance: &Instance) -> Call {
    start(instance, "next", 60_000, None)
}

/// Waits until so many stand in line.
fn wait_for_line(instance: &Instance, count: usize) {
    let begun = Instant::now();
    while instance.waiting() != count {
        assert!(begun.elapsed() < PATIENCE, "{} in line, and not {count}", instance.waiting());
        thread::sleep(Duration::from_micros(200));
    }
}

/// So many calls that stand in line, in this order.
fn in_line(instance: &Instance, count: usize) -> Vec<Call> {
    let before = instance.waiting();
    let mut calls = Vec::new();
    for number in 1..=count {
        calls.push(next(instance));
        wait_for_line(instance, before + number);
    }
    calls
}

impl Call {
    fn end(&self) -> Result<Values, Error> {
        self.answer.recv_timeout(PATIENCE).expect("an answer")
    }

    fn number(&self) -> i32 {
        self.end().unwrap()[0].unwrap_i32()
    }
}

#[test]
fn a_bounded_number_waits_and_each_gets_its_turn() {
    let instance = instance(50);
    let holder = hold(&instance);
    let calls: Vec<_> = (0..50).map(|_| next(&instance)).collect();
    wait_for_line(&instance, 50);
    let refused: Vec<_> = (0..20).map(|_| next(&instance)).collect();
    let busy = refused.iter().filter(|call| matches!(call.end(), Err(Error::Busy))).count();
    assert_eq!(busy, 20);
    holder.let_go();
    let mut numbers: Vec<_> = calls.iter().map(Call::number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
    assert_eq!(instance.status(), InstanceStatus::Idle);
}

#[test]
fn the_first_to_come_is_the_first_served() {
    let instance = instance(200);
    let holder = hold(&instance);
    let calls = in_line(&instance, 100);
    holder.let_go();
    assert_eq!(calls.iter().map(Call::number).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
}

#[test]
fn who_is_cancelled_in_the_middle_of_the_line_makes_room_and_holds_nobody_up() {
    let instance = instance(5);
    let holder = hold(&instance);
    let calls = in_line(&instance, 5);
    for cancelled in [&calls[1], &calls[3], &calls[0]] {
        cancelled.canceller.cancel();
        assert!(matches!(cancelled.end(), Err(Error::Cancelled)));
    }
    let more = in_line(&instance, 3);
    assert!(matches!(next(&instance).end(), Err(Error::Busy)));
    holder.let_go();
    let numbers: Vec<_> = [&calls[2], &calls[4]].into_iter().chain(&more).map(Call::number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[test]
fn cancelling_the_whole_line_again_and_again_leaves_the_instance_free() {
    let mut guest = instance(16);
    let mut poisoned = 0;
    for _ in 0..50 {
        let instance = &guest;
        let holder = hold(instance);
        let calls: Vec<_> = (0..16).map(|_| next(instance)).collect();
        let (odd, even): (Vec<_>, Vec<_>) = calls.into_iter().enumerate().partition(|(number, _)| number % 2 == 1);
        odd.iter().rev().for_each(|(_, call)| call.canceller.cancel());
        holder.serving.reply(Ok(vec![]));
        even.iter().for_each(|(_, call)| call.canceller.cancel());
        for (_, call) in odd.iter().chain(&even) {
            assert!(matches!(call.end(), Err(Error::Cancelled | Error::Poisoned) | Ok(_)));
        }
        assert!(holder.call.end().is_ok());
        // One that was stopped in the middle of its turn poisons the instance. These need no second slice, unless the machine is so busy
        // that a tick passes in the first.
        if guest.status() == InstanceStatus::Poisoned {
            guest = self::instance(16);
            poisoned += 1;
        }
    }
    assert!(poisoned < 25, "{poisoned} times");
    assert!(call(&guest, "next", &[]).is_ok());
}

#[test]
fn whose_time_is_over_is_told_and_has_touched_nothing() {
    let instance = instance(5);
    let holder = hold(&instance);
    let calls: Vec<_> = (0..5).map(|_| start(&instance, "next", 10, None)).collect();
    for call in &calls {
        assert!(matches!(call.end(), Err(Error::Limit { kind: LimitKind::Time, limit: 10, .. })));
    }
    assert_eq!(instance.status(), InstanceStatus::Busy);
    holder.let_go();
    assert_eq!(call(&instance, "next", &[]).unwrap(), [1]);
}

#[test]
fn a_trap_hands_the_instance_on_and_a_stop_tells_the_line() {
    let instance = instance(5);
    let holder = hold(&instance);
    let trap = start(&instance, "trap", 60_000, None);
    wait_for_line(&instance, 1);
    let after = next(&instance);
    wait_for_line(&instance, 2);
    holder.let_go();
    assert!(matches!(trap.end(), Err(Error::Trap { .. })));
    assert_eq!(after.number(), 1);

    let holder = hold(&instance);
    let calls = in_line(&instance, 5);
    holder.call.canceller.cancel();
    assert!(matches!(holder.call.end(), Err(Error::Cancelled)));
    for call in calls {
        assert!(matches!(call.end(), Err(Error::Poisoned)));
    }
}

#[test]
fn closing_tells_the_line() {
    let instance = instance(5);
    let holder = hold(&instance);
    let calls = in_line(&instance, 5);
    instance.close();
    assert!(matches!(holder.call.end(), Err(Error::Cancelled)));
    for call in calls {
        assert!(matches!(call.end(), Err(Error::Closed)));
    }
}

#[test]
fn looks_at_the_memory_stand_in_the_same_line() {
    let instance = instance(5);
    let holder = hold(&instance);
    let waits = next(&instance);
    wait_for_line(&instance, 1);
    // What must be done at once does not wait.
    assert!(matches!(instance.look(0, 4, <[u8]>::to_vec), Ok(None)));
    assert!(matches!(instance.fuel_used(), Ok(None)));
    let (send, receive) = channel();
    let read = instance.act(Act::Read { offset: 0, length: 4 }, CallOptions::default(), || {
        Box::new(move |result| drop(send.send(result)))
    });
    assert!(matches!(read, Started::Running(_)));
    holder.let_go();
    assert_eq!(waits.number(), 1);
    let read = receive.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(read, Ok(Acted::Bytes(bytes)) if bytes == [1, 0, 0, 0]));
}

#[test]
fn the_last_handle_may_go_while_others_wait() {
    let instance = instance(5);
    let holder = hold(&instance);
    let calls = in_line(&instance, 5);
    drop(instance);
    holder.let_go();
    assert_eq!(calls.iter().map(Call::number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
}
