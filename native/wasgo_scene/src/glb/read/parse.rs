//! A reader of JSON that takes memory in proportion to what it reads, and knows at which byte it stopped.

use std::borrow::Cow;

use super::error::{ReadError, ReadFault};
use crate::{Extra, Extras};

/// Lists and objects around a value.
const DEPTH: usize = 96;

/// A value, borrowing its text where it has no escapes.
#[derive(Debug)]
pub(super) enum Value<'d> {
    Null,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(Cow<'d, str>),
    List(Vec<Value<'d>>),
    Map(Vec<(Cow<'d, str>, Value<'d>)>),
}

impl Value<'_> {
    /// The value as an extra.
    pub(super) fn extra(&self) -> Extra {
        match self {
            Self::Null => Extra::Null,
            Self::Bool(value) => Extra::Bool(*value),
            Self::Integer(value) => Extra::Integer(*value),
            Self::Number(value) => Extra::Number(*value),
            Self::Text(text) => Extra::Text(text.clone().into_owned()),
            Self::List(items) => Extra::List(items.iter().map(Value::extra).collect()),
            Self::Map(fields) => Extra::Map(extras(fields)),
        }
    }
}

/// Fields as extras. Of two with one name the last counts.
pub(super) fn extras(fields: &[(Cow<'_, str>, Value<'_>)]) -> Extras {
    fields.iter().map(|(key, value)| (key.clone().into_owned(), value.extra())).collect()
}

/// Reads a whole text of at most `values` values. `first` is the place of its first byte in the file.
pub(super) fn parse(text: &[u8], first: usize, values: usize) -> Result<Value<'_>, ReadError> {
    let mut parser = Parser { text, at: 0, limit: values, left: values };
    parser.all().map_err(|fault| fault.at_byte(first + parser.at))
}

struct Parser<'d> {
    text: &'d [u8],
    at: usize,
    limit: usize,
    left: usize,
}

const fn expected<T>(expected: &'static str) -> Result<T, ReadFault> {
    Err(ReadFault::Syntax { expected })
}

impl<'d> Parser<'d> {
    fn all(&mut self) -> Result<Value<'d>, ReadFault> {
        let value = self.value(0)?;
        self.space();
        if self.at < self.text.len() { expected("the end of the JSON") } else { Ok(value) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes this byte, after white space.
    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn value(&mut self, depth: usize) -> Result<Value<'d>, ReadFault> {
        let limit = self.limit as u64;
        self.left = self.left.checked_sub(1).ok_or(ReadFault::TooMany {
            what: "values of the JSON",
            count: limit + 1,
            limit,
        })?;
        if depth > DEPTH {
            let (count, limit) = (depth as u64, DEPTH as u64);
            return Err(ReadFault::TooMany { what: "lists and objects around a value", count, limit });
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true", Value::Bool(true)),
            Some(b'f') => self.word(b"false", Value::Bool(false)),
            Some(b'n') => self.word(b"null", Value::Null),
            _ => expected("a JSON value"),
        }
    }

    fn word(&mut self, word: &[u8], value: Value<'d>) -> Result<Value<'d>, ReadFault> {
        if !self.text[self.at..].starts_with(word) {
            return expected("a JSON value");
        }
        self.at += word.len();
        Ok(value)
    }

    fn list(&mut self, depth: usize) -> Result<Value<'d>, ReadFault> {
        self.at += 1;
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.take(b']') {
                items.shrink_to_fit();
                return Ok(Value::List(items));
            }
            if !self.take(b',') {
                return expected("a comma or the end of the list");
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value<'d>, ReadFault> {
        self.at += 1;
        let mut fields = Vec::new();
        if self.take(b'}') {
            return Ok(Value::Map(fields));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return expected("a key");
            }
            let key = self.string()?;
            if !self.take(b':') {
                return expected("a colon");
            }
            fields.push((key, self.value(depth + 1)?));
            if self.take(b'}') {
                fields.shrink_to_fit();
                return Ok(Value::Map(fields));
            }
            if !self.take(b',') {
                return expected("a comma or the end of the object");
            }
        }
    }

    fn string(&mut self) -> Result<Cow<'d, str>, ReadFault> {
        self.at += 1;
        let text = self.text;
        let mut start = self.at;
        let mut owned = String::new();
        loop {
            match self.peek() {
                None => return expected("the end of the text"),
                Some(b'"') => {
                    let rest = utf8(&text[start..self.at])?;
                    self.at += 1;
                    if owned.is_empty() {
                        return Ok(Cow::Borrowed(rest));
                    }
                    owned.push_str(rest);
                    return Ok(Cow::Owned(owned));
                }
                Some(b'\\') => {
                    owned.push_str(utf8(&text[start..self.at])?);
                    self.at += 1;
                    owned.push(self.escape()?);
                    start = self.at;
                }
                Some(0..=0x1F) => return expected("text without control characters"),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, ReadFault> {
        let byte = self.peek();
        self.at += 1;
        Ok(match byte {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{C}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return expected("an escape that JSON has"),
        })
    }

    fn unicode(&mut self) -> Result<char, ReadFault> {
        let first = self.hex()?;
        let code = if (0xD800..0xDC00).contains(&first) {
            if !self.text[self.at..].starts_with(b"\\u") {
                return expected("the second half of a surrogate pair");
            }
            self.at += 2;
            let second = self.hex()?;
            if !(0xDC00..0xE000).contains(&second) {
                return expected("the second half of a surrogate pair");
            }
            0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
        } else {
            first
        };
        char::from_u32(code).map_or_else(|| expected("a character"), Ok)
    }

    fn hex(&mut self) -> Result<u32, ReadFault> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else { return expected("four hexadecimal digits") };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<Value<'d>, ReadFault> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let zero = self.peek() == Some(b'0');
        let digits = self.digits()?;
        if zero && digits > 1 {
            return expected("a number without zeros before it");
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
            whole = false;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
            whole = false;
        }
        let text = utf8(&self.text[start..self.at])?;
        // -0 is no integer that would stay what it is.
        if whole && let (Ok(value), false) = (text.parse::<i64>(), text == "-0") {
            return Ok(Value::Integer(value));
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Value::Number(value)),
            _ => expected("a number that is not larger than any float"),
        }
    }

    fn digits(&mut self) -> Result<usize, ReadFault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { expected("a digit") } else { Ok(self.at - start) }
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, ReadFault> {
    std::str::from_utf8(bytes).map_or_else(|_| expected("UTF-8"), Ok)
}

#[cfg(test)]
mod tests {
    use super::{Extra, parse};
    use proptest::prelude::*;
    use serde_json::Value as Json;

    fn same(extra: &Extra, json: &Json) -> bool {
        match (extra, json) {
            (Extra::Null, Json::Null) => true,
            (Extra::Bool(one), Json::Bool(other)) => one == other,
            (Extra::Integer(one), Json::Number(other)) => other.as_i64() == Some(*one),
            (Extra::Number(one), Json::Number(other)) => {
                other.as_f64().is_some_and(|other| (one - other).abs() <= one.abs() * 1e-15)
            }
            (Extra::Text(one), Json::String(other)) => one == other,
            (Extra::List(one), Json::Array(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
            }
            (Extra::Map(one), Json::Object(other)) => {
                one.len() == other.len() && one.iter().all(|(key, one)| other.get(key).is_some_and(|o| same(one, o)))
            }
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn any_text_is_read_or_refused_as_another_reader_does(
            text in r#"[ \[\]{},:"\\ubtn0-9a-f.eE+\-]{0,24}|\{"a":[0-9.\-eE]{1,6}\}|"(\\u[dD][89c][0-9]{2}){1,2}""#
        ) {
            let other: Result<Json, _> = serde_json::from_str(&text);
            let own = parse(text.as_bytes(), 0, 1_000);
            prop_assert_eq!(own.is_ok(), other.is_ok(), "{}: {:?}, {:?}", text, own, other);
            if let (Ok(own), Ok(other)) = (own, other) {
                prop_assert!(same(&own.extra(), &other), "{}", text);
            }
        }
    }

    #[test]
    fn nothing_is_taken_for_more_values_or_depth_than_allowed() {
        assert!(parse(b"[1,2,3]", 0, 4).is_ok());
        let error = parse(b"[1,2,3]", 100, 3).unwrap_err();
        assert_eq!(error.place, "byte 105");
        assert!(parse("[".repeat(1_000_000).as_bytes(), 0, 10_000_000).is_err());
    }
}
