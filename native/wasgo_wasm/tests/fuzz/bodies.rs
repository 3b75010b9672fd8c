//! What is done with arbitrary bytes, and what must hold whatever they are: no panic, no hang, errors that say what is wrong
//! with the guest and never that the engine failed, and an engine that answers the next call.
//!
//! Each body takes the bytes that some source of chance or a fuzzer gives.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use wasgo_wasm::row::{self, Value};
use wasgo_wasm::{
    CallOptions, Callback, CompileOptions, Engine, EngineOptions, Error, Imports, Instance, LimitKind, Limits, Module,
    Rows, Script, ScriptOptions, Started, Val, ValType,
};

/// Far more than any of these takes: who waits for so long waits for ever.
const HANG: Duration = Duration::from_secs(120);

/// For what is sure to end.
fn patient() -> CallOptions {
    CallOptions::default()
}

/// For what is anybody's.
fn impatient() -> CallOptions {
    CallOptions { timeout: Some(Duration::from_millis(20)), ..CallOptions::default() }
}

/// Functions of a module that are called.
const CALLS: usize = 8;

/// How often something was reached, so that a run can tell whether its inputs are any good.
#[derive(Debug, Default)]
pub struct Reached {
    /// Modules that compiled.
    pub compiled: AtomicUsize,
    /// Sources that are no module.
    pub refused: AtomicUsize,
    /// Calls that gave results.
    pub results: AtomicUsize,
    /// Calls that a trap or limit ended.
    pub errors: AtomicUsize,
    /// Calls that were stopped.
    pub stopped: AtomicUsize,
    /// Rows that could be read.
    pub rows: AtomicUsize,
}

/// What has been reached by all bodies in this process.
pub static REACHED: Reached = Reached {
    compiled: AtomicUsize::new(0),
    refused: AtomicUsize::new(0),
    results: AtomicUsize::new(0),
    errors: AtomicUsize::new(0),
    stopped: AtomicUsize::new(0),
    rows: AtomicUsize::new(0),
};

fn count(place: &AtomicUsize) {
    place.fetch_add(1, Ordering::Relaxed);
}

fn limits() -> Limits {
    Limits { memory: 4 << 20, table: 1_000, input: 2 << 20, result: 1 << 20 }
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(EngineOptions { workers: 2, ..EngineOptions::default() }).unwrap())
}

fn wait<T: Send + 'static>(start: impl FnOnce(Box<dyn FnOnce() -> Callback<T>>) -> Started<T>) -> T {
    let (send, receive) = channel();
    let later = Box::new(move || -> Callback<T> {
        Box::new(move |result| {
            let _ = send.send(result);
        })
    });
    match start(later) {
        Started::Done(result) => result,
        Started::Running(_) => receive.recv_timeout(HANG).expect("it never answered"),
    }
}

/// Whether an error is one that a guest may cause.
fn expect_typed(error: &Error) {
    assert!(
        !matches!(
            error,
            Error::Engine { .. } | Error::Cancelled | Error::Closed | Error::Busy | Error::Arguments { .. }
        ),
        "a guest must not cause this: {error:?}"
    );
    assert!(error.to_string().len() < 4_000, "a message of {} bytes", error.to_string().len());
}

fn healthy() {
    static HEALTHY: OnceLock<Instance> = OnceLock::new();
    let instance = HEALTHY.get_or_init(|| {
        let source =
            br#"(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))"#;
        let module = Module::compile(engine(), source, CompileOptions::default()).unwrap();
        wait(|later| Instance::start(&module, Imports::default(), Limits::default(), 16, patient(), later)).unwrap()
    });
    let sum =
        wait(|later| instance.call("add", |_| Ok([Val::I32(40), Val::I32(2)].into_iter().collect()), patient(), later))
            .unwrap();
    assert!(matches!(sum[..], [Val::I32(42)]));
}

/// A valid module of any shape: compiled, instantiated, and some of its exports called with any arguments, all of it twice with the
/// same answers.
pub fn module(bytes: &[u8]) -> arbitrary::Result<()> {
    let mut chance = Unstructured::new(bytes);
    let Some(wasm) = smith(&mut chance)? else { return Ok(()) };
    run_twice(&wasm, &mut chance)?;
    healthy();
    Ok(())
}

fn smith(chance: &mut Unstructured<'_>) -> arbitrary::Result<Option<Vec<u8>>> {
    let config = wasm_smith::Config {
        // A module that wants something is refused; a few do.
        max_imports: if chance.ratio(1, 8)? { 4 } else { 0 },
        allow_start_export: true,
        export_everything: true,
        max_memories: 1,
        max_tables: 4,
        max_instructions: 400,
        min_funcs: 4,
        max_funcs: 20,
        // The compiler is built without references to things outside; most modules do without any.
        reference_types_enabled: chance.ratio(1, 8)?,
        relaxed_simd_enabled: false,
        max_table_elements: 2_000,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        threads_enabled: false,
        ..wasm_smith::Config::default()
    };
    match wasm_smith::Module::new(config, chance) {
        Ok(module) => Ok(Some(module.to_bytes())),
        Err(arbitrary::Error::NotEnoughData) => Ok(None),
        Err(error) => Err(error),
    }
}

fn run_twice(wasm: &[u8], chance: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    // By fuel, or by time.
    let options = CompileOptions { deterministic: chance.arbitrary()? };
    let module = match Module::compile(engine(), wasm, options) {
        Ok(module) => module,
        Err(error) => {
            count(&REACHED.refused);
            expect_typed(&error);
            return Ok(());
        }
    };
    count(&REACHED.compiled);
    let seed = chance.bytes(chance.len().min(512))?;
    let (once, again) = (run(&module, seed), run(&module, seed));
    for (once, again) in once.iter().zip(&again) {
        // What took too long once may be quicker the next time, and what follows is another story.
        if is_timeout(once) || is_timeout(again) {
            break;
        }
        assert_eq!(format!("{once:?}"), format!("{again:?}"), "the same call of the same module");
    }
    Ok(())
}

fn is_timeout(result: &Result<Vec<String>, Error>) -> bool {
    matches!(result, Err(Error::Limit { kind: LimitKind::Time, .. } | Error::Poisoned))
}

/// What instantiating and then calling gave, in order.
fn run(module: &Module, seed: &[u8]) -> Vec<Result<Vec<String>, Error>> {
    let mut chance = Unstructured::new(seed);
    let instance = match wait(|later| Instance::start(module, Imports::default(), limits(), 0, impatient(), later)) {
        Ok(instance) => instance,
        Err(error) => {
            expect_typed(&error);
            return vec![Err(error)];
        }
    };
    let functions = module.exports().iter().filter(|export| export.kind == "func").take(CALLS);
    let results = functions
        .map(|export| {
            let convert = |types: &[ValType]| Ok(types.iter().map(|ty| argument(ty, &mut chance)).collect());
            let result = wait(|later| instance.call(&export.name, convert, impatient(), later));
            count(match &result {
                Ok(_) => &REACHED.results,
                Err(Error::Limit { kind: LimitKind::Time, .. } | Error::Poisoned) => &REACHED.stopped,
                Err(_) => &REACHED.errors,
            });
            result.as_ref().map(|values| values.iter().map(show).collect()).map_err(|error| {
                expect_typed(error);
                error.clone()
            })
        })
        .collect();
    instance.close();
    results
}

fn argument(ty: &ValType, chance: &mut Unstructured<'_>) -> Val {
    let mut eight = || u64::arbitrary(chance).unwrap_or_default();
    match ty {
        ValType::I32 => Val::I32(eight() as i32),
        ValType::I64 => Val::I64(eight() as i64),
        ValType::F32 => Val::F32(eight() as u32),
        ValType::F64 => Val::F64(eight()),
        ValType::V128 => Val::V128(u128::from(eight()).into()),
        ValType::Ref(reference) => Val::null_ref(reference.heap_type()),
    }
}

fn show(value: &Val) -> String {
    match value {
        Val::I32(_) | Val::I64(_) | Val::F32(_) | Val::F64(_) | Val::V128(_) => format!("{value:?}"),
        // Which reference it is says nothing across instances.
        _ => "a reference".into(),
    }
}

/// Bytes that may be a module: as they are, after a module's header, or as a valid module with some bytes changed.
pub fn source(bytes: &[u8]) -> arbitrary::Result<()> {
    let mut chance = Unstructured::new(bytes);
    let source = match chance.int_in_range(0..=4)? {
        0 => chance.take_rest().to_vec(),
        1 => [b"\0asm\x01\0\0\0", chance.take_rest()].concat(),
        2 => {
            let samples: [&[u8]; 2] = [
                include_bytes!("../../../../guest/scripts/thin.wasm"),
                include_bytes!("../../../../guest/scripts/wander.wasm"),
            ];
            let mut sample = chance.choose(&samples)?.to_vec();
            mutate(&mut sample, &mut chance)?;
            sample
        }
        3 => {
            let Some(mut module) = smith(&mut chance)? else { return Ok(()) };
            mutate(&mut module, &mut chance)?;
            module
        }
        _ => text(&mut chance)?.into_bytes(),
    };
    match Module::compile(engine(), &source, CompileOptions::default()) {
        Ok(module) => {
            count(&REACHED.compiled);
            run(&module, &[7; 64]);
        }
        Err(error) => {
            count(&REACHED.refused);
            expect_typed(&error);
        }
    }
    healthy();
    Ok(())
}

fn mutate(bytes: &mut Vec<u8>, chance: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    for _ in 0..chance.int_in_range(1..=8)? {
        if bytes.is_empty() {
            break;
        }
        let at = chance.choose_index(bytes.len())?;
        match chance.int_in_range(0..=4)? {
            0 => bytes[at] = chance.arbitrary()?,
            1 => bytes[at] = *chance.choose(&[0, 1, 0x7F, 0x80, 0xFF, 0x0B, 0x40, 0x70])?,
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, chance.arbitrary()?),
            _ => bytes.truncate(at),
        }
    }
    Ok(())
}

/// Text that looks like WAT.
fn text(chance: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    const WORDS: [&str; 40] = [
        "(",
        "(",
        "(",
        ")",
        ")",
        ")",
        "module",
        "func",
        "param",
        "result",
        "local",
        "i32",
        "i64",
        "f64",
        "v128",
        "funcref",
        "$a",
        "$b",
        "0",
        "-1",
        "4294967295",
        "0x1p-1074",
        "nan:0x1",
        "\"a\"",
        "\"\\ff\\00\"",
        "export",
        "import",
        "memory",
        "table",
        "elem",
        "data",
        "type",
        "start",
        "loop",
        "block",
        "end",
        "br",
        "call",
        "i32.const",
        "(;",
    ];
    let mut text = String::from("(module ");
    for _ in 0..chance.int_in_range(0..=200)? {
        text.push_str(chance.choose(&WORDS)?);
        text.push(' ');
    }
    Ok(text)
}

/// Bytes as a row, alone and as what a script answers; spans of any sort as a script's answers.
pub fn row(bytes: &[u8]) -> arbitrary::Result<()> {
    let mut chance = Unstructured::new(bytes);
    let row = any_row(&mut chance)?;
    decode(&row);
    let span = match chance.int_in_range(0..=3)? {
        // The row where the script finds it in its input.
        0 | 1 => (ROW << 32) | row.len() as u64,
        2 => (u64::from(u32::arbitrary(&mut chance)?) << 32) | chance.int_in_range(0..=1u64 << 21)?,
        _ => chance.arbitrary()?,
    };
    let script = answering();
    let mut rows = Rows::default();
    let size = row::encode(&[Value::Integer(span as i64), Value::Blob(&row)], &mut rows.bytes).unwrap();
    rows.spans.push((0, size));
    let input = [&span.to_le_bytes()[..], &row].concat();

    match wait(|later| script.notify(17, rows, patient(), later)) {
        Ok(answers) => match &answers.rows[..] {
            [Ok(Some((start, length)))] => decode(&answers.bytes[*start..start + length]),
            [Ok(None)] => assert_eq!(span, 0),
            [Err(error)] => expect_refused(error),
            other => panic!("one row was asked, and {} answered", other.len()),
        },
        Err(error) => expect_refused(&error),
    }
    match wait(|later| script.process(input, patient(), later)) {
        Ok(output) => assert_eq!(output.returned.concat().len() as u64, span & 0xFFFF_FFFF),
        Err(error) => expect_refused(&error),
    }
    Ok(())
}

fn expect_refused(error: &Error) {
    let refused = matches!(error, Error::Contract { .. } | Error::Limit { kind: LimitKind::ResultSize, .. });
    assert!(refused, "a span of the script's is no reason for this: {error:?}");
}

/// A row's bytes: of any sort, or with a header and slots that are nearly right.
fn any_row(chance: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    if chance.ratio(1, 4)? {
        return Ok(chance.bytes(chance.len() / 2)?.to_vec());
    }
    let count = chance.int_in_range(0..=12u32)?;
    let heap = chance.int_in_range(0..=64u32)?;
    let size = 8 + 16 * count + heap;
    let mut row = Vec::new();
    let off = |right: u32, chance: &mut Unstructured<'_>| -> arbitrary::Result<u32> {
        if chance.ratio(1, 16)? { chance.arbitrary() } else { Ok(right) }
    };
    row.extend(off(count, chance)?.to_le_bytes());
    row.extend(off(size, chance)?.to_le_bytes());
    for _ in 0..count {
        let (ty, length) = (chance.int_in_range(1..=5u32)?, chance.int_in_range(0..=heap)?);
        let offset = chance.int_in_range(0..=u64::from(size))?;
        row.extend(off(ty, chance)?.to_le_bytes());
        row.extend(off(length, chance)?.to_le_bytes());
        row.extend(if chance.ratio(1, 16)? { chance.arbitrary::<u64>()? } else { offset }.to_le_bytes());
    }
    for _ in 0..heap {
        row.push(chance.arbitrary()?);
    }
    Ok(row)
}

/// What is a row holds no more than its bytes, and is the same when it is written and read again.
fn decode(bytes: &[u8]) {
    let Ok(values) = row::decode(bytes) else { return };
    count(&REACHED.rows);
    let held = values.iter().map(|value| match value {
        Value::Text(text) => text.len(),
        Value::Blob(blob) => blob.len(),
        _ => 0,
    });
    assert!(held.sum::<usize>() + 16 * values.len() + 8 <= bytes.len());
    let mut again = Vec::new();
    row::encode(&values, &mut again).unwrap();
    // By their text, since a NaN is not equal to itself.
    assert_eq!(format!("{:?}", row::decode(&again).unwrap()), format!("{values:?}"));
}

/// Where the script finds the blob of its input: behind the header and two slots.
const ROW: u64 = 65_536 + 8 + 2 * 16;

/// A script that answers with the span that its row's first value, or its buffer's first 8 bytes, say.
fn answering() -> &'static Script {
    static SCRIPT: OnceLock<Script> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        let source = br#"(module (memory (export "memory") 40)
            (func (export "wasgo_alloc") (param i32) (result i32) (i32.const 65536))
            (func (export "_notification") (param i32 i32 i32) (result i64) (i64.load offset=16 (local.get 1)))
            (func (export "process") (param i32 i32) (result i64) (i64.load (local.get 0))))"#;
        let module = Module::compile(engine(), source, CompileOptions::default()).unwrap();
        Script::new(&module, ScriptOptions { limits: limits(), ..ScriptOptions::default() }).unwrap()
    })
}
