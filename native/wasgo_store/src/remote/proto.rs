//! What is said to a server, and what it answers: Hrana 3 over HTTP, in JSON.

use std::borrow::Cow;
use std::fmt::Write;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use crate::{MAX_SQL_BYTES, Params, ParamsRef, StoreError, Value, ValueRef};

/// Servers write blobs with padding and without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A statement as it is sent.
pub(super) fn statement(out: &mut String, sql: &str, params: ParamsRef<'_>, want_rows: bool) -> Result<(), StoreError> {
    out.push_str("{\"sql\":");
    self::sql(out, sql)?;
    write_params(out, params)?;
    out.push_str(if want_rows { ",\"want_rows\":true}" } else { ",\"want_rows\":false}" });
    Ok(())
}

/// SQL, if the server is going to read all of it.
pub(super) fn sql(out: &mut String, sql: &str) -> Result<(), StoreError> {
    if sql.len() > MAX_SQL_BYTES {
        return Err(StoreError::SqlTooLong { length: sql.len(), max: MAX_SQL_BYTES });
    }
    if let Some(offset) = memchr::memchr(0, sql.as_bytes()) {
        return Err(StoreError::NulInSql { offset });
    }
    string(out, sql);
    Ok(())
}

fn write_params(out: &mut String, params: ParamsRef<'_>) -> Result<(), StoreError> {
    match params {
        ParamsRef::Positional(values) => positional(out, values.iter().copied()),
        ParamsRef::Row(rows, row) => positional(out, rows.row(row)),
        ParamsRef::Owned(Params::Positional(values)) => positional(out, values.iter().map(Value::as_ref)),
        ParamsRef::Named(values) => named(out, values.iter().copied()),
        ParamsRef::Owned(Params::Named(values)) => {
            named(out, values.iter().map(|(name, value)| (name.as_str(), value.as_ref())))
        }
    }
}

fn positional<'v>(out: &mut String, values: impl Iterator<Item = ValueRef<'v>>) -> Result<(), StoreError> {
    out.push_str(",\"args\":[");
    for (at, each) in values.enumerate() {
        comma(out, at);
        value(out, each)?;
    }
    out.push(']');
    Ok(())
}

fn named<'v>(out: &mut String, values: impl Iterator<Item = (&'v str, ValueRef<'v>)>) -> Result<(), StoreError> {
    let mut seen = Vec::new();
    out.push_str(",\"named_args\":[");
    for (at, (name, each)) in values.enumerate() {
        if seen.contains(&name) {
            return Err(StoreError::DuplicateParam { name: name.to_owned() });
        }
        seen.push(name);
        comma(out, at);
        out.push_str("{\"name\":");
        string(out, name);
        out.push_str(",\"value\":");
        value(out, each)?;
        out.push('}');
    }
    out.push(']');
    Ok(())
}

fn value(out: &mut String, value: ValueRef<'_>) -> Result<(), StoreError> {
    match value {
        ValueRef::Null => out.push_str("{\"type\":\"null\"}"),
        ValueRef::Real(real) if real.is_nan() => out.push_str("{\"type\":\"null\"}"),
        ValueRef::Real(real) if real.is_infinite() => {
            return Err(StoreError::NotRemote { what: "an infinite number as a parameter" });
        }
        ValueRef::Integer(integer) => {
            // Writing into a string does not fail.
            let _ = write!(out, "{{\"type\":\"integer\",\"value\":\"{integer}\"}}");
        }
        ValueRef::Real(real) => {
            let _ = write!(out, "{{\"type\":\"float\",\"value\":{real:?}}}");
        }
        ValueRef::Text(text) => {
            out.push_str("{\"type\":\"text\",\"value\":");
            string(out, text);
            out.push('}');
        }
        ValueRef::Blob(bytes) => {
            out.push_str("{\"type\":\"blob\",\"base64\":\"");
            BASE64.encode_string(bytes, out);
            out.push_str("\"}");
        }
    }
    Ok(())
}

pub(super) fn comma(out: &mut String, at: usize) {
    if at > 0 {
        out.push(',');
    }
}

/// A text in JSON.
pub(super) fn string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|character: char| character < ' ' || character == '"' || character == '\\') {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            other => {
                let _ = write!(out, "\\u{other:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// What went wrong, as a server tells it.
#[derive(Debug, Deserialize)]
pub(super) struct Fault {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) code: Option<String>,
}

/// A fault as the refusal of a whole request; some servers call the message otherwise.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    #[serde(default, alias = "error")]
    pub(super) message: Option<String>,
    #[serde(default)]
    pub(super) code: Option<String>,
}

/// The answer to a pipeline.
#[derive(Debug, Deserialize)]
pub(super) struct Pipeline {
    pub(super) baton: Option<String>,
    #[serde(default)]
    pub(super) base_url: Option<String>,
    pub(super) results: Vec<Outcome>,
}

/// The first line of a cursor's answer.
#[derive(Debug, Deserialize)]
pub(super) struct CursorHead {
    pub(super) baton: Option<String>,
    #[serde(default)]
    pub(super) base_url: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Outcome {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) response: Option<Response>,
    #[serde(default)]
    pub(super) error: Option<Fault>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Response {
    #[serde(default)]
    pub(super) result: Option<Done>,
    #[serde(default)]
    pub(super) is_autocommit: Option<bool>,
}

/// What a statement did, or a batch.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Done {
    #[serde(default)]
    pub(super) affected_row_count: u64,
    #[serde(default)]
    pub(super) last_insert_rowid: Option<String>,
    #[serde(default)]
    pub(super) step_results: Vec<Option<Done>>,
    #[serde(default)]
    pub(super) step_errors: Vec<Option<Fault>>,
}

impl Done {
    pub(super) fn rowid(&self) -> Option<i64> {
        self.last_insert_rowid.as_ref()?.parse().ok()
    }
}

/// A line of a cursor's answer.
#[derive(Debug, Deserialize)]
pub(super) struct Entry<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(default, borrow)]
    pub(super) row: Vec<Cell<'a>>,
    #[serde(default, borrow)]
    pub(super) cols: Vec<Column<'a>>,
    #[serde(default)]
    pub(super) error: Option<Fault>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Column<'a> {
    #[serde(default, borrow)]
    pub(super) name: Option<Cow<'a, str>>,
}

/// A value as it comes.
#[derive(Debug, Deserialize)]
pub(super) struct Cell<'a> {
    #[serde(rename = "type", borrow)]
    kind: Kind<'a>,
    #[serde(default, borrow)]
    value: Option<Scalar<'a>>,
    #[serde(default, borrow)]
    base64: Option<Text<'a>>,
}

/// A text that lies in the answer, unless something in it is escaped. (A plain `Cow` would be copied.)
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

type Kind<'a> = Cow<'a, str>;

#[derive(Debug)]
enum Scalar<'a> {
    Text(Cow<'a, str>),
    Real(f64),
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or a number")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_string<E: Error>(self, text: String) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Owned(text)))
            }
            fn visit_f64<E: Error>(self, real: f64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Real(real))
            }
            fn visit_i64<E: Error>(self, integer: i64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Real(integer as f64))
            }
            fn visit_u64<E: Error>(self, integer: u64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Real(integer as f64))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A value as it is handed on.
#[derive(Debug)]
pub(super) enum Held<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(Cow<'a, str>),
    Blob(Vec<u8>),
}

impl Held<'_> {
    pub(super) fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(integer) => ValueRef::Integer(*integer),
            Self::Real(real) => ValueRef::Real(*real),
            Self::Text(text) => ValueRef::Text(text),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }
    }

    /// The bytes that it holds outside itself.
    pub(super) fn payload_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
            _ => 0,
        }
    }
}

impl<'a> Cell<'a> {
    /// The value, or what is wrong with it.
    pub(super) fn hold(self) -> Result<Held<'a>, String> {
        Ok(match (&*self.kind, self.value, self.base64) {
            ("null", None, None) => Held::Null,
            ("integer", Some(Scalar::Text(digits)), None) => {
                Held::Integer(digits.parse().map_err(|_| "an integer that is none of 64 bits".to_owned())?)
            }
            ("float", Some(Scalar::Real(real)), None) => Held::Real(real),
            // JSON has no infinite numbers, and writes null for them.
            ("float", None, None) => return Err("a number that JSON has no way to write".to_owned()),
            ("text", Some(Scalar::Text(text)), None) => Held::Text(text),
            ("blob", None, Some(Text(text))) => {
                Held::Blob(BASE64.decode(text.as_bytes()).map_err(|error| format!("a blob that is none: {error}"))?)
            }
            (other, ..) => return Err(format!("a value of type {:?} that is none", excerpt(other))),
        })
    }
}

/// As much of a text as a message may repeat.
pub(super) fn excerpt(text: &str) -> &str {
    const MOST: usize = 1024;
    let mut end = text.len().min(MOST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// What a server's error means here.
pub(super) fn error(fault: Fault) -> StoreError {
    let message = excerpt(&fault.message).to_owned();
    let code = fault.code.as_deref().unwrap_or_default();
    if let Some(number) = crate::code::of_name(code) {
        return StoreError::Sqlite { code: number, name: crate::code::name(number), message, offset: None };
    }
    let sqlite = |code: i32, message| StoreError::Sqlite { code, name: crate::code::name(code), message, offset: None };
    match code {
        "SQL_NO_STATEMENT" => StoreError::EmptySql,
        // A server's name for SQLite's most common code, `SQLITE_ERROR`.
        "SQL_PARSE_ERROR" | "SQL_INPUT_ERROR" | "SQLITE_UNKNOWN" => sqlite(1, message),
        "TRANSACTION_BUSY" => sqlite(5, message),
        "" => StoreError::Server { name: "server", message },
        code => match name(code) {
            Some(name) => StoreError::Server { name, message },
            None => StoreError::Server { name: "server", message: format!("{message} [{}]", excerpt(code)) },
        },
    }
}

/// The names that codes have here. The codes are not settled by the protocol: those that are not known keep their place in the message.
fn name(code: &str) -> Option<&'static str> {
    const NAMES: &[(&str, &str)] = &[
        ("ARGS_BOTH_POSITIONAL_AND_NAMED", "args_invalid"),
        ("ARGS_INVALID", "args_invalid"),
        ("BLOCKED", "blocked"),
        ("PROXY_ERROR", "proxy"),
        ("RESPONSE_TOO_LARGE", "response_too_large"),
        ("SQL_MANY_STATEMENTS", "multiple_statements"),
        ("STREAM_EXPIRED", "stream_expired"),
        ("TRANSACTION_TIMEOUT", "transaction_timeout"),
    ];
    NAMES.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}
