//! How long a module's code could run between two checks of the epoch, and what it costs to start.
//!
//! Compiled code looks at the epoch on entry of each function and at the head of each loop. Between two looks runs straight
//! code: short, unless it holds *bulk* instructions (`memory.fill` and its kin), each of which may touch the whole memory, or
//! very many accesses, each of which may be the first to its page, or the function is absurdly long. This module finds an
//! upper bound, so that such guests start on the pool and not on a caller's thread.

use wasmparser::{DataKind, ElementItems, ElementKind, FunctionBody, Operator, Parser, Payload, TypeRef};

use crate::limits::{INLINE_BULK_BYTES, Limits};

/// Functions longer than this (bytes of wasm) are not run on a caller's thread: 128 KiB of divisions take half a
/// millisecond.
const INLINE_FUNCTION_BYTES: usize = 128 << 10;

/// Elements of a table that a bulk table instruction may touch on a caller's thread; with larger tables it leaves for the pool.
const TABLE_ELEMENTS: u64 = 20_000;

/// What a bulk table instruction counts for.
const TABLE_BYTES: u64 = TABLE_ELEMENTS * 16;

/// What the first access to a page counts for.
const PAGE: u64 = 4_096;

/// What an instruction counts for that calls a function of the runtime, about 0.1 us.
const LIBCALL_BYTES: u64 = 256;

/// What growing a memory counts for, some microseconds.
const GROW_BYTES: u64 = 8 << 10;

/// What a global counts for when an instance is made; a table's element that is an expression counts for as much.
const GLOBAL_BYTES: u64 = 64;

/// What could run between two checks of the epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Straight {
    /// Bytes touched by bulk instructions whose length is a constant, and what other slow instructions count for.
    constant: u64,
    /// Bulk instructions whose length is only known at run time: each may touch the whole memory.
    dynamic: u64,
    /// Single accesses to memory.
    accesses: u64,
}

impl Straight {
    fn most(&mut self, other: Self) {
        self.constant = self.constant.max(other.constant);
        self.dynamic = self.dynamic.max(other.dynamic);
        self.accesses = self.accesses.max(other.accesses);
    }
}

/// Bytes of a bound that is written down.
const NOTES: usize = 6 * 8 + 2;

/// The bound of a whole module: the worst of each of its functions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bulk {
    straight: Straight,
    /// Whether there is a function too long for a caller's thread.
    long_function: bool,
    /// Whether there are bulk instructions on tables.
    table_bulk: bool,
    /// What making an instance counts for, in bytes.
    start: u64,
    /// Bytes of memory that the module begins with, whether it exports it or not.
    pub(crate) initial_memory: u64,
    /// How many tables it has.
    pub(crate) tables: u64,
}

impl Bulk {
    /// Reads a module. Anything unreadable counts as unbounded.
    pub(crate) fn of(wasm: &[u8]) -> Self {
        Self::scan(wasm).unwrap_or(Self { long_function: true, ..Self::default() })
    }

    /// For the cache's notes.
    pub(crate) fn to_bytes(self) -> [u8; NOTES] {
        let Straight { constant, dynamic, accesses } = self.straight;
        let numbers = [constant, dynamic, accesses, self.start, self.initial_memory, self.tables];
        let mut bytes = [0; NOTES];
        for (bytes, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        bytes[NOTES - 2] = self.long_function.into();
        bytes[NOTES - 1] = self.table_bulk.into();
        bytes
    }

    /// What [`Self::to_bytes`] wrote; anything else counts as unbounded.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let Ok(bytes) = <[u8; NOTES]>::try_from(bytes) else {
            return Self { long_function: true, ..Self::default() };
        };
        let mut numbers = bytes.chunks_exact(8).map(|bytes| bytes.try_into().map_or(u64::MAX, u64::from_le_bytes));
        let mut next = || numbers.next().unwrap_or(u64::MAX);
        Self {
            straight: Straight { constant: next(), dynamic: next(), accesses: next() },
            start: next(),
            initial_memory: next(),
            tables: next(),
            long_function: bytes[NOTES - 2] != 0,
            table_bulk: bytes[NOTES - 1] != 0,
        }
    }

    fn scan(wasm: &[u8]) -> wasmparser::Result<Self> {
        let mut worst = Self::default();
        let mut imported_functions = 0;
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        imported_functions += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::MemorySection(memories) => {
                    for memory in memories {
                        let bytes = memory?.initial.saturating_mul(1 << 16);
                        worst.initial_memory = worst.initial_memory.saturating_add(bytes);
                    }
                }
                Payload::TableSection(tables) => worst.tables += u64::from(tables.count()),
                Payload::GlobalSection(globals) => worst.start += GLOBAL_BYTES * u64::from(globals.count()),
                Payload::ElementSection(elements) => {
                    for element in elements {
                        let element = element?;
                        if let (ElementKind::Active { .. }, ElementItems::Expressions(_, items)) =
                            (element.kind, element.items)
                        {
                            worst.start += GLOBAL_BYTES * u64::from(items.count());
                        }
                    }
                }
                Payload::DataSection(data) => {
                    for data in data {
                        let data = data?;
                        if let DataKind::Active { .. } = data.kind {
                            worst.start += data.data.len() as u64;
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => worst.add(&body, imported_functions)?,
                _ => {}
            }
        }
        Ok(worst)
    }

    fn add(&mut self, body: &FunctionBody<'_>, imported_functions: u32) -> wasmparser::Result<()> {
        self.long_function |= body.range().len() > INLINE_FUNCTION_BYTES;
        let mut path = Path::new();
        for operator in body.get_operators_reader()? {
            let operator = operator?;
            self.table_bulk |= table_bulk(&operator);
            path.step(&operator, imported_functions)?;
        }
        path.checked();
        self.straight.most(path.worst);
        Ok(())
    }

    /// The largest memory, in bytes, with which the module may run on a caller's thread; none if it never may.
    pub(crate) fn inline_memory(self, limits: &Limits) -> Option<u64> {
        if self.long_function || self.table_bulk && limits.table > TABLE_ELEMENTS {
            return None;
        }
        let Straight { constant, dynamic, accesses } = self.straight;
        let left = INLINE_BULK_BYTES.checked_sub(constant)?;
        // Accesses touch a page each, and together no more than there is.
        Some(match left.checked_sub(accesses.saturating_mul(PAGE)) {
            Some(left) => left.checked_div(dynamic).unwrap_or(u64::MAX),
            None => left / (dynamic + 1),
        })
    }

    /// Whether an instance may be made on a caller's thread.
    pub(crate) fn starts_inline(self, limits: &Limits) -> bool {
        self.start <= INLINE_BULK_BYTES && self.inline_memory(limits).is_some_and(|most| most >= self.initial_memory)
    }
}

/// The costliest way from the last check of the epoch to an instruction. Code runs forwards except to the head of a loop, where
/// there is a check, so that one pass over a function's blocks finds it.
struct Path {
    now: Straight,
    worst: Straight,
    /// The blocks around the instruction, the function's own first.
    blocks: Vec<Block>,
    /// The number that was pushed last, if the last instruction did that.
    number: Option<u64>,
}

struct Block {
    is_loop: bool,
    /// The costliest way to where it began: what an `else` begins with.
    begin: Straight,
    /// The costliest jump to its end.
    end: Straight,
}

impl Path {
    fn new() -> Self {
        let function = Block { is_loop: false, begin: Straight::default(), end: Straight::default() };
        Self { now: Straight::default(), worst: Straight::default(), blocks: vec![function], number: None }
    }

    /// The epoch is checked here, or the way ends.
    fn checked(&mut self) {
        self.worst.most(self.now);
        self.now = Straight::default();
    }

    fn enter(&mut self, is_loop: bool, begin: Straight) {
        self.blocks.push(Block { is_loop, begin, end: Straight::default() });
    }

    fn jump(&mut self, depth: u32) {
        let target = self.blocks.len().checked_sub(1 + depth as usize).and_then(|index| self.blocks.get_mut(index));
        match target {
            Some(Block { is_loop: false, end, .. }) => end.most(self.now),
            _ => self.worst.most(self.now),
        }
    }

    fn step(&mut self, operator: &Operator<'_>, imported_functions: u32) -> wasmparser::Result<()> {
        let length = self.number.take();
        match operator {
            Operator::I32Const { value } => self.number = Some(u64::from(*value as u32)),
            Operator::Block { .. } => self.enter(false, Straight::default()),
            Operator::Loop { .. } => {
                self.checked();
                self.enter(true, Straight::default());
            }
            Operator::If { .. } => self.enter(false, self.now),
            Operator::Else => {
                if let Some(block) = self.blocks.last_mut() {
                    block.end.most(self.now);
                    self.now = block.begin;
                }
            }
            Operator::End => {
                if let Some(block) = self.blocks.pop() {
                    self.now.most(block.begin);
                    self.now.most(block.end);
                }
            }
            Operator::Br { relative_depth } => {
                self.jump(*relative_depth);
                self.now = Straight::default();
            }
            Operator::BrIf { relative_depth }
            | Operator::BrOnNull { relative_depth }
            | Operator::BrOnNonNull { relative_depth } => self.jump(*relative_depth),
            Operator::BrTable { targets } => {
                for target in targets.targets() {
                    self.jump(target?);
                }
                self.jump(targets.default());
                self.now = Straight::default();
            }
            Operator::Return | Operator::Unreachable | Operator::ReturnCall { .. } => self.checked(),
            // An imported function need not check.
            Operator::Call { function_index } if *function_index >= imported_functions => self.checked(),
            Operator::CallIndirect { .. } | Operator::CallRef { .. } if imported_functions == 0 => self.checked(),
            Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } | Operator::MemoryInit { .. } => {
                self.now.constant = self.now.constant.saturating_add(length.unwrap_or(0));
                self.now.dynamic += u64::from(length.is_none());
            }
            Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. }
            | Operator::TableGrow { .. } => self.now.constant = self.now.constant.saturating_add(TABLE_BYTES),
            Operator::MemoryGrow { .. } => self.now.constant = self.now.constant.saturating_add(GROW_BYTES),
            Operator::RefFunc { .. }
            | Operator::TableGet { .. }
            | Operator::TableSet { .. }
            | Operator::CallIndirect { .. }
            | Operator::DataDrop { .. }
            | Operator::ElemDrop { .. } => self.now.constant = self.now.constant.saturating_add(LIBCALL_BYTES),
            other => self.now.accesses += u64::from(accesses_memory(other)),
        }
        Ok(())
    }
}

fn table_bulk(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. }
            | Operator::TableGrow { .. }
    )
}

/// Makes a function that says of every operator whether it has an address in memory.
macro_rules! define_accesses_memory {
    ($( @$proposal:ident $operator:ident $({ $first:ident: $type:ty $(, $more:ident: $types:ty)* })? => $visit:ident ($($notes:tt)*) )*) => {
        fn accesses_memory(operator: &Operator<'_>) -> bool {
            let first_field = match operator {
                $( Operator::$operator { .. } => define_accesses_memory!(@name $($first)?), )*
                _ => "",
            };
            first_field == "memarg"
        }
    };
    (@name) => { "" };
    (@name $first:ident) => { stringify!($first) };
}

wasmparser::for_each_operator!(define_accesses_memory);

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Bulk {
        Bulk::of(&wat::parse_str(text).unwrap())
    }

    #[test]
    fn code_without_bulk_instructions_runs_inline_with_any_memory() {
        let b = bulk("(module (func (param i32) (result i32) local.get 0))");
        assert_eq!(b.inline_memory(&Limits::default()), Some(u64::MAX));
    }

    #[test]
    fn a_fill_of_unknown_length_bounds_the_memory() {
        let one = "(memory.fill (i32.const 0) (i32.const 1) (local.get 0))";
        let b = bulk(&format!("(module (memory 1) (func (param i32) {one} {one}))"));
        assert_eq!(b.inline_memory(&Limits::default()), Some(INLINE_BULK_BYTES / 2));
    }

    #[test]
    fn a_copy_of_constant_length_counts_by_its_length() {
        let b = bulk("(module (memory 1) (func (memory.copy (i32.const 0) (i32.const 64) (i32.const 48))))");
        assert_eq!(b.inline_memory(&Limits::default()), Some(u64::MAX));
        let huge = bulk("(module (memory 1) (func (memory.copy (i32.const 0) (i32.const 64) (i32.const 0x200000))))");
        assert_eq!(huge.inline_memory(&Limits::default()), None);
    }

    #[test]
    fn a_huge_function_never_runs_inline() {
        let body = "(drop (i64.div_u (i64.const 7) (i64.const 3)))".repeat(40_000);
        assert_eq!(bulk(&format!("(module (func {body}))")).inline_memory(&Limits::default()), None);
    }

    #[test]
    fn a_bound_that_was_written_down_is_the_same() {
        let straight = Straight { constant: 1, dynamic: u64::MAX, accesses: 2 };
        let bound = Bulk { straight, initial_memory: 3 << 40, start: 4, tables: 5, ..Bulk::default() };
        for bound in [bound, Bulk { long_function: true, ..bound }, Bulk { table_bulk: true, ..bound }] {
            assert_eq!(Bulk::from_bytes(&bound.to_bytes()), bound);
        }
        assert_eq!(Bulk::from_bytes(b"").inline_memory(&Limits::default()), None);
        assert_eq!(Bulk::from_bytes(&[0; NOTES + 1]).inline_memory(&Limits::default()), None);
    }

    #[test]
    fn rubbish_is_unbounded() {
        assert_eq!(Bulk::of(b"\0asm rubbish").inline_memory(&Limits::default()), None);
    }

    fn straight(body: &str) -> Straight {
        bulk(&format!("(module (memory 1) (func $g) (func (param i32) {body}))")).straight
    }

    #[test]
    fn only_what_lies_between_two_checks_counts() {
        let load = "(drop (i32.load (i32.const 0)))";
        let accesses = |body: &str| straight(body).accesses;
        assert_eq!(accesses(&load.repeat(3)), 3);
        assert_eq!(accesses(&format!("{load} (call $g) {load} {load}")), 2);
        assert_eq!(accesses(&format!("{load} (loop {load} {load} (br_if 0 (local.get 0))) {load}")), 3);
        let branches = format!("(if (local.get 0) (then {load}) (else {load} {load})) {load}");
        assert_eq!(accesses(&branches), 3);
        // The call may be jumped over.
        assert_eq!(accesses(&format!("{load} {load} (block (br_if 0 (local.get 0)) (call $g)) {load}")), 3);
        assert_eq!(accesses(&format!("(block (br 0) {load}) {load} (return) {load}")), 2);
    }

    #[test]
    fn straight_code_that_touches_many_pages_runs_inline_only_with_a_small_memory() {
        let store = |page: u32| format!("(i32.store8 (i32.const {}) (i32.const 1))", page * 4096);
        let touching = |pages: u32| {
            let stores: String = (0..pages).map(store).collect();
            bulk(&format!("(module (memory 200) (func {stores}))")).inline_memory(&Limits::default())
        };
        assert_eq!(touching(200), Some(u64::MAX));
        assert_eq!(touching(300), Some(INLINE_BULK_BYTES));
    }

    #[test]
    fn calls_of_the_runtime_add_up() {
        let grows = "(drop (memory.grow (i32.const 0)))".repeat(200);
        assert_eq!(bulk(&format!("(module (memory 1) (func {grows}))")).inline_memory(&Limits::default()), None);
    }

    #[test]
    fn tables_over_the_usual_limit_are_filled_on_the_pool() {
        let b = bulk("(module (table 1 funcref) (func (table.fill (i32.const 0) (ref.null func) (i32.const 1))))");
        assert_eq!(b.inline_memory(&Limits::default()), Some(u64::MAX));
        assert_eq!(b.inline_memory(&Limits { table: 20_001, ..Limits::default() }), None);
    }

    #[test]
    fn an_instance_with_very_much_to_set_up_is_made_on_the_pool() {
        let starts = |parts: &str| bulk(&format!("(module (memory 100) {parts})")).starts_inline(&Limits::default());
        assert!(starts(""));
        assert!(!starts(&"(global i64 (i64.const 1))".repeat(20_000)));
        assert!(!starts(&format!("(data (i32.const 0) \"{}\")", "x".repeat(2 << 20))));
        assert!(starts(&format!("(data \"{}\")", "x".repeat(2 << 20))));
    }
}
