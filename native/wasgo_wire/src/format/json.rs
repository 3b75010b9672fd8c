//! The decoder of JSON (RFC 8259): serde's `Deserializer`, within bounds.
//!
//! `serde_json` reads an integer of more than 64 bits as a float, which loses digits and says nothing. This one reads 128 bits and
//! refuses what is larger; and it tells where in the input an error is.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::error::{DecodeError, DecodeReason};
use super::json_text;
use super::limits::Limits;

/// One value at the start of the input, after white space.
pub(super) struct Json<'de> {
    text: &'de str,
    at: usize,
    depth: u32,
    values: u64,
    limits: Limits,
    /// A text whose escapes are undone.
    plain: String,
}

/// What has to be where a type of Rust wants no more.
const CLOSED: &str = "the end of a list or map";

type Result<T> = std::result::Result<T, DecodeError>;

impl<'de> Json<'de> {
    /// # Errors
    /// If the input is not UTF-8.
    pub(super) fn new(input: &'de [u8], limits: &Limits) -> Result<Self> {
        let text = str::from_utf8(input).map_err(|wrong| DecodeReason::NotUtf8.at(wrong.valid_up_to()))?;
        Ok(Self { text, at: 0, depth: 0, values: 0, limits: *limits, plain: String::new() })
    }

    /// Bytes used so far, and the white space after them.
    pub(super) fn used(&mut self) -> usize {
        self.space();
        self.at
    }

    #[inline]
    fn bytes(&self) -> &'de [u8] {
        self.text.as_bytes()
    }

    #[inline]
    fn space(&mut self) {
        let bytes = self.bytes();
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// The next byte that is no white space.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        self.space();
        self.bytes().get(self.at).copied()
    }

    /// Something else had to be here.
    #[cold]
    fn wrong(&self, expected: &'static str) -> DecodeError {
        match self.bytes().len() - self.at {
            0 => DecodeReason::Truncated { needed: 1, left: 0 }.at(self.at),
            _ => DecodeReason::Syntax(expected).at(self.at),
        }
    }

    #[inline]
    fn any<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let next = self.peek();
        self.values += 1;
        if self.values > self.limits.max_values {
            return Err(DecodeReason::TooMany { limit: self.limits.max_values }.at(self.at));
        }
        match next {
            Some(b'"') => self.string(visitor),
            Some(b'-' | b'0'..=b'9') => self.number(visitor),
            Some(b'[') => self.container(b']', |elements| visitor.visit_seq(elements)),
            Some(b'{') => self.container(b'}', |elements| visitor.visit_map(elements)),
            Some(b't') => self.literal("true").and_then(|()| visitor.visit_bool(true)),
            Some(b'f') => self.literal("false").and_then(|()| visitor.visit_bool(false)),
            Some(b'n') => self.literal("null").and_then(|()| visitor.visit_unit()),
            _ => Err(self.wrong("a value")),
        }
    }

    fn literal(&mut self, word: &'static str) -> Result<()> {
        let left = &self.bytes()[self.at..];
        if left.starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(())
        } else if word.as_bytes().starts_with(left) {
            Err(DecodeReason::Truncated { needed: word.len() as u64, left: left.len() }.at(self.at))
        } else {
            Err(self.wrong("a value"))
        }
    }

    #[inline]
    fn container<T>(&mut self, close: u8, read: impl FnOnce(&mut Elements<'_, 'de>) -> Result<T>) -> Result<T> {
        if self.depth >= self.limits.max_depth {
            return Err(DecodeReason::TooDeep { limit: self.limits.max_depth }.at(self.at));
        }
        self.at += 1;
        self.depth += 1;
        let mut elements = Elements { json: self, first: true, closed: false };
        let value = read(&mut elements)?;
        // A type of Rust that wants so many has not asked whether there are more.
        if !elements.closed && elements.more(close, CLOSED)? {
            return Err(self.wrong(CLOSED));
        }
        self.depth -= 1;
        Ok(value)
    }

    #[inline]
    fn string<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let start = self.at + 1;
        let end = start + json_text::plain(&self.bytes()[start..]);
        if let Some(b'"') = self.bytes().get(end) {
            self.at = end + 1;
            return visitor.visit_borrowed_str(&self.text[start..end]);
        }
        self.plain.clear();
        self.at = json_text::unescape(self.text, start, &mut self.plain)?;
        visitor.visit_str(&self.plain)
    }

    fn number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let start = self.at;
        let bytes = self.bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut end = start + usize::from(bytes[start] == b'-');
        let whole = digits(end);
        if whole == 0 || (whole > 1 && bytes[end] == b'0') {
            self.at = end;
            return Err(self.wrong("a number as JSON has it"));
        }
        end += whole;
        let mut integer = true;
        if bytes.get(end) == Some(&b'.') {
            integer = false;
            end = self.some_digits(end + 1, digits(end + 1))?;
        }
        if let Some(b'e' | b'E') = bytes.get(end) {
            integer = false;
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let power = (end + 1 + sign).min(bytes.len());
            end = self.some_digits(power, digits(power))?;
        }
        let text = &self.text[start..end];
        self.at = end;
        // So many digits fit 64 bits, whatever they are.
        if integer && whole < 19 {
            let size =
                text.bytes().filter(u8::is_ascii_digit).fold(0, |size, digit| size * 10 + i64::from(digit - b'0'));
            return visitor.visit_i64(if bytes[start] == b'-' { -size } else { size });
        }
        if integer {
            let value: i128 = text.parse().map_err(|_| DecodeReason::IntegerRange { bits: 128 }.at(start))?;
            return match i64::try_from(value) {
                Ok(value) => visitor.visit_i64(value),
                Err(_) => visitor.visit_i128(value),
            };
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => visitor.visit_f64(value),
            _ => Err(DecodeReason::FloatRange.at(start)),
        }
    }

    /// Past digits, of which there has to be one.
    fn some_digits(&mut self, from: usize, count: usize) -> Result<usize> {
        if count == 0 {
            self.at = from;
            return Err(self.wrong("a digit"));
        }
        Ok(from + count)
    }
}

impl<'de> Deserializer<'de> for &mut Json<'de> {
    type Error = DecodeError;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek() {
            Some(b'n') => self.any(visitor),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

/// What is in a list or map, after the bracket.
struct Elements<'e, 'de> {
    json: &'e mut Json<'de>,
    first: bool,
    closed: bool,
}

impl Elements<'_, '_> {
    /// Whether there is another; its comma is used up then, and the closing bracket otherwise.
    #[inline]
    fn more(&mut self, close: u8, expected: &'static str) -> Result<bool> {
        match self.json.peek() {
            Some(byte) if byte == close => {
                self.json.at += 1;
                self.closed = true;
                Ok(false)
            }
            _ if self.first => {
                self.first = false;
                Ok(true)
            }
            Some(b',') => {
                self.json.at += 1;
                Ok(true)
            }
            _ => Err(self.json.wrong(expected)),
        }
    }
}

impl<'de> SeqAccess<'de> for &mut Elements<'_, 'de> {
    type Error = DecodeError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if !self.more(b']', "a comma or ]")? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.json).map(Some)
    }
}

impl<'de> MapAccess<'de> for &mut Elements<'_, 'de> {
    type Error = DecodeError;

    #[inline]
    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if !self.more(b'}', "a comma or }")? {
            return Ok(None);
        }
        match self.json.peek() {
            Some(b'"') => seed.deserialize(&mut *self.json).map(Some),
            _ => Err(self.json.wrong("a key, which is a text")),
        }
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        match self.json.peek() {
            Some(b':') => {
                self.json.at += 1;
                seed.deserialize(&mut *self.json)
            }
            _ => Err(self.json.wrong("a colon")),
        }
    }
}
