//! What a store's own writes changed: kept while a transaction is open, told when it is committed.
//!
//! It must never tell of what was rolled back.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// Rows of one commit that are told one by one. Of more, each table is told how many.
pub const MAX_CHANGED_ROWS: usize = 1_000;

/// What was done to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// It was made.
    Insert,
    /// It was changed.
    Update,
    /// It was deleted.
    Delete,
}

/// A change that was committed: of one row, or of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The table.
    pub table: Arc<str>,
    /// What was done.
    pub operation: Operation,
    /// Which row; none for a table that has no rowids, for rows deleted all at once, and where there were too many to name.
    pub rowid: Option<i64>,
    /// How many rows; none where that is not known.
    pub count: Option<u64>,
}

/// What a statement does to the state of savepoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SavepointAct {
    Begin,
    Release,
    RollBack,
}

#[derive(Default)]
pub(crate) struct Journal {
    on: Cell<bool>,
    open: RefCell<Changes>,
    saves: RefCell<Vec<(String, Mark)>>,
    committed: RefCell<Changes>,
}

#[derive(Default, Clone)]
struct Changes {
    rows: Vec<Change>,
    /// By table and operation.
    tallies: Vec<Change>,
}

/// A place in the journal to go back to.
pub(crate) struct Mark {
    rows: usize,
    tallies: Vec<Change>,
}

impl Journal {
    pub(crate) fn is_on(&self) -> bool {
        self.on.get()
    }

    pub(crate) fn switch(&self, on: bool) {
        self.on.set(on);
        if !on {
            self.forget_open();
            self.committed.take();
        }
    }

    pub(crate) fn record(&self, operation: Operation, table: &str, rowid: i64) {
        let Ok(mut open) = self.open.try_borrow_mut() else { return };
        if open.rows.len() >= MAX_CHANGED_ROWS {
            open.tally(operation, table, Some(1));
            return;
        }
        // The table is mostly that of the row before.
        let name = match open.rows.last() {
            Some(last) if *last.table == *table => Arc::clone(&last.table),
            _ => Arc::from(table),
        };
        open.rows.push(Change { table: name, operation, rowid: Some(rowid), count: Some(1) });
    }

    pub(crate) fn mark(&self) -> Mark {
        let open = self.open.borrow();
        Mark { rows: open.rows.len(), tallies: open.tallies.clone() }
    }

    pub(crate) fn restore(&self, mark: &Mark) {
        let mut open = self.open.borrow_mut();
        open.rows.truncate(mark.rows);
        open.tallies.clone_from(&mark.tallies);
    }

    /// A statement that may write to the tables of `writes` changed so many rows since `mark`. What SQLite did not tell of one by one is
    /// told by table.
    pub(crate) fn account(&self, mark: &Mark, changed: u64, writes: &[(Operation, Arc<str>)]) {
        let mut open = self.open.borrow_mut();
        let told = |tallies: &[Change]| tallies.iter().filter_map(|tally| tally.count).sum::<u64>();
        let rows = open.rows.len().saturating_sub(mark.rows) as u64;
        let seen = rows + told(&open.tallies).saturating_sub(told(&mark.tallies));
        if changed <= seen {
            return;
        }
        for (operation, table) in writes {
            let named = open.rows.get(mark.rows..).unwrap_or_default().iter().any(|row| row.table == *table);
            if !named {
                open.tally(*operation, table, None);
            }
        }
    }

    pub(crate) fn savepoint(&self, act: SavepointAct, name: &str) {
        let mut saves = self.saves.borrow_mut();
        let at = saves.iter().rposition(|(known, _)| known.eq_ignore_ascii_case(name));
        match (act, at) {
            (SavepointAct::Begin, _) => saves.push((name.to_owned(), self.mark())),
            (SavepointAct::Release, Some(at)) => saves.truncate(at),
            (SavepointAct::RollBack, Some(at)) => {
                self.restore(&saves[at].1);
                saves.truncate(at + 1);
            }
            (_, None) => {}
        }
    }

    /// The transaction was rolled back.
    pub(crate) fn forget_open(&self) {
        if let Ok(mut open) = self.open.try_borrow_mut() {
            *open = Changes::default();
        }
        if let Ok(mut saves) = self.saves.try_borrow_mut() {
            saves.clear();
        }
    }

    /// No transaction is open: what there is was committed.
    pub(crate) fn settle(&self) {
        self.saves.borrow_mut().clear();
        let open = self.open.take();
        let mut committed = self.committed.borrow_mut();
        for change in open.rows {
            if committed.rows.len() < MAX_CHANGED_ROWS {
                committed.rows.push(change);
            } else {
                committed.tally(change.operation, &change.table, change.count);
            }
        }
        for tally in open.tallies {
            committed.tally(tally.operation, &tally.table, tally.count);
        }
    }

    /// What was committed since this was asked last.
    pub(crate) fn take_committed(&self) -> Vec<Change> {
        let Changes { mut rows, mut tallies } = self.committed.take();
        // More than are told one by one, or else the tallies are of tables whose rows have no names.
        if rows.len() >= MAX_CHANGED_ROWS && !tallies.is_empty() {
            let mut all = Changes { rows: Vec::new(), tallies };
            rows.iter().for_each(|row| all.tally(row.operation, &row.table, row.count));
            return all.tallies;
        }
        rows.append(&mut tallies);
        rows
    }
}

impl Changes {
    fn tally(&mut self, operation: Operation, table: &str, count: Option<u64>) {
        let known = self.tallies.iter_mut().rev().find(|known| known.operation == operation && *known.table == *table);
        match known {
            Some(known) => known.count = known.count.zip(count).map(|(one, more)| one + more),
            None => self.tallies.push(Change { table: Arc::from(table), operation, rowid: None, count }),
        }
    }
}
