//! Terms as what is written.

use std::borrow::Cow;
use std::cell::RefCell;

use rustler::types::MapIterator;
use rustler::types::tuple::get_tuple;
use rustler::{Atom, Binary, Term, TermType};
use wasgo_wire::format::{EncodeReason, Source, View};

use super::atoms;
use crate::budget::{Budget, OverBudget};
use crate::float;
use crate::variant::{atom_text, clash, length};

/// A term. All work is asked of the budget before it is done.
#[derive(Clone, Copy)]
pub(super) struct Item<'a, 'b> {
    term: Term<'a>,
    budget: &'b RefCell<Budget>,
}

type Reason<'a, 'b> = EncodeReason<Item<'a, 'b>>;

impl From<OverBudget> for Reason<'_, '_> {
    fn from(_: OverBudget) -> Self {
        EncodeReason::OverBudget
    }
}

impl<'a, 'b> Item<'a, 'b> {
    pub(super) fn new(term: Term<'a>, budget: &'b RefCell<Budget>) -> Self {
        Self { term, budget }
    }

    pub(super) fn term(self) -> Term<'a> {
        self.term
    }

    fn binary(self, term: Term<'a>) -> Result<&'a [u8], Reason<'a, 'b>> {
        let binary = Binary::from_term(term).map_err(|_| EncodeReason::Unsupported(self))?;
        self.budget.borrow_mut().spend_bytes(binary.len())?;
        Ok(binary.as_slice())
    }

    /// An integer of more than 64 bits. It is only taken apart when it is known to be no larger than that.
    fn wide(self) -> Result<View<'a, Self>, Reason<'a, 'b>> {
        let env = self.term.get_env();
        let (least, greatest) = (super::wide(env, i128::MIN), super::wide(env, i128::MAX));
        match self.term.decode() {
            Ok(value) if least <= self.term && self.term <= greatest => Ok(View::Wide(value)),
            _ => Err(EncodeReason::IntegerRange { value: self, bits: 128 }),
        }
    }

    fn atom(self) -> Result<View<'a, Self>, Reason<'a, 'b>> {
        let atom = Atom::from_term(self.term).map_err(|_| EncodeReason::Unsupported(self))?;
        if atom == atoms::nil() {
            Ok(View::Nil)
        } else if atom == atoms::true_() || atom == atoms::false_() {
            Ok(View::Bool(atom == atoms::true_()))
        } else if let Some(value) = float::decode(self.term) {
            Ok(View::Float(value))
        } else {
            let name = atom_text(self.term, &mut self.budget.borrow_mut())?.ok_or(EncodeReason::Unsupported(self))?;
            Ok(View::Name(Cow::Owned(name)))
        }
    }

    fn list(self) -> Result<View<'a, Self>, Reason<'a, 'b>> {
        let len = length(self.term, &self.budget.borrow())?.ok_or(EncodeReason::Unsupported(self))?;
        Ok(View::List(len, Items(self)))
    }

    fn map(self) -> Result<View<'a, Self>, Reason<'a, 'b>> {
        let is_struct = self.term.map_get(atoms::struct_key()).is_ok();
        match (self.term.map_size(), MapIterator::new(self.term)) {
            (Ok(len), Some(pairs)) if !is_struct => {
                Ok(View::Map(len, Pairs { pairs: Box::new(pairs), budget: self.budget }))
            }
            _ => Err(EncodeReason::Unsupported(self)),
        }
    }

    fn tuple(self) -> Result<View<'a, Self>, Reason<'a, 'b>> {
        let members = get_tuple(self.term).map_err(|_| EncodeReason::Unsupported(self))?;
        let name = members.first().and_then(|name| Atom::from_term(*name).ok());
        match (name, &members[..]) {
            (Some(name), [_, content]) if name == atoms::blob() => Ok(View::Bytes(self.binary(*content)?)),
            (Some(name), [_, ty, content]) if name == atoms::ext() => match ty.decode::<i64>().map(i8::try_from) {
                Ok(Ok(ty)) => Ok(View::Extension(ty, self.binary(*content)?)),
                _ => Err(EncodeReason::Unsupported(self)),
            },
            (Some(name), [_, number, content]) if name == atoms::tag() => match number.decode() {
                // These two are how integers are written.
                Ok(2 | 3) | Err(_) => Err(EncodeReason::Unsupported(self)),
                Ok(number) => Ok(View::Tag(number, Self { term: *content, ..self })),
            },
            _ => Err(EncodeReason::Unsupported(self)),
        }
    }
}

impl<'a, 'b> Source<'a> for Item<'a, 'b> {
    type Items = Items<'a, 'b>;
    type Pairs = Pairs<'a, 'b>;

    #[inline(never)]
    fn view(self) -> Result<View<'a, Self>, Reason<'a, 'b>> {
        self.budget.borrow_mut().spend(1)?;
        match self.term.get_type() {
            TermType::Integer => match self.term.decode() {
                Ok(value) => Ok(View::Int(value)),
                Err(_) => self.wide(),
            },
            TermType::Float => self.term.decode().map(View::Float).map_err(|_| EncodeReason::Unsupported(self)),
            TermType::Binary => {
                let bytes = self.binary(self.term)?;
                str::from_utf8(bytes).map(View::Text).map_err(|_| EncodeReason::NotUtf8(self))
            }
            TermType::Atom => self.atom(),
            TermType::List => self.list(),
            TermType::Map => self.map(),
            TermType::Tuple => self.tuple(),
            _ => Err(EncodeReason::Unsupported(self)),
        }
    }

    fn clash(self) -> Result<Option<Self>, Reason<'a, 'b>> {
        let key = clash(self.term, &mut self.budget.borrow_mut())?;
        Ok(key.map(|term| Self { term, ..self }))
    }
}

/// The elements of a list.
pub(super) struct Items<'a, 'b>(Item<'a, 'b>);

impl<'a, 'b> Iterator for Items<'a, 'b> {
    type Item = Item<'a, 'b>;

    fn next(&mut self) -> Option<Item<'a, 'b>> {
        let (head, tail) = self.0.term.list_get_cell().ok()?;
        self.0.term = tail;
        Some(Item { term: head, ..self.0 })
    }
}

/// The pairs of a map.
pub(super) struct Pairs<'a, 'b> {
    // It is large, and one for each level of nesting is on the stack.
    pairs: Box<MapIterator<'a>>,
    budget: &'b RefCell<Budget>,
}

impl<'a, 'b> Iterator for Pairs<'a, 'b> {
    type Item = (Item<'a, 'b>, Item<'a, 'b>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.pairs.next()?;
        Some((Item { term: key, budget: self.budget }, Item { term: value, budget: self.budget }))
    }
}
