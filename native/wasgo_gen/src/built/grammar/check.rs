//! The allowed range of every field of a grammar.

use super::{Element, Grammar, MAX_RULES, MAX_STEPS, RoofKind, Size, Step, Test};
use crate::built::error::{BuiltError, range};

/// The most paints, and the most colours of one.
const MAX_PAINTS: usize = 64;
const MAX_COLORS: usize = 16;

impl Grammar {
    /// Checks every field of every rule, and that all names are there.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed, as in `rules.wall[2].size`.
    pub fn validate(&self) -> Result<(), BuiltError> {
        range(|| "rules (how many)".into(), self.rules.len() as f64, 1.0, MAX_RULES as f64)?;
        range(|| "paints (how many)".into(), self.paints.len() as f64, 0.0, MAX_PAINTS as f64)?;
        self.check_rule(|| "start".into(), &self.start)?;
        for (name, paint) in &self.paints {
            let field = || format!("paints.{name}.colors");
            range(|| format!("{} (how many)", field()), paint.colors.len() as f64, 1.0, MAX_COLORS as f64)?;
            for value in paint.colors.as_flattened() {
                range(field, *value, 0.0, 1.0)?;
            }
        }
        for (name, steps) in &self.rules {
            range(|| format!("rules.{name} (how many steps)"), steps.len() as f64, 0.0, MAX_STEPS as f64)?;
            for (number, step) in steps.iter().enumerate() {
                self.check_step(&format!("rules.{name}[{number}]"), step)?;
            }
        }
        Ok(())
    }

    fn check_rule(&self, field: impl FnOnce() -> String, name: &str) -> Result<(), BuiltError> {
        match self.rules.contains_key(name) {
            true => Ok(()),
            false => Err(BuiltError::Unknown { field: field(), name: name.to_owned() }),
        }
    }

    fn check_paint(&self, field: impl FnOnce() -> String, name: &str) -> Result<(), BuiltError> {
        match self.paints.contains_key(name) {
            true => Ok(()),
            false => Err(BuiltError::Unknown { field: field(), name: name.to_owned() }),
        }
    }

    fn check_step(&self, at: &str, step: &Step) -> Result<(), BuiltError> {
        let field = |name: &str| format!("{at}.{name}");
        match step {
            Step::Extrude { height, rule } => {
                for value in height {
                    range(|| field("height"), *value, 0.1, 100.0)?;
                }
                if height[0] > height[1] {
                    let reason = "the least height is above the greatest";
                    return Err(BuiltError::Invalid { field: field("height"), reason });
                }
                self.check_rule(|| field("rule"), rule)
            }
            Step::Offset { by, rule } => {
                range(|| field("by"), *by, -20.0, 5.0)?;
                self.check_rule(|| field("rule"), rule)
            }
            Step::Split { parts, .. } => {
                range(|| field("parts (how many)"), parts.len() as f64, 1.0, MAX_STEPS as f64)?;
                for part in parts {
                    let (value, min, max) = match part.size {
                        Size::Fixed(metres) => (metres, 0.01, 200.0),
                        Size::Share(share) => (share, 0.001, 1000.0),
                        Size::Repeat(metres) => (metres, 0.2, 200.0),
                    };
                    range(|| field("size"), value, min, max)?;
                    self.check_rule(|| field("rule"), &part.rule)?;
                }
                Ok(())
            }
            Step::Faces(faces) => {
                let all = [&faces.entrance, &faces.front, &faces.back, &faces.side, &faces.top];
                all.into_iter().flatten().try_for_each(|rule| self.check_rule(|| field("faces"), rule))
            }
            Step::Roof(roof) => {
                let least = if matches!(roof.kind, RoofKind::Flat | RoofKind::Battlement) { 0.1 } else { 0.05 };
                range(|| field("pitch"), roof.pitch, least, 6.0)?;
                range(|| field("overhang"), roof.overhang, 0.0, 2.0)?;
                range(|| field("chimneys"), roof.chimneys, 0.0, 2.0)?;
                range(|| field("dormers"), roof.dormers, 0.0, 100.0)?;
                for paint in [&roof.paint, &roof.wall, &roof.chimney] {
                    self.check_paint(|| field("roof"), paint)?;
                }
                Ok(())
            }
            Step::Insert(element) => check_element(&field("insert"), element),
            Step::Choose(choices) => {
                range(|| field("choose (how many)"), choices.len() as f64, 1.0, MAX_STEPS as f64)?;
                for choice in choices {
                    range(|| field("weight"), choice.weight, 0.001, 1000.0)?;
                    self.check_rule(|| field("choose"), &choice.rule)?;
                }
                Ok(())
            }
            Step::When { test, then, otherwise } => {
                if let Test::Wide(metres) | Test::High(metres) | Test::Deep(metres) = test {
                    range(|| field("test"), *metres, 0.0, 200.0)?;
                }
                self.check_rule(|| field("then"), then)?;
                otherwise.iter().try_for_each(|rule| self.check_rule(|| field("otherwise"), rule))
            }
            Step::Paint(name) => self.check_paint(|| field("paint"), name),
            Step::Rule(name) => self.check_rule(|| field("rule"), name),
            Step::Fill => Ok(()),
        }
    }
}

fn check_element(at: &str, element: &Element) -> Result<(), BuiltError> {
    let check = |name: &str, value: f32, min: f64, max: f64| range(|| format!("{at}.{name}"), value, min, max);
    match element {
        Element::Window(window) => {
            check("width", window.width, 0.2, 6.0)?;
            check("height", window.height, 0.2, 8.0)?;
            check("sill", window.sill, 0.0, 8.0)?;
            window.panes.iter().try_for_each(|panes| range(|| format!("{at}.panes"), *panes, 1.0, 6.0))
        }
        Element::Door(door) => {
            check("width", door.width, 0.6, 8.0)?;
            check("height", door.height, 1.8, 8.0)
        }
        Element::Arch(width) => check("arch", *width, 0.5, 20.0),
        Element::Band(size) | Element::Cornice(size) | Element::Buttress(size) => {
            size.iter().try_for_each(|metres| check("size", *metres, 0.01, 3.0))
        }
        Element::Pillar(metres) => check("pillar", *metres, 0.05, 3.0),
        Element::Awning(metres) => check("awning", *metres, 0.2, 3.0),
        Element::Timber(_) | Element::Sign | Element::Quoins => Ok(()),
    }
}
