//! Scripts of plans: run by the WebAssembly host, on the thread that generates.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustler::{Encoder, Env, ResourceArc, Term};
use wasgo_gen::script::{
    GivenScript, Look, Script, ScriptCall, ScriptError, ScriptFailure, ScriptFault, ScriptInstance,
};
use wasgo_gen::{Chunk, ScriptValue};
use wasgo_wasm::row::{self, Value};
use wasgo_wasm::{Error, GenerateCall, GenerateScript, Limits, LocalScript};

use crate::generate::ChunkResource;
use crate::wasm::module::ModuleResource;
use crate::{atoms, bytes, fault};

/// A script as Elixir hands it over: its name in the plan, the digest of its bytes, its module.
pub type Given = (String, String, ResourceArc<ModuleResource>);

/// A script that instances are made from.
#[derive(Debug)]
struct Guest(GenerateScript);

impl Drop for Guest {
    fn drop(&mut self) {
        // The last of a module's handles unmaps its code.
        bytes::reap(self.0.clone());
    }
}

impl Script for Guest {
    fn start(&self) -> Result<Box<dyn ScriptInstance>, ScriptFailure> {
        let local = self.0.start().map_err(ScriptFailure::new)?;
        Ok(Box::new(Running { local, row: Vec::new() }))
    }
}

struct Running {
    local: LocalScript,
    row: Vec<u8>,
}

impl ScriptInstance for Running {
    fn generate(&mut self, call: &ScriptCall<'_>) -> Result<&[u8], ScriptFailure> {
        let parameters = call.parameters.iter().map(|parameter| match parameter {
            ScriptValue::Integer(number) => Value::Integer(*number),
            ScriptValue::Real(number) => Value::Real(*number),
            ScriptValue::Text(text) => Value::Text(text),
            ScriptValue::Null => Value::Null,
        });
        let values: Vec<Value<'_>> = std::iter::once(Value::Blob(call.asked)).chain(parameters).collect();
        self.row.clear();
        let size = row::encode(&values, &mut self.row).map_err(ScriptFailure::new)?;
        let &ScriptCall { seed, x, z, level, fuel, answer, .. } = call;
        let call = GenerateCall { seed, x, z, lod: level.into(), fuel, result: answer as u64 };
        self.local.generate(&call, &self.row[..size]).map_err(ScriptFailure::new)
    }
}

/// The scripts, ready to run; or which of them keeps no part of the contract, and why.
pub fn prepare(given: Vec<Given>) -> Result<BTreeMap<String, GivenScript>, (String, Error)> {
    let each =
        given.into_iter().map(|(name, digest, module)| match GenerateScript::new(&module.0, Limits::default()) {
            Ok(script) => Ok((name, GivenScript { digest, script: Arc::new(Guest(script)) })),
            Err(error) => Err((name, error)),
        });
    each.collect()
}

/// A script that can't be used, with the host's error as the cause.
pub fn refused<'a>(env: Env<'a>, name: &str, error: &Error) -> Term<'a> {
    caused(env, &format!("scripts.{name}"), &format!("scripts.{name}: {error}"), Some(error))
}

/// A script that failed.
pub fn failed<'a>(env: Env<'a>, error: &ScriptError) -> Term<'a> {
    let cause = match &error.fault {
        ScriptFault::Failed(failure) => failure.cause::<Error>(),
        _ => None,
    };
    caused(env, &error.place, &error.to_string(), cause)
}

fn caused<'a>(env: Env<'a>, field: &str, message: &str, cause: Option<&Error>) -> Term<'a> {
    let cause = cause.map(|error| fault::wasm(env, error));
    let more = [(atoms::field(), field.encode(env)), (atoms::cause(), cause.encode(env))];
    fault::fault(env, atoms::plan(), atoms::script().to_term(env), message, &more)
}

/// What scripts made in a chunk: `{generator, name, {positions, normals, colors, indices}, look, transforms}` for each mesh.
pub fn generated<'a>(env: Env<'a>, chunk: &ResourceArc<ChunkResource>) -> Term<'a> {
    let mut terms = Vec::new();
    for (n, made) in chunk.0.generated.iter().enumerate() {
        for (m, mesh) in made.meshes.iter().enumerate() {
            let part = |pick: for<'c> fn(&'c Chunk, usize, usize) -> &'c [u8]| -> Term<'a> {
                chunk.make_binary(env, |chunk| pick(&chunk.0, n, m)).to_term(env)
            };
            let surface = (
                part(|chunk, n, m| bytemuck::cast_slice(&chunk.generated[n].meshes[m].mesh.positions)),
                part(|chunk, n, m| bytemuck::cast_slice(&chunk.generated[n].meshes[m].mesh.normals)),
                part(|chunk, n, m| bytemuck::cast_slice(&chunk.generated[n].meshes[m].mesh.colors)),
                part(|chunk, n, m| bytemuck::cast_slice(&chunk.generated[n].meshes[m].mesh.indices)),
            );
            let transforms = part(|chunk, n, m| &chunk.generated[n].meshes[m].transforms);
            terms.push((made.generator, &mesh.name, surface, look(env, &mesh.look), transforms).encode(env));
        }
    }
    terms.encode(env)
}

/// `{double_sided, roughness, metallic, emissive, emissive_strength}`, as materials have them.
fn look<'a>(env: Env<'a>, look: &Look) -> Term<'a> {
    let material = look.material("");
    let [r, g, b] = material.emissive.map(f64::from);
    let factors = (f64::from(material.roughness), f64::from(material.metallic));
    (material.double_sided, factors.0, factors.1, (r, g, b), f64::from(material.emissive_strength)).encode(env)
}
