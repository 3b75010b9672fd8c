//! What a user's SQL may reach: named tables and columns, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Functions that reach beyond the database, or into the process. Not for SQL of a user, whatever it may read.
const REFUSED_FUNCTIONS: [&str; 5] = ["edit", "fts3_tokenizer", "load_extension", "readfile", "writefile"];

/// The columns of a table that may be used; none named: all.
pub type ColumnSet = Option<BTreeSet<String>>;

/// What a statement may read and write. What is not named is refused, and so are all that is not a query or a change of rows:
/// `ATTACH`, pragmas, the schema.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    read: BTreeMap<String, ColumnSet>,
    write: BTreeMap<String, ColumnSet>,
    through: BTreeSet<String>,
    /// What holds as well.
    within: Option<Arc<Access>>,
}

/// What SQLite is about to do for a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act<'a> {
    /// `SELECT` itself, or a recursion in it.
    Select,
    Read {
        table: &'a str,
        column: &'a str,
    },
    Update {
        table: &'a str,
        column: &'a str,
    },
    /// Rows made or deleted.
    Rows {
        verb: &'static str,
        table: &'a str,
    },
    Function(&'a str),
    /// `BEGIN` and the like, where the store lets it.
    Transaction,
    Other(&'static str),
}

impl Access {
    /// Access to nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Lets it read a table or view: all of it, or some columns.
    pub fn read(mut self, table: &str, columns: ColumnSet) -> Self {
        self.read.insert(folded(table), columns.map(folded_all));
        self
    }

    /// Lets it make, change and delete rows of a table; or, where columns are named, only change those.
    pub fn write(mut self, table: &str, columns: ColumnSet) -> Self {
        self.write.insert(folded(table), columns.map(folded_all));
        self
    }

    /// Lets what a view or trigger does be its own affair.
    pub fn through(mut self, name: &str) -> Self {
        self.through.insert(folded(name));
        self
    }

    /// What both let.
    pub fn within(mut self, other: Arc<Access>) -> Self {
        self.within = Some(match self.within.take() {
            None => other,
            Some(inner) => Arc::new(Access::clone(&inner).within(other)),
        });
        self
    }

    /// Whether all of a table may be read.
    pub fn reads_all_of(&self, table: &str) -> bool {
        matches!(self.read.get(&folded(table)), Some(None))
            && self.within.as_ref().is_none_or(|within| within.reads_all_of(table))
    }

    /// Refuses what is not allowed, in words. `by` is the view or trigger that does it, if one does.
    pub(crate) fn check(&self, act: Act<'_>, by: Option<&str>) -> Result<(), String> {
        if !self.allows(act, by) {
            return Err(described(act));
        }
        self.within.as_ref().map_or(Ok(()), |within| within.check(act, by))
    }

    fn allows(&self, act: Act<'_>, by: Option<&str>) -> bool {
        let trusted = || {
            by.is_some_and(|name| {
                let name = folded(name);
                self.through.contains(&name) || self.read.contains_key(&name)
            })
        };
        match act {
            Act::Select | Act::Transaction => true,
            // A row is told of without a column when only its being there counts.
            Act::Read { table, column } => has(&self.read, table, Some(column).filter(|c| !c.is_empty())) || trusted(),
            Act::Update { table, column } => has(&self.write, table, Some(column)) || trusted(),
            Act::Rows { table, .. } => matches!(self.write.get(&folded(table)), Some(None)) || trusted(),
            Act::Function(name) => !REFUSED_FUNCTIONS.iter().any(|refused| refused.eq_ignore_ascii_case(name)),
            Act::Other(_) => false,
        }
    }
}

fn has(tables: &BTreeMap<String, ColumnSet>, table: &str, column: Option<&str>) -> bool {
    match (tables.get(&folded(table)), column) {
        (None, _) => false,
        (Some(None), _) | (Some(Some(_)), None) => true,
        (Some(Some(columns)), Some(column)) => columns.contains(&folded(column)),
    }
}

fn described(act: Act<'_>) -> String {
    match act {
        Act::Read { table, column: "" } => format!("not allowed to read {table}"),
        Act::Read { table, column } => format!("not allowed to read {table}.{column}"),
        Act::Update { table, column } => format!("not allowed to update {table}.{column}"),
        Act::Rows { verb, table } => format!("not allowed to {verb} {table}"),
        Act::Function(name) => format!("not allowed to call {name}"),
        Act::Select | Act::Transaction => "not allowed".to_owned(),
        Act::Other(what) => format!("not allowed: {what}"),
    }
}

/// SQLite takes names for the same that differ in the case of ASCII letters only.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

fn folded_all(names: BTreeSet<String>) -> BTreeSet<String> {
    names.iter().map(|name| folded(name)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Access, Act};

    const READ: Act<'_> = Act::Read { table: "Pets", column: "Name" };

    #[test]
    fn names_differ_by_more_than_case() {
        let access = Access::none().read("pets", None);
        assert_eq!(access.check(READ, None), Ok(()));
        assert!(access.check(Act::Read { table: "pets2", column: "name" }, None).is_err());
    }

    #[test]
    fn what_holds_within_another_is_what_both_let() {
        let wide = Arc::new(Access::none().read("pets", None).read("toys", None));
        let narrow = Access::none().read("pets", Some(["name".to_owned()].into()));
        let both = narrow.within(wide);
        assert_eq!(both.check(READ, None), Ok(()));
        assert!(both.check(Act::Read { table: "pets", column: "age" }, None).is_err());
        assert!(both.check(Act::Read { table: "toys", column: "name" }, None).is_err());
        let third = both.within(Arc::new(Access::none()));
        assert_eq!(third.check(READ, None), Err("not allowed to read Pets.Name".into()));
    }

    #[test]
    fn columns_named_for_writing_may_be_changed_but_rows_not_made() {
        let access = Access::none().write("pets", Some(["name".to_owned()].into()));
        assert!(access.check(Act::Update { table: "pets", column: "name" }, None).is_ok());
        assert!(access.check(Act::Update { table: "pets", column: "id" }, None).is_err());
        assert!(access.check(Act::Rows { verb: "insert into", table: "pets" }, None).is_err());
        assert!(access.check(READ, None).is_err());
    }

    #[test]
    fn what_a_trusted_trigger_does_is_its_own_affair() {
        let access = Access::none().write("pets", None).through("pets_log");
        let insert = Act::Rows { verb: "insert into", table: "log" };
        assert!(access.check(insert, None).is_err());
        assert!(access.check(insert, Some("other")).is_err());
        assert!(access.check(insert, Some("PETS_LOG")).is_ok());
    }
}
