//! Rows on their way out: straight from SQLite's columns to whoever takes them.

use crate::StoreError;
use crate::request::Rows;
use crate::sqlite::{Columns, Row};

/// Takes the rows of a query as they come, on the thread that the query runs on, which does nothing else meanwhile.
///
/// What it makes of them is worth nothing when the query then fails.
pub trait RowSink {
    /// The names of the columns; called once, before the first row.
    ///
    /// # Errors
    ///
    /// Whatever is to end the query.
    fn columns(&mut self, columns: &Columns<'_>) -> Result<(), StoreError>;

    /// A row.
    ///
    /// # Errors
    ///
    /// Those of [`Row::get`], and whatever else is to end the query.
    fn row(&mut self, row: &Row<'_>) -> Result<(), StoreError>;
}

/// Runs a query into a sink, once; true when there may be more rows than were asked for now. Where the query was refused, it only
/// says why.
pub type Run<'r> = &'r mut dyn FnMut(&mut dyn RowSink) -> Result<bool, StoreError>;

/// How rows are delivered: called once, on a thread of the store, with what runs the query.
pub type RowsCallback = Box<dyn for<'r> FnOnce(Run<'r>) + Send>;

impl RowSink for Rows {
    fn columns(&mut self, columns: &Columns<'_>) -> Result<(), StoreError> {
        self.columns = columns.iter().map(std::borrow::Cow::into_owned).collect();
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let values = (0..row.len()).map(|column| row.get(column).map(crate::ValueRef::to_value));
        self.rows.push(values.collect::<Result<_, _>>()?);
        Ok(())
    }
}
