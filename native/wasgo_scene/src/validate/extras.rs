//! Checks of JSON values.

use super::{Limits, at_most};
use crate::{Extra, Extras, SceneError};

pub(super) fn check(extras: &Extras, limits: &Limits, whose: impl Fn() -> String) -> Result<(), SceneError> {
    if extras.is_empty() {
        return Ok(());
    }
    let mut left = Counting { limits, whose: &whose, count: 0 };
    left.map(extras, 0)
}

struct Counting<'c, W> {
    limits: &'c Limits,
    whose: &'c W,
    count: usize,
}

impl<W: Fn() -> String> Counting<'_, W> {
    fn map(&mut self, extras: &Extras, depth: usize) -> Result<(), SceneError> {
        for (key, extra) in extras {
            at_most("bytes of the key of an extra", key.len(), self.limits.text)?;
            self.value(key, extra, depth)?;
        }
        Ok(())
    }

    fn value(&mut self, key: &str, extra: &Extra, depth: usize) -> Result<(), SceneError> {
        self.count = at_most("extras of one thing", self.count + 1, self.limits.extras)?;
        at_most("lists and maps around an extra", depth, self.limits.extra_depth)?;
        match extra {
            Extra::Text(text) => {
                at_most("bytes of the text of an extra", text.len(), self.limits.text)?;
            }
            Extra::Number(number) if !number.is_finite() => {
                return Err(SceneError::BadExtra { whose: (self.whose)(), key: key.into() });
            }
            Extra::List(items) => items.iter().try_for_each(|item| self.value(key, item, depth + 1))?,
            Extra::Map(extras) => self.map(extras, depth + 1)?,
            Extra::Null | Extra::Bool(_) | Extra::Integer(_) | Extra::Number(_) => {}
        }
        Ok(())
    }
}
