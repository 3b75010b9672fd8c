//! The cache of compiled modules, with real folders, files, threads and processes.
#![cfg(unix)]

mod common;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, SystemTime};

use common::{call, try_instance};
use wasgo_wasm::{
    Cache, CacheInfo, CallOptions, CompileOptions, DEFAULT_CACHE_BYTES, Engine, EngineOptions, Error, Limits, Module,
};

/// A folder of its own for each test, deleted with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wasgo-cache-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn entries(&self) -> Vec<PathBuf> {
        let mut entries: Vec<PathBuf> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "code"))
            .collect();
        entries.sort();
        entries
    }

    fn entry(&self) -> PathBuf {
        let mut entries = self.entries();
        assert_eq!(entries.len(), 1);
        entries.remove(0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn engine_with(folder: &Path, max_bytes: u64) -> Engine {
    let engine = Engine::new(EngineOptions { workers: 1, ..EngineOptions::default() }).unwrap();
    engine.cache().set_folder(Some((folder, max_bytes))).unwrap();
    engine
}

fn engine(folder: &Folder) -> Engine {
    engine_with(&folder.0, DEFAULT_CACHE_BYTES)
}

fn small(number: usize) -> String {
    format!("(module (func (export \"number\") (result i64) i64.const {number}))")
}

/// Its artefact is large enough to be mapped into memory.
fn large(number: usize) -> String {
    let function = "(func (param i64) (result i64)
        (local.set 0 (i64.mul (local.get 0) (i64.const 31))) (local.set 0 (i64.xor (local.get 0) (i64.const 77)))
        (local.set 0 (i64.rotl (local.get 0) (i64.const 5))) (local.get 0))";
    let text =
        format!("(module (func (export \"number\") (result i64) i64.const {number}) {} )", function.repeat(6_000));
    text
}

fn compile(engine: &Engine, source: &str) -> Module {
    Module::compile(engine, source.as_bytes(), CompileOptions::default()).unwrap()
}

/// Runs it, so that what was loaded is known to be machine code and the right one.
fn number(module: &Module) -> usize {
    let instance = try_instance(module, Limits::default(), CallOptions::default()).unwrap();
    call(&instance, "number", &[]).unwrap()[0] as usize
}

fn info(engine: &Engine) -> CacheInfo {
    engine.cache().info()
}

#[test]
fn what_was_compiled_is_loaded_by_another_engine() {
    for source in [small(5), large(5)] {
        let folder = Folder::new();
        let first = engine(&folder);
        let compiled = compile(&first, &source);
        assert_eq!((info(&first).misses, info(&first).stored, info(&first).hits), (1, 1, 0));
        let second = engine(&folder);
        let loaded = compile(&second, &source);
        assert_eq!((info(&second).misses, info(&second).stored, info(&second).hits), (0, 0, 1));
        assert_eq!(number(&loaded), 5);
        assert_eq!(loaded.exports(), compiled.exports());
        assert_eq!((info(&second).entries, info(&second).bytes), (1, fs::metadata(folder.entry()).unwrap().len()));
    }
}

#[test]
fn what_lives_is_shared_and_what_was_dropped_is_loaded() {
    let folder = Folder::new();
    let engine = engine(&folder);
    let first = compile(&engine, &small(1));
    let second = compile(&engine, &small(1));
    assert_eq!((info(&engine).shared, info(&engine).hits), (1, 0));
    drop((first, second));
    assert_eq!(number(&compile(&engine, &small(1))), 1);
    assert_eq!((info(&engine).shared, info(&engine).hits, info(&engine).misses), (1, 1, 1));
}

#[test]
fn without_a_folder_what_lives_is_shared() {
    let engine = Engine::new(EngineOptions { workers: 1, ..EngineOptions::default() }).unwrap();
    let first = compile(&engine, &small(1));
    assert_eq!(number(&compile(&engine, &small(1))), 1);
    assert_eq!((info(&engine).shared, info(&engine).misses, info(&engine).folder), (1, 1, None));
    drop(first);
    // Its instance is freed on another thread, and holds it until then.
    while info(&engine).misses == 1 {
        compile(&engine, &small(1));
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(info(&engine).misses, 2);
}

#[test]
fn a_module_that_starts_on_the_pool_does_so_when_it_is_loaded_too() {
    let folder = Folder::new();
    let source = "(module (memory 64) (func (export \"fill\") (param i32)
        (memory.fill (i32.const 0) (i32.const 1) (local.get 0))))";
    for expected in [0, 1] {
        let engine = engine(&folder);
        let module = compile(&engine, source);
        assert_eq!(info(&engine).hits, expected);
        let instance = try_instance(&module, Limits::default(), CallOptions::default()).unwrap();
        let convert = |_: &[wasgo_wasm::ValType]| Ok([wasgo_wasm::Val::I32(1)].into_iter().collect());
        let (result, inline) = common::wait(|later| instance.call("fill", convert, CallOptions::default(), later));
        result.unwrap();
        assert!(!inline);
    }
}

#[test]
fn the_folder_and_all_in_it_are_for_this_user_alone() {
    let folder = Folder::new();
    compile(&engine(&folder), &small(1));
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&folder.0), 0o700);
    assert_eq!(mode(&folder.0.join("key")), 0o400);
    assert_eq!(mode(&folder.entry()), 0o400);
}

/// Breaks the one entry by `harm`, and sees that it is found and made anew.
fn refused_after(folder: &Folder, source: &str, what: &str, harm: impl FnOnce(&Path)) {
    harm(&folder.entry());
    let engine = engine(folder);
    assert_eq!(number(&compile(&engine, source)), 3, "{what}");
    let info = info(&engine);
    assert_eq!((info.hits, info.refused, info.misses, info.stored), (0, 1, 1, 1), "{what}");
    assert_eq!(fs::metadata(folder.entry()).unwrap().mode(), 0o100_400);
}

fn open_to_write(path: &Path) -> File {
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    File::options().read(true).write(true).open(path).unwrap()
}

fn flip(path: &Path, at: u64) {
    let file = open_to_write(path);
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

#[test]
fn an_entry_with_any_byte_changed_is_never_loaded() {
    let folder = Folder::new();
    compile(&engine(&folder), &small(3));
    let size = fs::metadata(folder.entry()).unwrap().len();
    // The whole end (notes, lengths, digest), and the rest in steps that hit every kind of place.
    let positions = (0..size - 90).step_by(131).chain(size - 90..size);
    for at in positions {
        refused_after(&folder, &small(3), &format!("byte {at} of {size}"), |path| flip(path, at));
    }
}

#[test]
fn a_mapped_entry_with_a_byte_changed_is_never_loaded() {
    let folder = Folder::new();
    let source = large(3);
    compile(&engine(&folder), &source);
    let size = fs::metadata(folder.entry()).unwrap().len();
    assert!(size > 600_000, "it is too small to be mapped: {size}");
    for at in [0, 1, 4_000, 65_535, 65_536, size / 3, size / 2, size - 100, size - 78, size - 40, size - 1] {
        refused_after(&folder, &source, &format!("byte {at} of {size}"), |path| flip(path, at));
    }
}

#[test]
fn an_entry_of_another_length_is_never_loaded() {
    let folder = Folder::new();
    compile(&engine(&folder), &small(3));
    let size = fs::metadata(folder.entry()).unwrap().len();
    for length in [0, 1, 51, 52, 64, size / 2, size - 52, size - 1, size + 1, size + 4_096] {
        refused_after(&folder, &small(3), &format!("{length} of {size} bytes"), |path| {
            open_to_write(path).set_len(length).unwrap();
        });
    }
}

#[test]
fn a_whole_entry_under_another_name_is_never_loaded() {
    let folder = Folder::new();
    let other = Folder::new();
    let engine_of_other = engine(&other);
    compile(&engine(&folder), &small(3));
    let name = folder.entry();
    compile(&engine(&folder), &small(4));
    let four = folder.entries().into_iter().find(|path| *path != name).unwrap();
    fs::rename(four, &name).unwrap();
    refused_after(&folder, &small(3), "another module's code", |_| {});
    // The same module under another folder's key.
    compile(&engine_of_other, &small(3));
    refused_after(&folder, &small(3), "another key", |path| fs::rename(other.entry(), path).unwrap());
}

#[test]
fn an_entry_that_changes_after_its_digest_was_found_right_is_never_loaded() {
    let folder = Folder::new();
    let engine = engine(&folder);
    let source = large(3);
    drop(compile(&engine, &source));
    let entry = folder.entry();
    // Until its times are old enough to vouch for it.
    let age = || SystemTime::now().duration_since(fs::metadata(&entry).unwrap().modified().unwrap()).unwrap();
    while age() < Duration::from_millis(2_100) {
        thread::sleep(Duration::from_millis(50));
    }
    for hits in 1..=3 {
        assert_eq!(number(&compile(&engine, &source)), 3);
        assert_eq!((info(&engine).hits, info(&engine).refused), (hits, 0));
    }
    let stat = fs::metadata(&entry).unwrap();
    flip(&entry, 100_000);
    // Whoever does it also sets the times back.
    let file = open_to_write(&entry);
    file.set_modified(stat.modified().unwrap()).unwrap();
    fs::set_permissions(&entry, stat.permissions()).unwrap();
    assert_eq!(number(&compile(&engine, &source)), 3);
    assert_eq!((info(&engine).hits, info(&engine).refused), (3, 1));
}

#[test]
fn an_entry_that_others_could_have_written_is_never_loaded() {
    let folder = Folder::new();
    compile(&engine(&folder), &small(3));
    for mode in [0o420, 0o402, 0o666] {
        refused_after(&folder, &small(3), &format!("mode {mode:o}"), |path| {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        });
    }
    refused_after(&folder, &small(3), "a link", |path| {
        let elsewhere = folder.0.join("elsewhere");
        fs::rename(path, &elsewhere).unwrap();
        symlink(elsewhere, path).unwrap();
    });
    if is_root() {
        refused_after(&folder, &small(3), "another user's", |path| chown(path, Some(NOBODY), None).unwrap());
    }
}

#[test]
fn what_is_no_file_harms_nobody() {
    let folder = Folder::new();
    compile(&engine(&folder), &small(3));
    let entry = folder.entry();
    fs::remove_file(&entry).unwrap();
    // A pipe that nobody writes to must not be waited for.
    assert!(Command::new("mkfifo").arg(&entry).status().unwrap().success());
    refused_after(&folder, &small(3), "a pipe", |_| {});
    // A folder can be neither deleted nor replaced.
    fs::remove_file(&entry).unwrap();
    fs::create_dir_all(entry.join("full")).unwrap();
    let engine = engine(&folder);
    assert_eq!(number(&compile(&engine, &small(3))), 3);
    assert_eq!((info(&engine).refused, info(&engine).stored, info(&engine).failed), (1, 0, 1));
    assert!(temporary_files(&folder).is_empty());
}

fn open_error(path: &Path) -> (&'static str, String) {
    match Cache::open(path, DEFAULT_CACHE_BYTES).map(|_| ()) {
        Err(Error::Cache { reason, message, folder }) => {
            assert_eq!(Path::new(&folder), path);
            (reason, message)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_folder_that_others_could_write_is_refused() {
    let folder = Folder::new();
    for mode in [0o770, 0o707, 0o1777] {
        let _ = fs::create_dir(&folder.0);
        fs::set_permissions(&folder.0, Permissions::from_mode(mode)).unwrap();
        let (reason, message) = open_error(&folder.0);
        assert_eq!((reason, message.as_str()), ("untrusted", "other users may change or read it"), "{mode:o}");
    }
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
    fs::set_permissions(&folder.0, Permissions::from_mode(0o755)).unwrap();
    Cache::open(&folder.0, DEFAULT_CACHE_BYTES).unwrap();
    let link = Folder::new();
    symlink(&folder.0, &link.0).unwrap();
    assert_eq!(open_error(&link.0).0, "untrusted");
    fs::remove_file(&link.0).unwrap();
    if is_root() {
        chown(&folder.0, Some(NOBODY), None).unwrap();
        assert_eq!(open_error(&folder.0), ("untrusted", "it belongs to another user".into()));
    }
}

#[test]
fn a_path_that_can_be_no_folder_is_an_error() {
    let folder = Folder::new();
    fs::write(&folder.0, "a file").unwrap();
    assert_eq!(open_error(&folder.0).0, "unusable");
    assert_eq!(open_error(&folder.0.join("below")).0, "unusable");
    fs::remove_file(&folder.0).unwrap();
}

#[test]
fn a_key_that_others_could_know_is_refused() {
    let folder = Folder::new();
    engine(&folder);
    let key = folder.0.join("key");
    let bytes = fs::read(&key).unwrap();
    for mode in [0o440, 0o404, 0o620] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        assert_eq!(open_error(&folder.0).0, "untrusted", "{mode:o}");
    }
    for damaged in [&bytes[..31], &[bytes.as_slice(), b"x"].concat(), b""] {
        fs::remove_file(&key).unwrap();
        fs::write(&key, damaged).unwrap();
        fs::set_permissions(&key, Permissions::from_mode(0o400)).unwrap();
        let (reason, message) = open_error(&folder.0);
        assert_eq!(reason, "untrusted");
        assert!(message.contains("damaged"), "{message}");
    }
    fs::remove_file(&key).unwrap();
    symlink("elsewhere", &key).unwrap();
    assert_eq!(open_error(&folder.0).0, "untrusted");
    fs::remove_file(&key).unwrap();
    fs::write(&key, &bytes).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    Cache::open(&folder.0, DEFAULT_CACHE_BYTES).unwrap();
}

fn wasmtime_engine(change: impl FnOnce(&mut wasmtime::Config)) -> wasmtime::Engine {
    let mut config = wasmtime::Config::new();
    change(&mut config);
    wasmtime::Engine::new(&config).unwrap()
}

/// Obtains a module through a cache; says whether it had to be compiled.
fn obtain(cache: &Cache, engine: &wasmtime::Engine, flavour: &str, wasm: &[u8]) -> (wasmtime::Module, Vec<u8>, bool) {
    let made = AtomicUsize::new(0);
    let (send, receive) = channel();
    let make = || {
        made.fetch_add(1, Ordering::SeqCst);
        Ok((wasmtime::Module::new(engine, wasm).unwrap(), b"noted".to_vec()))
    };
    cache.module(engine, flavour, wasm, make, Box::new(move |compiled| send.send(compiled).unwrap()));
    let compiled = receive.recv().unwrap().unwrap();
    (compiled.artefact.clone(), compiled.notes.clone(), made.load(Ordering::SeqCst) == 1)
}

#[test]
fn other_settings_flavours_and_bytes_are_other_entries() {
    let folder = Folder::new();
    let cache = Cache::open(&folder.0, DEFAULT_CACHE_BYTES).unwrap();
    let plain = wasmtime_engine(|_| ());
    let epochs = wasmtime_engine(|config| {
        config.epoch_interruption(true);
    });
    let fuel = wasmtime_engine(|config| {
        config.consume_fuel(true);
    });
    let one = b"(module (func (export \"a\")))".as_slice();
    let two = b"(module (func (export \"b\")))".as_slice();
    let asked = [(&plain, "x", one), (&epochs, "x", one), (&fuel, "x", one), (&plain, "y", one), (&plain, "x", two)];
    for (expected, round) in [(true, 1), (false, 2)] {
        for (number, (engine, flavour, wasm)) in asked.iter().enumerate() {
            let (module, notes, made) = obtain(&cache, engine, flavour, wasm);
            assert_eq!(made, expected, "{number} in round {round}");
            assert_eq!(notes, b"noted");
            assert!(wasmtime::Engine::same(module.engine(), engine));
        }
    }
    assert_eq!(folder.entries().len(), asked.len());
}

#[test]
fn engines_that_differ_only_in_how_they_run_share_entries_and_no_live_modules() {
    let folder = Folder::new();
    let cache = Cache::open(&folder.0, DEFAULT_CACHE_BYTES).unwrap();
    let (one, two) = (wasmtime_engine(|_| ()), wasmtime_engine(|_| ()));
    let wasm = b"(module (func (export \"a\")))".as_slice();
    let (first, _, made) = obtain(&cache, &one, "", wasm);
    assert!(made);
    let (second, _, made) = obtain(&cache, &two, "", wasm);
    assert!(!made);
    assert!(wasmtime::Engine::same(first.engine(), &one) && wasmtime::Engine::same(second.engine(), &two));
    assert_eq!((cache.info().hits, cache.info().shared), (1, 0));
}

#[test]
fn components_are_cached_and_never_taken_for_modules() {
    use wasmtime::component::Component;
    let folder = Folder::new();
    let engine = wasmtime_engine(|config| {
        config.wasm_component_model(true);
    });
    let body = "(func (result i64) (i64.mul (i64.const 5) (i64.const 7)))".repeat(30_000);
    for text in ["(component (core module))".to_owned(), format!("(component (core module {body}))")] {
        for made in [true, false] {
            let cache = Cache::open(&folder.0, DEFAULT_CACHE_BYTES).unwrap();
            let (send, receive) = channel();
            let make = || Ok((Component::new(&engine, &text).unwrap(), Vec::new()));
            cache.component(&engine, "", text.as_bytes(), make, Box::new(move |done| send.send(done).unwrap()));
            let component = receive.recv().unwrap().unwrap();
            assert!(component.artefact.serialize().unwrap().len() > 100);
            assert_eq!((cache.info().misses, cache.info().hits), (made.into(), (!made).into()));
        }
    }
    let sizes: Vec<u64> = folder.entries().iter().map(|path| fs::metadata(path).unwrap().len()).collect();
    assert!(sizes.iter().any(|size| *size > 600_000), "none is large enough to be mapped: {sizes:?}");
    // Both kinds for the same bytes: neither may find the other's.
    let cache = Cache::open(&folder.0, DEFAULT_CACHE_BYTES).unwrap();
    let (send, receive) = channel();
    let make = || Err(Error::Compile { message: "asked to compile".into() });
    let done = Box::new(move |done: Result<_, Error>| send.send(done.err().map(|error| error.to_string())).unwrap());
    cache.module(&engine, "", b"(component (core module))", make, done);
    assert!(receive.recv().unwrap().unwrap().contains("asked to compile"));
}

#[test]
fn who_asks_for_what_is_being_compiled_waits_without_a_thread() {
    let cache = Cache::new();
    let engine = wasmtime_engine(|_| ());
    let wasm = b"(module)".as_slice();
    let made = AtomicUsize::new(0);
    let (started, compiling) = channel();
    let (go, wait) = channel::<()>();
    let (send, receive) = channel();
    thread::scope(|scope| {
        let (cache, engine, made, send_first) = (&cache, &engine, &made, send.clone());
        scope.spawn(move || {
            let make = || {
                made.fetch_add(1, Ordering::SeqCst);
                started.send(()).unwrap();
                wait.recv().unwrap();
                Ok((wasmtime::Module::new(engine, wasm).unwrap(), Vec::new()))
            };
            cache.module(engine, "", wasm, make, Box::new(move |done| send_first.send(done).unwrap()));
        });
        compiling.recv().unwrap();
        for _ in 0..50 {
            let send = send.clone();
            // This returns although the first is not done: it can't be, before `go`.
            let make = || panic!("one is enough");
            cache.module(engine, "", wasm, make, Box::new(move |done| send.send(done).unwrap()));
        }
        // Another key is not kept waiting.
        obtain(cache, engine, "another", wasm);
        assert!(receive.try_recv().is_err());
        go.send(()).unwrap();
        let all: Vec<_> = (0..51).map(|_| receive.recv().unwrap().unwrap()).collect();
        assert!(all.iter().all(|one| Arc::ptr_eq(one, &all[0])));
        assert_eq!(made.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn waiting_is_bounded() {
    let cache = Cache::new();
    let engine = wasmtime_engine(|_| ());
    let wasm = b"(module)".as_slice();
    let (started, compiling) = channel();
    let (go, wait) = channel::<()>();
    thread::scope(|scope| {
        let (cache, engine) = (&cache, &engine);
        let (send, receive) = channel::<bool>();
        scope.spawn(move || {
            let make = || {
                started.send(()).unwrap();
                wait.recv().unwrap();
                Ok((wasmtime::Module::new(engine, wasm).unwrap(), Vec::new()))
            };
            cache.module(engine, "", wasm, make, Box::new(|_| ()));
        });
        compiling.recv().unwrap();
        for _ in 0..5_000 {
            let send = send.clone();
            let make = || panic!("one is enough");
            cache.module(engine, "", wasm, make, Box::new(move |done| send.send(done.is_ok()).unwrap()));
        }
        go.send(()).unwrap();
        drop(send);
        let good = receive.iter().filter(|good| *good).count();
        assert_eq!(good, 4_096);
    });
}

#[test]
fn an_error_or_a_panic_is_every_waiters_and_is_not_kept() {
    let cache = Cache::new();
    let engine = wasmtime_engine(|_| ());
    let wasm = b"(module)".as_slice();
    for panics in [false, true] {
        let barrier = Barrier::new(4);
        let failed = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    barrier.wait();
                    let (send, receive) = channel();
                    let make = || if panics { panic!("on purpose") } else { Err(Error::Busy) };
                    cache.module(&engine, "", wasm, make, Box::new(move |done| send.send(done.is_err()).unwrap()));
                    failed.fetch_add(receive.recv().unwrap().into(), Ordering::SeqCst);
                });
            }
        });
        assert_eq!(failed.load(Ordering::SeqCst), 4);
    }
    assert!(obtain(&cache, &engine, "", wasm).2);
}

#[test]
fn many_modules_from_many_threads_are_each_compiled_once() {
    let folder = Folder::new();
    let engine = engine(&folder);
    let (send, receive) = channel();
    // More than the engine's compilers, and all of the same few.
    for number in 0..200 {
        let send = send.clone();
        let done = Box::new(move |module: Result<Module, Error>| send.send((number % 7, module.unwrap())).unwrap());
        Module::compile_later(&engine, small(number % 7).into_bytes(), CompileOptions::default(), done);
    }
    let modules: Vec<_> = (0..200).map(|_| receive.recv().unwrap()).collect();
    assert!(modules.iter().all(|(expected, module)| number(module) == *expected));
    let info = info(&engine);
    assert_eq!((info.misses, info.shared, info.entries), (7, 193, 7));
}

#[test]
fn the_least_recently_used_go_when_there_is_no_room() {
    let folder = Folder::new();
    let probe = engine(&folder);
    compile(&probe, &small(0));
    let size = info(&probe).bytes;
    probe.cache().clear().unwrap();
    let engine = engine_with(&folder.0, 8 * size + size / 2);
    // Each an hour older than the one after it.
    let mut paths: Vec<PathBuf> = Vec::new();
    for number in 0..8 {
        compile(&engine, &small(number));
        let path = folder.entries().into_iter().find(|path| !paths.contains(path)).unwrap();
        let then = SystemTime::now() - Duration::from_secs(3_600 * (9 - number as u64));
        File::open(&path).unwrap().set_modified(then).unwrap();
        paths.push(path);
    }
    assert_eq!((info(&engine).entries, info(&engine).evicted), (8, 0));
    // The oldest is used, and so is the oldest no more.
    compile(&engine, &small(0));
    assert_eq!(info(&engine).hits, 1);
    compile(&engine, &small(100));
    let left = info(&engine);
    assert!(left.evicted >= 1 && left.bytes <= left.max_bytes, "{left:?}");
    assert!(paths[0].exists() && !paths[1].exists() && paths[7].exists());
    assert_eq!(left.entries + left.evicted, 9);
}

#[test]
fn a_folder_stays_within_its_bound_however_many_use_it() {
    let folder = Folder::new();
    let probe = engine(&folder);
    compile(&probe, &small(0));
    let size = info(&probe).bytes;
    let most = 10 * size;
    let engines: Vec<Engine> = (0..3).map(|_| engine_with(&folder.0, most)).collect();
    for number in 0..60 {
        compile(&engines[number % 3], &small(number));
        assert!(info(&probe).bytes <= most, "after {number}");
    }
    assert!(info(&probe).entries >= 5);
    assert!(engines.iter().map(|engine| info(engine).evicted).sum::<u64>() >= 49);
}

#[test]
fn a_module_that_was_loaded_runs_on_when_its_entry_is_evicted() {
    let folder = Folder::new();
    let source = large(9);
    compile(&engine(&folder), &source);
    let engine = engine(&folder);
    let module = compile(&engine, &source);
    assert_eq!(info(&engine).hits, 1);
    assert_eq!(engine.cache().clear().unwrap(), 1);
    assert_eq!(info(&engine).entries, 0);
    assert_eq!(number(&module), 9);
    // And it is still shared.
    assert_eq!(number(&compile(&engine, &source)), 9);
    assert_eq!(info(&engine).shared, 1);
}

#[test]
fn what_is_larger_than_the_folder_may_be_is_not_stored() {
    let folder = Folder::new();
    let engine = engine_with(&folder.0, 1_000);
    assert_eq!(number(&compile(&engine, &small(1))), 1);
    assert_eq!((info(&engine).stored, info(&engine).failed, info(&engine).entries), (0, 1, 0));
}

fn temporary_files(folder: &Folder) -> Vec<PathBuf> {
    let all = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(".tmp")).collect()
}

#[test]
fn what_a_dead_process_left_is_deleted_and_what_is_not_the_caches_is_not() {
    let folder = Folder::new();
    engine(&folder);
    let old = SystemTime::now() - Duration::from_secs(7_200);
    for (name, modified) in
        [(".tmp-1-0-0", old), (".tmp-2-0-0", SystemTime::now()), ("notes.txt", old), ("x.code", old)]
    {
        File::create(folder.0.join(name)).unwrap().set_modified(modified).unwrap();
    }
    let engine = engine(&folder);
    engine.cache().clear().unwrap();
    assert_eq!(temporary_files(&folder), [folder.0.join(".tmp-2-0-0")]);
    assert!(folder.0.join("notes.txt").exists() && folder.0.join("x.code").exists());
}

#[test]
fn a_folder_that_is_deleted_meanwhile_is_made_anew() {
    let folder = Folder::new();
    let engine = engine(&folder);
    compile(&engine, &small(1));
    fs::remove_dir_all(&folder.0).unwrap();
    compile(&engine, &small(2));
    assert_eq!((info(&engine).stored, info(&engine).failed, info(&engine).entries), (2, 0, 1));
    compile(&engine, &small(2));
    assert_eq!(info(&engine).hits, 1);
}

#[test]
fn another_folder_or_none_can_be_set() {
    let (one, two) = (Folder::new(), Folder::new());
    let engine = engine(&one);
    compile(&engine, &small(1));
    engine.cache().set_folder(Some((&two.0, 1 << 20))).unwrap();
    compile(&engine, &small(1));
    assert_eq!((info(&engine).misses, info(&engine).max_bytes), (2, 1 << 20));
    // One that can't be used changes nothing.
    assert!(engine.cache().set_folder(Some((Path::new("/dev/null/no"), 1))).is_err());
    assert_eq!(info(&engine).folder, Some(two.0.clone()));
    engine.cache().set_folder(None).unwrap();
    compile(&engine, &small(1));
    assert_eq!((info(&engine).misses, info(&engine).folder), (3, None));
    assert_eq!(engine.cache().clear().unwrap(), 0);
    assert_eq!((one.entries().len(), two.entries().len()), (1, 1));
}

// Other processes: this program again, with one of the tests below, which do nothing by themselves.

const NOBODY: u32 = 65_534;

const FOLDER: &str = "WASGO_TEST_CACHE";

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|stat| stat.uid() == 0)
}

fn child(test: &str, folder: &Folder) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(FOLDER, &folder.0);
    command
}

fn succeeded(mut child: Child) -> bool {
    child.wait().unwrap().success()
}

#[test]
fn processes_share_a_folder() {
    let folder = Folder::new();
    let children: Vec<Child> = (0..4).map(|_| child("child_compiles_many", &folder).spawn().unwrap()).collect();
    assert!(children.into_iter().all(succeeded));
    assert_eq!(folder.entries().len(), 30);
    assert!(temporary_files(&folder).is_empty());
    let engine = engine(&folder);
    for expected in 0..30 {
        assert_eq!(number(&compile(&engine, &small(expected))), expected);
    }
    assert_eq!((info(&engine).hits, info(&engine).refused), (30, 0));
}

#[test]
fn child_compiles_many() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    for _ in 0..3 {
        let engine = engine_with(Path::new(&folder), DEFAULT_CACHE_BYTES);
        for expected in 0..30 {
            assert_eq!(number(&compile(&engine, &small(expected))), expected);
        }
        let info = info(&engine);
        assert_eq!((info.refused, info.failed, info.hits + info.misses), (0, 0, 30));
    }
}

#[test]
fn a_process_that_is_killed_while_it_writes_leaves_nothing_that_is_taken_for_whole() {
    let folder = Folder::new();
    for milliseconds in [5, 20, 40, 60, 80, 100, 150, 200] {
        let mut writer = child("child_compiles_without_end", &folder).spawn().unwrap();
        thread::sleep(Duration::from_millis(milliseconds));
        writer.kill().unwrap();
        writer.wait().unwrap();
    }
    if !folder.0.exists() {
        return;
    }
    let engine = engine(&folder);
    for expected in 0..100 {
        assert_eq!(number(&compile(&engine, &small(expected))), expected);
    }
    assert_eq!(info(&engine).refused, 0);
}

#[test]
fn child_compiles_without_end() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let engine = engine_with(Path::new(&folder), 2 << 20);
    for number in (0..100).cycle() {
        compile(&engine, &small(number));
        if number == 99 {
            engine.cache().clear().unwrap();
        }
    }
}

#[test]
fn a_folder_that_is_read_only_is_read_and_fails_nothing() {
    let folder = Folder::new();
    compile(&engine(&folder), &small(1));
    let mut child = child("child_has_a_read_only_folder", &folder);
    if is_root() {
        // Nothing is read-only for root.
        for path in [folder.0.clone(), folder.0.join("key"), folder.entry()] {
            chown(path, Some(NOBODY), None).unwrap();
        }
        child.uid(NOBODY);
    }
    fs::set_permissions(&folder.0, Permissions::from_mode(0o500)).unwrap();
    let good = child.spawn().is_ok_and(succeeded);
    fs::set_permissions(&folder.0, Permissions::from_mode(0o700)).unwrap();
    assert!(good);
    assert_eq!(folder.entries().len(), 1);
}

#[test]
fn child_has_a_read_only_folder() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let engine = engine_with(Path::new(&folder), DEFAULT_CACHE_BYTES);
    assert_eq!(number(&compile(&engine, &small(1))), 1);
    assert_eq!(number(&compile(&engine, &small(2))), 2);
    let info = info(&engine);
    assert_eq!((info.hits, info.misses, info.failed, info.stored), (1, 1, 1, 0));
    // A new folder can't be made there.
    let (reason, _) = open_error(&Path::new(&folder).join("below"));
    assert_eq!(reason, "unusable");
}
