//! Texts of JSON.

use super::error::{DecodeError, DecodeReason};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// How many bytes come before the first quote, backslash or control character.
#[inline]
pub(super) fn plain(bytes: &[u8]) -> usize {
    let (words, _) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            return 8 * place + special.trailing_zeros() as usize / 8;
        }
    }
    let start = 8 * words.len();
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..0x20);
    start + bytes[start..].iter().position(is_special).unwrap_or(bytes.len() - start)
}

/// The highest bit of each of eight bytes that is special. Only the first (lowest) one is sure: a borrow may set others above it.
#[inline]
fn special(word: u64) -> u64 {
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero(word ^ (ONES * u64::from(b'"')));
    let backslash = zero(word ^ (ONES * u64::from(b'\\')));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGHS
}

/// Appends the text that begins at `start`, after its quote, to `plain` without its escapes; gives where it ends, after the quote.
pub(super) fn unescape(text: &str, start: usize, plain: &mut String) -> Result<usize, DecodeError> {
    let bytes = text.as_bytes();
    let mut at = start;
    loop {
        let end = at + self::plain(&bytes[at..]);
        plain.push_str(&text[at..end]);
        at = end;
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape(bytes, at, plain)?,
            Some(_) => return Err(DecodeReason::Syntax("an escape in place of a control character").at(at)),
            None => return Err(DecodeReason::Truncated { needed: 1, left: 0 }.at(at)),
        }
    }
}

/// Appends the character of the escape at `at`; gives where it ends.
fn escape(bytes: &[u8], at: usize, plain: &mut String) -> Result<usize, DecodeError> {
    let character = match bytes.get(at + 1) {
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => {
            let (character, end) = unicode(bytes, at)?;
            plain.push(character);
            return Ok(end);
        }
        Some(_) => return Err(DecodeReason::Syntax("an escape as JSON has it").at(at)),
        None => return Err(DecodeReason::Truncated { needed: 2, left: 1 }.at(at)),
    };
    plain.push(character);
    Ok(at + 2)
}

/// A character by its number; one beyond 16 bits is two escapes.
fn unicode(bytes: &[u8], at: usize) -> Result<(char, usize), DecodeError> {
    let first = unit(bytes, at)?;
    if let Some(character) = char::from_u32(first) {
        return Ok((character, at + 6));
    }
    let lone = || DecodeReason::Syntax("both halves of a surrogate pair").at(at);
    if first >= 0xdc00 {
        return Err(lone());
    }
    match bytes.get(at + 6..at + 8) {
        Some(b"\\u") => {}
        Some(_) => return Err(lone()),
        None => return Err(DecodeReason::Truncated { needed: 12, left: bytes.len() - at }.at(at)),
    }
    let second = unit(bytes, at + 6)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err(lone());
    }
    let character = char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or_else(lone)?;
    Ok((character, at + 12))
}

/// The four hexadecimal digits of the escape at `at`.
fn unit(bytes: &[u8], at: usize) -> Result<u32, DecodeError> {
    let Some(digits) = bytes.get(at + 2..at + 6) else {
        return Err(DecodeReason::Truncated { needed: 6, left: bytes.len() - at }.at(at));
    };
    let digit = |value: u32, digit: &u8| Some(value << 4 | char::from(*digit).to_digit(16)?);
    digits.iter().try_fold(0, digit).ok_or_else(|| DecodeReason::Syntax("four hexadecimal digits").at(at))
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn every_place_of_every_byte_is_found() {
        for length in 0..20 {
            for place in 0..length {
                for byte in 0..=255 {
                    let mut bytes = vec![b'x'; length];
                    bytes[place] = byte;
                    let special = byte == b'"' || byte == b'\\' || byte < 0x20;
                    assert_eq!(plain(&bytes), if special { place } else { length }, "{byte} at {place} of {length}");
                }
            }
        }
    }
}
