//! Rows on their way out: straight from SQLite's columns, or from a server's answer, to whoever takes them.

use std::borrow::Cow;

use crate::request::Rows;
use crate::sqlite::{Statement, StatementRow};
use crate::{StoreError, ValueRef};

/// The columns of a query that runs.
pub struct Columns<'s>(ColumnsOf<'s>);

enum ColumnsOf<'s> {
    Statement(&'s Statement),
    #[cfg(feature = "remote")]
    Names(&'s [String]),
}

impl<'s> Columns<'s> {
    pub(crate) fn of(statement: &'s Statement) -> Self {
        Self(ColumnsOf::Statement(statement))
    }

    #[cfg(feature = "remote")]
    pub(crate) fn named(names: &'s [String]) -> Self {
        Self(ColumnsOf::Names(names))
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self.0 {
            ColumnsOf::Statement(statement) => statement.column_count(),
            #[cfg(feature = "remote")]
            ColumnsOf::Names(names) => names.len(),
        }
    }

    /// Whether there is none: a statement that is no query.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their names, not necessarily different. What is not UTF-8 in a name is replaced.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, str>> {
        (0..self.len()).map(|column| match self.0 {
            ColumnsOf::Statement(statement) => statement.column_name(column),
            #[cfg(feature = "remote")]
            ColumnsOf::Names(names) => Cow::Borrowed(names[column].as_str()),
        })
    }
}

/// A row where it lies: in SQLite's memory, or in a server's answer. What is read of it is counted against the query's limit of bytes.
pub struct Row<'s>(RowOf<'s>);

enum RowOf<'s> {
    Statement(StatementRow<'s>),
    #[cfg(feature = "remote")]
    Values(&'s [ValueRef<'s>]),
}

impl<'s> From<StatementRow<'s>> for Row<'s> {
    #[inline]
    fn from(row: StatementRow<'s>) -> Self {
        Self(RowOf::Statement(row))
    }
}

impl Row<'_> {
    /// How many values it has.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            RowOf::Statement(row) => row.len(),
            #[cfg(feature = "remote")]
            RowOf::Values(values) => values.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A value, which stays where it is until the row is done with; NULL beyond the last.
    ///
    /// # Errors
    ///
    /// [`StoreError::ByteLimit`], [`StoreError::NotUtf8`], and `nomem`.
    #[inline]
    pub fn get(&self, column: usize) -> Result<ValueRef<'_>, StoreError> {
        match &self.0 {
            RowOf::Statement(row) => row.get(column),
            #[cfg(feature = "remote")]
            RowOf::Values(values) => Ok(values.get(column).copied().unwrap_or(ValueRef::Null)),
        }
    }
}

#[cfg(feature = "remote")]
impl<'s> Row<'s> {
    /// A row whose bytes were counted already.
    pub(crate) fn of(values: &'s [ValueRef<'s>]) -> Self {
        Self(RowOf::Values(values))
    }
}

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
        self.columns = columns.iter().map(Cow::into_owned).collect();
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let values = (0..row.len()).map(|column| row.get(column).map(ValueRef::to_value));
        self.rows.push(values.collect::<Result<_, _>>()?);
        Ok(())
    }
}
