//! One statement for many sets of parameters: all or none.

use super::proto::{self, Fault};
use super::session::Session;
use crate::request::Executed;
use crate::sqlite::Watch;
use crate::{Many, ParamsRef, StoreError};

/// Statements that are sent at a time; and the bytes that they may take together, unless it is one.
const MOST_AT_ONCE: usize = 256;
const BYTES_AT_ONCE: usize = 512 * 1024;

/// Runs it for all of the rows, in a transaction if `alone`, in a savepoint otherwise; what has to be undone after an error is left to
/// the caller.
pub(super) fn run(
    session: &mut Session,
    sql: &str,
    rows: &Many,
    alone: bool,
    watch: &Watch,
) -> Result<Executed, StoreError> {
    let (begin, end) =
        if alone { ("BEGIN IMMEDIATE", "COMMIT") } else { ("SAVEPOINT wasgo_guard", "RELEASE wasgo_guard") };
    let none = ParamsRef::Positional(&[]);
    let (mut changes, mut rowid) = (0_u64, None);
    let mut next = 0;
    while next < rows.len() {
        let first = next;
        let mut steps = Steps::default();
        if first == 0 {
            steps.add(begin, none)?;
        }
        let ours = steps.count;
        while next < rows.len() && steps.count < MOST_AT_ONCE && steps.text.len() < BYTES_AT_ONCE {
            let added = steps.add(sql, rows.get(next));
            added.map_err(|source| StoreError::AtRow { row: next, source: Box::new(source) })?;
            next += 1;
        }
        if next == rows.len() {
            steps.add(end, none)?;
        }
        let request = format!("{{\"type\":\"batch\",\"batch\":{{\"steps\":[{}]}}}}", steps.text);
        let mut asked = session.ask(&[&request], !alone || first > 0, watch)?;
        let done = asked.results.pop().unwrap_or_else(|| Ok(proto::Done::default()))?;
        if let Some((at, fault)) = first_fault(done.step_errors) {
            let source = proto::error(fault);
            // What of it is ours to begin and to end is no row's.
            let is_row = at >= ours && at - ours < next - first;
            return Err(match is_row {
                true => StoreError::AtRow { row: first + at - ours, source: Box::new(source) },
                false => source,
            });
        }
        let results: Vec<_> = done.step_results.into_iter().flatten().collect();
        if results.len() != steps.count {
            return Err(session.bad(format!("{} results for {} statements", results.len(), steps.count)));
        }
        for result in results.iter().skip(ours).take(next - first) {
            changes += result.affected_row_count;
            rowid = result.rowid().or(rowid);
        }
    }
    Ok(session.executed(changes, rowid))
}

fn first_fault(faults: Vec<Option<Fault>>) -> Option<(usize, Fault)> {
    faults.into_iter().enumerate().find_map(|(at, fault)| fault.map(|fault| (at, fault)))
}

/// Statements, each to be run if the one before it was.
#[derive(Default)]
struct Steps {
    text: String,
    count: usize,
}

impl Steps {
    fn add(&mut self, sql: &str, params: ParamsRef<'_>) -> Result<(), StoreError> {
        proto::comma(&mut self.text, self.count);
        self.text.push('{');
        if let Some(before) = self.count.checked_sub(1) {
            self.text.push_str(&format!("\"condition\":{{\"type\":\"ok\",\"step\":{before}}},"));
        }
        self.text.push_str("\"stmt\":");
        proto::statement(&mut self.text, sql, params, false)?;
        self.text.push('}');
        self.count += 1;
        Ok(())
    }
}
