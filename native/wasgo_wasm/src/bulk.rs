//! How long a module's code could run between two checks of the epoch.
//!
//! Compiled code looks at the epoch on entry of each function and on each loop's way back. Between two looks runs straight
//! code: short, unless it holds *bulk* instructions (`memory.fill` and its kin), each of which may touch the whole memory, or
//! the function is absurdly long. This module finds an upper bound, so that such guests start on the pool and not on a
//! caller's thread.

use wasmparser::{Operator, Parser, Payload};

use crate::limits::INLINE_BULK_BYTES;
use crate::service::WASI_MODULE;

/// Functions longer than this (bytes of wasm) are not run on a caller's thread: 128 KiB of divisions take half a
/// millisecond.
const INLINE_FUNCTION_BYTES: usize = 128 << 10;

/// Bytes that a bulk table instruction may touch: tables are small by limit.
const TABLE_BYTES: u64 = 20_000 * 16;

/// The bound of a whole module: the worst of each of its functions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bulk {
    /// Bytes touched by bulk instructions whose length is a constant.
    constant: u64,
    /// Bulk instructions whose length is only known at run time: each may touch the whole memory.
    dynamic: u64,
    /// Whether there is a function too long for a caller's thread.
    long_function: bool,
    /// Bytes of memory that the module begins with, whether it exports it or not.
    pub(crate) initial_memory: u64,
    /// Whether it imports anything of WASI.
    pub(crate) wants_wasi: bool,
}

impl Bulk {
    /// Reads a module that is known to be valid. Anything unreadable counts as unbounded.
    pub(crate) fn of(wasm: &[u8]) -> Self {
        Self::scan(wasm).unwrap_or(Self { long_function: true, ..Self::default() })
    }

    fn scan(wasm: &[u8]) -> wasmparser::Result<Self> {
        let mut worst = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let body = match payload? {
                Payload::CodeSectionEntry(body) => body,
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        worst.wants_wasi |= import?.module == WASI_MODULE;
                    }
                    continue;
                }
                Payload::MemorySection(memories) => {
                    for memory in memories {
                        let bytes = memory?.initial.saturating_mul(1 << 16);
                        worst.initial_memory = worst.initial_memory.saturating_add(bytes);
                    }
                    continue;
                }
                _ => continue,
            };
            worst.long_function |= body.range().len() > INLINE_FUNCTION_BYTES;
            let (mut constant, mut dynamic) = (0u64, 0u64);
            let mut last_constant = None;
            for operator in body.get_operators_reader()? {
                let operator = operator?;
                let length = last_constant.take();
                match operator {
                    Operator::I32Const { value } => last_constant = Some(value as u32 as u64),
                    Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } | Operator::MemoryInit { .. } => {
                        match length {
                            Some(bytes) => constant = constant.saturating_add(bytes),
                            None => dynamic += 1,
                        }
                    }
                    Operator::TableFill { .. }
                    | Operator::TableCopy { .. }
                    | Operator::TableInit { .. }
                    | Operator::TableGrow { .. } => constant = constant.saturating_add(TABLE_BYTES),
                    _ => {}
                }
            }
            worst.constant = worst.constant.max(constant);
            worst.dynamic = worst.dynamic.max(dynamic);
        }
        Ok(worst)
    }

    /// The largest memory, in bytes, with which the module may run on a caller's thread; none if it never may.
    pub(crate) fn inline_memory(self) -> Option<u64> {
        if self.long_function {
            return None;
        }
        let left = INLINE_BULK_BYTES.checked_sub(self.constant)?;
        Some(left.checked_div(self.dynamic).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Bulk {
        Bulk::of(&wat::parse_str(text).unwrap())
    }

    #[test]
    fn code_without_bulk_instructions_runs_inline_with_any_memory() {
        let b = bulk("(module (func (param i32) (result i32) local.get 0))");
        assert_eq!(b.inline_memory(), Some(u64::MAX));
    }

    #[test]
    fn a_fill_of_unknown_length_bounds_the_memory() {
        let one = "(memory.fill (i32.const 0) (i32.const 1) (local.get 0))";
        let b = bulk(&format!("(module (memory 1) (func (param i32) {one} {one}))"));
        assert_eq!(b.inline_memory(), Some(INLINE_BULK_BYTES / 2));
    }

    #[test]
    fn a_copy_of_constant_length_counts_by_its_length() {
        let b = bulk("(module (memory 1) (func (memory.copy (i32.const 0) (i32.const 64) (i32.const 48))))");
        assert_eq!(b.inline_memory(), Some(u64::MAX));
        let huge = bulk("(module (memory 1) (func (memory.copy (i32.const 0) (i32.const 64) (i32.const 0x200000))))");
        assert_eq!(huge.inline_memory(), None);
    }

    #[test]
    fn a_huge_function_never_runs_inline() {
        let body = "(drop (i64.div_u (i64.const 7) (i64.const 3)))".repeat(40_000);
        assert_eq!(bulk(&format!("(module (func {body}))")).inline_memory(), None);
    }

    #[test]
    fn rubbish_is_unbounded() {
        assert_eq!(Bulk::of(b"\0asm rubbish").inline_memory(), None);
    }
}
