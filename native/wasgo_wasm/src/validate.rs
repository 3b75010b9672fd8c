//! What can be said of a module or component without compiling it.

use std::collections::{HashMap, VecDeque};

use wasmparser::types::{EntityType, TypesRef};
use wasmparser::{
    AbstractHeapType, ComponentExternalKind, HeapType, Parser, Payload, RefType, ValType, ValidPayload, Validator,
    WasmFeatures,
};

use crate::engine::Engine;
use crate::error::Error;
use crate::flavour::Flavour;
use crate::module::{self, ExternInfo, Module};

/// What bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleKind {
    /// A module.
    Module,
    /// A component, which consists of modules.
    Component,
}

impl ModuleKind {
    /// A stable lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::Component => "component",
        }
    }
}

/// What [`Module::validate`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleInfo {
    /// What it is.
    pub kind: ModuleKind,
    /// What it wants.
    pub imports: Vec<ExternInfo>,
    /// What it offers.
    pub exports: Vec<ExternInfo>,
    /// Its size as WebAssembly, in bytes.
    pub size: usize,
}

impl Module {
    /// Says of WebAssembly bytes or WAT text what [`Self::compile`] would: whether they are valid for this engine, and what they want
    /// and offer. Takes about 10 ms for each MiB.
    ///
    /// # Errors
    /// Those of [`Self::compile`].
    pub fn validate(engine: &Engine, source: &[u8]) -> Result<ModuleInfo, Error> {
        let wasm = module::binary(engine, source)?;
        engine.options().module_limits.check(&wasm)?;
        validate(engine, &wasm)
    }
}

/// Validates a binary. Wasmtime, which alone knows the engine's features exactly, validates each module; this crate adds what
/// components have around their modules.
fn validate(engine: &Engine, wasm: &[u8]) -> Result<ModuleInfo, Error> {
    if Parser::is_component(wasm) {
        component(engine.for_components(), wasm)
    } else {
        wasmtime::Module::validate(engine.wasmtime(Flavour::Roomy)?, wasm).map_err(|error| Error::compile(&error))?;
        let (imports, exports) = describe_module(wasm).map_err(unreadable)?;
        Ok(ModuleInfo { kind: ModuleKind::Module, imports, exports, size: wasm.len() })
    }
}

fn unreadable(error: wasmparser::BinaryReaderError) -> Error {
    Error::Compile { message: error.to_string() }
}

type Externs = (Vec<ExternInfo>, Vec<ExternInfo>);

/// For a module that was validated: with the features that are off nothing of theirs is in it.
fn describe_module(wasm: &[u8]) -> wasmparser::Result<Externs> {
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if let Payload::ImportSection(section) = &payload {
            for import in section.clone().into_imports() {
                let import = import?;
                names.push((import.module, import.name));
            }
        }
        if let ValidPayload::End(types) = validator.payload(&payload)? {
            let types = types.as_ref();
            // The validator has those of the same name together, in their order; the module may have others between them.
            let mut by_name: HashMap<_, VecDeque<_>> = HashMap::new();
            for (module, name, ty) in types.core_imports().into_iter().flatten() {
                by_name.entry((module, name)).or_default().push_back(ty);
            }
            let mut import = |(module, name)| {
                let ty = by_name.get_mut(&(module, name))?.pop_front()?;
                Some(describe(types, module, name, &ty))
            };
            let imports = names.into_iter().filter_map(&mut import).collect();
            let exports = types.core_exports().into_iter().flatten();
            return Ok((imports, exports.map(|(name, ty)| describe(types, "", name, &ty)).collect()));
        }
    }
    Ok((Vec::new(), Vec::new()))
}

fn component(engine: &wasmtime::Engine, wasm: &[u8]) -> Result<ModuleInfo, Error> {
    // What differs among engines in a component's own features is off by default everywhere.
    Validator::new_with_features(WasmFeatures::default() | WasmFeatures::COMPONENT_MODEL)
        .validate_all(wasm)
        .map_err(unreadable)?;
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut depth = 0u32;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(unreadable)? {
            Payload::ModuleSection { unchecked_range, .. } => {
                let module = wasm.get(unchecked_range).unwrap_or_default();
                wasmtime::Module::validate(engine, module).map_err(|error| Error::compile(&error))?;
            }
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let import = import.map_err(unreadable)?;
                    imports.push(plain(import.name.name, import.ty.kind()));
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    let export = export.map_err(unreadable)?;
                    exports.push(plain(export.name.name, export.kind));
                }
            }
            _ => {}
        }
    }
    Ok(ModuleInfo { kind: ModuleKind::Component, imports, exports, size: wasm.len() })
}

/// The types of components are no short texts.
fn plain(name: &str, kind: ComponentExternalKind) -> ExternInfo {
    let kind = match kind {
        ComponentExternalKind::Module => "module",
        ComponentExternalKind::Func => "func",
        ComponentExternalKind::Value => "value",
        ComponentExternalKind::Type => "type",
        ComponentExternalKind::Instance => "instance",
        ComponentExternalKind::Component => "component",
    };
    ExternInfo { module: String::new(), name: name.into(), kind, signature: String::new() }
}

/// The same text as for a module that was compiled.
fn describe(types: TypesRef<'_>, module: &str, name: &str, ty: &EntityType) -> ExternInfo {
    let (kind, signature) = match ty {
        EntityType::Func(id) | EntityType::FuncExact(id) => {
            let function = types[*id].unwrap_func();
            let list = |types: &[ValType]| types.iter().map(|ty| value_type(*ty)).collect::<Vec<_>>().join(", ");
            let results = list(function.results());
            let arrow = if results.is_empty() { "()".into() } else { results };
            ("func", format!("({}) -> {arrow}", list(function.params())))
        }
        EntityType::Memory(ty) => ("memory", module::pages(ty.initial, ty.maximum)),
        EntityType::Table(ty) => ("table", module::range(ty.initial, ty.maximum)),
        EntityType::Global(ty) => ("global", value_type(ty.content_type)),
        EntityType::Tag(_) => ("tag", String::new()),
    };
    ExternInfo { module: module.into(), name: name.into(), kind, signature }
}

fn value_type(ty: ValType) -> String {
    match ty {
        ValType::Ref(ty) => reference_type(ty),
        plain => plain.to_string(),
    }
}

/// As wasmtime has it: without short names for the common ones.
fn reference_type(ty: RefType) -> String {
    let null = if ty.is_nullable() { "null " } else { "" };
    match ty.heap_type() {
        HeapType::Abstract { ty: AbstractHeapType::Func, .. } => format!("(ref {null}func)"),
        HeapType::Abstract { ty: AbstractHeapType::Extern, .. } => format!("(ref {null}extern)"),
        _ => ty.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineOptions;
    use crate::error::LimitKind;
    use crate::module::CompileOptions;

    fn engine() -> Engine {
        Engine::new(EngineOptions { workers: 1, ..EngineOptions::default() }).unwrap()
    }

    #[test]
    fn validating_says_what_compiling_says() {
        let engine = engine();
        let good = [
            "(module)",
            "(module (import \"a\" \"f\" (func (param i32 f64) (result v128 funcref)))
               (import \"a\" \"m\" (memory 1 4)) (import \"b\" \"g\" (global (mut funcref)))
               (import \"b\" \"t\" (table 3 funcref))
               (func (export \"f\") (param f32 funcref) unreachable) (export \"again\" (func 0))
               (table (export \"t\") 3 7 funcref) (global (export \"pi\") f64 (f64.const 3)))",
            "(module (memory (export \"memory\") 2) (data \"x\") (func (export \"s\") (result i32 i64)
               i32.const 1 i64.const 2))",
        ];
        for text in good {
            let compiled = Module::compile(&engine, text.as_bytes(), CompileOptions::default()).unwrap();
            let told = Module::validate(&engine, text.as_bytes()).unwrap();
            assert_eq!(told.imports, compiled.imports());
            assert_eq!(told.exports, compiled.exports());
            assert_eq!((told.kind, told.size), (ModuleKind::Module, compiled.size()));
        }
        let bad = [
            "",
            "(module (funk))",
            "(module (func (result i32)))",
            "(module (func i64.const 1 i32.add drop))",
            "(module (memory 1) (memory 1))",
            "(module (memory i64 1))",
            "(module (memory 1 1 shared))",
            "(module (type (struct)))",
            "(module (func (return_call 0)) (tag))",
            "(module (import \"a\" \"g\" (global externref)))",
            "(module (func (local (ref 0)) unreachable) (type (func)))",
            "\0asm\x09\0\0\0",
            "\0asm\x01\0\0",
            "GIF89a",
        ];
        for source in bad {
            let told = Module::validate(&engine, source.as_bytes()).map(|_| ());
            let compiled = Module::compile(&engine, source.as_bytes(), CompileOptions::default()).map(|_| ());
            assert_eq!(told.is_ok(), compiled.is_ok(), "{source}: {told:?} and {compiled:?}");
            if let Err(error) = told {
                assert!(matches!(error, Error::Compile { .. }), "{source}: {error:?}");
            }
        }
        for always_bad in ["", "(module (func (result i32)))", "(module (memory 1) (memory 1))"] {
            assert!(Module::validate(&engine, always_bad.as_bytes()).is_err(), "{always_bad}");
        }
    }

    #[test]
    fn what_wasm_smith_makes_validates_as_it_compiles() {
        let engine = engine();
        let config = wasm_smith::Config {
            gc_enabled: false,
            reference_types_enabled: false,
            exceptions_enabled: false,
            threads_enabled: false,
            memory64_enabled: false,
            max_memories: 1,
            ..wasm_smith::Config::default()
        };
        let mut state = 0x1234_5678_u32;
        let mut good = 0;
        for _ in 0..150 {
            let bytes: Vec<u8> = (0..2_000)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 17;
                    state ^= state << 5;
                    state as u8
                })
                .collect();
            let Ok(module) = wasm_smith::Module::new(config.clone(), &mut arbitrary::Unstructured::new(&bytes)) else {
                continue;
            };
            let wasm = module.to_bytes();
            match (Module::validate(&engine, &wasm), Module::compile(&engine, &wasm, CompileOptions::default())) {
                (Ok(told), Ok(compiled)) => {
                    good += 1;
                    assert_eq!(told.imports, compiled.imports());
                    assert_eq!(told.exports, compiled.exports());
                }
                (told, compiled) => assert_eq!(told.is_err(), compiled.is_err(), "{told:?}"),
            }
        }
        assert!(good > 10, "only {good} were valid");
    }

    #[test]
    fn components_are_told_of() {
        let engine = engine();
        let wasm = wat::parse_str(
            "(component (import \"log\" (func)) (import \"a:b/c\" (instance))
               (core module $m (memory 1)) (component (export \"inner\" (core module 0)) (core module))
               (export \"m\" (core module $m)))",
        );
        // An inner component can't export what comes after.
        assert!(validate(&engine, &wasm.unwrap()).is_err());
        let wasm = wat::parse_str(
            "(component (import \"log\" (func)) (import \"a:b/c\" (instance))
               (core module $m (memory 1)) (component (core module) (export \"inner\" (core module 0)))
               (export \"m\" (core module $m)))",
        )
        .unwrap();
        let told = validate(&engine, &wasm).unwrap();
        let names = |list: &[ExternInfo]| list.iter().map(|one| (one.name.clone(), one.kind)).collect::<Vec<_>>();
        assert_eq!(told.kind, ModuleKind::Component);
        assert_eq!(names(&told.imports), [("log".into(), "func"), ("a:b/c".into(), "instance")]);
        assert_eq!(names(&told.exports), [("m".into(), "module")]);
        // Its modules are held to the engine's own features.
        let two = wat::parse_str("(component (core module (memory i64 1)))").unwrap();
        let error = validate(&engine, &two).unwrap_err().to_string();
        assert!(error.contains("memory64"), "{error}");
    }

    fn refused(engine: &Engine, text: &str) -> Option<(LimitKind, u64, Option<u64>)> {
        let result = |error: Error| match error {
            Error::Limit { kind, limit, asked } => (kind, limit, asked),
            other => panic!("{other:?}"),
        };
        let told = Module::validate(engine, text.as_bytes()).err().map(result);
        let compiled = Module::compile(engine, text.as_bytes(), CompileOptions::default()).err().map(result);
        assert_eq!(told, compiled);
        told
    }

    #[test]
    fn each_limit_holds_and_what_is_at_it_compiles() {
        let mut options = EngineOptions { workers: 1, ..EngineOptions::default() };
        options.module_limits = crate::ModuleLimits {
            types: 3,
            imports: 3,
            functions: 3,
            exports: 3,
            data_segments: 3,
            elements: 3,
            function_size: 60,
            loops: 3,
            loop_depth: 2,
            loop_work: 0,
        };
        let engine = Engine::new(options).unwrap();
        let many = |count: usize, one: &str| -> String {
            (0..count)
                .map(|number| one.replace('#', &number.to_string()).replace('!', &"i32 ".repeat(number)))
                .collect()
        };
        let module = |body: String| format!("(module {body})");
        type Case<'a> = (LimitKind, u64, &'a dyn Fn(usize) -> String);
        let cases: [Case<'_>; 8] = [
            (LimitKind::ModuleTypes, 3, &|count| module(many(count, "(type (func (param !)))"))),
            (LimitKind::ModuleImports, 3, &|count| module(many(count, "(import \"m\" \"#\" (global i32))"))),
            (LimitKind::ModuleFunctions, 3, &|count| module(many(count, "(func)"))),
            (LimitKind::ModuleExports, 3, &|count| {
                module(format!("(global i32 (i32.const 0)) {}", many(count, "(export \"#\" (global 0))")))
            }),
            (LimitKind::ModuleDataSegments, 3, &|count| module(format!("(memory 1) {}", many(count, "(data \"x\")")))),
            (LimitKind::ModuleElements, 3, &|count| {
                module(format!("(func $f) (table 9 funcref) (elem (i32.const 0) {})", many(count, " $f ")))
            }),
            (LimitKind::FunctionLoops, 3, &|count| module(format!("(func {})", many(count, "(loop)")))),
            // A loop that has ended counts no more.
            (LimitKind::LoopDepth, 2, &|count| {
                let open = "(loop (block ".repeat(count);
                let ended = if count == 2 { "(loop)" } else { "" };
                module(format!("(func {ended} {open} {})", "))".repeat(count)))
            }),
        ];
        for (kind, limit, text) in cases {
            assert_eq!(refused(&engine, &text(limit as usize)), None, "{kind:?}");
            assert_eq!(refused(&engine, &text(limit as usize + 1)), Some((kind, limit, Some(limit + 1))));
        }
        assert_eq!(refused(&engine, &module(format!("(func {})", "nop ".repeat(58)))), None);
        let size = refused(&engine, &module(format!("(func {})", "nop ".repeat(59))));
        assert_eq!(size, Some((LimitKind::FunctionSize, 60, Some(61))));
        let carrying = |locals: usize| {
            let sets: String = (0..locals).map(|local| format!("(local.set {local} (i32.const 0))")).collect();
            format!("(module (func (local {}) (loop {sets})))", "i32 ".repeat(locals))
        };
        let mut options = EngineOptions { workers: 1, ..EngineOptions::default() };
        options.module_limits.loop_work = 0;
        let millisecond = Engine::new(options).unwrap();
        assert_eq!(refused(&millisecond, &carrying(450)), None);
        assert_eq!(refused(&millisecond, &carrying(600)), Some((LimitKind::LoopWork, 0, Some(1))));
        // Empty segments count too, and loops in many functions are no loops in one.
        let empty = module(format!("(table 9 funcref) {}", "(elem (i32.const 0))".repeat(4)));
        assert_eq!(refused(&engine, &empty), Some((LimitKind::ModuleElements, 3, Some(4))));
        assert_eq!(refused(&engine, &module("(func (loop) (loop))".repeat(3))), None);
    }

    #[test]
    fn what_would_take_hours_to_compile_is_refused_at_once() {
        let engine = engine();
        let open = "(loop ".repeat(20_000);
        let nested = format!("(module (func {open} {}))", ")".repeat(20_000));
        assert!(matches!(refused(&engine, &nested), Some((LimitKind::LoopDepth, ..))));
        let loops = format!("(module (func (param i32) {}))", "(loop (br_if 0 (local.get 0)))".repeat(50_000));
        assert!(matches!(refused(&engine, &loops), Some((LimitKind::FunctionLoops, ..))));
    }
}
