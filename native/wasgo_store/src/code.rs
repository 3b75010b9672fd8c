//! SQLite's result codes by name.
//!
//! Names are SQLite's own, without the prefix and in lower case, and never change.

/// The stable name of an extended result code; that of its primary code when the extended one is not known, and
/// `unknown` when neither is.
pub(crate) fn name(code: i32) -> &'static str {
    exact(code).or_else(|| exact(code & 0xff)).unwrap_or("unknown")
}

/// The code that a server calls by SQLite's name for it, such as `SQLITE_CONSTRAINT_UNIQUE`; none for another name.
#[cfg(feature = "remote")]
pub(crate) fn of_name(name: &str) -> Option<i32> {
    let bare = name.strip_prefix("SQLITE_")?;
    NAMES.iter().find(|entry| entry.1.eq_ignore_ascii_case(bare)).map(|entry| entry.0)
}

fn exact(code: i32) -> Option<&'static str> {
    let found = NAMES.binary_search_by_key(&code, |entry| entry.0);
    found.ok().map(|at| NAMES[at].1)
}

/// Sorted by code.
const NAMES: &[(i32, &str)] = &[
    (1, "error"),
    (2, "internal"),
    (3, "perm"),
    (4, "abort"),
    (5, "busy"),
    (6, "locked"),
    (7, "nomem"),
    (8, "readonly"),
    (9, "interrupt"),
    (10, "ioerr"),
    (11, "corrupt"),
    (12, "notfound"),
    (13, "full"),
    (14, "cantopen"),
    (15, "protocol"),
    (16, "empty"),
    (17, "schema"),
    (18, "toobig"),
    (19, "constraint"),
    (20, "mismatch"),
    (21, "misuse"),
    (22, "nolfs"),
    (23, "auth"),
    (24, "format"),
    (25, "range"),
    (26, "notadb"),
    (27, "notice"),
    (28, "warning"),
    (257, "error_missing_collseq"),
    (261, "busy_recovery"),
    (262, "locked_sharedcache"),
    (264, "readonly_recovery"),
    (266, "ioerr_read"),
    (267, "corrupt_vtab"),
    (270, "cantopen_notempdir"),
    (275, "constraint_check"),
    (279, "auth_user"),
    (283, "notice_recover_wal"),
    (284, "warning_autoindex"),
    (513, "error_retry"),
    (516, "abort_rollback"),
    (517, "busy_snapshot"),
    (518, "locked_vtab"),
    (520, "readonly_cantlock"),
    (522, "ioerr_short_read"),
    (523, "corrupt_sequence"),
    (526, "cantopen_isdir"),
    (531, "constraint_commithook"),
    (539, "notice_recover_rollback"),
    (769, "error_snapshot"),
    (773, "busy_timeout"),
    (776, "readonly_rollback"),
    (778, "ioerr_write"),
    (779, "corrupt_index"),
    (782, "cantopen_fullpath"),
    (787, "constraint_foreignkey"),
    (795, "notice_rbu"),
    (1032, "readonly_dbmoved"),
    (1034, "ioerr_fsync"),
    (1038, "cantopen_convpath"),
    (1043, "constraint_function"),
    (1288, "readonly_cantinit"),
    (1290, "ioerr_dir_fsync"),
    (1294, "cantopen_dirtywal"),
    (1299, "constraint_notnull"),
    (1544, "readonly_directory"),
    (1546, "ioerr_truncate"),
    (1550, "cantopen_symlink"),
    (1555, "constraint_primarykey"),
    (1802, "ioerr_fstat"),
    (1811, "constraint_trigger"),
    (2058, "ioerr_unlock"),
    (2067, "constraint_unique"),
    (2314, "ioerr_rdlock"),
    (2323, "constraint_vtab"),
    (2570, "ioerr_delete"),
    (2579, "constraint_rowid"),
    (2826, "ioerr_blocked"),
    (2835, "constraint_pinned"),
    (3082, "ioerr_nomem"),
    (3091, "constraint_datatype"),
    (3338, "ioerr_access"),
    (3594, "ioerr_checkreservedlock"),
    (3850, "ioerr_lock"),
    (4106, "ioerr_close"),
    (4362, "ioerr_dir_close"),
    (4618, "ioerr_shmopen"),
    (4874, "ioerr_shmsize"),
    (5130, "ioerr_shmlock"),
    (5386, "ioerr_shmmap"),
    (5642, "ioerr_seek"),
    (5898, "ioerr_delete_noent"),
    (6154, "ioerr_mmap"),
    (6410, "ioerr_gettemppath"),
    (6666, "ioerr_convpath"),
    (6922, "ioerr_vnode"),
    (7178, "ioerr_auth"),
    (7434, "ioerr_begin_atomic"),
    (7690, "ioerr_commit_atomic"),
    (7946, "ioerr_rollback_atomic"),
    (8202, "ioerr_data"),
    (8458, "ioerr_corruptfs"),
    (8714, "ioerr_in_page"),
];

#[cfg(test)]
mod tests {
    use super::{NAMES, name};

    #[test]
    fn the_table_is_sorted_and_has_no_code_or_name_twice() {
        assert!(NAMES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let mut names: Vec<_> = NAMES.iter().map(|entry| entry.1).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), NAMES.len());
    }

    #[test]
    fn codes_have_the_names_of_sqlite() {
        use libsql::ffi;
        assert_eq!(name(ffi::SQLITE_CONSTRAINT_UNIQUE), "constraint_unique");
        assert_eq!(name(ffi::SQLITE_NOTADB), "notadb");
        assert_eq!(name(ffi::SQLITE_BUSY_SNAPSHOT), "busy_snapshot");
        assert_eq!(name(ffi::SQLITE_IOERR_IN_PAGE), "ioerr_in_page");
    }

    #[test]
    fn an_unknown_extended_code_has_its_primary_codes_name() {
        assert_eq!(name(10 | (200 << 8)), "ioerr");
        assert_eq!(name(77), "unknown");
        assert_eq!(name(-1), "unknown");
    }
}
