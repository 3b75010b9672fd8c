//! A JSON writer of a page: objects and arrays in the order in which they are written, so that the same scene
//! is the same text. Never reads JSON, and expects numbers to be finite.

use std::fmt::Write as _;

use crate::{Extra, Extras};

/// Text under construction. Puts the commas itself.
pub(super) struct Json {
    text: String,
    comma: bool,
}

impl Json {
    pub(super) fn new() -> Self {
        Self { text: String::new(), comma: false }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    /// An object as the next value.
    pub(super) fn object(&mut self, inside: impl FnOnce(&mut Self)) {
        self.nested('{', '}', inside);
    }

    /// An array as the next value.
    pub(super) fn array(&mut self, inside: impl FnOnce(&mut Self)) {
        self.nested('[', ']', inside);
    }

    /// A key; its value must follow.
    pub(super) fn key(&mut self, key: &str) -> &mut Self {
        self.text(key);
        self.text.push(':');
        self.comma = false;
        self
    }

    /// An array of values under a key.
    pub(super) fn list<T>(&mut self, key: &str, items: impl IntoIterator<Item = T>, each: impl Fn(&mut Self, T)) {
        self.key(key).array(|json| {
            for item in items {
                each(json, item);
            }
        });
    }

    /// A string, escaped.
    pub(super) fn text(&mut self, text: &str) {
        self.separate();
        self.text.push('"');
        // Nearly all text is without anything to escape, and is copied whole.
        let mut rest = text;
        while let Some(at) = rest.find(|c| c == '"' || c == '\\' || c < ' ') {
            self.text.push_str(&rest[..at]);
            match rest.as_bytes()[at] {
                quoted @ (b'"' | b'\\') => self.text.extend(['\\', char::from(quoted)]),
                control => self.push(format_args!("\\u{control:04x}")),
            }
            rest = &rest[at + 1..];
        }
        self.text.push_str(rest);
        self.text.push('"');
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.literal(if value { "true" } else { "false" });
    }

    pub(super) fn integer(&mut self, value: u64) {
        self.separate();
        self.push(format_args!("{value}"));
    }

    /// The shortest decimal that reads back as the same f32.
    pub(super) fn f32(&mut self, value: f32) {
        self.separate();
        self.text.push_str(zmij::Buffer::new().format_finite(value));
        self.trim();
    }

    /// The shortest decimal that reads back as the same f64.
    pub(super) fn f64(&mut self, value: f64) {
        self.separate();
        self.text.push_str(zmij::Buffer::new().format_finite(value));
        self.trim();
    }

    /// A JSON value.
    pub(super) fn extra(&mut self, extra: &Extra) {
        match extra {
            Extra::Null => self.literal("null"),
            Extra::Bool(value) => self.bool(*value),
            Extra::Integer(value) => {
                self.separate();
                self.push(format_args!("{value}"));
            }
            Extra::Number(value) => self.f64(*value),
            Extra::Text(text) => self.text(text),
            Extra::List(items) => self.array(|json| items.iter().for_each(|item| json.extra(item))),
            Extra::Map(extras) => self.extras(extras),
        }
    }

    /// An object of JSON values.
    pub(super) fn extras(&mut self, extras: &Extras) {
        self.object(|json| {
            for (key, extra) in extras {
                json.key(key).extra(extra);
            }
        });
    }

    /// `1.0` says no more than `1`.
    fn trim(&mut self) {
        if self.text.ends_with(".0") {
            self.text.truncate(self.text.len() - 2);
        }
    }

    fn literal(&mut self, text: &str) {
        self.separate();
        self.text.push_str(text);
    }

    fn nested(&mut self, open: char, close: char, inside: impl FnOnce(&mut Self)) {
        self.separate();
        self.text.push(open);
        self.comma = false;
        inside(self);
        self.text.push(close);
        self.comma = true;
    }

    fn separate(&mut self) {
        if self.comma {
            self.text.push(',');
        }
        self.comma = true;
    }

    fn push(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.text.write_fmt(arguments);
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    fn text(write: impl FnOnce(&mut Json)) -> String {
        let mut json = Json::new();
        write(&mut json);
        json.finish()
    }

    #[test]
    fn numbers_read_back_as_the_same_bits() {
        for value in [0.1f32, -0.0, 1.0, 16_777_217.0, f32::MAX, f32::MIN_POSITIVE, 1e-45, 64.015625] {
            let read: f32 = text(|json| json.f32(value)).parse().unwrap();
            assert_eq!(read.to_bits(), value.to_bits(), "{value}");
            let through: serde_json::Value = serde_json::from_str(&text(|json| json.f32(value))).unwrap();
            assert_eq!(through.as_f64().unwrap() as f32, value);
        }
        assert_eq!(text(|json| json.f32(64.0)), "64");
        assert_eq!(text(|json| json.f64(0.25)), "0.25");
    }

    #[test]
    fn any_string_reads_back() {
        let all: String = (0u32..0x2100).filter_map(char::from_u32).collect();
        let read: String = serde_json::from_str(&text(|json| json.text(&all))).unwrap();
        assert_eq!(read, all);
    }

    #[test]
    fn commas_are_between_values_only() {
        let written = text(|json| {
            json.object(|json| {
                json.list("a", [1, 2], |json, n| json.integer(n));
                json.key("b").object(|_| {});
                json.key("c").bool(true);
            });
        });
        assert_eq!(written, r#"{"a":[1,2],"b":{},"c":true}"#);
    }
}
