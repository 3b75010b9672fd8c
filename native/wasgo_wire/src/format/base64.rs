//! Base64 (RFC 4648, section 4, with padding), for raw bytes in a format that has texts only.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The size of [`encode`]'s text.
pub(super) fn len(bytes: &[u8]) -> usize {
    bytes.len().div_ceil(3).saturating_mul(4)
}

/// The bytes as text.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(len(bytes));
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) as usize & 63;
            text.push(if place > chunk.len() { '=' } else { char::from(ALPHABET[digit]) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{encode, len};

    #[test]
    fn the_examples_of_the_standard() {
        let examples = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (size, text) in examples.into_iter().enumerate() {
            assert_eq!(encode(&b"foobar"[..size]), text);
            assert_eq!(len(&b"foobar"[..size]), text.len());
        }
        assert_eq!(encode(&[0xfb, 0xff]), "+/8=");
    }
}
