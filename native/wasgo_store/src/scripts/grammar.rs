//! Where a statement notifies an object that it names: `notify(:object, ...)`.
//!
//! The columns of a table-valued function are fixed before it is called, and those of `notify` are the script's. So where the object is a
//! literal or a parameter, the call is made one of a table with the columns of its script.

use std::ops::Range;

use crate::functions::grammar::{Kind, Tokens};
use crate::{Params, ParamsRef, ValueRef};

/// The function's name.
pub(crate) const NOTIFY: &str = "notify";

/// A call of the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// Where its name is.
    pub(crate) name: Range<usize>,
    pub(crate) object: String,
}

/// The calls of which the object is known before the statement runs.
pub(crate) fn calls(sql: &str, params: ParamsRef<'_>) -> Vec<Call> {
    let mut found = Vec::new();
    // Most statements have none.
    if !sql.as_bytes().windows(NOTIFY.len()).any(|part| part.eq_ignore_ascii_case(NOTIFY.as_bytes())) {
        return found;
    }
    let mut tokens = Tokens::new(sql);
    let mut parameters = Parameters::default();
    let mut before = tokens.next();
    while before.kind != Kind::End {
        let token = tokens.next();
        if before.is_word(NOTIFY) && token.text == "(" {
            let argument = tokens.next();
            let object = match argument.kind {
                Kind::Text => argument.name(sql).ok(),
                Kind::Parameter => parameters.value(argument.text, params),
                _ => None,
            };
            let end = tokens.next();
            if let Some(object) = object
                && matches!(end.text, "," | ")")
            {
                found.push(Call { name: before.range.clone(), object });
            }
            if end.kind == Kind::Parameter {
                parameters.count(end.text);
            }
            before = end;
        } else {
            if token.kind == Kind::Parameter {
                parameters.count(token.text);
            }
            before = token;
        }
    }
    found
}

/// Numbers parameters as SQLite does.
#[derive(Default)]
struct Parameters<'a> {
    names: Vec<(&'a str, usize)>,
    last: usize,
}

impl<'a> Parameters<'a> {
    /// The number of the next one.
    fn count(&mut self, token: &'a str) -> usize {
        let number = match token.strip_prefix('?') {
            Some("") => self.last + 1,
            Some(digits) => digits.parse().unwrap_or(0),
            None => match self.names.iter().find(|(name, _)| *name == token) {
                Some((_, number)) => *number,
                None => {
                    self.names.push((token, self.last + 1));
                    self.last + 1
                }
            },
        };
        self.last = self.last.max(number);
        number
    }

    /// The text that the next one is given.
    fn value(&mut self, token: &'a str, params: ParamsRef<'_>) -> Option<String> {
        let at = self.count(token).checked_sub(1)?;
        let named = |name: &str| name == token || token.get(1..) == Some(name);
        let value = match params {
            ParamsRef::Positional(values) => values.get(at).copied(),
            ParamsRef::Row(rows, row) => rows.row(row).nth(at),
            ParamsRef::Owned(Params::Positional(values)) => values.get(at).map(crate::Value::as_ref),
            ParamsRef::Named(values) => values.iter().find(|(name, _)| named(name)).map(|(_, value)| *value),
            ParamsRef::Owned(Params::Named(values)) => {
                values.iter().find(|(name, _)| named(name)).map(|(_, value)| value.as_ref())
            }
        };
        match value {
            Some(ValueRef::Text(text)) => Some(text.to_owned()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::calls;
    use crate::{Params, ParamsRef, Value};

    fn objects(sql: &str, params: &Params) -> Vec<String> {
        calls(sql, ParamsRef::Owned(params)).into_iter().map(|call| call.object).collect()
    }

    #[test]
    fn objects_that_are_named_are_found() {
        let text = |text: &str| Value::Text(text.into());
        let positional = Params::Positional(vec![text("a"), text("b"), text("c")]);
        let named = Params::Named(vec![("object".into(), text("a")), ("$other".into(), text("b"))]);
        for (sql, params, expected) in [
            ("SELECT * FROM notify('re''x', 17)", &positional, &["re'x"][..]),
            ("SELECT * FROM NOTIFY ( ?, 17 )", &positional, &["a"]),
            ("SELECT ?, * FROM notify(?) WHERE ?", &positional, &["b"]),
            ("SELECT * FROM notify(?3, 1), notify(?1, ?2)", &positional, &["c", "a"]),
            ("SELECT * FROM notify(:object, 1), notify($other, 2)", &named, &["a", "b"]),
            ("SELECT * FROM notify(:none)", &named, &[]),
            ("SELECT * FROM o, notify(o.id, 17)", &positional, &[]),
            ("SELECT * FROM notify('a' || 'b', 17)", &positional, &[]),
            ("SELECT 'notify(''a'', 1)' -- notify('b')", &positional, &[]),
            ("SELECT notify FROM t", &positional, &[]),
            ("SELECT 1", &positional, &[]),
        ] {
            assert_eq!(objects(sql, params), expected, "{sql}");
        }
    }
}
