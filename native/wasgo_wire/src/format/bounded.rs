//! Output that ends at a limit.

use std::io;

use postcard::ser_flavors::Flavor;

/// Room that is there at first, in bytes: most messages need not much more.
const FIRST: usize = 128;

/// Bytes written, at most so many.
pub(super) struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
    over: bool,
}

impl Bounded {
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: Vec::with_capacity(limit.min(FIRST)), limit, over: false }
    }

    /// Whether something did not fit.
    pub(super) fn over(&self) -> bool {
        self.over
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.limit - self.bytes.len() {
            self.over = true;
            return false;
        }
        self.bytes.extend_from_slice(bytes);
        true
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

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if self.put(bytes) { Ok(()) } else { Err(postcard::Error::SerializeBufferFull) }
    }

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        if self.bytes.len() >= self.limit {
            self.over = true;
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.bytes.push(byte);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
