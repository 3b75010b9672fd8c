//! `CREATE FUNCTION` and `DROP FUNCTION`, as libSQL has them:
//!
//! ```text
//! CREATE [OR REPLACE] FUNCTION [IF NOT EXISTS] name LANGUAGE wasm [DETERMINISTIC] AS 'wat' | X'wasm' | parameter
//! DROP FUNCTION [IF EXISTS] name
//! ```
//!
//! `OR REPLACE`, `DETERMINISTIC` and parameters are ours. SQLite's own parser knows the rest, but what libSQL does there is not ours to keep:
//! it makes a table while parsing, and frees a dropped function under statements that are prepared. So each of these becomes an
//! ordinary statement on the table of functions, and is as atomic as any other.

use std::ops::Range;

/// A statement on functions. The ranges are bytes of the SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ddl {
    Create { name: String, replace: bool, if_not_exists: bool, deterministic: bool, body: Range<usize> },
    Drop { name: String, if_exists: bool },
}

/// What SQLite would say: there is something else than the grammar has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    pub(crate) offset: usize,
}

/// Reads the statement that begins at byte `at` of `sql`, if it is one on functions; also answers where the next begins.
pub(crate) fn parse(sql: &str, at: usize) -> Result<Option<(Ddl, usize)>, SyntaxError> {
    let mut tokens = Tokens { sql, at };
    let first = tokens.next();
    let creates = first.is_word("CREATE");
    if !creates && !first.is_word("DROP") {
        return Ok(None);
    }
    let mut second = tokens.next();
    let mut replace = false;
    if creates && second.is_word("OR") {
        if !tokens.next().is_word("REPLACE") {
            return Ok(None);
        }
        replace = true;
        second = tokens.next();
    }
    if !second.is_word("FUNCTION") {
        return Ok(None);
    }
    let ddl = if creates { create(&mut tokens, replace)? } else { drop_function(&mut tokens)? };
    let end = tokens.next();
    match end.kind {
        Kind::End | Kind::Semicolon => Ok(Some((ddl, end.range.end))),
        _ => Err(end.unexpected(sql)),
    }
}

fn create(tokens: &mut Tokens<'_>, replace: bool) -> Result<Ddl, SyntaxError> {
    let mut token = tokens.next();
    let mut if_not_exists = false;
    if token.is_word("IF") {
        tokens.expect("NOT")?;
        tokens.expect("EXISTS")?;
        if_not_exists = true;
        token = tokens.next();
    }
    let name = token.name(tokens.sql)?;
    tokens.expect("LANGUAGE")?;
    let language = tokens.next();
    if !language.name(tokens.sql)?.eq_ignore_ascii_case("wasm") {
        let message = "the only language of functions is \"wasm\"".to_owned();
        return Err(SyntaxError { message, offset: language.range.start });
    }
    let mut token = tokens.next();
    let deterministic = token.is_word("DETERMINISTIC");
    if deterministic {
        token = tokens.next();
    }
    if !token.is_word("AS") {
        return Err(token.unexpected(tokens.sql));
    }
    let body = tokens.next();
    match body.kind {
        Kind::Text | Kind::Blob | Kind::Parameter => {
            Ok(Ddl::Create { name, replace, if_not_exists, deterministic, body: body.range })
        }
        _ => Err(body.unexpected(tokens.sql)),
    }
}

fn drop_function(tokens: &mut Tokens<'_>) -> Result<Ddl, SyntaxError> {
    let mut token = tokens.next();
    let mut if_exists = false;
    if token.is_word("IF") {
        tokens.expect("EXISTS")?;
        if_exists = true;
        token = tokens.next();
    }
    Ok(Ddl::Drop { name: token.name(tokens.sql)?, if_exists })
}

/// Kinds of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    /// `'...'`
    Text,
    /// `"..."`, `` `...` `` or `[...]`
    Quoted,
    /// `X'...'`
    Blob,
    Parameter,
    Semicolon,
    Other,
    End,
}

pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) range: Range<usize>,
    pub(crate) text: &'a str,
}

impl Token<'_> {
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// The name that it is, without quotes.
    pub(crate) fn name(&self, sql: &str) -> Result<String, SyntaxError> {
        let within = |text: &str| text.get(1..text.len() - 1).unwrap_or_default().to_owned();
        let name = match self.kind {
            Kind::Word => self.text.to_owned(),
            Kind::Quoted if self.text.starts_with('[') => within(self.text),
            Kind::Quoted | Kind::Text => {
                let quote = &self.text[..1];
                within(self.text).replace(&quote.repeat(2), quote)
            }
            _ => return Err(self.unexpected(sql)),
        };
        if name.is_empty() { Err(self.unexpected(sql)) } else { Ok(name) }
    }

    fn unexpected(&self, sql: &str) -> SyntaxError {
        let message = match self.kind {
            Kind::End => "incomplete input".to_owned(),
            _ => {
                // As SQLite, which shows the token; a body may have megabytes.
                let end = self.text.char_indices().nth(40).map_or(self.text.len(), |(end, _)| end);
                format!("near \"{}\": syntax error", &self.text[..end])
            }
        };
        SyntaxError { message, offset: self.range.start.min(sql.len()) }
    }
}

/// Reads SQL's tokens, blanks and comments left out.
pub(crate) struct Tokens<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(sql: &'a str) -> Self {
        Self { sql, at: 0 }
    }

    fn expect(&mut self, word: &str) -> Result<(), SyntaxError> {
        let token = self.next();
        if token.is_word(word) { Ok(()) } else { Err(token.unexpected(self.sql)) }
    }

    pub(crate) fn next(&mut self) -> Token<'a> {
        self.skip_blanks();
        let rest = self.rest();
        let Some(first) = rest.bytes().next() else { return self.take(Kind::End, 0) };
        let second = rest.as_bytes().get(1).copied();
        match first {
            b'\'' => self.quoted(Kind::Text, 0, b'\''),
            b'"' | b'`' => self.quoted(Kind::Quoted, 0, first),
            b'[' => match rest.find(']') {
                Some(end) => self.take(Kind::Quoted, end + 1),
                None => self.take(Kind::Other, rest.len()),
            },
            b'x' | b'X' if second == Some(b'\'') => self.quoted(Kind::Blob, 1, b'\''),
            b'?' | b':' | b'@' | b'$' => {
                let name = rest.bytes().skip(1).take_while(|byte| is_word_byte(*byte)).count();
                self.take(if first == b'?' || name > 0 { Kind::Parameter } else { Kind::Other }, 1 + name)
            }
            b';' => self.take(Kind::Semicolon, 1),
            byte if is_word_byte(byte) => {
                let length = rest.bytes().take_while(|byte| is_word_byte(*byte)).count();
                self.take(if byte.is_ascii_digit() { Kind::Other } else { Kind::Word }, length)
            }
            _ => self.take(Kind::Other, 1),
        }
    }

    fn rest(&self) -> &'a str {
        self.sql.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, kind: Kind, length: usize) -> Token<'a> {
        let start = self.at.min(self.sql.len());
        self.at = start + length;
        Token { kind, range: start..self.at, text: &self.sql[start..self.at] }
    }

    /// A token that ends with a quote, which stands twice where it is meant.
    fn quoted(&mut self, kind: Kind, prefix: usize, quote: u8) -> Token<'a> {
        let bytes = self.rest().as_bytes();
        let mut at = prefix + 1;
        loop {
            let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == quote)) else {
                return self.take(Kind::Other, bytes.len());
            };
            at += found + 1;
            if bytes.get(at) != Some(&quote) {
                return self.take(kind, at);
            }
            at += 1;
        }
    }

    /// Past blanks and comments.
    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\x0c', '\r']);
            self.at += rest.len() - trimmed.len();
            let comment = if trimmed.starts_with("--") {
                trimmed.find('\n').map_or(trimmed.len(), |end| end + 1)
            } else if trimmed.starts_with("/*") {
                trimmed.get(2..).and_then(|rest| rest.find("*/")).map_or(trimmed.len(), |end| end + 4)
            } else {
                return;
            };
            self.at += comment;
        }
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Ddl, parse};

    fn created(name: &str, body: &str) -> (String, Ddl) {
        let sql = format!("CREATE FUNCTION {name} LANGUAGE wasm AS {body}");
        let at = sql.len() - body.len();
        let name = name.trim_matches(['"', '`', '[', ']', '\'']).to_owned();
        let create =
            Ddl::Create { name, replace: false, if_not_exists: false, deterministic: false, body: at..sql.len() };
        (sql, create)
    }

    #[test]
    fn libsqls_grammar_is_read() {
        for name in ["fibonacci", "Größe", "\"f g\"", "`f`", "[f]", "'f'"] {
            for body in ["'(module)'", "X'0061736d'", "x''", "'it''s'", "?", "?1", ":body", "@b", "$b"] {
                let (sql, ddl) = created(name, body);
                assert_eq!(parse(&sql, 0), Ok(Some((ddl.clone(), sql.len()))), "{sql}");
                let more = format!("{sql} ; SELECT 1");
                assert_eq!(parse(&more, 0), Ok(Some((ddl, sql.len() + 2))), "{more}");
            }
        }
        let drops = |sql, if_exists| {
            assert_eq!(parse(sql, 0), Ok(Some((Ddl::Drop { name: "f".into(), if_exists }, sql.len()))), "{sql}");
        };
        drops("DROP FUNCTION f", false);
        drops(" /* a */ drop -- b\n function if exists \"f\";", true);
    }

    #[test]
    fn our_words_are_read() {
        let sql = "create or replace function if not exists f language WASM deterministic as 'x'";
        let Ok(Some((Ddl::Create { replace, if_not_exists, deterministic, .. }, _))) = parse(sql, 0) else {
            panic!("{sql} is read");
        };
        assert!(replace && if_not_exists && deterministic);
    }

    #[test]
    fn what_is_about_other_things_is_left_alone() {
        for sql in ["", "SELECT 1", "CREATE TABLE function (a)", "DROP TABLE f", "CREATE OR", "create", "CREATE OR x"] {
            assert_eq!(parse(sql, 0), Ok(None), "{sql}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (sql, message, offset) in [
            ("CREATE FUNCTION", "incomplete input", 15),
            ("CREATE FUNCTION f LANGUAGE lua AS ''", "the only language of functions is \"wasm\"", 27),
            ("CREATE FUNCTION f LANGUAGE wasm AS 7", "near \"7\": syntax error", 35),
            ("CREATE FUNCTION f LANGUAGE wasm AS 'x", "near \"'x\": syntax error", 35),
            ("CREATE FUNCTION f (a) LANGUAGE wasm AS ''", "near \"(\": syntax error", 18),
            ("DROP FUNCTION f g", "near \"g\": syntax error", 16),
            ("DROP FUNCTION ''", "near \"''\": syntax error", 14),
        ] {
            let error = parse(sql, 0).unwrap_err();
            assert_eq!((error.message.as_str(), error.offset), (message, offset), "{sql}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(sql in "(CREATE|DROP|OR|FUNCTION|IF|NOT|EXISTS|LANGUAGE|wasm|AS|'|\"|\\[|--|/\\*|\\*/|x'|é|;|\\?| |\n|[a-z]){0,24}", at in 0usize..8) {
            let at = sql.char_indices().map(|(at, _)| at).nth(at).unwrap_or(0);
            match parse(&sql, at) {
                Ok(Some((_, next))) => prop_assert!(next > at && next <= sql.len()),
                Ok(None) => {}
                Err(error) => prop_assert!(error.offset <= sql.len()),
            }
        }
    }
}
