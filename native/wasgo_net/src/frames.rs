//! Frames out of a stream of bytes.

use std::ops::Range;

use crate::driver::IDLE_BUFFER;
use crate::event::BrokenReason;

/// The longest frame that is processed: 1,500 bytes, an Ethernet header and a VLAN tag.
const MAX_FRAME: usize = 1_518;

/// What is declared longer can't be a frame at all.
const MAX_DECLARED: u32 = 1 << 20;

const HEADER: usize = 4;

/// Splits what a guest writes into frames. Holds at most one frame's bytes from one filling to the next.
#[derive(Default)]
pub(crate) struct Frames {
    buffer: Vec<u8>,
    start: usize,
    /// Bytes of a frame too long that are still to come.
    skip: usize,
}

/// What comes next in the stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A frame, by its place in the buffer.
    Frame(Range<usize>),
    /// A frame without bytes, or with too many: dropped.
    Dropped,
    /// Bytes are missing.
    Missing,
    /// The stream is no stream of frames.
    Broken(BrokenReason),
}

impl Frames {
    /// Adds what was read, and leaves `bytes` empty.
    pub(crate) fn fill(&mut self, bytes: &mut Vec<u8>) {
        let rest = self.buffer.len() - self.start;
        if rest == 0 {
            self.buffer.clear();
            std::mem::swap(&mut self.buffer, bytes);
        } else {
            self.buffer.copy_within(self.start.., 0);
            self.buffer.truncate(rest);
            self.buffer.append(bytes);
        }
        self.start = 0;
    }

    /// Gives back the buffer, if there is nothing in it and it is large.
    pub(crate) fn rest(&mut self) {
        if self.start == self.buffer.len() && self.buffer.capacity() > IDLE_BUFFER {
            (self.buffer, self.start) = (Vec::new(), 0);
        }
    }

    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    pub(crate) fn next(&mut self) -> Next {
        let skipped = self.skip.min(self.buffer.len() - self.start);
        self.skip -= skipped;
        self.start += skipped;
        let Some((header, rest)) = self.buffer[self.start..].split_first_chunk::<HEADER>() else {
            return Next::Missing;
        };
        let declared = u32::from_be_bytes(*header);
        if declared > MAX_DECLARED {
            return Next::Broken(BrokenReason::FrameLength(declared));
        }
        let length = declared as usize;
        if length == 0 || length > MAX_FRAME {
            self.start += HEADER;
            self.skip = length;
            return Next::Dropped;
        }
        if rest.len() < length {
            return Next::Missing;
        }
        let start = self.start + HEADER;
        self.start = start + length;
        Next::Frame(start..self.start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn next(frames: &mut Frames) -> Result<Vec<u8>, Next> {
        match frames.next() {
            Next::Frame(range) => Ok(frames.bytes(range).to_vec()),
            other => Err(other),
        }
    }

    #[test]
    fn frames_that_are_too_long_or_empty_are_skipped() {
        let mut frames = Frames::default();
        let mut bytes = vec![0, 0, 0, 0, 0, 0, 5, 239];
        bytes.extend([7; 1_519]);
        bytes.extend([0, 0, 0, 1, 9]);
        let (first, second) = bytes.split_at(100);
        frames.fill(&mut first.to_vec());
        assert_eq!(next(&mut frames), Err(Next::Dropped));
        assert_eq!(next(&mut frames), Err(Next::Dropped));
        assert_eq!(next(&mut frames), Err(Next::Missing));
        frames.fill(&mut second.to_vec());
        assert_eq!(next(&mut frames), Ok(vec![9]));
        assert_eq!(next(&mut frames), Err(Next::Missing));
    }

    #[test]
    fn a_length_beyond_reason_breaks_the_stream() {
        let mut frames = Frames::default();
        frames.fill(&mut vec![0, 16, 0, 1]);
        assert_eq!(next(&mut frames), Err(Next::Broken(BrokenReason::FrameLength((1 << 20) + 1))));
        let mut frames = Frames::default();
        frames.fill(&mut vec![0, 16, 0, 0]);
        assert_eq!(next(&mut frames), Err(Next::Dropped));
    }

    proptest! {
        #[test]
        fn frames_are_the_same_in_whatever_pieces_they_come(
            lengths in prop::collection::vec(1_usize..1_518, 1..20), cuts in prop::collection::vec(0_usize..3_000, 0..20),
        ) {
            let sent: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(index, &length)| vec![index as u8; length]).collect();
            let mut stream: Vec<u8> = sent.iter().flat_map(|frame| {
                (frame.len() as u32).to_be_bytes().into_iter().chain(frame.iter().copied())
            }).collect();
            let mut frames = Frames::default();
            let mut got = Vec::new();
            for cut in cuts.into_iter().chain([usize::MAX]) {
                let rest = stream.split_off(cut.min(stream.len()));
                frames.fill(&mut stream);
                stream = rest;
                while let Ok(frame) = next(&mut frames) {
                    got.push(frame);
                }
            }
            prop_assert_eq!(got, sent);
        }
    }
}
