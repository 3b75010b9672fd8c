//! zstd frames (RFC 8878): one frame in, the bytes that it holds out, and back.
//!
//! What is decompressed comes from a peer that is not trusted. The frame's header and the headers of its blocks are read first, without taking memory:
//! a frame that cannot hold exactly the bytes that the caller expects is refused there. No more memory is taken than these bytes and a context of
//! [`DECOMPRESSING_BYTES`], whatever the frame says.

use zstd_safe::{CCtx, CParameter, DCtx, SafeResult, compress_bound, get_error_name};

/// The levels of [`compress`]: from the fastest to the smallest result. Higher ones that the format has take hundreds of megabytes for a
/// few percent.
pub const LEVELS: std::ops::RangeInclusive<i32> = 1..=9;

/// The most memory, in bytes, that a context takes to compress, besides the input and [`bound`] bytes of result; less for small input.
pub const COMPRESSING_BYTES: usize = 12 << 20;

/// The memory, in bytes, that a context takes to decompress, besides the input and the result.
pub const DECOMPRESSING_BYTES: usize = 128 << 10;

/// The largest window, in bytes, that a frame may ask for: what the format's specification wants every decoder to take. A frame that asks for none has
/// one of the size of its content.
pub const MAX_WINDOW: u64 = 8 << 20;

/// The most blocks that a frame of so many bytes may have. A block of hardly any bytes may come with tables that take 10 microseconds to build, so that without a bound
/// on blocks a small frame would take long. Compressors make one of 128 KiB, or of a few as small as 1 KiB, unless they are made to write out what they have.
pub const fn most_blocks(size: usize) -> usize {
    16 + size / 512
}

/// The largest content of a block, by the format's specification.
const MAX_BLOCK: u64 = 128 << 10;

const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// Bytes that are not the frame that they have to be. `offset` is where in the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {reason}")]
pub struct Error {
    /// Where in the input, in bytes from its start.
    pub offset: usize,
    /// What is wrong.
    pub reason: Reason,
}

/// Why bytes were refused, or not compressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Something else had to be here.
    #[error("{0} is expected")]
    Syntax(&'static str),
    /// The frame ends too early.
    #[error("{needed} bytes are needed, {left} are left")]
    Truncated {
        /// Bytes that had to follow, at least.
        needed: u64,
        /// Bytes that did.
        left: usize,
    },
    /// Bytes follow the frame.
    #[error("{0} more bytes follow the frame")]
    Trailing(usize),
    /// The frame holds more or fewer bytes than expected.
    #[error("it does not hold {size} bytes")]
    Size {
        /// The bytes that it holds, where that is known.
        found: Option<u64>,
        /// The bytes that it has to hold.
        size: usize,
    },
    /// The frame asks for a larger window than is given.
    #[error("it needs a window of {bytes} bytes, more than {MAX_WINDOW}")]
    Window {
        /// The window in bytes.
        bytes: u64,
    },
    /// The frame has more blocks than [`most_blocks`].
    #[error("it has more than {0} blocks")]
    Blocks(usize),
    /// The frame was made with a dictionary.
    #[error("it needs the dictionary {0}")]
    Dictionary(u32),
    /// What is inside the frame's blocks is wrong; in zstd's words.
    #[error("{0}")]
    Corrupt(&'static str),
    /// A level that is none of [`LEVELS`].
    #[error("there is no level {0}")]
    Level(i32),
    /// There is no memory left.
    #[error("there is no memory left")]
    Memory,
}

/// The largest size of a frame that holds so many bytes.
pub fn bound(bytes: usize) -> usize {
    compress_bound(bytes)
}

/// Compresses `bytes` into one frame, which says how many bytes it holds.
///
/// # Errors
///
/// [`Reason::Level`] and [`Reason::Memory`].
pub fn compress(bytes: &[u8], level: i32) -> Result<Vec<u8>, Error> {
    if !LEVELS.contains(&level) {
        return Err(at(0, Reason::Level(level)));
    }
    let mut frame = room(bound(bytes.len()))?;
    let mut context = CCtx::try_create().ok_or(at(0, Reason::Memory))?;
    done(context.set_parameter(CParameter::CompressionLevel(level)))?;
    done(context.compress2(&mut frame, bytes))?;
    Ok(frame)
}

/// The `size` bytes that a frame holds, which has to hold exactly so many and to be all of the input.
///
/// # Errors
///
/// All but [`Reason::Level`].
pub fn decompress(frame: &[u8], size: usize) -> Result<Vec<u8>, Error> {
    check(frame, size)?;
    let mut bytes = room(size)?;
    let mut context = DCtx::try_create().ok_or(at(0, Reason::Memory))?;
    done(context.decompress(&mut bytes, frame))?;
    if bytes.len() == size { Ok(bytes) } else { Err(at(0, Reason::Size { found: Some(bytes.len() as u64), size })) }
}

/// An empty vector with room for exactly so many bytes.
fn room(bytes: usize) -> Result<Vec<u8>, Error> {
    let mut room = Vec::new();
    room.try_reserve_exact(bytes).map_err(|_| at(0, Reason::Memory))?;
    Ok(room)
}

fn done(result: SafeResult) -> Result<usize, Error> {
    result.map_err(|code| at(0, Reason::Corrupt(get_error_name(code))))
}

fn at(offset: usize, reason: Reason) -> Error {
    Error { offset, reason }
}

/// Whether the input is one frame that may hold `size` bytes, by its headers.
fn check(frame: &[u8], size: usize) -> Result<(), Error> {
    let mut input = Input { bytes: frame, at: 0 };
    let wrong_size = |found| Err(at(0, Reason::Size { found, size }));
    let header = header(&mut input)?;
    if let Some(declared) = header.content
        && declared != size as u64
    {
        return wrong_size(Some(declared));
    }
    // A compressed block holds as much as any block may, at most.
    let (mut least, mut most) = (0_u64, 0_u64);
    let largest = header.window.unwrap_or(MAX_BLOCK).min(MAX_BLOCK);
    for number in 0.. {
        let start = input.at;
        if number == most_blocks(size) {
            return Err(at(start, Reason::Blocks(number)));
        }
        let word = input.number(3)?;
        let (last, kind, length) = (word & 1 == 1, word >> 1 & 3, word >> 3);
        let held = match kind {
            0 => input.skip(length).map(|()| (length, length))?,
            1 => input.skip(1).map(|()| (length, length))?,
            2 => input.skip(length).map(|()| (0, largest))?,
            _ => return Err(at(start, Reason::Syntax("a block of a known type"))),
        };
        if length > MAX_BLOCK {
            return Err(at(start, Reason::Syntax("a block of at most 128 KiB")));
        }
        (least, most) = (least + held.0, most + held.1);
        if least > size as u64 {
            return wrong_size(None);
        }
        if last {
            break;
        }
    }
    if most < size as u64 {
        return wrong_size(None);
    }
    input.skip(if header.checksum { 4 } else { 0 })?;
    match input.left() {
        0 => Ok(()),
        more => Err(at(input.at, Reason::Trailing(more))),
    }
}

struct Header {
    /// `None` where the window is as large as the content.
    window: Option<u64>,
    content: Option<u64>,
    checksum: bool,
}

fn header(input: &mut Input) -> Result<Header, Error> {
    if !input.bytes.starts_with(&MAGIC) {
        let reason = match input.left() {
            left if left < MAGIC.len() && MAGIC.starts_with(input.bytes) => Reason::Truncated { needed: 4, left },
            _ => Reason::Syntax("a zstd frame"),
        };
        return Err(at(0, reason));
    }
    input.skip(MAGIC.len() as u64)?;
    let flags = input.number(1)?;
    let single = flags >> 5 & 1 == 1;
    if flags >> 3 & 1 == 1 {
        return Err(at(4, Reason::Syntax("a header without reserved bits")));
    }
    let window = if single { None } else { Some(window(input.number(1)?)) };
    if let Some(bytes) = window
        && bytes > MAX_WINDOW
    {
        return Err(at(5, Reason::Window { bytes }));
    }
    let dictionary_at = input.at;
    match input.number([0, 1, 2, 4][(flags & 3) as usize])? {
        0 => {}
        id => return Err(at(dictionary_at, Reason::Dictionary(id as u32))),
    }
    let content = match flags >> 6 {
        0 if single => Some(input.number(1)?),
        0 => None,
        1 => Some(input.number(2)? + 256),
        2 => Some(input.number(4)?),
        _ => Some(input.number(8)?),
    };
    Ok(Header { window, content, checksum: flags >> 2 & 1 == 1 })
}

/// The window, in bytes, that its byte in the header stands for.
fn window(byte: u64) -> u64 {
    let base = 1 << (10 + (byte >> 3));
    base + base / 8 * (byte & 7)
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Input<'_> {
    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Error> {
        let left = self.left();
        match usize::try_from(bytes) {
            Ok(bytes) if bytes <= left => self.at += bytes,
            _ => return Err(at(self.at, Reason::Truncated { needed: bytes, left })),
        }
        Ok(())
    }

    /// A little-endian number of up to 8 bytes.
    fn number(&mut self, bytes: usize) -> Result<u64, Error> {
        let start = self.at;
        self.skip(bytes as u64)?;
        Ok(self.bytes[start..self.at].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }
}
