//! Where the bytes of a file are: its buffers, and what it has as text.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::Reader;
use super::at::At;
use super::error::{ReadError, ReadFault};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A part of a buffer.
pub(super) struct View<'r, 'a> {
    pub(super) buffer: &'r Cow<'a, [u8]>,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) stride: Option<usize>,
}

impl<'d, 'a> Reader<'d, 'a, '_> {
    /// All buffers. What is in the file is borrowed.
    pub(super) fn read_buffers(&mut self, bin: Option<&'a [u8]>) -> Result<(), ReadError> {
        let root = self.root;
        let Some(list) = root.get("buffers")? else { return Ok(()) };
        for (index, buffer) in list.items()?.enumerate() {
            self.refuse_extensions(&buffer)?;
            let length = buffer.need("byteLength")?.whole()?;
            let bytes = match buffer.get("uri")? {
                Some(uri) => self.uri(&uri)?.1,
                None => match bin.filter(|_| index == 0) {
                    Some(bin) => Cow::Borrowed(bin),
                    None => return Err(buffer.error(ReadFault::Missing("uri"))),
                },
            };
            let left = bytes.len() as u64;
            if length > left {
                return Err(buffer.error(ReadFault::Truncated { needed: length, left }));
            }
            self.buffers.push(bytes);
        }
        Ok(())
    }

    /// What a URI stands for, with its media type if it says one.
    pub(super) fn uri(&self, at: &At<'d, '_>) -> Result<(Option<&'d str>, Cow<'a, [u8]>), ReadError> {
        let uri = at.text()?;
        let Some(data) = uri.strip_prefix("data:") else {
            let found = self.options.resolver.and_then(|resolver| resolver(uri));
            let Some(bytes) = found else {
                return at.unsupported(format!("the file {:?} beside this one", shortened(uri)));
            };
            self.charge(at, bytes.len())?;
            return Ok((None, Cow::Owned(bytes)));
        };
        let Some((head, text)) = data.split_once(',') else { return at.invalid("a data: URI with a comma") };
        let Some(media) = head.strip_suffix(";base64") else { return at.unsupported("a data: URI other than base64") };
        self.charge(at, text.len() / 4 * 3 + 3)?;
        match BASE64.decode(text) {
            Ok(bytes) => Ok((Some(media).filter(|media| !media.is_empty()), Cow::Owned(bytes))),
            Err(_) => at.invalid("base64"),
        }
    }

    /// The bytes of a buffer view and its stride, by a reference to it.
    pub(super) fn view(&self, reference: &At<'d, '_>) -> Result<View<'_, 'a>, ReadError> {
        self.entry("bufferViews", "buffer view", reference, |view| {
            self.refuse_extensions(view)?;
            let buffer = view.need("buffer")?.index("buffer", self.buffers.len())?;
            let bytes = &self.buffers[buffer];
            let offset = view.or("byteOffset", 0, |at| at.whole())?;
            let length = view.need("byteLength")?.whole()?;
            let end = offset.saturating_add(length);
            let left = bytes.len() as u64;
            if end > left {
                return Err(view.error(ReadFault::Truncated { needed: end, left }));
            }
            let stride = view.maybe("byteStride", |at| match at.whole()? {
                stride @ 1..=252 => Ok(stride as usize),
                _ => at.invalid("a stride of 4 to 252"),
            })?;
            // Both are below the length of a slice.
            Ok(View { buffer: bytes, start: offset as usize, end: end as usize, stride })
        })
    }

    /// The bytes of a view that holds no numbers.
    pub(super) fn view_bytes(&self, reference: &At<'d, '_>) -> Result<Cow<'a, [u8]>, ReadError> {
        let View { buffer, start, end, .. } = self.view(reference)?;
        self.part(reference, buffer, start, end)
    }

    /// A part of a buffer: borrowed from the file where it can be.
    pub(super) fn part(
        &self,
        at: &At<'d, '_>,
        buffer: &Cow<'a, [u8]>,
        start: usize,
        end: usize,
    ) -> Result<Cow<'a, [u8]>, ReadError> {
        match buffer {
            Cow::Borrowed(bytes) => Ok(Cow::Borrowed(&bytes[start..end])),
            Cow::Owned(bytes) => {
                self.charge(at, end - start)?;
                Ok(Cow::Owned(bytes[start..end].to_vec()))
            }
        }
    }
}

/// Enough of a text for a message.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}
