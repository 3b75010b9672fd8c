//! Terms as serde has them, by the rules of each format.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::base64;
use super::bounded::Bounded;
use super::error::{EncodeError, EncodeReason, Lacking, Step};
use super::limits::Limits;
use super::rules::{self, Rules};
use super::source::{Source, View};
use super::{EncodeOptions, Format};

/// Writes a term.
///
/// # Errors
/// If the format cannot hold it, or it is over a limit.
pub fn encode<'v, S: Source<'v>>(
    source: S,
    format: Format,
    options: EncodeOptions,
    limits: &Limits,
) -> Result<Vec<u8>, EncodeError<S>> {
    match format {
        Format::Json => written::<S, rules::Json>(source, options, limits),
        Format::MessagePack => written::<S, rules::MessagePack>(source, options, limits),
        Format::Cbor => written::<S, rules::Cbor>(source, options, limits),
        Format::Postcard => written::<S, rules::Postcard>(source, options, limits),
    }
}

fn written<'v, S: Source<'v>, R: Rules>(
    source: S,
    options: EncodeOptions,
    limits: &Limits,
) -> Result<Vec<u8>, EncodeError<S>> {
    let writing = Writing {
        options,
        limits: *limits,
        depth: Cell::new(0),
        fault: RefCell::new(None),
        path: RefCell::new(Vec::new()),
        rules: PhantomData::<R>,
    };
    let mut out = Bounded::new(limits.max_bytes);
    if R::write(&Node { source, writing: &writing }, &mut out) {
        return Ok(out.into_bytes());
    }
    let reason = match writing.fault.into_inner() {
        Some(reason) => reason,
        None if out.over() => EncodeReason::TooLarge { limit: limits.max_bytes },
        None => EncodeReason::Internal,
    };
    let mut path = writing.path.into_inner();
    path.reverse();
    Err(EncodeError { reason, path })
}

pub(super) struct Writing<S, R> {
    options: EncodeOptions,
    limits: Limits,
    depth: Cell<u32>,
    /// The errors of serde hold texts only: what is at fault is kept here.
    fault: RefCell<Option<EncodeReason<S>>>,
    /// From the inside out: each container adds its own step on the way back.
    path: RefCell<Vec<Step<S>>>,
    rules: PhantomData<R>,
}

impl<S, R> Writing<S, R> {
    #[cold]
    fn fault<E: serde::ser::Error>(&self, reason: EncodeReason<S>) -> E {
        *self.fault.borrow_mut() = Some(reason);
        E::custom("")
    }

    #[cold]
    fn step<E>(&self, step: Step<S>, error: E) -> E {
        self.path.borrow_mut().push(step);
        error
    }
}

/// A term that is being written.
pub(super) struct Node<'w, S, R> {
    source: S,
    writing: &'w Writing<S, R>,
}

impl<'v, S: Source<'v>, R: Rules> Serialize for Node<'_, S, R> {
    #[inline]
    fn serialize<W: Serializer>(&self, serializer: W) -> Result<W::Ok, W::Error> {
        let writing = self.writing;
        let view = self.source.view().map_err(|reason| writing.fault(reason))?;
        self.viewed(view, serializer)
    }
}

/// A term without the variant that it is in.
struct Content<'n, 'w, 'v, S: Source<'v>, R> {
    node: &'n Node<'w, S, R>,
    view: Cell<Option<View<'v, S>>>,
}

impl<'v, S: Source<'v>, R: Rules> Serialize for Content<'_, '_, 'v, S, R> {
    #[inline]
    fn serialize<W: Serializer>(&self, serializer: W) -> Result<W::Ok, W::Error> {
        match self.view.take() {
            Some(view) => self.node.write(view, serializer),
            None => Err(W::Error::custom("")),
        }
    }
}

impl<'v, S: Source<'v>, R: Rules> Node<'_, S, R> {
    // These three always become a part of the loop over a list or map: what a value is, and how that is written, is one choice then
    // and not two, which takes a third less time.
    #[inline(always)]
    fn viewed<W: Serializer>(&self, view: View<'v, S>, serializer: W) -> Result<W::Ok, W::Error> {
        if R::TAGGED { self.variant(view, serializer) } else { self.write(view, serializer) }
    }

    /// Writes a value as its variant in postcard; [`super::postcard`] reads them by their numbers.
    #[inline(always)]
    fn variant<W: Serializer>(&self, view: View<'v, S>, serializer: W) -> Result<W::Ok, W::Error> {
        const NAME: &str = "Value";
        match view {
            View::Nil => serializer.serialize_unit_variant(NAME, 0, "Nil"),
            View::Bool(value) => serializer.serialize_newtype_variant(NAME, 1, "Bool", &value),
            View::Int(value) => serializer.serialize_newtype_variant(NAME, 2, "Int", &value),
            View::Wide(value) => serializer.serialize_newtype_variant(NAME, 3, "Wide", &value),
            View::Float(value) => serializer.serialize_newtype_variant(NAME, 4, "Float", &value),
            View::Text(text) => serializer.serialize_newtype_variant(NAME, 5, "Text", text),
            View::Name(name) => serializer.serialize_newtype_variant(NAME, 5, "Text", &*name),
            View::Bytes(bytes) => serializer.serialize_newtype_variant(NAME, 6, "Bytes", &Raw(bytes)),
            View::List(..) => {
                let content = Content { node: self, view: Cell::new(Some(view)) };
                serializer.serialize_newtype_variant(NAME, 7, "List", &content)
            }
            View::Map(..) => {
                let content = Content { node: self, view: Cell::new(Some(view)) };
                serializer.serialize_newtype_variant(NAME, 8, "Map", &content)
            }
            View::Extension(..) => Err(self.lacks(Lacking::Extension)),
            View::Tag(..) => Err(self.lacks(Lacking::Tag)),
        }
    }

    #[inline(always)]
    fn write<W: Serializer>(&self, view: View<'v, S>, serializer: W) -> Result<W::Ok, W::Error> {
        match view {
            View::Nil => serializer.serialize_unit(),
            View::Bool(value) => serializer.serialize_bool(value),
            View::Int(value) => match u64::try_from(value) {
                Ok(value) => serializer.serialize_u64(value),
                Err(_) => serializer.serialize_i64(value),
            },
            View::Wide(value) => self.wide(value, serializer),
            View::Float(value) => self.float(value, serializer),
            View::Text(text) => serializer.serialize_str(text),
            View::Name(name) => serializer.serialize_str(&name),
            View::Bytes(bytes) => self.bytes(bytes, serializer),
            View::List(len, items) => self.list(len, items, serializer),
            View::Map(len, pairs) => self.map(len, pairs, serializer),
            View::Extension(ty, bytes) if R::EXTENSIONS => {
                serializer.serialize_newtype_struct("_ExtStruct", &(ty, Raw(bytes)))
            }
            View::Extension(..) => Err(self.lacks(Lacking::Extension)),
            View::Tag(number, source) if R::TAGS => self.tag(number, source, serializer),
            View::Tag(..) => Err(self.lacks(Lacking::Tag)),
        }
    }

    #[inline(never)]
    fn bytes<W: Serializer>(&self, bytes: &[u8], serializer: W) -> Result<W::Ok, W::Error> {
        if R::BYTES {
            return serializer.serialize_bytes(bytes);
        }
        let Writing { options, limits, .. } = self.writing;
        if !options.base64 {
            return Err(self.lacks(Lacking::Bytes));
        }
        // Before the text is made.
        if base64::len(bytes) > limits.max_bytes {
            return Err(self.writing.fault(EncodeReason::TooLarge { limit: limits.max_bytes }));
        }
        serializer.serialize_str(&base64::encode(bytes))
    }

    #[inline(never)]
    fn tag<W: Serializer>(&self, number: u64, source: S, serializer: W) -> Result<W::Ok, W::Error> {
        self.nested(|| {
            let content = Node { source, writing: self.writing };
            ciborium::tag::Captured(Some(number), content).serialize(serializer)
        })
    }

    fn lacks<E: serde::ser::Error>(&self, what: Lacking) -> E {
        self.writing.fault(EncodeReason::Lacks(what, self.source))
    }

    #[inline(never)]
    fn wide<W: Serializer>(&self, value: i128, serializer: W) -> Result<W::Ok, W::Error> {
        let bits = R::BITS;
        match u64::try_from(value) {
            Ok(value) if bits == 64 => serializer.serialize_u64(value),
            _ if bits == 128 => serializer.serialize_i128(value),
            _ => Err(self.writing.fault(EncodeReason::IntegerRange { value: self.source, bits })),
        }
    }

    #[inline]
    fn float<W: Serializer>(&self, value: f64, serializer: W) -> Result<W::Ok, W::Error> {
        if R::NOT_FINITE || value.is_finite() {
            serializer.serialize_f64(value)
        } else if self.writing.options.nan_as_null {
            serializer.serialize_unit()
        } else {
            Err(self.lacks(Lacking::NotFinite))
        }
    }

    /// One container deeper.
    fn nested<T, E: serde::ser::Error>(&self, write: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let Writing { depth, limits, .. } = self.writing;
        if depth.get() >= limits.max_depth {
            return Err(self.writing.fault(EncodeReason::TooDeep { limit: limits.max_depth }));
        }
        depth.set(depth.get() + 1);
        let result = write();
        depth.set(depth.get() - 1);
        result
    }

    // What recurses is kept apart from what does not, since depth costs its part of the stack.
    #[inline(never)]
    fn list<W: Serializer>(&self, len: usize, items: S::Items, serializer: W) -> Result<W::Ok, W::Error> {
        let writing = self.writing;
        self.nested(|| {
            let mut list = serializer.serialize_seq(Some(len))?;
            for (index, source) in items.enumerate() {
                list.serialize_element(&Node { source, writing })
                    .map_err(|error| writing.step(Step::Index(index), error))?;
            }
            list.end()
        })
    }

    #[inline(never)]
    fn map<W: Serializer>(&self, len: usize, pairs: S::Pairs, serializer: W) -> Result<W::Ok, W::Error> {
        let writing = self.writing;
        self.nested(|| {
            let mut map = serializer.serialize_map(Some(len))?;
            let kinds = Kinds::default();
            for (key, value) in pairs {
                map.serialize_key(&Key { node: Node { source: key, writing }, kinds: &kinds })
                    .and_then(|()| map.serialize_value(&Node { source: value, writing }))
                    .map_err(|error| writing.step(Step::Key(key), error))?;
            }
            if kinds.names.get() && kinds.texts.get() {
                match self.source.clash() {
                    Ok(None) => {}
                    Ok(Some(key)) => return Err(writing.fault(EncodeReason::DuplicateKey(key))),
                    Err(reason) => return Err(writing.fault(reason)),
                }
            }
            map.end()
        })
    }
}

/// What keys a map has: only names beside texts can be the same when they are written.
#[derive(Default)]
struct Kinds {
    names: Cell<bool>,
    texts: Cell<bool>,
}

/// A key of a map.
struct Key<'k, 'w, S, R> {
    node: Node<'w, S, R>,
    kinds: &'k Kinds,
}

impl<'v, S: Source<'v>, R: Rules> Serialize for Key<'_, '_, S, R> {
    #[inline]
    fn serialize<W: Serializer>(&self, serializer: W) -> Result<W::Ok, W::Error> {
        let view = self.node.source.view().map_err(|reason| self.node.writing.fault(reason))?;
        match view {
            View::Text(_) => self.kinds.texts.set(true),
            View::Name(_) => self.kinds.names.set(true),
            _ if R::TEXT_KEYS => return Err(self.node.lacks(Lacking::Key)),
            _ => {}
        }
        self.node.viewed(view, serializer)
    }
}

/// Bytes, which serde has no type of its own for.
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<W: Serializer>(&self, serializer: W) -> Result<W::Ok, W::Error> {
        serializer.serialize_bytes(self.0)
    }
}
