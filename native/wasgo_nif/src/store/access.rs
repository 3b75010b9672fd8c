//! What a user's SQL may reach, from terms.

use std::sync::Arc;

use rustler::{Resource, ResourceArc};
use wasgo_store::Access;

/// What a restricted handle may reach.
pub struct AccessResource(Arc<Access>);

#[rustler::resource_impl]
impl Resource for AccessResource {}

impl AccessResource {
    pub fn access(&self) -> Arc<Access> {
        Arc::clone(&self.0)
    }
}

/// Tables, each with its columns, or nil for all.
type Tables = Vec<(String, Option<Vec<String>>)>;

/// Access to tables for reading and for writing, through views and triggers, and to no more than `within` lets.
#[rustler::nif]
fn store_access(
    within: Option<ResourceArc<AccessResource>>,
    read: Tables,
    write: Tables,
    through: Vec<String>,
) -> ResourceArc<AccessResource> {
    let columns = |columns: Option<Vec<String>>| columns.map(|columns| columns.into_iter().collect());
    let mut access = Access::none();
    for (table, names) in read {
        access = access.read(&table, columns(names));
    }
    for (table, names) in write {
        access = access.write(&table, columns(names));
    }
    for name in through {
        access = access.through(&name);
    }
    if let Some(within) = within {
        access = access.within(within.access());
    }
    ResourceArc::new(AccessResource(Arc::new(access)))
}
