//! The accessors and buffer views of a file, and the bytes behind them. Equal data is written once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::json::Json;
use crate::validate::floats;
use crate::{Attribute, ComponentType};

const ARRAY_BUFFER: u64 = 34962;
const ELEMENT_ARRAY_BUFFER: u64 = 34963;

/// What an accessor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    component: ComponentType,
    components: u64,
    normalized: bool,
    target: Option<u64>,
    /// Whether readers are told the least and the greatest.
    bounds: bool,
}

impl Kind {
    pub(super) const POSITION: Self = Self { bounds: true, ..Self::vertex(3) };
    pub(super) const NORMAL: Self = Self::vertex(3);
    pub(super) const TANGENT: Self = Self::vertex(4);
    pub(super) const COLOR: Self = Self::vertex(4);
    pub(super) const UV: Self = Self::vertex(2);
    pub(super) const JOINTS: Self = Self { component: ComponentType::UnsignedShort, ..Self::vertex(4) };
    pub(super) const WEIGHTS: Self = Self::vertex(4);
    pub(super) const INDEX: Self =
        Self { component: ComponentType::UnsignedInt, target: Some(ELEMENT_ARRAY_BUFFER), ..Self::vertex(1) };
    pub(super) const MATRIX: Self = Self::plain(16);
    pub(super) const TIME: Self = Self { bounds: true, ..Self::plain(1) };

    const fn vertex(components: u64) -> Self {
        Self { target: Some(ARRAY_BUFFER), ..Self::plain(components) }
    }

    /// f32 vectors that no vertex has.
    pub(super) const fn plain(components: u64) -> Self {
        Self { component: ComponentType::Float, components, normalized: false, target: None, bounds: false }
    }

    pub(super) fn of(attribute: &Attribute<'_>) -> Self {
        let components = attribute.shape.components() as u64;
        Self { component: attribute.component, normalized: attribute.normalized, ..Self::vertex(components) }
    }

    fn element_bytes(self) -> u64 {
        self.component.bytes() as u64 * self.components
    }

    fn shape(self) -> &'static str {
        match self.components {
            1 => "SCALAR",
            2 => "VEC2",
            3 => "VEC3",
            4 => "VEC4",
            _ => "MAT4",
        }
    }
}

struct View<'a> {
    bytes: Cow<'a, [u8]>,
    offset: u64,
    stride: Option<u64>,
    target: Option<u64>,
}

struct Accessor {
    kind: Kind,
    /// None: all zeros.
    view: Option<usize>,
    count: u64,
}

/// All data of a file, in the order in which it was added.
#[derive(Default)]
pub(super) struct Buffer<'a> {
    views: Vec<View<'a>>,
    accessors: Vec<Accessor>,
    known: BTreeMap<(Kind, &'a [u8]), u64>,
    length: u64,
}

impl<'a> Buffer<'a> {
    /// The accessor of these bytes, an old one where the same bytes are there already.
    pub(super) fn accessor(&mut self, kind: Kind, bytes: &'a [u8]) -> u64 {
        if let Some(known) = self.known.get(&(kind, bytes)) {
            return *known;
        }
        let number = self.owned(kind, Cow::Borrowed(bytes));
        self.known.insert((kind, bytes), number);
        number
    }

    /// As [`Buffer::accessor`], of colours, which glTF wants in 0..=1.
    pub(super) fn colors(&mut self, bytes: &'a [u8]) -> u64 {
        let kind = Kind::COLOR;
        if let Some(known) = self.known.get(&(kind, bytes)) {
            return *known;
        }
        let number = self.owned(kind, clamped(bytes));
        self.known.insert((kind, bytes), number);
        number
    }

    /// An accessor of its own.
    pub(super) fn owned(&mut self, kind: Kind, bytes: Cow<'a, [u8]>) -> u64 {
        let count = bytes.len() as u64 / kind.element_bytes();
        let element = kind.element_bytes();
        let padded = kind.target == Some(ARRAY_BUFFER) && !element.is_multiple_of(4);
        let (bytes, stride) = if padded {
            let stride = element.next_multiple_of(4);
            (Cow::Owned(spread(&bytes, element as usize, stride as usize)), Some(stride))
        } else {
            (bytes, None)
        };
        let view = self.view(bytes, stride, kind.target);
        self.accessors.push(Accessor { kind, view: Some(view), count });
        self.accessors.len() as u64 - 1
    }

    /// An accessor of as many zeros, which takes no bytes.
    pub(super) fn zeros(&mut self, kind: Kind, count: usize) -> u64 {
        self.accessors.push(Accessor { kind, view: None, count: count as u64 });
        self.accessors.len() as u64 - 1
    }

    /// A view of bytes that are no numbers.
    pub(super) fn raw(&mut self, bytes: &'a [u8]) -> u64 {
        self.view(Cow::Borrowed(bytes), None, None) as u64
    }

    /// Every view starts at a multiple of 4.
    fn view(&mut self, bytes: Cow<'a, [u8]>, stride: Option<u64>, target: Option<u64>) -> usize {
        let offset = self.length;
        self.length += (bytes.len() as u64).next_multiple_of(4);
        self.views.push(View { bytes, offset, stride, target });
        self.views.len() - 1
    }

    pub(super) fn len(&self) -> u64 {
        self.length
    }

    pub(super) fn append_to(&self, file: &mut Vec<u8>) {
        for view in &self.views {
            file.extend_from_slice(&view.bytes);
            let padding = view.bytes.len().next_multiple_of(4) - view.bytes.len();
            file.extend_from_slice(&[0; 3][..padding]);
        }
    }

    /// The `accessors`, `bufferViews` and `buffers` of the file; nothing where there is no data.
    pub(super) fn describe(&self, json: &mut Json) {
        if !self.accessors.is_empty() {
            json.list("accessors", &self.accessors, |json, accessor| {
                json.object(|json| self.describe_accessor(json, accessor));
            });
        }
        if self.views.is_empty() {
            return;
        }
        json.list("bufferViews", &self.views, |json, view| {
            json.object(|json| {
                json.key("buffer").integer(0);
                json.key("byteOffset").integer(view.offset);
                json.key("byteLength").integer(view.bytes.len() as u64);
                if let Some(stride) = view.stride {
                    json.key("byteStride").integer(stride);
                }
                if let Some(target) = view.target {
                    json.key("target").integer(target);
                }
            });
        });
        json.list("buffers", [self.length], |json, length| {
            json.object(|json| json.key("byteLength").integer(length));
        });
    }

    fn describe_accessor(&self, json: &mut Json, accessor: &Accessor) {
        let kind = accessor.kind;
        if let Some(view) = accessor.view {
            json.key("bufferView").integer(view as u64);
        }
        json.key("componentType").integer(kind.component as u64);
        if kind.normalized {
            json.key("normalized").bool(true);
        }
        json.key("count").integer(accessor.count);
        json.key("type").text(kind.shape());
        if kind.bounds {
            let bytes = accessor.view.map_or(&[][..], |view| &self.views[view].bytes);
            let (low, high) =
                if kind.components == 1 { bounds::<1>(bytes).into_vecs() } else { bounds::<3>(bytes).into_vecs() };
            json.list("min", low, |json, v| json.f32(v));
            json.list("max", high, |json, v| json.f32(v));
        }
    }
}

struct Bounds<const N: usize>([f32; N], [f32; N]);

impl<const N: usize> Bounds<N> {
    fn into_vecs(self) -> (Vec<f32>, Vec<f32>) {
        (self.0.to_vec(), self.1.to_vec())
    }
}

/// Least and greatest of each number; 0 where there are none. Adding 0 turns -0 into 0, which readers compare as equal and print
/// alike.
fn bounds<const N: usize>(bytes: &[u8]) -> Bounds<N> {
    let words = bytes.as_chunks::<4>().0.as_chunks::<N>().0;
    let vector = |words: &[[u8; 4]; N]| words.map(f32::from_le_bytes);
    let Some(first) = words.first().map(vector) else { return Bounds([0.0; N], [0.0; N]) };
    let (mut low, mut high) = (first, first);
    for value in words.iter().map(vector) {
        for axis in 0..N {
            low[axis] = if value[axis] < low[axis] { value[axis] } else { low[axis] };
            high[axis] = if value[axis] > high[axis] { value[axis] } else { high[axis] };
        }
    }
    Bounds(low.map(|v| v + 0.0), high.map(|v| v + 0.0))
}

/// glTF wants colours in 0..=1. Copies only what has to change.
fn clamped(colors: &[u8]) -> Cow<'_, [u8]> {
    if floats(colors).fold(true, |right, value| right & (0.0..=1.0).contains(&value)) {
        return Cow::Borrowed(colors);
    }
    Cow::Owned(floats(colors).flat_map(|value| value.clamp(0.0, 1.0).to_le_bytes()).collect())
}

/// Elements with zeros behind each, up to the stride.
fn spread(bytes: &[u8], element: usize, stride: usize) -> Vec<u8> {
    let mut spread = Vec::with_capacity(bytes.len() / element * stride);
    for each in bytes.chunks_exact(element) {
        spread.extend_from_slice(each);
        spread.resize(spread.len().next_multiple_of(stride), 0);
    }
    spread
}
