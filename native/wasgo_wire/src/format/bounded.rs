//! Output that ends at a limit.

use std::io;

use postcard::ser_flavors::Flavor;

/// Room that is there at first, in bytes: most messages need not much more.
const FIRST: usize = 128;

/// Bytes written, at most so many.
pub(super) struct Bounded {
    /// What is written, and room after it that is never beyond the limit: one comparison is for both.
    bytes: Vec<u8>,
    len: usize,
    limit: usize,
    over: bool,
}

impl Bounded {
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: vec![0; limit.min(FIRST)], len: 0, limit, over: false }
    }

    /// Whether something did not fit.
    pub(super) fn over(&self) -> bool {
        self.over
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.len);
        self.bytes
    }

    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.bytes.len() - self.len && !self.grow(bytes.len()) {
            return false;
        }
        copy(bytes, &mut self.bytes[self.len..][..bytes.len()]);
        self.len += bytes.len();
        true
    }

    /// The same as a call, where it would be too much to have everywhere.
    #[inline(never)]
    fn put_any(&mut self, bytes: &[u8]) -> bool {
        self.put(bytes)
    }

    /// Makes room for so many bytes more.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) -> bool {
        if more > self.limit - self.len {
            self.over = true;
            return false;
        }
        let room = (self.len + more).max(2 * self.bytes.len()).min(self.limit);
        self.bytes.resize(room, 0);
        true
    }
}

/// Copies between slices of the same size. Most are a few bytes, for which a call takes longer than the copy: these are two words that
/// may overlap.
#[inline(always)]
fn copy(from: &[u8], to: &mut [u8]) {
    #[inline(always)]
    fn words<const N: usize>(from: &[u8], to: &mut [u8]) {
        if let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) {
            if let Some(place) = to.first_chunk_mut() {
                *place = *first;
            }
            if let Some(place) = to.last_chunk_mut() {
                *place = *last;
            }
        }
    }
    match from.len() {
        0 => {}
        1 => words::<1>(from, to),
        2..=4 => words::<2>(from, to),
        5..=8 => words::<4>(from, to),
        9..=16 => words::<8>(from, to),
        17..=32 => words::<16>(from, to),
        _ => to.copy_from_slice(from),
    }
}

impl io::Write for Bounded {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.put(bytes) { Ok(()) } else { Err(io::ErrorKind::FileTooLarge.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Flavor for &mut Bounded {
    type Output = ();

    // Most calls are for one byte, the number of a variant or a small length, or for the eight of a float.
    #[inline(always)]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        let put = match bytes {
            [byte] => self.put(&[*byte]),
            [a, b, c, d, e, f, g, h] => self.put(&[*a, *b, *c, *d, *e, *f, *g, *h]),
            _ => self.put_any(bytes),
        };
        if put { Ok(()) } else { Err(postcard::Error::SerializeBufferFull) }
    }

    #[inline(always)]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
