//! From calls to bytes.

use super::error::EncodeError;
use super::limits::Limits;
use super::types::{ElementType, Expects, NodePath, Type};

/// A header's flag for 64-bit contents; in an object's header, for an instance id in place of the whole object.
pub(super) const FLAG_64: u32 = 1;
/// Set in a node path's count of names by every engine since version 3.
pub(super) const NEW_NODE_PATH: u32 = 0x8000_0000;
/// A node path's flag for a path from the root.
pub(super) const NODE_PATH_ABSOLUTE: u32 = 1;
/// The bits of a container's count that count; engines once used the highest for something else.
pub(super) const COUNT_MASK: u32 = 0x7fff_ffff;

/// Between a basis by columns, as the engine's constructors take it, and by rows, as the format has it. Either way.
pub(super) fn shuffle_rows(ty: Type, components: &mut [f64; 16]) {
    if matches!(ty, Type::Basis | Type::Transform3D) {
        components.swap(1, 3);
        components.swap(2, 6);
        components.swap(5, 7);
    }
}

/// Writes one value, call by call.
///
/// A container is begun with the number of its elements, gets exactly these (keys and values in turn), and is ended. After
/// an error the value is lost: every later call gives the same error.
///
/// ```
/// use wasgo_wire::variant::{ElementType, Encoder, Limits};
///
/// let mut encoder = Encoder::new(Limits::default());
/// encoder.begin_array(&ElementType::Untyped, 2)?;
/// encoder.bool(true)?;
/// encoder.nil()?;
/// encoder.end()?;
/// assert_eq!(encoder.finish()?.len(), 20);
/// # Ok::<(), wasgo_wire::variant::EncodeError>(())
/// ```
#[derive(Debug)]
pub struct Encoder {
    out: Vec<u8>,
    /// Bytes of packed arrays that belong in between, and are kept elsewhere.
    apart: usize,
    limits: Limits,
    open: Vec<Open>,
    /// Whether the outermost value has begun.
    begun: bool,
    failed: Option<EncodeError>,
}

#[derive(Debug)]
struct Open {
    ty: Type,
    /// Elements to come; keys and values count one each.
    missing: u64,
    /// Of keys and values; of an array's elements, twice.
    expects: [Expects; 2],
}

type Done = Result<(), EncodeError>;

/// Containers one within another that there is room for at once.
const DEPTH: usize = 8;

impl Encoder {
    /// An encoder for one value within `limits`.
    pub fn new(limits: Limits) -> Self {
        Self { out: Vec::new(), apart: 0, limits, open: Vec::with_capacity(DEPTH), begun: false, failed: None }
    }

    /// Goes on in another vector, of which the room is used and the content is not: for callers who know that there is much to come. A result that
    /// grows piece by piece is moved again and again. Returns the vector that was used so far.
    pub fn move_to(&mut self, mut room: Vec<u8>) -> Vec<u8> {
        room.clear();
        room.extend_from_slice(&self.out);
        std::mem::replace(&mut self.out, room)
    }

    /// Bytes written so far, without those that are kept apart.
    pub fn written(&self) -> usize {
        self.out.len()
    }

    /// Bytes that are kept apart: see [`Encoder::packed_apart`].
    pub fn apart(&self) -> usize {
        self.apart
    }

    /// Null.
    pub fn nil(&mut self) -> Done {
        self.value(Type::Nil, 0, 0)
    }

    /// An object that is null: the engine writes it as null.
    pub fn null_object(&mut self) -> Done {
        self.nil()
    }

    /// A bool.
    pub fn bool(&mut self, value: bool) -> Done {
        self.value(Type::Bool, 0, 4)?;
        self.u32(u32::from(value));
        Ok(())
    }

    /// An int; where an array or dictionary wants floats, that float.
    pub fn int(&mut self, value: i64) -> Done {
        if self.expects() == Expects::Exactly(Type::Float) {
            return self.float(value as f64);
        }
        match i32::try_from(value) {
            Ok(small) => {
                self.value(Type::Int, 0, 4)?;
                self.out.extend_from_slice(&small.to_le_bytes());
            }
            Err(_) => {
                self.value(Type::Int, FLAG_64, 8)?;
                self.out.extend_from_slice(&value.to_le_bytes());
            }
        }
        Ok(())
    }

    /// A float, in 32 bits if that loses nothing. Every NaN is written as the same one.
    pub fn float(&mut self, value: f64) -> Done {
        let small = value as f32;
        if f64::from(small) == value {
            self.value(Type::Float, 0, 4)?;
            self.f32(small);
        } else {
            self.value(Type::Float, FLAG_64, 8)?;
            let value = if value.is_nan() { f64::NAN } else { value };
            self.out.extend_from_slice(&value.to_le_bytes());
        }
        Ok(())
    }

    /// A String. One with a NUL is an error.
    #[inline]
    pub fn string(&mut self, value: &str) -> Done {
        self.text_value(Type::String, value)
    }

    /// A StringName. One with a NUL is an error.
    pub fn string_name(&mut self, value: &str) -> Done {
        self.text_value(Type::StringName, value)
    }

    /// A type of a few floats, which become 32 bits wide.
    ///
    /// The order is that of the engine's constructors: `Rect2` and `AABB` position, size; `Plane` normal, d; `Quaternion`
    /// x y z w; `Color` r g b a; `Transform2D` and `Projection` column by column; `Basis` the columns x, y, z;
    /// `Transform3D` a basis, then the origin.
    pub fn floats(&mut self, ty: Type, components: &[f64]) -> Done {
        if ty.float_components() != Some(components.len()) {
            return self.fail(EncodeError::Components { ty, found: components.len() });
        }
        let mut ordered = [0.0; 16];
        ordered[..components.len()].copy_from_slice(components);
        shuffle_rows(ty, &mut ordered);
        let too_large = |value: &&f64| value.is_finite() && !(**value as f32).is_finite();
        if let Some(value) = components.iter().find(too_large) {
            return self.fail(EncodeError::FloatRange { ty, value: *value });
        }
        self.value(ty, 0, 4 * components.len())?;
        for component in &ordered[..components.len()] {
            self.f32(*component as f32);
        }
        Ok(())
    }

    /// A type of a few 32-bit integers.
    pub fn ints(&mut self, ty: Type, components: &[i32]) -> Done {
        if ty.int_components() != Some(components.len()) {
            return self.fail(EncodeError::Components { ty, found: components.len() });
        }
        self.value(ty, 0, 4 * components.len())?;
        for component in components {
            self.out.extend_from_slice(&component.to_le_bytes());
        }
        Ok(())
    }

    /// A NodePath.
    pub fn node_path(&mut self, path: &NodePath<'_>) -> Done {
        let ty = Type::NodePath;
        let names = self.count(ty, path.names.len())?;
        let subnames = self.count(ty, path.subnames.len())?;
        self.value(ty, 0, 12)?;
        self.u32(names | NEW_NODE_PATH);
        self.u32(subnames);
        self.u32(if path.absolute { NODE_PATH_ABSOLUTE } else { 0 });
        path.names.iter().chain(&path.subnames).try_for_each(|part| self.text(ty, part))
    }

    /// A RID by its number.
    pub fn rid(&mut self, id: u64) -> Done {
        self.value(Type::Rid, 0, 8)?;
        self.out.extend_from_slice(&id.to_le_bytes());
        Ok(())
    }

    /// An object by its instance id.
    pub fn object_id(&mut self, id: u64) -> Done {
        self.value(Type::Object, FLAG_64, 8)?;
        self.out.extend_from_slice(&id.to_le_bytes());
        Ok(())
    }

    /// A Callable, of which the format carries nothing.
    pub fn callable(&mut self) -> Done {
        self.value(Type::Callable, 0, 0)
    }

    /// A Signal: its name, and the instance id of the object that has it.
    pub fn signal(&mut self, name: &str, object: u64) -> Done {
        self.text_value(Type::Signal, name)?;
        self.room(8)?;
        self.out.extend_from_slice(&object.to_le_bytes());
        Ok(())
    }

    /// Begins an Array of `len` elements.
    pub fn begin_array(&mut self, element: &ElementType<'_>, len: usize) -> Done {
        self.begin(Type::Array, [element, element], len, 1)
    }

    /// Begins a Dictionary of `len` pairs.
    pub fn begin_dictionary(&mut self, key: &ElementType<'_>, value: &ElementType<'_>, len: usize) -> Done {
        self.begin(Type::Dictionary, [key, value], len, 2)
    }

    /// Ends the container begun last; all its elements must have come.
    pub fn end(&mut self) -> Done {
        self.check_failed()?;
        match self.open.pop() {
            None => self.fail(EncodeError::NothingOpen),
            Some(Open { ty, missing, .. }) if missing > 0 => self.fail(EncodeError::TooFew { ty, missing }),
            Some(_) => Ok(()),
        }
    }

    /// A packed array, other than that of strings, from its raw little-endian data.
    #[inline]
    pub fn packed(&mut self, ty: Type, data: &[u8]) -> Done {
        self.begin_packed(ty, data.len())?;
        self.out.extend_from_slice(data);
        self.pad()
    }

    /// A packed array whose `bytes` bytes of raw data the caller keeps: they belong between those that are written before
    /// and after. Returns how many were written before. They are a part of the value all the same, and of its size.
    pub fn packed_apart(&mut self, ty: Type, bytes: usize) -> Result<usize, EncodeError> {
        self.begin_packed(ty, bytes)?;
        let before = self.out.len();
        self.apart += bytes;
        let padding = bytes.next_multiple_of(4) - bytes;
        self.room(padding)?;
        self.out.extend_from_slice(&[0; 3][..padding]);
        Ok(before)
    }

    #[inline]
    fn begin_packed(&mut self, ty: Type, bytes: usize) -> Done {
        let count = match ty.packed_stride() {
            Some(stride) if bytes.is_multiple_of(stride) => self.count(ty, bytes / stride)?,
            _ => return self.fail(EncodeError::PackedSize { ty, bytes }),
        };
        self.value(ty, 0, bytes.saturating_add(4))?;
        self.u32(count);
        Ok(())
    }

    /// A PackedStringArray. A string with a NUL is an error.
    pub fn packed_strings<'s>(&mut self, strings: impl IntoIterator<Item = &'s str>) -> Done {
        let ty = Type::PackedStringArray;
        self.value(ty, 0, 4)?;
        let count_at = self.out.len();
        self.u32(0);
        let mut count = 0;
        for string in strings {
            count += 1;
            self.check_text(ty, string)?;
            // Unlike any other string these are counted and written with a NUL at the end.
            let size = self.count(ty, string.len().saturating_add(1))?;
            self.room(size as usize + 4)?;
            self.u32(size);
            self.out.extend_from_slice(string.as_bytes());
            self.out.push(0);
            self.pad()?;
        }
        let count = self.count(ty, count)?;
        self.out[count_at..count_at + 4].copy_from_slice(&count.to_le_bytes());
        Ok(())
    }

    /// The bytes, if they are one whole value.
    pub fn finish(mut self) -> Result<Vec<u8>, EncodeError> {
        self.check_failed()?;
        if !self.begun || !self.open.is_empty() {
            self.fail(EncodeError::Incomplete)?;
        }
        Ok(self.out)
    }

    fn begin(&mut self, ty: Type, elements: [&ElementType<'_>; 2], len: usize, each: u64) -> Done {
        let count = self.count(ty, len)?;
        if self.open.len() as u64 >= u64::from(self.limits.max_depth()) {
            return self.fail(EncodeError::TooDeep { limit: self.limits.max_depth() });
        }
        let [first, second] = elements;
        let (flags, typed): (u32, &[&ElementType<'_>]) = match ty {
            Type::Dictionary => (first.kind() | (second.kind() << 2), &[first, second]),
            _ => (first.kind(), &[first]),
        };
        self.value(ty, flags, 4)?;
        for element in typed {
            match element {
                ElementType::Untyped | ElementType::Builtin(Type::Nil) => {}
                ElementType::Builtin(ty) => {
                    self.room(4)?;
                    self.u32(u32::from(ty.id()));
                }
                ElementType::Class(name) | ElementType::Script(name) => self.text(ty, name)?,
            }
        }
        self.room(4)?;
        self.u32(count);
        let expects = [first.expects(), second.expects()];
        self.open.push(Open { ty, missing: u64::from(count) * each, expects });
        Ok(())
    }

    /// What has to come next.
    #[inline]
    fn expects(&self) -> Expects {
        // A dictionary has an even number of elements missing when a key is next.
        self.open.last().map_or(Expects::Anything, |open| open.expects[(open.missing % 2) as usize])
    }

    /// Begins a value: its header, and room for `size` bytes more.
    #[inline]
    fn value(&mut self, ty: Type, flags: u32, size: usize) -> Done {
        self.check_failed()?;
        if let Err(expected) = self.expects().check(ty) {
            return self.fail(EncodeError::ElementType { expected, found: ty });
        }
        match self.open.last_mut() {
            Some(open) if open.missing > 0 => open.missing -= 1,
            None if !self.begun => self.begun = true,
            _ => return self.fail(EncodeError::TooMany),
        }
        self.room(size.saturating_add(4))?;
        self.u32(u32::from(ty.id()) | (flags << 16));
        Ok(())
    }

    #[inline]
    fn text_value(&mut self, ty: Type, text: &str) -> Done {
        self.value(ty, 0, 4)?;
        self.text(ty, text)
    }

    /// A string with its length and padding.
    #[inline]
    fn text(&mut self, ty: Type, text: &str) -> Done {
        self.check_text(ty, text)?;
        let size = self.count(ty, text.len())?;
        self.room(text.len() + 4)?;
        self.u32(size);
        self.out.extend_from_slice(text.as_bytes());
        self.pad()
    }

    #[inline]
    fn check_text(&mut self, ty: Type, text: &str) -> Done {
        if text.as_bytes().contains(&0) { self.fail(EncodeError::Nul { ty }) } else { Ok(()) }
    }

    // Everything begins at a multiple of four in the value; where bytes are kept apart, they and their padding are one too.
    #[inline]
    fn pad(&mut self) -> Done {
        let at = self.out.len() + self.apart;
        let padding = at.next_multiple_of(4) - at;
        self.room(padding)?;
        self.out.extend_from_slice(&[0; 3][..padding]);
        Ok(())
    }

    #[inline]
    fn count(&mut self, ty: Type, count: usize) -> Result<u32, EncodeError> {
        match u32::try_from(count) {
            Ok(small) if small <= COUNT_MASK => Ok(small),
            _ => self.fail(EncodeError::Count { ty, count }),
        }
    }

    #[inline]
    fn room(&mut self, size: usize) -> Done {
        let limit = self.limits.max_bytes();
        if size > limit - self.out.len() - self.apart { self.fail(EncodeError::TooLarge { limit }) } else { Ok(()) }
    }

    #[inline]
    fn check_failed(&self) -> Done {
        match &self.failed {
            None => Ok(()),
            Some(error) => Err(error.clone()),
        }
    }

    #[cold]
    fn fail<T>(&mut self, error: EncodeError) -> Result<T, EncodeError> {
        Err(self.failed.get_or_insert(error).clone())
    }

    #[inline]
    fn u32(&mut self, value: u32) {
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    fn f32(&mut self, value: f32) {
        let value = if value.is_nan() { f32::NAN } else { value };
        self.out.extend_from_slice(&value.to_le_bytes());
    }
}
