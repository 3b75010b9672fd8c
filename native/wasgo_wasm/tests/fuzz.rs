//! Runs each body of `fuzz/bodies.rs` with many inputs, the same every time.
//!
//! `WASGO_FUZZ_CASES` says how many inputs each gets (1,000 unless it is set), and `WASGO_FUZZ_SEED` with which number the first is
//! made. A failure names its number: with that seed and one case it is the first.

#[path = "fuzz/bodies.rs"]
mod bodies;

use std::panic::{self, AssertUnwindSafe};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a whole number"))
}

fn run(most_bytes: u64, body: fn(&[u8]) -> arbitrary::Result<()>) {
    let (first, cases) = (setting("WASGO_FUZZ_SEED", 0), setting("WASGO_FUZZ_CASES", 1_000));
    for seed in first..first + cases {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut bytes = vec![0; (random.next_u64() % most_bytes) as usize];
        random.fill_bytes(&mut bytes);
        // Bytes that are too few for what was to be made of them are no failure.
        let result = panic::catch_unwind(AssertUnwindSafe(|| {
            let _ = body(&bytes);
        }));
        assert!(result.is_ok(), "it failed with WASGO_FUZZ_SEED={seed}");
    }
    println!("{:?}", bodies::REACHED);
}

#[test]
fn any_valid_module_runs_to_a_typed_end_and_the_same_twice() {
    run(40_000, bodies::module);
}

#[test]
fn any_source_is_a_module_or_an_error() {
    run(8_000, bodies::source);
}

#[test]
fn any_bytes_are_a_row_or_an_error_and_any_span_an_answer_or_an_error() {
    run(2_000, bodies::row);
}
