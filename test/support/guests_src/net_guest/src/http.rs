//! A server of HTTP that answers what its path says, right or wrong: what the answers are is for the tests to say.
//!
//! | path | answer |
//! | --- | --- |
//! | `/raw/HEX` | those bytes, then the end |
//! | `/hold/HEX` | those bytes, and no end |
//! | `/slow/HEX` | those bytes, a byte in each turn, then the end |
//! | `/reset/HEX` | those bytes, then a reset |
//! | `/endless/HEX/HEX` | the first, then the second again and again |
//! | `/early/HEX` | those bytes, without having read the request's body, then the end |
//! | `/echo` | the request as it came, then the end |
//! | any other | 404 |

use smoltcp::socket::tcp::Socket;

use crate::jobs::unhex;
use crate::ports::{at_end, discard};

/// The longest request that is read.
const REQUEST: usize = 4 << 20;

#[derive(Default)]
pub(crate) struct Http {
    request: Vec<u8>,
    answer: Option<Answer>,
}

enum After {
    End,
    Reset,
    Nothing,
    /// Again and again.
    More(Vec<u8>),
}

struct Answer {
    bytes: Vec<u8>,
    sent: usize,
    step: usize,
    after: After,
    reads: bool,
}

impl Http {
    pub(crate) fn turn(&mut self, socket: &mut Socket<'_>) -> bool {
        if let Some(answer) = &mut self.answer {
            return answer.turn(socket);
        }
        let mut busy = false;
        while socket.can_recv() {
            let _ = socket.recv(|data| {
                self.request.extend_from_slice(data);
                (data.len(), ())
            });
            busy = true;
        }
        self.answer = self.answered();
        if self.answer.is_none() && (at_end(socket) || self.request.len() > REQUEST) {
            socket.abort();
        }
        busy
    }

    /// The answer, when enough of the request is there.
    fn answered(&mut self) -> Option<Answer> {
        let head_end = self.request.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&self.request[..head_end]).into_owned();
        let path = head.split(' ').nth(1)?;
        let mut parts = path.splitn(4, '/').skip(1);
        let (kind, first, second) = (parts.next()?, parts.next(), parts.next());
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .and_then(|length| length.parse::<usize>().ok())
            .unwrap_or(0);
        if kind != "early" && self.request.len() < head_end + length {
            return None;
        }
        let bytes = first.and_then(unhex).unwrap_or_default();
        let (bytes, step, after) = match kind {
            "raw" | "early" => (bytes, usize::MAX, After::End),
            "hold" => (bytes, usize::MAX, After::Nothing),
            "slow" => (bytes, 1, After::End),
            "reset" => (bytes, usize::MAX, After::Reset),
            "endless" => (bytes, usize::MAX, After::More(second.and_then(unhex).unwrap_or_default())),
            "echo" => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", self.request.len());
                ([head.as_bytes(), &self.request].concat(), usize::MAX, After::End)
            }
            _ => (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(), usize::MAX, After::End),
        };
        Some(Answer { bytes, sent: 0, step, after, reads: kind != "early" })
    }
}

impl Answer {
    fn turn(&mut self, socket: &mut Socket<'_>) -> bool {
        if self.reads {
            discard(socket);
        }
        let mut busy = false;
        loop {
            while self.sent < self.bytes.len() && socket.can_send() {
                // The last byte but one is to be on its way before the next is given.
                if self.step == 1 && socket.send_queue() > 0 {
                    return busy;
                }
                let end = self.sent.saturating_add(self.step).min(self.bytes.len());
                self.sent += socket.send_slice(&self.bytes[self.sent..end]).unwrap_or(0);
                busy = true;
            }
            match &self.after {
                After::More(more) if !more.is_empty() && socket.can_send() => {
                    (self.bytes, self.sent) = (more.clone(), 0)
                }
                _ => break,
            }
        }
        if self.sent == self.bytes.len() {
            match self.after {
                After::End => socket.close(),
                // What went before it is to have arrived.
                After::Reset if socket.send_queue() == 0 => socket.abort(),
                _ => {}
            }
        }
        if at_end(socket) {
            socket.close();
        }
        busy
    }
}
