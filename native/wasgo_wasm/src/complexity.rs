//! About how long a function's loops take to compile.
//!
//! The compiler's time is proportional to a function's size, but for its loops: it grows with the square of their number, with the product of
//! their number and that of the function's variables, and with the square of the number of variables that a nest of loops carries around.
//! Without a bound a module of a hundred kilobytes could keep a compiler's thread for an hour, and nothing can stop it there.

use std::collections::HashSet;

use wasmparser::Operator;

/// What a pair of a function's loops costs, or a loop and one of its variables, in nanoseconds; measured.
const PAIR_NS: u64 = 400;

/// What a pair of variables that one nest of loops carries around costs, in nanoseconds; measured.
const CARRIED_PAIR_NS: u64 = 4;

/// Variables of a nest from which on it is not looked at more closely: alone they are far over any limit.
const MANY: u64 = 1 << 20;

/// What one function's loops make compiling it cost, beside what its size does.
pub(crate) struct Loops {
    loops: u64,
    locals: u64,
    /// For each block around the instruction: whether it is a loop.
    blocks: Vec<bool>,
    /// For each loop around the instruction: the locals that are set in it.
    set: Vec<HashSet<u32>>,
    /// Locals set in each loop of the nest so far.
    carried: u64,
    nanoseconds: u64,
}

impl Loops {
    /// Before the first instruction of a function with so many locals.
    pub(crate) fn new(locals: u64) -> Self {
        Self { loops: 0, locals, blocks: Vec::new(), set: Vec::new(), carried: 0, nanoseconds: 0 }
    }

    /// How many there have been.
    pub(crate) fn count(&self) -> u64 {
        self.loops
    }

    /// How many are open.
    pub(crate) fn depth(&self) -> u64 {
        self.set.len() as u64
    }

    pub(crate) fn step(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Loop { .. } => {
                self.loops += 1;
                self.blocks.push(true);
                self.set.push(HashSet::new());
            }
            Operator::Block { .. } | Operator::If { .. } | Operator::TryTable { .. } | Operator::Try { .. } => {
                self.blocks.push(false);
            }
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } if self.carried < MANY => {
                if let Some(set) = self.set.last_mut() {
                    set.insert(*local_index);
                }
            }
            Operator::End | Operator::Delegate { .. } if self.blocks.pop() == Some(true) => self.end_loop(),
            _ => {}
        }
    }

    fn end_loop(&mut self) {
        let Some(set) = self.set.pop() else { return };
        self.carried = self.carried.saturating_add(set.len() as u64);
        match self.set.last_mut() {
            // What is set in a loop is set in those around it.
            Some(outer) if self.carried < MANY => {
                if outer.is_empty() {
                    *outer = set;
                } else {
                    outer.extend(set);
                }
            }
            Some(_) => {}
            None => {
                let carried = std::mem::take(&mut self.carried);
                self.nanoseconds = self.nanoseconds.saturating_add(square(carried).saturating_mul(CARRIED_PAIR_NS));
            }
        }
    }

    /// About how many nanoseconds more than its size would suggest the function takes to compile.
    pub(crate) fn nanoseconds(&self) -> u64 {
        let pairs = self.loops.saturating_mul(self.loops.saturating_add(self.locals));
        self.nanoseconds.saturating_add(pairs.saturating_mul(PAIR_NS))
    }
}

fn square(number: u64) -> u64 {
    number.saturating_mul(number)
}

#[cfg(test)]
mod tests {
    use wasmparser::{Parser, Payload};

    use super::*;

    fn nanoseconds(body: &str) -> u64 {
        let wasm = wat::parse_str(format!("(module (func (local i32 i32 i32) {body}))")).unwrap();
        let mut loops = Loops::new(3);
        for payload in Parser::new(0).parse_all(&wasm) {
            if let Payload::CodeSectionEntry(body) = payload.unwrap() {
                body.get_operators_reader().unwrap().into_iter().for_each(|operator| loops.step(&operator.unwrap()));
            }
        }
        assert_eq!(loops.depth(), 0);
        loops.nanoseconds()
    }

    #[test]
    fn loops_count_by_their_square_and_by_the_locals() {
        assert_eq!(nanoseconds("(block) (i32.const 1) (drop)"), 0);
        assert_eq!(nanoseconds("(loop) (loop (loop))"), 3 * (3 + 3) * PAIR_NS);
    }

    #[test]
    fn what_a_nest_carries_counts_by_its_square() {
        let set = |local: u32| format!("(local.set {local} (i32.const 1))");
        // The outer loop carries all three, the inner one two of them.
        let nest = format!("(loop {} (loop {} {}) {})", set(0), set(1), set(2), set(1));
        assert_eq!(nanoseconds(&nest), 2 * (2 + 3) * PAIR_NS + 25 * CARRIED_PAIR_NS);
        // Two nests add up.
        assert_eq!(nanoseconds(&format!("{nest} {nest} {}", set(0))), 4 * (4 + 3) * PAIR_NS + 2 * 25 * CARRIED_PAIR_NS);
    }
}
