//! What can go wrong, as values: each names the thing at fault.

use std::time::Duration;

/// Why a request, or the opening of a store, failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database could not be opened.
    #[error("cannot open database {location}: {source}")]
    Open {
        /// The path, or `memory`.
        location: String,
        /// Why.
        source: Box<StoreError>,
    },
    /// An option has no meaning.
    #[error("option {option}: {problem}")]
    InvalidOption {
        /// The option's name.
        option: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// SQLite refused or failed.
    #[error("{message} ({name})")]
    Sqlite {
        /// SQLite's extended result code.
        code: i32,
        /// The code's stable lower-case name, such as `constraint_unique`; that of the primary code when the extended
        /// one is unknown.
        name: &'static str,
        /// SQLite's own message.
        message: String,
        /// Byte offset into the SQL where the fault is, when SQLite knows it.
        offset: Option<usize>,
    },
    /// A function written in WebAssembly failed, or could not be created.
    #[error("function {name}: {message}")]
    Function {
        /// The function's name.
        name: String,
        /// A stable lower-case name of what went wrong: a trap's (`unreachable`), a limit's (`time`), `contract` for values that the ABI
        /// does not know, `compile` ...
        reason: &'static str,
        /// The same for people.
        message: String,
    },
    /// A script that an object is notified by failed, or there is no such object, or the tables are not of the schema that is known here.
    #[error("{}{message}", of_script(object, script))]
    Script {
        /// The object; empty where it is not about a certain one.
        object: String,
        /// The script's name; empty where there is none.
        script: String,
        /// As of [`StoreError::Function`]; `unknown_object` where there is no such object, `schema_version` for tables of another schema.
        reason: &'static str,
        /// What went wrong, for people.
        message: String,
    },
    /// There is no statement in the SQL.
    #[error("the SQL holds no statement")]
    EmptySql,
    /// More than one statement where one is taken.
    #[error("the SQL holds a second statement at byte {offset}: only a batch takes several")]
    MultipleStatements {
        /// Where the first statement ends, in bytes.
        offset: usize,
    },
    /// A NUL character in the SQL, at which SQLite would silently stop reading.
    #[error("the SQL holds a NUL character at byte {offset}")]
    NulInSql {
        /// Where, in bytes.
        offset: usize,
    },
    /// The SQL is longer than is taken.
    #[error("the SQL has {length} bytes, more than {max}")]
    SqlTooLong {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The number of positional parameters is wrong.
    #[error("the statement takes {expected} parameters, {got} given")]
    ParamCount {
        /// What the statement takes.
        expected: usize,
        /// What was given.
        got: usize,
    },
    /// The statement has no parameter of that name.
    #[error("the statement has no parameter {name:?}")]
    UnknownParam {
        /// The name as given.
        name: String,
    },
    /// A parameter of the statement was given no value.
    #[error("no value for parameter {name:?}")]
    MissingParam {
        /// The name as in the statement, or `?N`.
        name: String,
    },
    /// A parameter was given two values.
    #[error("two values for parameter {name:?}")]
    DuplicateParam {
        /// The name as given the second time.
        name: String,
    },
    /// Text in the database that is not UTF-8.
    #[error("text in column {column:?} of row {row} is not UTF-8 (CAST it AS BLOB to read it)")]
    NotUtf8 {
        /// The column's name.
        column: String,
        /// The row's place in the result, from 0.
        row: usize,
    },
    /// The result has more rows than the request allows.
    #[error("the result has more than {max} rows")]
    RowLimit {
        /// The limit.
        max: usize,
    },
    /// The result has more bytes than the request allows.
    #[error("the result has more than {max} bytes")]
    ByteLimit {
        /// The limit.
        max: usize,
    },
    /// The deadline passed.
    #[error("{}", timeout_message(*.begun, *.late))]
    Timeout {
        /// False: refused before it ran, nothing was done. True: stopped while running; what its statement did was
        /// undone (of a batch, what came before that statement stays). A transaction
        /// that it wrote in may be rolled back as a whole, after which the token's requests are
        /// [`StoreError::NoTransaction`].
        begun: bool,
        /// How long after the deadline it was noticed.
        late: Duration,
    },
    /// Stopped by [`Store::interrupt`](crate::Store::interrupt); what it did was undone.
    #[error("interrupted")]
    Interrupted,
    /// The queue is full.
    #[error("the store's queue is full ({capacity} requests)")]
    Busy {
        /// How many requests it takes.
        capacity: usize,
    },
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// The token's transaction is not open: never begun, ended, abandoned, or rolled back by an error.
    #[error("no transaction is open under this token")]
    NoTransaction,
    /// The token was made by another store.
    #[error("the transaction token belongs to another store")]
    ForeignToken,
    /// Too many transactions within one another.
    #[error("transactions are nested deeper than {max}")]
    NestedTooDeep {
        /// The limit.
        max: usize,
    },
    /// SQL that begins or ends a transaction where the store does that itself.
    #[error("a statement may not begin, end or nest a transaction itself: use begin, commit and rollback")]
    TransactionControl,
    /// A batch began a transaction and did not end it; it was rolled back.
    #[error("the batch left a transaction open; it was rolled back")]
    TransactionLeftOpen,
    /// One of the rows of `execute_many` failed; none of them was kept.
    #[error("row {row}: {source}")]
    AtRow {
        /// Which, from 0.
        row: usize,
        /// Why.
        source: Box<StoreError>,
    },
    /// One of the statements of a batch failed; those after it were not run.
    #[error("statement {statement}: {source}")]
    AtStatement {
        /// Which, from 0.
        statement: usize,
        /// Why.
        source: Box<StoreError>,
    },
    /// The statement is no query that a cursor can be held on: it writes, or only the writer knows its answer.
    #[error("only a query can be read in pieces, and on a file with readers or within a transaction")]
    NoCursor,
    /// Too many cursors are open.
    #[error("{max} streams of the store are open already")]
    TooManyCursors {
        /// The limit.
        max: usize,
    },
    /// Two columns have the name that a row is to have once.
    #[error("two columns are named {name:?}: give one another name with AS")]
    DuplicateColumn {
        /// The name.
        name: String,
    },
    /// The file that was to be made is there already.
    #[error("{path} is there already")]
    Exists {
        /// Its path.
        path: String,
    },
    /// A copy of the store is made already.
    #[error("a backup of the store is under way already")]
    BackupRunning,
    /// The file that was to be made cannot be.
    #[error("cannot write {path}: {problem}")]
    CannotWrite {
        /// Its path.
        path: String,
        /// Why.
        problem: String,
    },
    /// The caller is not allowed to.
    #[error("{0}")]
    NotAllowed(String),
    /// The library was built without what this needs.
    #[error("{what} needs the native half of Wasgo built with the feature {feature} (WASGO_NATIVE_FEATURES)")]
    NotBuilt {
        /// What was asked for.
        what: &'static str,
        /// The feature of the crate.
        feature: &'static str,
    },
    /// A database on a server can't do this.
    #[error("{what} is not to be had of a database on a server")]
    NotRemote {
        /// What was asked for.
        what: &'static str,
    },
    /// No connection to the server could be made: it was asked for nothing.
    #[error("cannot reach the server {server}: {problem}")]
    Unreachable {
        /// Its address.
        server: String,
        /// Why.
        problem: String,
    },
    /// The connection ended before the answer did: what was asked for may have been done, or not. A transaction is lost.
    #[error("the server {server} ended its answer early: {problem}")]
    Disconnected {
        /// Its address.
        server: String,
        /// How.
        problem: String,
    },
    /// The server does not take the token, or wants one.
    #[error("the server {server} refuses the token: {message}")]
    Unauthorized {
        /// Its address.
        server: String,
        /// What it says.
        message: String,
    },
    /// What the server answers is not what its protocol has.
    #[error("the server {server} gives an answer that is none: {problem}")]
    BadAnswer {
        /// Its address.
        server: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The store is no copy of a server's database.
    #[error("the store is no copy of a server's database (replica_of:)")]
    NoReplica,
    /// A copy could not be brought up to date.
    #[error("cannot follow the server {server}: {problem}")]
    Sync {
        /// Its address.
        server: String,
        /// Why.
        problem: String,
    },
    /// The server refused or failed, and not with an error of SQLite.
    #[error("{message} ({name})")]
    Server {
        /// A stable lower-case name of what went wrong: the server's own code, where it is known here.
        name: &'static str,
        /// What it says.
        message: String,
    },
    /// [`Store::wait`](crate::Store::wait) was called on a store's own thread, where it would wait for ever.
    #[error("cannot wait for a store on a store's own thread")]
    WouldBlock,
    /// A fault of this library; the store lives on.
    #[error("internal error: {0}")]
    Internal(String),
}

fn of_script(object: &str, script: &str) -> String {
    match (object, script) {
        (_, "") => String::new(),
        ("", script) => format!("script {script}: "),
        (object, script) => format!("object {object}, script {script}: "),
    }
}

fn timeout_message(begun: bool, late: Duration) -> String {
    let what = if begun { "stopped at its deadline" } else { "not begun by its deadline" };
    format!("timed out: {what} ({} ms late)", late.as_millis())
}

impl StoreError {
    /// A stable lower-case name for the kind of error: SQLite's name for its own errors (`constraint_unique`,
    /// `notadb`), the variant's for ours. An error with a place around it has the name of what is within.
    pub fn code_name(&self) -> &'static str {
        match self {
            Self::Open { source, .. } | Self::AtRow { source, .. } | Self::AtStatement { source, .. } => {
                source.code_name()
            }
            Self::Sqlite { name, .. } => name,
            Self::Function { .. } => "function",
            Self::Script { reason: "unknown_object", .. } => "unknown_object",
            Self::Script { reason: "schema_version", .. } => "schema_version",
            Self::Script { .. } => "script",
            Self::InvalidOption { .. } => "invalid_option",
            Self::EmptySql => "empty_sql",
            Self::MultipleStatements { .. } => "multiple_statements",
            Self::NulInSql { .. } => "nul_in_sql",
            Self::SqlTooLong { .. } => "sql_too_long",
            Self::ParamCount { .. } => "param_count",
            Self::UnknownParam { .. } => "unknown_param",
            Self::MissingParam { .. } => "missing_param",
            Self::DuplicateParam { .. } => "duplicate_param",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::RowLimit { .. } => "row_limit",
            Self::ByteLimit { .. } => "byte_limit",
            Self::Timeout { .. } => "timeout",
            Self::Interrupted => "interrupted",
            Self::Busy { .. } => "queue_full",
            Self::Closed => "closed",
            Self::NoTransaction => "no_transaction",
            Self::ForeignToken => "foreign_token",
            Self::NestedTooDeep { .. } => "nested_too_deep",
            Self::TransactionControl => "transaction_control",
            Self::TransactionLeftOpen => "transaction_left_open",
            Self::NoCursor => "no_cursor",
            Self::TooManyCursors { .. } => "too_many_streams",
            Self::DuplicateColumn { .. } => "duplicate_column",
            Self::Exists { .. } => "exists",
            Self::BackupRunning => "backup_running",
            Self::CannotWrite { .. } => "cantopen",
            Self::NotAllowed(_) => "auth",
            Self::NotBuilt { .. } => "not_built",
            Self::NotRemote { .. } => "not_remote",
            Self::Unreachable { .. } => "unreachable",
            Self::Disconnected { .. } => "disconnected",
            Self::Unauthorized { .. } => "unauthorized",
            Self::BadAnswer { .. } => "bad_answer",
            Self::NoReplica => "no_replica",
            Self::Sync { .. } => "sync",
            Self::Server { name, .. } => name,
            Self::WouldBlock => "would_block",
            Self::Internal(_) => "internal_error",
        }
    }

    /// What went wrong within a function or script, by a stable lower-case name: a trap's (`unreachable`), a limit's (`fuel`), and others.
    pub fn cause(&self) -> Option<&'static str> {
        match self {
            Self::Function { reason, .. } | Self::Script { reason, .. } => Some(reason),
            Self::Open { source, .. } | Self::AtRow { source, .. } | Self::AtStatement { source, .. } => source.cause(),
            _ => None,
        }
    }

    /// SQLite's extended result code, for errors that are SQLite's.
    pub fn sqlite_code(&self) -> Option<i32> {
        match self {
            Self::Sqlite { code, .. } => Some(*code),
            // SQLITE_ERROR: what it is to SQLite.
            Self::Function { .. } | Self::Script { .. } => Some(1),
            Self::Open { source, .. } | Self::AtRow { source, .. } | Self::AtStatement { source, .. } => {
                source.sqlite_code()
            }
            _ => None,
        }
    }

    /// Byte offset into the SQL where the fault is, where it is known.
    pub fn sql_offset(&self) -> Option<usize> {
        match self {
            Self::Sqlite { offset, .. } => *offset,
            Self::MultipleStatements { offset } | Self::NulInSql { offset } => Some(*offset),
            Self::Open { source, .. } | Self::AtRow { source, .. } | Self::AtStatement { source, .. } => {
                source.sql_offset()
            }
            _ => None,
        }
    }
}
