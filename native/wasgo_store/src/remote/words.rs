//! The words that SQL begins with: enough to tell a statement on transactions, which only the store itself makes.

use crate::StoreError;

/// Refuses a statement that begins, ends or nests a transaction.
pub(super) fn refuse_control(sql: &str) -> Result<(), StoreError> {
    match Words(sql).next_word() {
        Some(word) if is_control(word) => Err(StoreError::TransactionControl),
        _ => Ok(()),
    }
}

/// As [`refuse_control`], for several statements.
pub(super) fn refuse_control_in_batch(sql: &str) -> Result<(), StoreError> {
    let mut words = Words(sql);
    while let Some(first) = words.next_word() {
        if is_control(first) {
            return Err(StoreError::TransactionControl);
        }
        if first.eq_ignore_ascii_case("create") && words.defines_trigger() {
            // Statements of its own are in it, up to the word that ends them.
            while words.end_statement() && !words.next_word().is_none_or(|word| word.eq_ignore_ascii_case("end")) {}
        }
        if !words.end_statement() {
            break;
        }
    }
    Ok(())
}

fn is_control(word: &str) -> bool {
    ["begin", "commit", "end", "rollback", "savepoint", "release"].iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// SQL that is still to be read.
struct Words<'s>(&'s str);

impl<'s> Words<'s> {
    /// The word that comes next; empty for what is none. None at the end.
    fn next_word(&mut self) -> Option<&'s str> {
        self.skip_blanks();
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(word)
    }

    /// Past blanks, comments and semicolons.
    fn skip_blanks(&mut self) {
        loop {
            self.0 = self.0.trim_start_matches(|character: char| character.is_ascii_whitespace() || character == ';');
            if !self.skip_comment() {
                // A mark that some programs put before a text.
                match self.0.strip_prefix('\u{feff}') {
                    Some(rest) => self.0 = rest,
                    None => return,
                }
            }
        }
    }

    fn skip_comment(&mut self) -> bool {
        let end = if self.0.starts_with("--") {
            self.0.find('\n').map(|at| at + 1)
        } else if self.0.starts_with("/*") {
            self.0[2..].find("*/").map(|at| at + 4)
        } else {
            return false;
        };
        self.0 = end.map_or("", |end| &self.0[end..]);
        true
    }

    /// Whether what was created is a trigger.
    fn defines_trigger(&mut self) -> bool {
        let mut word = self.next_word();
        while word.is_some_and(|word| word.eq_ignore_ascii_case("temp") || word.eq_ignore_ascii_case("temporary")) {
            word = self.next_word();
        }
        word.is_some_and(|word| word.eq_ignore_ascii_case("trigger"))
    }

    /// Past the next semicolon that is in no text, name or comment; false when there is none.
    fn end_statement(&mut self) -> bool {
        loop {
            let Some(at) = self.0.find([';', '\'', '"', '`', '[', '-', '/']) else {
                self.0 = "";
                return false;
            };
            let sign = self.0.as_bytes()[at];
            self.0 = &self.0[at..];
            match sign {
                b';' => {
                    self.0 = &self.0[1..];
                    return true;
                }
                b'-' | b'/' => {
                    if !self.skip_comment() {
                        self.0 = &self.0[1..];
                    }
                }
                quote => {
                    let end = if quote == b'[' { ']' } else { char::from(quote) };
                    // A quote that is doubled ends one text and begins another: the same comes of it.
                    self.0 = self.0[1..].find(end).map_or("", |at| &self.0[at + 2..]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{refuse_control, refuse_control_in_batch};

    #[test]
    fn statements_on_transactions_are_told_from_others() {
        for sql in
            ["BEGIN", "  commit;", "-- a\nEND", "/* a */ Rollback TO x", ";;SAVEPOINT x", "RELEASE x", "\u{feff}begin"]
        {
            assert!(refuse_control(sql).is_err(), "{sql}");
        }
        for sql in ["", "SELECT 'begin'", "INSERT INTO begin_t VALUES (1)", "-- BEGIN", "beginning", "/* BEGIN"] {
            assert!(refuse_control(sql).is_ok(), "{sql}");
        }
    }

    #[test]
    fn they_are_found_among_other_statements() {
        for sql in [
            "SELECT 1; COMMIT",
            "INSERT INTO t VALUES ('a;''b'); -- c\n ROLLBACK",
            "CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t; SELECT CASE 1 WHEN 1 THEN 2 END; END; BEGIN",
        ] {
            assert!(refuse_control_in_batch(sql).is_err(), "{sql}");
        }
        for sql in [
            "SELECT 1; SELECT '; COMMIT'",
            "SELECT 1 /* ; COMMIT */; SELECT \"; COMMIT\", [; COMMIT], `; COMMIT` - 1",
            "CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t; SELECT 1; END; SELECT 1",
            "CREATE TABLE t (a); CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END",
            "SELECT 'open",
        ] {
            assert!(refuse_control_in_batch(sql).is_ok(), "{sql}");
        }
    }
}
