//! What a module may consist of.
//!
//! Compiling takes memory and time that grow with a module's size, and for a few things faster than that: types, loops within loops,
//! entries of tables. A module of some kilobytes could keep a compiler busy for hours. Each of these things has a limit here, far above
//! what compilers of real languages emit; a module that is over one is refused before any of it is compiled.

use wasmparser::{ElementItems, FunctionBody, Parser, Payload};

use crate::complexity::Loops;
use crate::error::{Error, LimitKind};

/// How much of everything a module may have; for a component, all of its modules together. The times are those of one core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleLimits {
    /// Types. Default 10,000: each that differs from the others takes 0.14 ms to compile, and programs have hundreds of them.
    pub types: u64,
    /// Imports. Default 10,000: programs have hundreds.
    pub imports: u64,
    /// Functions. Default 200,000: even an empty one takes 0.05 ms and 5 KB to compile. Language runtimes have up to 30,000, and large
    /// programs compiled ahead of time 100,000.
    pub functions: u64,
    /// Exports. Default 100,000: dynamically linked programs export all that they have.
    pub exports: u64,
    /// Data segments. Default 30,000 (Python for WASI has 24,171): of many more, wasmtime compiles a function that takes a minute.
    /// Programs whose memory is made an image of when they are compiled, as snapshots of containers are, may have 100,000, the
    /// most that its parser takes.
    pub data_segments: u64,
    /// Entries of tables that the module fills in. Default 200,000, as for functions.
    pub elements: u64,
    /// Bytes of each function. Default 2 MiB, which take some ten seconds and 1 GB to compile. Interpreters' main loops have some
    /// 100 KB.
    pub function_size: u64,
    /// Loops in each function. Default 2,000: the time grows with their square, and 2,000 take a second.
    pub loops: u64,
    /// Loops within each other. Default 100: the time grows with their cube, and 1,000 take two seconds; people and compilers nest some
    /// ten.
    pub loop_depth: u64,
    /// Milliseconds that all functions' loops make compiling take, estimated. Default 20,000. Functions of many loops and many locals are few
    /// in programs: a large interpreter's main loop takes some tens.
    pub loop_work: u64,
}

impl Default for ModuleLimits {
    fn default() -> Self {
        Self {
            types: 10_000,
            imports: 10_000,
            functions: 200_000,
            exports: 100_000,
            data_segments: 30_000,
            elements: 200_000,
            function_size: 2 << 20,
            loops: 2_000,
            loop_depth: 100,
            loop_work: 20_000,
        }
    }
}

impl ModuleLimits {
    /// Counts what is in a module or component, without validating it: bytes that can't be read are left to who does.
    pub(crate) fn check(&self, wasm: &[u8]) -> Result<(), Error> {
        let mut counts = Counts::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let Ok(payload) = payload else { return Ok(()) };
            if !self.count(&mut counts, &payload)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// False when there is no reading on.
    fn count(&self, counts: &mut Counts, payload: &Payload<'_>) -> Result<bool, Error> {
        match payload {
            Payload::TypeSection(types) => {
                // A group of types that refer to each other is one in the section's count.
                for group in types.clone() {
                    let Ok(group) = group else { return Ok(false) };
                    add(&mut counts.types, group.types().len() as u64, LimitKind::ModuleTypes, self.types)?;
                }
            }
            Payload::ImportSection(imports) => {
                let imports = imports.clone().into_imports().count() as u64;
                add(&mut counts.imports, imports, LimitKind::ModuleImports, self.imports)?;
            }
            Payload::FunctionSection(functions) => {
                add(&mut counts.functions, functions.count().into(), LimitKind::ModuleFunctions, self.functions)?;
            }
            Payload::ExportSection(exports) => {
                add(&mut counts.exports, exports.count().into(), LimitKind::ModuleExports, self.exports)?;
            }
            Payload::DataSection(data) => {
                add(&mut counts.data, data.count().into(), LimitKind::ModuleDataSegments, self.data_segments)?;
            }
            Payload::ElementSection(elements) => {
                for element in elements.clone() {
                    let Ok(element) = element else { return Ok(false) };
                    let items = match element.items {
                        ElementItems::Functions(items) => items.count(),
                        ElementItems::Expressions(_, items) => items.count(),
                    };
                    // A segment without entries is one to look at all the same.
                    add(&mut counts.elements, u64::from(items).max(1), LimitKind::ModuleElements, self.elements)?;
                }
            }
            Payload::CodeSectionEntry(body) => return self.function(counts, body),
            _ => {}
        }
        Ok(true)
    }

    fn function(&self, counts: &mut Counts, body: &FunctionBody<'_>) -> Result<bool, Error> {
        let size = body.range().len() as u64;
        within(size, LimitKind::FunctionSize, self.function_size)?;
        let Ok(declared) = body.get_locals_reader() else { return Ok(false) };
        let locals: u64 = declared.into_iter().flatten().map(|(count, _)| u64::from(count)).sum();
        let Ok(operators) = body.get_operators_reader() else { return Ok(false) };
        let mut loops = Loops::new(locals);
        for operator in operators {
            let Ok(operator) = operator else { return Ok(false) };
            loops.step(&operator);
            within(loops.count(), LimitKind::FunctionLoops, self.loops)?;
            within(loops.depth(), LimitKind::LoopDepth, self.loop_depth)?;
        }
        counts.loop_ns = counts.loop_ns.saturating_add(loops.nanoseconds());
        within(counts.loop_ns / 1_000_000, LimitKind::LoopWork, self.loop_work)?;
        Ok(true)
    }
}

#[derive(Default)]
struct Counts {
    types: u64,
    imports: u64,
    functions: u64,
    exports: u64,
    data: u64,
    elements: u64,
    loop_ns: u64,
}

fn add(count: &mut u64, more: u64, kind: LimitKind, limit: u64) -> Result<(), Error> {
    *count = count.saturating_add(more);
    within(*count, kind, limit)
}

fn within(count: u64, kind: LimitKind, limit: u64) -> Result<(), Error> {
    if count > limit { Err(Error::Limit { kind, limit, asked: Some(count) }) } else { Ok(()) }
}
