//! About how long a module takes to compile.
//!
//! The compiler's time is proportional to a module's size, with two exceptions that matter: it grows with the square of the number
//! of a function's loops, and with the square of the number of variables that a nest of loops carries around. Without a bound a
//! module of a hundred kilobytes could keep a compiler's thread for an hour, and nothing can stop it there.

use std::collections::HashSet;

use wasmparser::Operator;

/// What a pair of a function's loops costs, in nanoseconds; measured.
const LOOP_PAIR_NS: u64 = 66;

/// What a pair of variables that one nest of loops carries around costs, in nanoseconds; measured.
const CARRIED_PAIR_NS: u64 = 7;

/// Variables of a nest from which on it is not looked at more closely: alone they are far over any limit.
const MANY: u64 = 1 << 20;

/// What one function's loops make compiling it cost, beside what its size does.
#[derive(Default)]
pub(crate) struct Loops {
    loops: u64,
    /// For each block around the instruction: whether it is a loop.
    blocks: Vec<bool>,
    /// For each loop around the instruction: the locals that are set in it.
    set: Vec<HashSet<u32>>,
    /// Locals set in each loop of the nest so far.
    carried: u64,
    nanoseconds: u64,
}

impl Loops {
    pub(crate) fn step(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Loop { .. } => {
                self.loops += 1;
                self.blocks.push(true);
                self.set.push(HashSet::new());
            }
            Operator::Block { .. } | Operator::If { .. } | Operator::TryTable { .. } => self.blocks.push(false),
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } if self.carried < MANY => {
                if let Some(set) = self.set.last_mut() {
                    set.insert(*local_index);
                }
            }
            Operator::End if self.blocks.pop() == Some(true) => self.end_loop(),
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
        self.nanoseconds.saturating_add(square(self.loops).saturating_mul(LOOP_PAIR_NS))
    }
}

fn square(number: u64) -> u64 {
    number.saturating_mul(number)
}

#[cfg(test)]
mod tests {
    use crate::bulk::Bulk;

    fn nanoseconds(body: &str) -> u64 {
        Bulk::of(&wat::parse_str(format!("(module (func (local i32 i32 i32) {body}))")).unwrap()).compile_ns
    }

    #[test]
    fn loops_count_by_their_square() {
        assert_eq!(nanoseconds("(block) (i32.const 1) (drop)"), 0);
        assert_eq!(nanoseconds("(loop) (loop (loop))"), 9 * 66);
    }

    #[test]
    fn what_a_nest_carries_counts_by_its_square() {
        let set = |local: u32| format!("(local.set {local} (i32.const 1))");
        // The outer loop carries all three, the inner one two of them.
        let nest = format!("(loop {} (loop {} {}) {})", set(0), set(1), set(2), set(1));
        assert_eq!(nanoseconds(&nest), 4 * 66 + 25 * 7);
        // Two nests add up.
        assert_eq!(nanoseconds(&format!("{nest} {nest} {}", set(0))), 16 * 66 + 2 * 25 * 7);
    }
}
