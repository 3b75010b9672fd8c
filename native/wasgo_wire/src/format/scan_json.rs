//! Where values of JSON end: brackets, quotes, and what is neither.

use serde::{Deserialize, Serialize};

use super::error::DecodeReason;
use super::json_text;

/// The state between two bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct JsonScan {
    /// Brackets that are open.
    depth: u32,
    within: Within,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
enum Within {
    #[default]
    Nothing,
    Text,
    /// After a backslash.
    Escape,
    /// A number or a word that is in no container.
    Scalar,
}

impl JsonScan {
    /// Whether a number or a word has begun, which nothing but what follows ends.
    pub(super) fn in_scalar(&self) -> bool {
        self.within == Within::Scalar
    }

    /// Uses some bytes: how many, and whether a value ends with them. None are used when a number ends before them.
    pub(super) fn next(&mut self, bytes: &[u8], max_depth: u32) -> Result<(usize, bool), DecodeReason> {
        match self.within {
            Within::Nothing => self.begin(bytes, max_depth),
            Within::Text => Ok(self.text(bytes)),
            Within::Escape => {
                self.within = Within::Text;
                Ok((1, false))
            }
            Within::Scalar => {
                let is_end =
                    |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b'[' | b'{' | b'"' | b']' | b'}');
                match bytes.iter().position(is_end) {
                    Some(end) => {
                        self.within = Within::Nothing;
                        Ok((end, true))
                    }
                    None => Ok((bytes.len(), false)),
                }
            }
        }
    }

    /// Anything but a text.
    fn begin(&mut self, bytes: &[u8], max_depth: u32) -> Result<(usize, bool), DecodeReason> {
        for (place, byte) in bytes.iter().enumerate() {
            match byte {
                b'"' => {
                    self.within = Within::Text;
                    return Ok((place + 1, false));
                }
                b'[' | b'{' => {
                    if self.depth >= max_depth {
                        return Err(DecodeReason::TooDeep { limit: max_depth - 1 });
                    }
                    self.depth += 1;
                }
                b']' | b'}' => {
                    if self.depth <= 1 {
                        self.depth = 0;
                        return Ok((place + 1, true));
                    }
                    self.depth -= 1;
                }
                _ if self.depth == 0 => {
                    self.within = Within::Scalar;
                    return Ok((place + 1, false));
                }
                _ => {}
            }
        }
        Ok((bytes.len(), false))
    }

    fn text(&mut self, bytes: &[u8]) -> (usize, bool) {
        let plain = json_text::plain(bytes);
        match bytes.get(plain) {
            Some(b'"') => {
                self.within = Within::Nothing;
                (plain + 1, self.depth == 0)
            }
            Some(b'\\') => {
                self.within = Within::Escape;
                (plain + 1, false)
            }
            Some(_) => (plain + 1, false),
            None => (bytes.len(), false),
        }
    }
}
