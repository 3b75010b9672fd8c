//! The statements that a connection keeps prepared.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::Statement;
use crate::access::Access;

/// Statements kept prepared: those that a game loop runs over and over. The least recently used goes first.
const MAX_STATEMENTS: usize = 64;

/// SQL longer than this is not kept: it is text made for one use.
const MAX_SQL_BYTES: usize = 16 * 1024;

#[derive(Default)]
pub(super) struct Cache {
    hasher: RandomState,
    /// By a hash; of two with the same, the later.
    kept: HashMap<u64, Kept>,
    /// Counts uses.
    clock: u64,
}

struct Kept {
    statement: Statement,
    used: u64,
}

impl Cache {
    /// Takes out the statement of `sql` that was prepared for who may do so much.
    pub(super) fn take(&mut self, sql: &str, confined: bool, access: Option<&Arc<Access>>) -> Option<Statement> {
        let key = self.key(sql, confined, access.is_some());
        if !self.kept.get(&key)?.statement.is_for(sql, confined, access) {
            return None;
        }
        self.kept.remove(&key).map(|kept| kept.statement)
    }

    pub(super) fn keep(&mut self, sql: &str, statement: Statement) {
        if sql.len() > MAX_SQL_BYTES {
            return;
        }
        if self.kept.len() >= MAX_STATEMENTS {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| *key);
            oldest.and_then(|oldest| self.kept.remove(&oldest));
        }
        self.clock += 1;
        let (confined, restricted) = statement.is_held();
        self.kept.insert(self.key(sql, confined, restricted), Kept { statement, used: self.clock });
    }

    /// What is allowed is not hashed, only whether all is.
    fn key(&self, sql: &str, confined: bool, restricted: bool) -> u64 {
        self.hasher.hash_one((sql, confined, restricted))
    }
}
