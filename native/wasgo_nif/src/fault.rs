//! Errors of the crates below as terms: maps of one shape, which `Wasgo.Native.Result` makes exceptions of.

use rustler::{Atom, Encoder, Env, Term};
use wasgo_wasm::Error;

use crate::atoms;

/// A map with `kind` (which exception), `reason`, `message` (for people), and what else belongs to it.
pub fn fault<'a>(env: Env<'a>, kind: Atom, reason: Term<'a>, message: &str, more: &[(Atom, Term<'a>)]) -> Term<'a> {
    let mut map = Term::map_new(env);
    let base = [(atoms::kind(), kind.to_term(env)), (atoms::reason(), reason), (atoms::message(), message.encode(env))];
    for (key, value) in base.iter().chain(more) {
        // A key is new each time, so that this can't fail.
        map = map.map_put(key.to_term(env), *value).unwrap_or(map);
    }
    map
}

/// An atom from one of the crates' own fixed names.
pub fn atom<'a>(env: Env<'a>, name: &str) -> Term<'a> {
    match Atom::from_str(env, name) {
        Ok(atom) => atom.to_term(env),
        Err(_) => atoms::error().to_term(env),
    }
}

/// An error of the WebAssembly host.
pub fn wasm<'a>(env: Env<'a>, error: &Error) -> Term<'a> {
    let message = error.to_string();
    let plain = |kind: Atom, reason: Atom| fault(env, kind, reason.to_term(env), &message, &[]);
    match error {
        Error::Compile { .. } | Error::CompileComponent { .. } => plain(atoms::compile(), atoms::compile()),
        Error::MissingImport { module, name, .. } => {
            let more = [(atoms::module(), module.encode(env)), (atoms::name(), name.encode(env))];
            fault(env, atoms::link(), atoms::missing_import().to_term(env), &message, &more)
        }
        Error::MissingExport { name, .. } => {
            let more = [(atoms::name(), name.encode(env))];
            fault(env, atoms::link(), atoms::missing_export().to_term(env), &message, &more)
        }
        Error::WrongType { name, .. } => {
            let more = [(atoms::name(), name.encode(env))];
            fault(env, atoms::link(), atoms::wrong_type().to_term(env), &message, &more)
        }
        Error::Trap { reason, backtrace, offsets, .. } => {
            let more = [(atoms::backtrace(), backtrace.encode(env)), (atoms::offsets(), offsets.encode(env))];
            fault(env, atoms::trap(), atom(env, reason), &message, &more)
        }
        Error::Import { name, .. } => {
            let more = [(atoms::import(), name.encode(env))];
            fault(env, atoms::trap(), atoms::import().to_term(env), &message, &more)
        }
        Error::Limit { kind, limit, asked } => {
            let more = [(atoms::value(), limit.encode(env)), (atoms::asked(), asked.encode(env))];
            fault(env, atoms::limit(), atom(env, kind.name()), &message, &more)
        }
        Error::Busy => plain(atoms::instance(), atoms::busy()),
        Error::Trapped => plain(atoms::instance(), atoms::poisoned()),
        Error::Poisoned => plain(atoms::instance(), atoms::poisoned()),
        Error::Closed => plain(atoms::instance(), atoms::closed()),
        Error::Cancelled => plain(atoms::instance(), atoms::cancelled()),
        Error::OutOfBounds { .. } => plain(atoms::instance(), atoms::out_of_bounds()),
        Error::Arguments { .. } => plain(atoms::instance(), atoms::arguments()),
        Error::Contract { .. } => plain(atoms::decode(), atoms::contract()),
        Error::Exited { status } => {
            let more = [(atoms::status(), status.encode(env))];
            fault(env, atoms::trap(), atoms::exited().to_term(env), &message, &more)
        }
        Error::Cache { reason, .. } => fault(env, atoms::cache(), atom(env, reason), &message, &[]),
        Error::Directory { path, reason, .. } => {
            let more = [(atoms::path(), path.encode(env))];
            fault(env, atoms::directory(), atom(env, reason), &message, &more)
        }
        Error::Engine { .. } => plain(atoms::instance(), atoms::engine()),
    }
}

/// `{:ok, value}`.
pub fn ok<'a>(env: Env<'a>, value: impl Encoder) -> Term<'a> {
    (atoms::ok(), value).encode(env)
}

/// `{:error, fault}`.
pub fn err<'a>(env: Env<'a>, fault: Term<'a>) -> Term<'a> {
    (atoms::error(), fault).encode(env)
}
