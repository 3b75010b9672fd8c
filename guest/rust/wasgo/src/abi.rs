//! Between the exports that [`script!`](crate::script) makes and the script's own functions. Scripts do not call it.
//!
//! Rows and buffers are only ever reached through the input's own `Vec`: the pointer that the host hands back is compared, not
//! followed.

use alloc::vec::Vec;

use crate::generate::Generation;
use crate::{Row, RowWriter};

/// Answers a notification.
pub type Notification = fn(i32, Row, RowWriter) -> Option<RowWriter>;

/// Changes a buffer.
pub type Process = fn(&mut Vec<u8>);

/// Makes the content of a chunk, or values of a field.
pub type Generate = fn(Generation, Row) -> Vec<u8>;

/// Larger inputs get 0 from `wasgo_alloc`: the host's own limit for a result, 16 MiB.
const LARGEST_INPUT: usize = 16 << 20;

/// The contract's alignment of an input.
const ALIGNMENT: usize = 8;

/// What lives on from call to call. A call takes it out and puts it back: one that panics leaves the empty one, with which the next
/// call begins anew.
#[derive(Default)]
struct State {
    /// The input lies in here from `start` on. It is longer than needed rather than cleared each time.
    input: Vec<u8>,
    start: usize,
    size: usize,
    answer: RowWriter,
    made: Vec<u8>,
}

#[cfg(target_family = "wasm")]
struct Script(core::cell::Cell<State>);

// SAFETY: a script is a module without threads: the host makes one call at a time, and none from inside of another.
#[cfg(target_family = "wasm")]
unsafe impl Sync for Script {}

#[cfg(target_family = "wasm")]
static SCRIPT: Script = Script(core::cell::Cell::new(State::new()));

impl State {
    const fn new() -> Self {
        Self { input: Vec::new(), start: 0, size: 0, answer: RowWriter::new(), made: Vec::new() }
    }

    /// Where the next input goes, or `None` when there is no room.
    fn alloc(&mut self, size: usize) -> Option<usize> {
        // An allocator need not align bytes at all.
        if size > LARGEST_INPUT {
            return None;
        }
        let room = size + ALIGNMENT;
        if self.input.len() < room {
            self.input.try_reserve(room - self.input.len()).ok()?;
            self.input.resize(room, 0);
        }
        let place = self.input.as_ptr() as usize;
        self.start = place.next_multiple_of(ALIGNMENT) - place;
        self.size = size;
        Some(place + self.start)
    }

    /// Panics for a place that is not that of the last `alloc`.
    fn check(&self, pointer: usize, length: usize) {
        assert!(
            pointer == self.input.as_ptr() as usize + self.start && length <= self.size,
            "this is not the input's place"
        );
    }

    /// Where the answer lies, and its length.
    fn notification(&mut self, answer: Notification, what: i32, pointer: usize, length: usize) -> Option<&[u8]> {
        self.check(pointer, length);
        let row = Row::from_bytes(&self.input[self.start..][..length])?;
        let mut writer = core::mem::take(&mut self.answer);
        writer.clear();
        self.answer = answer(what, row, writer)?;
        Some(self.answer.seal())
    }

    fn process(&mut self, change: Process, pointer: usize, length: usize) -> &[u8] {
        self.check(pointer, length);
        self.input.truncate(self.start + length);
        self.input.drain(..self.start);
        self.size = 0;
        change(&mut self.input);
        &self.input
    }
}

impl State {
    /// What was made; nothing for bytes that are no row.
    fn generate(&mut self, make: Generate, of: Generation, pointer: usize, length: usize) -> &[u8] {
        self.check(pointer, length);
        self.made = Row::from_bytes(&self.input[self.start..][..length]).map(|row| make(of, row)).unwrap_or_default();
        &self.made
    }
}

/// `wasgo_alloc`.
#[cfg(target_family = "wasm")]
pub fn alloc(size: u32) -> u32 {
    with(|state| state.alloc(size as usize).map_or(0, |place| place as u32))
}

/// `_columns`.
#[cfg(target_family = "wasm")]
pub fn columns(names: &'static str) -> u64 {
    span(names.as_bytes())
}

/// `_notification`.
#[cfg(target_family = "wasm")]
pub fn notification(answer: Notification, what: i32, pointer: u32, length: u32) -> u64 {
    with(|state| state.notification(answer, what, pointer as usize, length as usize).map_or(0, span))
}

/// `process`.
#[cfg(target_family = "wasm")]
pub fn process(change: Process, pointer: u32, length: u32) -> u64 {
    with(|state| span(state.process(change, pointer as usize, length as usize)))
}

/// `generate`.
#[cfg(target_family = "wasm")]
pub fn generate(make: Generate, of: Generation, pointer: u32, length: u32) -> u64 {
    with(|state| span(state.generate(make, of, pointer as usize, length as usize)))
}

#[cfg(target_family = "wasm")]
fn with<T>(work: impl FnOnce(&mut State) -> T) -> T {
    let mut state = SCRIPT.0.take();
    let result = work(&mut state);
    SCRIPT.0.set(state);
    result
}

#[cfg(target_family = "wasm")]
fn span(bytes: &[u8]) -> u64 {
    (bytes.as_ptr() as u64) << 32 | bytes.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// As the host does it: asks for room, writes there, calls.
    fn input(state: &mut State, bytes: &[u8]) -> (usize, usize) {
        let place = state.alloc(bytes.len()).unwrap();
        assert_eq!(place % ALIGNMENT, 0);
        state.input[state.start..][..bytes.len()].copy_from_slice(bytes);
        (place, bytes.len())
    }

    #[test]
    fn a_row_goes_in_and_comes_out_again_and_again() {
        let mut state = State::new();
        for number in [1, 2, 3] {
            let row = RowWriter::new().integer(number).text("héllo").finish();
            let (place, length) = input(&mut state, &row);
            let echo = |_, row: Row, answer| Some(row.iter().fold(answer, RowWriter::put));
            assert_eq!(state.notification(echo, 17, place, length), Some(&row[..]));
        }
    }

    #[test]
    fn no_change_and_bytes_that_are_no_row_have_no_answer() {
        let mut state = State::new();
        let (place, length) = input(&mut state, &[0, 0, 0, 0, 8, 0, 0, 0]);
        assert_eq!(state.notification(|_, _, _| None, 17, place, length), None);
        assert_eq!(
            state.notification(|_, _, answer| Some(answer), 17, place, length),
            Some(&[0, 0, 0, 0, 8, 0, 0, 0][..])
        );
        let (place, length) = input(&mut state, &[1, 0, 0, 0, 8, 0, 0, 0]);
        assert_eq!(state.notification(|_, _, answer| Some(answer), 17, place, length), None);
    }

    #[test]
    fn buffers_may_shrink_grow_and_be_replaced() {
        let mut state = State::new();
        let changes: [(Process, &[u8]); 4] = [
            (|buffer| buffer.truncate(1), b"a"),
            (|buffer| buffer.extend_from_slice(b"def"), b"abcdef"),
            (|buffer| *buffer = vec![b'x'; 100], &[b'x'; 100]),
            (Vec::clear, b""),
        ];
        for (change, expected) in changes {
            let (place, length) = input(&mut state, b"abc");
            assert_eq!(state.process(change, place, length), expected);
        }
        let (place, length) = input(&mut state, b"");
        assert_eq!(state.process(|_| (), place, length), b"");
    }

    #[test]
    fn inputs_over_the_limit_find_no_room() {
        let mut state = State::new();
        assert!(state.alloc(LARGEST_INPUT).is_some());
        assert_eq!(state.alloc(LARGEST_INPUT + 1), None);
        assert_eq!(state.alloc(u32::MAX as usize), None);
    }

    /// As if the allocator had aligned the input to less than the contract wants.
    #[test]
    fn an_input_that_begins_later_in_its_buffer_is_the_same_input() {
        let mut state = State::new();
        let (place, _) = input(&mut state, b"12345678abc");
        state.start += 8;
        assert_eq!(state.process(|buffer| buffer.push(b'd'), place + 8, 3), b"abcd");
    }

    #[test]
    #[should_panic = "not the input's place"]
    fn a_longer_input_than_was_asked_for_panics() {
        let mut state = State::new();
        let (place, length) = input(&mut state, b"abc");
        state.process(|_| (), place, length + 1);
    }

    #[test]
    #[should_panic = "not the input's place"]
    fn another_place_than_the_inputs_panics() {
        let mut state = State::new();
        let (place, length) = input(&mut state, b"abc");
        state.process(|_| (), place + 8, length);
    }
}
