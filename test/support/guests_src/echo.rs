//! echo: says what the SDK reads and writes; test/guests_test.exs asks. PROCESS: the row itself, value by value.
//! PHYSICS_PROCESS: how each value, and one behind the last, reads as REAL, as INTEGER and as bytes. Else: no change.
//! `process`: the bytes backwards.

use wasgo::{Row, RowWriter, notification};

wasgo::script! { notification: echo, process: backwards }

fn echo(what: i32, row: Row, answer: RowWriter) -> Option<RowWriter> {
    match what {
        notification::PROCESS => Some(row.iter().fold(answer, RowWriter::put)),
        notification::PHYSICS_PROCESS => Some(
            (0..=row.len())
                .fold(answer, |answer, i| answer.real(row.real(i)).integer(row.integer(i)).blob(row.blob(i))),
        ),
        _ => None,
    }
}

fn backwards(buffer: &mut Vec<u8>) {
    buffer.reverse();
}
