//! Functions that a guest imports and its host runs: replies, what is done with the guest meanwhile, and ends in the middle.

mod common;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{module, wait};
use wasgo_wasm::{
    Act, Acted, CallOptions, Canceller, Error, HostHandler, HostImport, HostRequest, Imports, Instance, InstanceStatus,
    LimitKind, Limits, LogLine, ManyResults, Serving, Started, Val, ValType, Values,
};

/// Longer than anything here may take by far.
const PATIENCE: Duration = Duration::from_secs(60);

const GUEST: &str = r#"(module
    (import "env" "f" (func $f (param i64) (result i64)))
    (memory (export "memory") 1)
    (func (export "once") (param i64) (result i64) (call $f (local.get 0)))
    (func (export "sum") (param i64) (result i64) (local i64)
      (loop $more
        (local.set 1 (i64.add (local.get 1) (call $f (local.get 0))))
        (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
        (br_if $more (i64.gt_s (local.get 0) (i64.const 0))))
      (local.get 1))
    (func (export "double") (param i64) (result i64) (i64.mul (local.get 0) (i64.const 2)))
    (func (export "load") (result i64) (i64.load (i32.const 0)))
    (func (export "trap") unreachable)
    (func (export "odd") (param i64) (result i64)
      (if (i64.eqz (i64.and (local.get 0) (i64.const 1))) (then unreachable)) (local.get 0))
    (func (export "spin") (loop br 0)))"#;

/// Hands requests to the test.
struct Requests(Mutex<Sender<HostRequest>>);

impl HostHandler for Requests {
    fn request(&self, request: HostRequest) {
        // When the test has ended nobody hears it, and the guest is told.
        let _ = self.0.lock().unwrap().send(request);
    }

    fn log(&self, _lines: Vec<LogLine>) {}
}

/// Runs each request at once, on the guest's own thread.
struct AtOnce<F>(F);

impl<F: Fn(i64, Serving) + Send + Sync> HostHandler for AtOnce<F> {
    fn request(&self, request: HostRequest) {
        let Val::I64(argument) = request.arguments[0] else { panic!("{:?}", request.arguments) };
        (self.0)(argument, request.serving);
    }

    fn log(&self, _lines: Vec<LogLine>) {}
}

fn instance() -> Instance {
    let function = HostImport {
        module: "env".into(),
        name: "f".into(),
        parameters: vec![ValType::I64],
        results: vec![ValType::I64],
    };
    let imports = Imports { functions: Arc::new(vec![function]), ..Imports::default() };
    let (limits, options) = (Limits::default(), CallOptions::default());
    wait(|later| Instance::start(&module(GUEST), imports, limits, 8, options, later)).0.unwrap()
}

fn options(handler: impl HostHandler + 'static, milliseconds: u64) -> CallOptions {
    CallOptions {
        timeout: Some(Duration::from_millis(milliseconds)),
        handler: Some(Arc::new(handler)),
        ..CallOptions::default()
    }
}

type Answer = Receiver<Result<Values, Error>>;

/// A call whose requests come to the test.
struct Call {
    requests: Receiver<HostRequest>,
    answer: Answer,
    canceller: Canceller,
}

impl Call {
    fn start(instance: &Instance, name: &str, argument: i64) -> Self {
        Self::start_within(instance, name, argument, PATIENCE.as_millis() as u64)
    }

    fn start_within(instance: &Instance, name: &str, argument: i64, milliseconds: u64) -> Self {
        let (send, requests) = channel();
        let (answers, answer) = channel();
        let convert = move |_: &[ValType]| Ok(Values::from_vec(vec![Val::I64(argument)]));
        let options = options(Requests(Mutex::new(send)), milliseconds);
        let started = instance.call(name, convert, options, || Box::new(move |result| answers.send(result).unwrap()));
        let Started::Running(canceller) = started else { panic!("it waits for its host") };
        Self { requests, answer, canceller }
    }

    fn next(&self) -> (i64, Serving) {
        let request = self.requests.recv_timeout(PATIENCE).unwrap();
        let Val::I64(argument) = request.arguments[0] else { panic!("{:?}", request.arguments) };
        (argument, request.serving)
    }

    fn end(&self) -> Result<Values, Error> {
        self.answer.recv_timeout(PATIENCE).expect("an answer")
    }
}

fn one(number: i64) -> Result<Vec<Val>, String> {
    Ok(vec![Val::I64(number)])
}

fn number(result: Result<Values, Error>) -> i64 {
    result.unwrap()[0].unwrap_i64()
}

fn acted(serving: &Serving, what: Act) -> Receiver<Result<Acted, Error>> {
    let (send, receive) = channel();
    serving.act(what, Box::new(move |result| drop(send.send(result))));
    receive
}

fn called(serving: &Serving, name: &str, arguments: &[i64]) -> Answer {
    let (send, receive) = channel();
    let values: Values = arguments.iter().map(|argument| Val::I64(*argument)).collect();
    serving.call(name.into(), Box::new(move |_| Ok(values)), Box::new(move |result| drop(send.send(result))));
    receive
}

fn says(result: Result<Values, Error>, words: &str) {
    let Err(error @ Error::Import { .. }) = result else { panic!("{result:?}") };
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn a_reply_is_the_functions_result_from_any_thread() {
    let instance = instance();
    let call = Call::start(&instance, "once", 20);
    assert_eq!(instance.status(), InstanceStatus::Busy);
    let (argument, serving) = call.next();
    std::thread::spawn(move || serving.reply(one(argument + 1))).join().unwrap();
    assert_eq!(number(call.end()), 21);

    let call = Call::start(&instance, "sum", 100);
    for expected in (1..=100).rev() {
        let (argument, serving) = call.next();
        assert_eq!(argument, expected);
        if argument % 2 == 0 { serving.reply(one(argument)) } else { serving.reply_elsewhere(one(argument)) }
    }
    assert_eq!(number(call.end()), 5_050);
    assert_eq!(instance.status(), InstanceStatus::Idle);
}

#[test]
fn a_reply_on_the_guests_own_thread_needs_no_other() {
    let instance = instance();
    let handler = AtOnce(|argument, serving: Serving| serving.reply(one(argument * 3)));
    let convert = |_: &[ValType]| Ok(Values::from_vec(vec![Val::I64(14)]));
    let (result, _) = wait(|later| instance.call("once", convert, options(handler, 60_000), later));
    assert_eq!(number(result), 42);
}

#[test]
fn what_does_not_fit_or_failed_is_the_guests_trap_and_leaves_it_usable() {
    let instance = instance();
    for (reply, words) in [
        (Err("no such door".to_owned()), "no such door"),
        (Ok(vec![]), "0 values"),
        (Ok(vec![Val::I64(1), Val::I64(2)]), "2 values"),
    ] {
        let call = Call::start(&instance, "once", 1);
        call.next().1.reply(reply);
        says(call.end(), words);
    }
    // Of another type than was declared.
    let call = Call::start(&instance, "once", 1);
    call.next().1.reply(Ok(vec![Val::F32(0)]));
    assert!(call.end().is_err());
    let call = Call::start(&instance, "once", 1);
    call.next().1.reply(one(5));
    assert_eq!(number(call.end()), 5);
}

#[test]
fn a_second_reply_changes_nothing() {
    let instance = instance();
    let call = Call::start(&instance, "sum", 2);
    let (_, first) = call.next();
    first.reply(one(10));
    first.reply(one(1_000));
    let (_, second) = call.next();
    first.reply(one(1_000));
    first.reply(Err("too late".into()));
    second.reply(one(20));
    assert_eq!(number(call.end()), 30);
}

#[test]
fn the_guest_is_read_written_and_called_while_it_waits() {
    let instance = instance();
    let call = Call::start(&instance, "once", 1);
    let (_, serving) = call.next();
    let wrote = acted(&serving, Act::Write { offset: 0, bytes: 77u64.to_le_bytes().to_vec() });
    assert!(matches!(wrote.recv_timeout(PATIENCE).unwrap(), Ok(Acted::Done)));
    assert_eq!(number(called(&serving, "load", &[]).recv_timeout(PATIENCE).unwrap()), 77);
    assert_eq!(number(called(&serving, "double", &[21]).recv_timeout(PATIENCE).unwrap()), 42);
    let trapped = called(&serving, "trap", &[]).recv_timeout(PATIENCE).unwrap();
    assert!(matches!(trapped, Err(Error::Trap { reason: "unreachable", .. })), "{trapped:?}");
    let missing = called(&serving, "nothing", &[]).recv_timeout(PATIENCE).unwrap();
    assert!(matches!(missing, Err(Error::MissingExport { .. })));
    let unfit = called(&serving, "double", &[]).recv_timeout(PATIENCE).unwrap();
    assert!(unfit.is_err());
    for (offset, length) in [(65_530, 7), (u64::MAX, 1), (1, u64::MAX), (65_537, 0)] {
        let read = acted(&serving, Act::Read { offset, length }).recv_timeout(PATIENCE).unwrap();
        assert!(matches!(read, Err(Error::OutOfBounds { .. })), "{offset} {length}: {read:?}");
    }
    serving.reply(one(9));
    assert_eq!(number(call.end()), 9);
    assert!(matches!(acted(&serving, Act::MemorySize).recv_timeout(PATIENCE).unwrap(), Err(Error::Closed)));
    assert!(matches!(called(&serving, "double", &[1]).recv_timeout(PATIENCE).unwrap(), Err(Error::Closed)));
}

#[test]
fn functions_within_functions_go_to_a_depth_and_no_further() {
    let instance = instance();
    // Each request calls the guest again, which asks again.
    let call = Call::start(&instance, "once", 0);
    let (mut open, mut inner) = (Vec::new(), Vec::new());
    for _ in 0..33 {
        let (_, serving) = call.next();
        inner.push(called(&serving, "once", &[0]));
        open.push(serving);
    }
    let refused = inner.pop().unwrap().recv_timeout(PATIENCE).unwrap();
    assert!(matches!(refused, Err(Error::Limit { kind: LimitKind::Depth, limit: 32, .. })), "{refused:?}");
    for serving in open.iter().rev() {
        serving.reply(one(1));
    }
    for inner in inner {
        assert_eq!(number(inner.recv_timeout(PATIENCE).unwrap()), 1);
    }
    assert_eq!(number(call.end()), 1);
    assert_eq!(instance.status(), InstanceStatus::Idle);
}

#[test]
fn a_call_within_a_function_that_never_ends_is_ended_with_the_time_of_the_whole() {
    let instance = instance();
    let call = Call::start_within(&instance, "once", 0, 50);
    let (_, serving) = call.next();
    let inner = called(&serving, "spin", &[]);
    assert!(matches!(call.end(), Err(Error::Limit { kind: LimitKind::Time, limit: 50, .. })));
    // Who waited for the inner one is told or forgotten, and never left waiting.
    assert!(!matches!(inner.recv_timeout(PATIENCE), Err(std::sync::mpsc::RecvTimeoutError::Timeout)));
    assert_eq!(instance.status(), InstanceStatus::Poisoned);
    serving.reply(one(1));
}

#[test]
fn a_guest_whose_function_nobody_runs_is_ended_in_time() {
    let instance = instance();
    let call = Call::start_within(&instance, "once", 0, 50);
    let (_, serving) = call.next();
    assert!(matches!(call.end(), Err(Error::Limit { kind: LimitKind::Time, .. })));
    assert!(matches!(acted(&serving, Act::MemorySize).recv_timeout(PATIENCE).unwrap(), Err(Error::Closed)));
}

#[test]
fn cancelling_ends_a_guest_that_waits_and_tells_those_who_wait_for_it() {
    let instance = instance();
    let call = Call::start(&instance, "once", 0);
    let (_, serving) = call.next();
    call.canceller.cancel();
    assert!(matches!(call.end(), Err(Error::Cancelled)));
    assert_eq!(instance.status(), InstanceStatus::Poisoned);
    assert!(matches!(called(&serving, "double", &[1]).recv_timeout(PATIENCE).unwrap(), Err(Error::Closed)));
    serving.reply(one(1));

    // Cancelled within a call within a function.
    let other = self::instance();
    let call = Call::start(&other, "once", 0);
    let (_, serving) = call.next();
    let inner = called(&serving, "once", &[1]);
    let (_, innermost) = call.next();
    call.canceller.cancel();
    assert!(matches!(call.end(), Err(Error::Cancelled)));
    assert!(!matches!(inner.recv_timeout(PATIENCE), Err(std::sync::mpsc::RecvTimeoutError::Timeout)));
    for serving in [serving, innermost] {
        assert!(matches!(acted(&serving, Act::MemorySize).recv_timeout(PATIENCE).unwrap(), Err(Error::Closed)));
    }
}

#[test]
fn closing_the_instance_from_within_its_own_function_ends_the_call() {
    let instance = instance();
    let call = Call::start(&instance, "once", 0);
    let (_, serving) = call.next();
    instance.close();
    assert!(matches!(call.end(), Err(Error::Cancelled)));
    serving.reply(one(1));
    assert_eq!(instance.status(), InstanceStatus::Closed);
}

#[test]
fn a_handler_that_drops_its_requests_leaves_the_guest_to_its_time_limit() {
    let instance = instance();
    let handler = AtOnce(|_, serving| drop(serving));
    let convert = |_: &[ValType]| Ok(Values::from_vec(vec![Val::I64(1)]));
    let (result, _) = wait(|later| instance.call("once", convert, options(handler, 50), later));
    assert!(matches!(result, Err(Error::Limit { kind: LimitKind::Time, .. })), "{result:?}");
}

#[test]
fn a_call_that_nobody_handles_is_told_so() {
    let instance = instance();
    let convert = |_: &[ValType]| Ok(Values::from_vec(vec![Val::I64(1)]));
    says(wait(|later| instance.call("once", convert, CallOptions::default(), later)).0, "nobody is there");
    // A handler of an earlier call is not asked for a later one's.
    let call = Call::start(&instance, "once", 1);
    call.next().1.reply(one(2));
    assert_eq!(number(call.end()), 2);
    says(wait(|later| instance.call("once", convert, CallOptions::default(), later)).0, "nobody is there");
}

#[test]
fn a_flood_of_things_to_do_is_refused_and_the_reply_still_taken() {
    let instance = instance();
    let call = Call::start(&instance, "once", 0);
    let (_, serving) = call.next();
    // While it spins, what else is to be done waits.
    let spin = called(&serving, "spin", &[]);
    let acts: Vec<_> = (0..3_000).map(|_| acted(&serving, Act::MemorySize)).collect();
    let busy = acts.iter().filter(|act| matches!(act.try_recv(), Ok(Err(Error::Busy)))).count();
    assert!((1_900..=1_990).contains(&busy), "{busy}");
    call.canceller.cancel();
    assert!(matches!(call.end(), Err(Error::Cancelled)));
    drop(spin);

    // As much to do as there is room for, and then the reply: all while the guest is kept from taking any of it.
    let instance = self::instance();
    let call = Call::start(&instance, "once", 0);
    let (_, serving) = call.next();
    let theirs = serving.clone();
    let convert = move |_: &[ValType]| {
        let acts: Vec<_> = (0..3_000).map(|_| acted(&theirs, Act::MemorySize)).collect();
        assert!(acts.iter().any(|act| matches!(act.try_recv(), Ok(Err(Error::Busy)))));
        theirs.reply(one(6));
        Ok(Values::from_vec(vec![Val::I64(1)]))
    };
    serving.call("double".into(), Box::new(convert), Box::new(|_| ()));
    assert_eq!(number(call.end()), 6);
}

#[test]
fn the_instance_knows_who_runs_its_function() {
    let instance = instance();
    let call = Call::start(&instance, "once", 0);
    let (_, serving) = call.next();
    assert!(instance.inside(7).is_none());
    serving.set_runner(7);
    assert!(instance.inside(7).is_some() && instance.inside(8).is_none() && instance.inside(0).is_none());
    let inner = called(&serving, "once", &[1]);
    let (_, innermost) = call.next();
    innermost.set_runner(8);
    assert!(instance.inside(7).is_some() && instance.inside(8).is_some());
    innermost.reply(one(1));
    assert_eq!(number(inner.recv_timeout(PATIENCE).unwrap()), 1);
    assert!(instance.inside(8).is_none());
    serving.reply(one(2));
    assert_eq!(number(call.end()), 2);
    assert!(instance.inside(7).is_none());
}

fn called_many(serving: &Serving, name: &str, rows: &[i64]) -> Result<ManyResults, Error> {
    let (send, receive) = channel();
    let packed: Vec<u8> = rows.iter().flat_map(|row| row.to_le_bytes()).collect();
    let rows = rows.len();
    let convert = Box::new(move |_: &[ValType]| Ok((packed, rows)));
    serving.call_many(name.into(), convert, Box::new(move |result| drop(send.send(result))));
    receive.recv_timeout(PATIENCE).unwrap()
}

#[test]
fn many_rows_are_called_while_the_guest_waits_each_with_its_own_failure() {
    let instance = instance();
    let call = Call::start(&instance, "once", 1);
    let (_, serving) = call.next();
    let many = called_many(&serving, "odd", &[1, 2, 3]).unwrap();
    assert_eq!(many.rows, 3);
    let numbers: Vec<_> = many.packed.chunks(8).map(|number| i64::from_le_bytes(number.try_into().unwrap())).collect();
    assert_eq!(numbers, [1, 0, 3]);
    assert!(matches!(&many.errors[..], [(1, Error::Trap { reason: "unreachable", .. })]), "{:?}", many.errors);
    let rows: Vec<i64> = (0..50_000).collect();
    assert_eq!(called_many(&serving, "double", &rows).unwrap().packed.len(), 400_000);
    assert!(matches!(called_many(&serving, "none", &[1]), Err(Error::MissingExport { .. })));
    // Rows that are not as long as their parameters.
    assert!(matches!(called_many(&serving, "load", &[1]), Err(Error::Arguments { .. })));
    let many = called_many(&serving, "odd", &[]).unwrap();
    assert!(many.rows == 0 && many.packed.is_empty());
    serving.reply(one(5));
    assert_eq!(number(call.end()), 5);
    assert!(matches!(called_many(&serving, "odd", &[1]), Err(Error::Closed)));
}
