//! From bytes to what a [`Builder`] makes of them.
//!
//! No recursion: containers that are still open are kept on a stack of their own, so the depth allowed costs heap, not the
//! stack of whatever thread this runs on.

use std::borrow::Cow;

use super::build::{Builder, PackedBytes};
use super::encode::{COUNT_MASK, FLAG_64, NEW_NODE_PATH, NODE_PATH_ABSOLUTE, shuffle_rows};
use super::error::{DecodeError, DecodeReason, Reading};
use super::limits::Limits;
use super::read::Reader;
use super::types::{ElementType, NodePath, Type};

/// The fewest bytes that any value takes: its header.
const SMALLEST_VALUE: u64 = 4;

/// Reads one value from the start of `bytes`, and tells how many bytes it took. What follows is left alone.
///
/// The memory taken is bounded by the input's size: before a container is begun, the input must have room for everything
/// that it and the containers around it still declare.
///
/// # Errors
/// A [`DecodeError`] as the builder's error if the bytes are no value or over a limit, and whatever the builder says.
pub fn decode<B: Builder>(bytes: &[u8], limits: &Limits, builder: &mut B) -> Result<(B::Value, usize), B::Error> {
    let mut reader = Reader::new(bytes);
    if bytes.len() > limits.max_bytes() {
        let reason = DecodeReason::TooLarge { bytes: bytes.len(), limit: limits.max_bytes() };
        return Err(reader.error(reason).into());
    }
    let mut open: Vec<Open<'_, B::Value>> = Vec::new();
    // Elements declared by the open containers that have not begun yet.
    let mut owed = 0;
    loop {
        let (ty, flags) = header(&mut reader)?;
        if let Some(container) = open.last() {
            container.check(&reader, ty)?;
            owed -= 1;
        }
        let mut value = if matches!(ty, Type::Array | Type::Dictionary) {
            if open.len() as u64 >= u64::from(limits.max_depth()) {
                let at = reader.at() - 4;
                return Err(reader.error_at(at, DecodeReason::TooDeep { limit: limits.max_depth() }).into());
            }
            let container = Open::read(&mut reader, ty, flags, owed)?;
            owed += container.missing;
            if container.missing > 0 {
                open.push(container);
                continue;
            }
            container.build(builder)?
        } else {
            leaf(&mut reader, ty, flags, builder)?
        };
        // Hand the value to the container it is in, and a container that is full to the one around it.
        loop {
            let Some(container) = open.last_mut() else {
                return Ok((value, reader.at()));
            };
            container.push(value);
            if container.missing > 0 {
                break;
            }
            match open.pop() {
                Some(container) => value = container.build(builder)?,
                None => break,
            }
        }
    }
}

/// A container whose elements are being read.
struct Open<'a, V> {
    key: ElementType<'a>,
    element: ElementType<'a>,
    /// Elements to come; keys and values count one each.
    missing: u64,
    held: Held<V>,
}

enum Held<V> {
    Array(Vec<V>),
    Dictionary { pairs: Vec<(V, V)>, key: Option<V> },
}

impl<'a, V> Open<'a, V> {
    fn read(reader: &mut Reader<'a>, ty: Type, flags: u32, owed: u64) -> Result<Self, DecodeError> {
        reader.reading = Reading::ElementType(ty);
        let first = element_type(reader, flags & 3)?;
        let second =
            if ty == Type::Dictionary { element_type(reader, (flags >> 2) & 3)? } else { ElementType::Untyped };
        reader.reading = Reading::Count(ty);
        let start = reader.at();
        let count = reader.u32()? & COUNT_MASK;
        let missing = u64::from(count) * if ty == Type::Dictionary { 2 } else { 1 };
        if reader.room_for(owed + missing, SMALLEST_VALUE).is_err() {
            let reason = DecodeReason::Count { count: u64::from(count), left: reader.left() };
            return Err(reader.error_at(start, reason));
        }
        // The capacity is safe to take: over all open containers it is at most a quarter of the input's bytes.
        let capacity = count as usize;
        Ok(if ty == Type::Dictionary {
            let held = Held::Dictionary { pairs: Vec::with_capacity(capacity), key: None };
            Open { key: first, element: second, missing, held }
        } else {
            Open { key: second, element: first, missing, held: Held::Array(Vec::with_capacity(capacity)) }
        })
    }

    /// Is `found` what the next element has to be?
    fn check(&self, reader: &Reader<'_>, found: Type) -> Result<(), DecodeError> {
        let next = match self.held {
            Held::Dictionary { key: None, .. } => &self.key,
            _ => &self.element,
        };
        next.expects()
            .check(found)
            .map_err(|expected| reader.error_at(reader.at() - 4, DecodeReason::ElementType { expected, found }))
    }

    fn push(&mut self, value: V) {
        self.missing -= 1;
        match &mut self.held {
            Held::Array(values) => values.push(value),
            Held::Dictionary { pairs, key } => match key.take() {
                Some(key) => pairs.push((key, value)),
                None => *key = Some(value),
            },
        }
    }

    fn build<B: Builder<Value = V>>(self, builder: &mut B) -> Result<V, B::Error> {
        match self.held {
            Held::Array(values) => builder.array(self.element, values),
            Held::Dictionary { pairs, .. } => builder.dictionary(self.key, self.element, pairs),
        }
    }
}

/// The type and the flags. The engine leaves the byte between them, and flags that a type does not know, alone.
fn header(reader: &mut Reader<'_>) -> Result<(Type, u32), DecodeError> {
    reader.reading = Reading::Header;
    let start = reader.at();
    let word = reader.u32()?;
    match Type::from_id(word & 0xff) {
        Some(ty) => Ok((ty, word >> 16)),
        None => Err(reader.error_at(start, DecodeReason::UnknownType(word & 0xff))),
    }
}

fn element_type<'a>(reader: &mut Reader<'a>, kind: u32) -> Result<ElementType<'a>, DecodeError> {
    match kind {
        0 => Ok(ElementType::Untyped),
        1 => {
            let start = reader.at();
            let id = reader.u32()?;
            match Type::from_id(id) {
                Some(Type::Nil) => Ok(ElementType::Untyped),
                Some(ty) => Ok(ElementType::Builtin(ty)),
                None => Err(reader.error_at(start, DecodeReason::UnknownType(id))),
            }
        }
        2 => Ok(ElementType::Class(Cow::Borrowed(reader.string()?))),
        _ => Ok(ElementType::Script(Cow::Borrowed(reader.string()?))),
    }
}

/// A value that holds no others.
fn leaf<B: Builder>(reader: &mut Reader<'_>, ty: Type, flags: u32, builder: &mut B) -> Result<B::Value, B::Error> {
    reader.reading = Reading::Value(ty);
    let wide = flags & FLAG_64 != 0;
    if ty.float_components().is_some() {
        // A Color is 32-bit in every build of the engine.
        return floats(reader, ty, wide && ty != Type::Color, builder);
    }
    if let Some(count) = ty.int_components() {
        let mut components = [0; 4];
        for component in &mut components[..count] {
            *component = reader.i32()?;
        }
        return builder.ints(ty, &components[..count]);
    }
    if let Some(stride) = ty.packed_stride() {
        return packed(reader, ty, stride, wide, builder);
    }
    match ty {
        Type::Bool => builder.bool(reader.u32()? != 0),
        Type::Int if wide => builder.int(reader.i64()?),
        Type::Int => builder.int(i64::from(reader.i32()?)),
        Type::Float if wide => builder.float(reader.f64()?),
        Type::Float => builder.float(f64::from(reader.f32()?)),
        Type::String => builder.string(reader.string()?),
        Type::StringName => builder.string_name(reader.string()?),
        Type::NodePath => builder.node_path(node_path(reader)?),
        Type::Rid => builder.rid(reader.u64()?),
        Type::Object if flags & FLAG_64 == 0 => Err(reader.error_at(reader.at() - 4, DecodeReason::FullObject).into()),
        Type::Object => builder.object_id(reader.u64()?),
        Type::Callable => builder.callable(),
        Type::Signal => {
            let name = reader.string()?;
            let object = reader.u64()?;
            builder.signal(name, object)
        }
        Type::PackedStringArray => {
            let strings = packed_strings(reader)?;
            builder.packed_strings(strings)
        }
        // Nil is what remains: the types of components, the packed arrays and the containers are dealt with above.
        _ => builder.nil(),
    }
}

fn floats<B: Builder>(reader: &mut Reader<'_>, ty: Type, wide: bool, builder: &mut B) -> Result<B::Value, B::Error> {
    let count = ty.float_components().unwrap_or(0);
    let mut components = [0.0; 16];
    for component in &mut components[..count] {
        *component = if wide { reader.f64()? } else { f64::from(reader.f32()?) };
    }
    shuffle_rows(ty, &mut components);
    builder.floats(ty, &components[..count])
}

fn node_path<'a>(reader: &mut Reader<'a>) -> Result<NodePath<'a>, DecodeError> {
    let start = reader.at();
    let names = reader.u32()?;
    if names & NEW_NODE_PATH == 0 {
        return Err(reader.error_at(start, DecodeReason::ObsoleteNodePath));
    }
    let names = names & !NEW_NODE_PATH;
    let subnames = reader.u32()?;
    let flags_at = reader.at();
    let flags = reader.u32()?;
    if flags & !NODE_PATH_ABSOLUTE != 0 {
        return Err(reader.error_at(flags_at, DecodeReason::NodePathFlags(flags)));
    }
    // A part is at least its length.
    reader.room_for(u64::from(names) + u64::from(subnames), 4)?;
    let mut path = NodePath {
        names: Vec::with_capacity(names as usize),
        subnames: Vec::with_capacity(subnames as usize),
        absolute: flags & NODE_PATH_ABSOLUTE != 0,
    };
    for _ in 0..names {
        path.names.push(Cow::Borrowed(reader.string()?));
    }
    for _ in 0..subnames {
        path.subnames.push(Cow::Borrowed(reader.string()?));
    }
    Ok(path)
}

fn packed<B: Builder>(
    reader: &mut Reader<'_>,
    ty: Type,
    stride: usize,
    wide: bool,
    builder: &mut B,
) -> Result<B::Value, B::Error> {
    let vectors = matches!(ty, Type::PackedVector2Array | Type::PackedVector3Array | Type::PackedVector4Array);
    let wide = wide && vectors;
    let count = count(reader, ty, if wide { 2 * stride as u64 } else { stride as u64 })?;
    let offset = reader.at();
    let size = count as usize * stride;
    if wide {
        let mut narrow = Vec::with_capacity(size);
        let (components, _) = reader.take(2 * size as u64)?.as_chunks::<8>();
        for component in components {
            // As the engine does it: a component too large for 32 bits becomes infinite.
            narrow.extend_from_slice(&(f64::from_le_bytes(*component) as f32).to_le_bytes());
        }
        return builder.packed(ty, count as usize, PackedBytes::Narrowed(narrow));
    }
    // All elements but bytes are a multiple of four wide, so that only bytes are padded.
    let bytes = if stride == 1 { reader.padded(count)? } else { reader.take(size as u64)? };
    builder.packed(ty, count as usize, PackedBytes::Input { bytes, offset })
}

fn packed_strings<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a str>, DecodeError> {
    let count = count(reader, Type::PackedStringArray, 4)?;
    let mut strings = Vec::with_capacity(count as usize);
    for _ in 0..count {
        strings.push(reader.string()?);
    }
    Ok(strings)
}

/// A number of elements of `each` bytes or more, for which there is room.
fn count(reader: &mut Reader<'_>, ty: Type, each: u64) -> Result<u32, DecodeError> {
    reader.reading = Reading::Count(ty);
    let count = reader.u32()?;
    reader.room_for(u64::from(count), each)?;
    reader.reading = Reading::Value(ty);
    Ok(count)
}
