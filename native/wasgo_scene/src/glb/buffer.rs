//! The accessors and buffer views of a file, and the bytes behind them. Equal data is written once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::json::Json;
use crate::validate::floats;

const ARRAY_BUFFER: u64 = 34962;
const ELEMENT_ARRAY_BUFFER: u64 = 34963;
const FLOAT: u64 = 5126;
const UNSIGNED_INT: u64 = 5125;

/// What an accessor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Position,
    Normal,
    Color,
    Index,
}

impl Kind {
    fn element_bytes(self) -> u64 {
        match self {
            Self::Position | Self::Normal => 12,
            Self::Color => 16,
            Self::Index => 4,
        }
    }
}

struct View<'a> {
    kind: Kind,
    bytes: Cow<'a, [u8]>,
    offset: u64,
}

/// All data of a file, in the order in which it was added. One accessor has one view.
#[derive(Default)]
pub(super) struct Buffer<'a> {
    views: Vec<View<'a>>,
    known: BTreeMap<(Kind, &'a [u8]), u64>,
    length: u64,
}

impl<'a> Buffer<'a> {
    /// The accessor of these bytes, an old one where the same bytes are there already. All lengths are multiples
    /// of 4, so every view starts aligned.
    pub(super) fn accessor(&mut self, kind: Kind, bytes: &'a [u8]) -> u64 {
        let views = &mut self.views;
        let length = &mut self.length;
        *self.known.entry((kind, bytes)).or_insert_with(|| {
            let number = views.len() as u64;
            let bytes = if kind == Kind::Color { clamped(bytes) } else { Cow::Borrowed(bytes) };
            let offset = *length;
            *length += bytes.len() as u64;
            views.push(View { kind, bytes, offset });
            number
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.length
    }

    pub(super) fn append_to(&self, file: &mut Vec<u8>) {
        for view in &self.views {
            file.extend_from_slice(&view.bytes);
        }
    }

    /// The `accessors`, `bufferViews` and `buffers` of the file; nothing where there is no data.
    pub(super) fn describe(&self, json: &mut Json) {
        if self.views.is_empty() {
            return;
        }
        json.list("accessors", self.views.iter().enumerate(), |json, (number, view)| {
            json.object(|json| describe_accessor(json, number as u64, view));
        });
        json.list("bufferViews", &self.views, |json, view| {
            json.object(|json| {
                json.key("buffer").integer(0);
                json.key("byteOffset").integer(view.offset);
                json.key("byteLength").integer(view.bytes.len() as u64);
                json.key("target").integer(if view.kind == Kind::Index { ELEMENT_ARRAY_BUFFER } else { ARRAY_BUFFER });
            });
        });
        json.list("buffers", [self.length], |json, length| {
            json.object(|json| json.key("byteLength").integer(length));
        });
    }
}

fn describe_accessor(json: &mut Json, number: u64, view: &View<'_>) {
    let (component, shape) = match view.kind {
        Kind::Position | Kind::Normal => (FLOAT, "VEC3"),
        Kind::Color => (FLOAT, "VEC4"),
        Kind::Index => (UNSIGNED_INT, "SCALAR"),
    };
    json.key("bufferView").integer(number);
    json.key("componentType").integer(component);
    json.key("count").integer(view.bytes.len() as u64 / view.kind.element_bytes());
    json.key("type").text(shape);
    if view.kind == Kind::Position {
        let (low, high) = bounds(&view.bytes);
        json.list("min", low, |json, v| json.f32(v));
        json.list("max", high, |json, v| json.f32(v));
    }
}

/// Least and greatest x, y, z. Adding 0 turns -0 into 0, which readers compare as equal and print alike.
fn bounds(positions: &[u8]) -> ([f32; 3], [f32; 3]) {
    let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
    for position in positions.chunks_exact(12) {
        for (axis, value) in floats(position).enumerate() {
            low[axis] = low[axis].min(value);
            high[axis] = high[axis].max(value);
        }
    }
    (low.map(|v| v + 0.0), high.map(|v| v + 0.0))
}

/// glTF wants colours in 0..=1. Copies only what has to change.
fn clamped(colors: &[u8]) -> Cow<'_, [u8]> {
    if floats(colors).all(|value| (0.0..=1.0).contains(&value)) {
        return Cow::Borrowed(colors);
    }
    Cow::Owned(floats(colors).flat_map(|value| value.clamp(0.0, 1.0).to_le_bytes()).collect())
}
