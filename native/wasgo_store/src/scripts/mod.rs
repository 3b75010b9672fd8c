//! Scripts that are kept in the database and notified from SQL: what is written about them there.
//!
//! Who writes it is another's affair: here it is read, and nothing of it is taken on trust. `sqlite::scripts` runs them.

pub(crate) mod entries;
pub(crate) mod grammar;
pub(crate) mod json;
pub(crate) mod notification;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use wasgo_wasm::{
    CallOptions, CompileOptions, Grants, Imports, KeyValues, Limits, Module, Script, ScriptOptions, Seed, Sql,
};

use crate::Access;
use crate::functions::{Fault, FunctionHost};

/// Values of the row that an object's script is given from SQL.
pub(crate) const MAX_NOTIFIED: usize = 32;

/// A script's version, as it is stored.
pub(crate) struct Stored<'a> {
    pub(crate) source: &'a [u8],
    pub(crate) deterministic: bool,
    /// A JSON object of integers, or nothing.
    pub(crate) limits: &'a str,
    /// A JSON object: `state`, `random`, `sql`; or nothing.
    pub(crate) grants: &'a str,
    /// A JSON array of names.
    pub(crate) columns: &'a str,
}

/// A script that is ready to be notified.
pub(crate) struct Ready {
    pub(crate) script: Script,
    pub(crate) columns: Vec<String>,
    /// The same in one text, a unit separator between them.
    pub(crate) names: String,
    /// Where what an object keeps is while the script runs for it; none for scripts that keep nothing.
    pub(crate) state: Option<KeyValues>,
    /// Whether its random numbers begin anew for each object, so that objects are notified one by one.
    pub(crate) random: bool,
    timeout: Duration,
    fuel: Option<u64>,
}

impl Ready {
    /// Compiles what is stored, unless somebody has it or the engine's cache does. `sql` makes the way to the tables that it may read.
    pub(crate) fn new(
        host: &FunctionHost,
        stored: &Stored<'_>,
        sql: impl FnOnce(Arc<Access>) -> Arc<dyn Sql>,
    ) -> Result<Self, Fault> {
        let limits = json::object(stored.limits, "limits")?;
        let grants = json::object(stored.grants, "grants")?;
        let columns = json::names(stored.columns, "columns")?;
        let number = |name: &str| limits.get(name).and_then(Json::as_u64);
        let state = grants.get("state").is_some_and(|state| state == &Json::Bool(true)).then(KeyValues::default);
        let seed = grants.get("random").map(|seed| {
            // Any integer of 64 bits: those without a sign too.
            seed.as_i64().map(i64::cast_unsigned).or_else(|| seed.as_u64()).unwrap_or(0)
        });
        let sql = match grants.get("sql") {
            None | Some(Json::Null) => None,
            Some(tables) => {
                let tables = json::names_of(tables, "the tables of its grants")?;
                let access = tables.iter().fold(Access::none(), |access, table| access.read(table, None));
                Some(sql(Arc::new(access)))
            }
        };
        let module =
            Module::compile(&host.engine, stored.source, CompileOptions { deterministic: stored.deterministic })?;
        let defaults = Limits::default();
        let limits = Limits {
            memory: number("memory").unwrap_or(defaults.memory),
            table: number("table").unwrap_or(defaults.table),
            input: number("input").unwrap_or(defaults.input),
            result: number("result").unwrap_or(defaults.result),
        };
        let imports = Imports {
            grants: Grants { state: state.clone(), random: seed.map(Seed::Fixed), sql, ..Grants::default() },
            ..Imports::default()
        };
        Ok(Self {
            script: Script::new(&module, ScriptOptions { limits, imports })?,
            names: columns.join("\u{1f}"),
            columns,
            state,
            random: seed.is_some(),
            timeout: number("timeout").map_or(host.timeout, Duration::from_millis),
            fuel: number("fuel").filter(|_| stored.deterministic),
        })
    }

    pub(crate) fn call_options(&self) -> CallOptions {
        CallOptions { timeout: Some(self.timeout), fuel: self.fuel, handler: None }
    }

    /// Whether many objects may be notified in one call: what one of them gets does not depend on the others.
    pub(crate) fn takes_many(&self) -> bool {
        self.state.is_none() && !self.random
    }
}
