//! Accessors: numbers of every type, strided, sparse or absent, as packed bytes.

use std::borrow::Cow;

use super::Reader;
use super::at::At;
use super::error::{ReadError, ReadFault};
use super::source::View;
use crate::ComponentType;

/// What an accessor holds: packed elements as they are in the file.
pub(super) struct Numbers<'a> {
    pub(super) component: ComponentType,
    pub(super) components: usize,
    pub(super) normalized: bool,
    pub(super) count: usize,
    pub(super) bytes: Cow<'a, [u8]>,
    /// Whether there is no data for it: all zeros.
    pub(super) absent: bool,
}

fn component(at: &At<'_, '_>) -> Result<ComponentType, ReadError> {
    Ok(match at.whole()? {
        5120 => ComponentType::Byte,
        5121 => ComponentType::UnsignedByte,
        5122 => ComponentType::Short,
        5123 => ComponentType::UnsignedShort,
        5125 => ComponentType::UnsignedInt,
        5126 => ComponentType::Float,
        _ => return at.invalid("a component type"),
    })
}

impl<'d, 'a> Reader<'d, 'a, '_> {
    /// The numbers of the accessor that is referred to: at most `limit` elements, which `what` says in words.
    pub(super) fn accessor(
        &self,
        reference: &At<'d, '_>,
        what: &'static str,
        limit: usize,
    ) -> Result<Numbers<'a>, ReadError> {
        self.entry("accessors", "accessor", reference, |at| {
            self.refuse_extensions(at)?;
            let component = component(&at.need("componentType")?)?;
            let kind = at.need("type")?;
            let components = match kind.text()? {
                "SCALAR" => 1,
                "VEC2" => 2,
                "VEC3" => 3,
                "VEC4" => 4,
                "MAT4" if component.bytes() == 4 => 16,
                other @ ("MAT2" | "MAT3" | "MAT4") => return kind.unsupported(format!("the type {other}")),
                _ => return kind.invalid("a type of elements"),
            };
            let normalized = at.or("normalized", false, |at| at.bool())?;
            let declared = at.need("count")?;
            let count = declared.whole()?;
            if count > limit as u64 {
                return Err(declared.error(ReadFault::TooMany { what, count, limit: limit as u64 }));
            }
            let count = count as usize;
            let size = component.bytes() * components;
            let view = at.get("bufferView")?;
            let sparse = at.get("sparse")?;
            let mut bytes = match &view {
                Some(view) => {
                    let offset = at.or("byteOffset", 0, |at| at.whole())?;
                    self.packed(view, offset, count, size)?
                }
                None => {
                    let bytes = count.saturating_mul(size);
                    self.charge(at, bytes)?;
                    Cow::Owned(vec![0; bytes])
                }
            };
            if let Some(sparse) = &sparse {
                self.replace(sparse, &mut bytes, count, size)?;
            }
            Ok(Numbers { component, components, normalized, count, bytes, absent: view.is_none() && sparse.is_none() })
        })
    }

    /// `count` elements of `size` bytes of a view, without what is between them.
    fn packed(
        &self,
        reference: &At<'d, '_>,
        offset: u64,
        count: usize,
        size: usize,
    ) -> Result<Cow<'a, [u8]>, ReadError> {
        let View { buffer, start, end, stride } = self.view(reference)?;
        let stride = stride.unwrap_or(size);
        if stride < size {
            return reference.invalid("a view whose stride is not less than an element");
        }
        let last = (count as u64).saturating_sub(1).saturating_mul(stride as u64);
        let needed = if count == 0 { 0 } else { offset.saturating_add(last).saturating_add(size as u64) };
        let left = (end - start) as u64;
        if needed > left {
            return Err(reference.error(ReadFault::Truncated { needed, left }));
        }
        if count == 0 {
            return Ok(Cow::Borrowed(&[]));
        }
        let start = start + offset as usize;
        if stride == size {
            return self.part(reference, buffer, start, start + count * size);
        }
        self.charge(reference, count * size)?;
        let mut packed = Vec::with_capacity(count * size);
        for element in 0..count {
            let at = start + element * stride;
            packed.extend_from_slice(&buffer[at..at + size]);
        }
        Ok(Cow::Owned(packed))
    }

    /// Puts the elements of a sparse accessor in their places.
    fn replace(
        &self,
        sparse: &At<'d, '_>,
        bytes: &mut Cow<'a, [u8]>,
        count: usize,
        size: usize,
    ) -> Result<(), ReadError> {
        let declared = sparse.need("count")?;
        let replaced = declared.whole()?;
        if replaced > count as u64 {
            return declared.invalid("no more elements than the accessor has");
        }
        let replaced = replaced as usize;
        let indices = sparse.need("indices")?;
        let kind = component(&indices.need("componentType")?)?;
        let offset = indices.or("byteOffset", 0, |at| at.whole())?;
        let places = self.packed(&indices.need("bufferView")?, offset, replaced, kind.bytes())?;
        let values = sparse.need("values")?;
        let offset = values.or("byteOffset", 0, |at| at.whole())?;
        let values = self.packed(&values.need("bufferView")?, offset, replaced, size)?;
        if let Cow::Borrowed(_) = bytes {
            self.charge(sparse, bytes.len())?;
        }
        let bytes = bytes.to_mut();
        let mut least = 0u64;
        for (place, value) in places.chunks_exact(kind.bytes()).zip(values.chunks_exact(size)) {
            let place = match (kind, place) {
                (ComponentType::UnsignedByte, [one]) => u64::from(*one),
                (ComponentType::UnsignedShort, [one, two]) => u64::from(u16::from_le_bytes([*one, *two])),
                (ComponentType::UnsignedInt, [a, b, c, d]) => u64::from(u32::from_le_bytes([*a, *b, *c, *d])),
                _ => return indices.invalid("unsigned integers"),
            };
            if place < least || place >= count as u64 {
                return indices.invalid("places of the accessor, each above the one before");
            }
            least = place + 1;
            let at = place as usize * size;
            bytes[at..at + size].copy_from_slice(value);
        }
        Ok(())
    }

    /// The numbers as f32.
    pub(super) fn floats(&self, at: &At<'d, '_>, numbers: Numbers<'a>) -> Result<Cow<'a, [u8]>, ReadError> {
        let unit = numbers.normalized;
        let bytes = numbers.bytes;
        if numbers.component == ComponentType::Float {
            return Ok(bytes);
        }
        let count = numbers.count * numbers.components;
        self.charge(at, count * 4)?;
        let mut floats = Vec::with_capacity(count * 4);
        let scaled = |value: f32, greatest: f32| if unit { (value / greatest).max(-1.0) } else { value };
        match numbers.component {
            ComponentType::Byte => {
                floats.extend(bytes.iter().flat_map(|b| scaled(f32::from(b.cast_signed()), 127.0).to_le_bytes()));
            }
            ComponentType::UnsignedByte => {
                floats.extend(bytes.iter().flat_map(|b| scaled(f32::from(*b), 255.0).to_le_bytes()));
            }
            ComponentType::Short => {
                let shorts = bytes.as_chunks::<2>().0.iter().map(|b| f32::from(i16::from_le_bytes(*b)));
                floats.extend(shorts.flat_map(|value| scaled(value, 32_767.0).to_le_bytes()));
            }
            ComponentType::UnsignedShort => {
                let shorts = bytes.as_chunks::<2>().0.iter().map(|b| f32::from(u16::from_le_bytes(*b)));
                floats.extend(shorts.flat_map(|value| scaled(value, 65_535.0).to_le_bytes()));
            }
            ComponentType::UnsignedInt | ComponentType::Float => return at.invalid("floats, or integers of 16 bits"),
        }
        Ok(Cow::Owned(floats))
    }

    /// f32 elements of so many numbers each.
    pub(super) fn float_vectors(
        &self,
        at: &At<'d, '_>,
        components: usize,
        what: &'static str,
        limit: usize,
    ) -> Result<Cow<'a, [u8]>, ReadError> {
        let numbers = self.accessor(at, what, limit)?;
        if numbers.components != components {
            return at.invalid(match components {
                1 => "an accessor of single numbers",
                2 => "an accessor of VEC2",
                3 => "an accessor of VEC3",
                4 => "an accessor of VEC4",
                _ => "an accessor of MAT4",
            });
        }
        self.floats(at, numbers)
    }
}
