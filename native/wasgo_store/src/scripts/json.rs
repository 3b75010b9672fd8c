//! What is written as JSON beside a script, and rows as JSON.

use std::fmt::Write;

use serde_json::{Map, Value as Json};
use wasgo_wasm::row;

use crate::functions::Fault;

/// An object; nothing is an empty one.
pub(crate) fn object(text: &str, what: &str) -> Result<Map<String, Json>, Fault> {
    if text.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Json::Object(object)) => Ok(object),
        _ => Err(Fault::contract(format!("its {what} are no JSON object"))),
    }
}

/// An array of names.
pub(crate) fn names(text: &str, what: &str) -> Result<Vec<String>, Fault> {
    let json = serde_json::from_str(text).map_err(|_| Fault::contract(format!("its {what} are no JSON")))?;
    names_of(&json, &format!("its {what}"))
}

pub(crate) fn names_of(json: &Json, what: &str) -> Result<Vec<String>, Fault> {
    let names = json.as_array().map(|names| names.iter().map(|name| name.as_str().map(str::to_owned)));
    names
        .and_then(Iterator::collect::<Option<Vec<_>>>)
        .ok_or_else(|| Fault::contract(format!("{what} are no JSON array of texts")))
}

/// A row as a JSON object, or as an array where its values have no names. Blobs are hexadecimal texts; what JSON has no number for is null.
pub(crate) fn row(columns: &[String], values: &[row::Value<'_>]) -> String {
    let named = columns.len() == values.len();
    let mut text = String::from(if named { "{" } else { "[" });
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        if named {
            push_text(&mut text, &columns[at]);
            text.push(':');
        }
        match value {
            row::Value::Null => text.push_str("null"),
            // Writing to a text never fails.
            row::Value::Integer(integer) => {
                let _ = write!(text, "{integer}");
            }
            row::Value::Real(real) if real.is_finite() => {
                let _ = write!(text, "{real:?}");
            }
            row::Value::Real(_) => text.push_str("null"),
            row::Value::Text(value) => push_text(&mut text, value),
            row::Value::Blob(bytes) => {
                text.push('"');
                bytes.iter().for_each(|byte| {
                    let _ = write!(text, "{byte:02x}");
                });
                text.push('"');
            }
        }
    }
    text.push(if named { '}' } else { ']' });
    text
}

fn push_text(text: &mut String, value: &str) {
    text.push_str(&Json::String(value.to_owned()).to_string());
}

#[cfg(test)]
mod tests {
    use wasgo_wasm::row::Value;

    use super::row;

    #[test]
    fn rows_are_objects_or_arrays() {
        let names = ["a".to_owned(), "b\"".to_owned()];
        let values = [Value::Integer(i64::MIN), Value::Text("x\n")];
        assert_eq!(row(&names, &values), r#"{"a":-9223372036854775808,"b\"":"x\n"}"#);
        let values = [Value::Real(1.0), Value::Real(f64::INFINITY), Value::Blob(&[0, 255]), Value::Null];
        assert_eq!(row(&names, &values), r#"[1.0,null,"00ff",null]"#);
        assert_eq!(row(&[], &[]), "{}");
    }
}
