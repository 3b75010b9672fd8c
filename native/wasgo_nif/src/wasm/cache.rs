//! The engine's cache of compiled modules. All of this reads a folder, and so runs on dirty schedulers.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustler::{Encoder, Env, Term};
use wasgo_wasm::Error;

use super::engine;
use crate::{atoms, fault};

/// Whether somebody has said what folder there is. Held while the folder is opened, so that who comes second finds it open.
static CONFIGURED: Mutex<bool> = Mutex::new(false);

/// Sets the folder that the application's configuration names, unless one was set already. No folder is `""`.
#[rustler::nif(schedule = "DirtyIo")]
fn wasm_cache_default<'a>(env: Env<'a>, dir: &'a str, max_bytes: u64) -> Term<'a> {
    let mut configured = CONFIGURED.lock().unwrap_or_else(PoisonError::into_inner);
    // One that can't be used is not tried again with each module.
    if std::mem::replace(&mut *configured, true) {
        return fault::ok(env, atoms::nil());
    }
    answer(env, set_folder(dir, max_bytes).map(|()| atoms::nil()))
}

/// Sets another folder, or none.
#[rustler::nif(schedule = "DirtyIo")]
fn wasm_cache_configure<'a>(env: Env<'a>, dir: &'a str, max_bytes: u64) -> Term<'a> {
    let mut configured = CONFIGURED.lock().unwrap_or_else(PoisonError::into_inner);
    let set = set_folder(dir, max_bytes);
    *configured |= set.is_ok();
    answer(env, set.map(|()| atoms::nil()))
}

#[rustler::nif(schedule = "DirtyIo")]
fn wasm_cache_info(env: Env<'_>) -> Term<'_> {
    let info = match engine() {
        Ok(engine) => engine.cache().info(),
        Err(error) => return fault::err(env, fault::wasm(env, error)),
    };
    let dir = info.folder.as_ref().map(|folder| folder.display().to_string());
    let pairs = [
        (atoms::dir(), dir.encode(env)),
        (atoms::max_bytes(), info.max_bytes.encode(env)),
        (atoms::bytes(), info.bytes.encode(env)),
        (atoms::entries(), info.entries.encode(env)),
        (atoms::shared(), info.shared.encode(env)),
        (atoms::hits(), info.hits.encode(env)),
        (atoms::misses(), info.misses.encode(env)),
        (atoms::refused(), info.refused.encode(env)),
        (atoms::stored(), info.stored.encode(env)),
        (atoms::failed(), info.failed.encode(env)),
        (atoms::evicted(), info.evicted.encode(env)),
    ];
    let mut map = Term::map_new(env);
    for (key, value) in pairs {
        // A key is new each time, so that this can't fail.
        map = map.map_put(key.to_term(env), value).unwrap_or(map);
    }
    fault::ok(env, map)
}

/// Deletes the entries of the folder; answers how many.
#[rustler::nif(schedule = "DirtyIo")]
fn wasm_cache_clear(env: Env<'_>) -> Term<'_> {
    answer(env, engine().map_err(Clone::clone).and_then(|engine| engine.cache().clear()))
}

fn set_folder(dir: &str, max_bytes: u64) -> Result<(), Error> {
    let cache = engine().map_err(Clone::clone)?.cache();
    cache.set_folder(if dir.is_empty() { None } else { Some((Path::new(dir), max_bytes)) })
}

fn answer<'a>(env: Env<'a>, result: Result<impl Encoder, Error>) -> Term<'a> {
    match result {
        Ok(value) => fault::ok(env, value),
        Err(error) => fault::err(env, fault::wasm(env, &error)),
    }
}
