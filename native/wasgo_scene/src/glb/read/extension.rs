//! Extensions: those that are known, those that are kept as they are, and those that are refused.

use super::super::{BASISU, EMISSIVE_STRENGTH, INSTANCING, LIGHTS, TEXTURE_TRANSFORM, UNLIT, WEBP};
use super::Reader;
use super::at::At;
use super::error::{ReadError, ReadFault};
use super::material::is_material;
use super::parse::Value;
use super::source::shortened;
use crate::Extras;

const QUANTIZATION: &str = "KHR_mesh_quantization";
const KNOWN: [&str; 8] = [BASISU, EMISSIVE_STRENGTH, INSTANCING, LIGHTS, QUANTIZATION, TEXTURE_TRANSFORM, UNLIT, WEBP];

/// What a single-entry map of extras may take, at most.
const EXTRA_BYTES: usize = 768;

impl<'d> Reader<'d, '_, '_> {
    /// A reader must know what a file requires.
    pub(super) fn check_required(&self) -> Result<(), ReadError> {
        let root = self.root;
        let Some(required) = root.get("extensionsRequired")? else { return Ok(()) };
        for name in required.items()? {
            let text = name.text()?;
            if !KNOWN.contains(&text) && !is_material(text) {
                return name.unsupported(format!("the extension {}", shortened(text)));
            }
        }
        Ok(())
    }

    /// The `extras` of a thing, whose size is checked before they are copied.
    pub(super) fn extras(&self, at: &At<'d, '_>) -> Result<Extras, ReadError> {
        if let Some(extras) = at.get("extras")? {
            self.check_extra(&extras)?;
        }
        at.extras()
    }

    fn check_extra(&self, at: &At<'d, '_>) -> Result<(), ReadError> {
        let limits = &self.options.limits;
        let (mut count, mut text, mut depth) = (0, 0, 0);
        measure(at.value, 0, &mut |level, length| {
            count += 1;
            text = text.max(length);
            depth = depth.max(level);
        });
        // The outermost map counts as none, as it does when a scene is checked.
        at.at_most("extras of one thing", count - 1, limits.extras)?;
        at.at_most("lists and maps around an extra", depth, limits.extra_depth.saturating_add(1))?;
        at.at_most("bytes of the text of an extra", text, limits.text)?;
        self.charge(at, count * EXTRA_BYTES)
    }

    /// The extensions of a thing that are kept: those that hold nothing that could be a reference, and those of materials,
    /// whose references are known. `known` are read elsewhere.
    pub(super) fn extensions(&self, at: &At<'d, '_>, known: &[&str]) -> Result<Extras, ReadError> {
        let mut kept = Extras::new();
        let Some(extensions) = at.get("extensions")? else { return Ok(kept) };
        for (name, extension) in extensions.each_field()? {
            if known.contains(&name) {
                continue;
            }
            let material = is_material(name) && matches!(extension.value, Value::Map(_));
            if material || !refers(extension.value) {
                self.check_extra(&extension)?;
                if material {
                    self.check_textures(&extension)?;
                }
                kept.insert(name.into(), extension.extra());
            } else if !self.options.lossy {
                return Err(unknown(&extension, name));
            }
        }
        Ok(kept)
    }

    /// The textures of a material's extension are there.
    fn check_textures(&self, extension: &At<'d, '_>) -> Result<(), ReadError> {
        for (key, field) in extension.each_field()? {
            if key.ends_with("Texture") {
                field.need("index")?.index("texture", self.counts.textures)?;
            }
        }
        Ok(())
    }

    /// For things whose extensions have no place in a scene.
    pub(super) fn refuse_extensions(&self, at: &At<'d, '_>) -> Result<(), ReadError> {
        self.refuse_extensions_but(at, &[])
    }

    pub(super) fn refuse_extensions_but(&self, at: &At<'d, '_>, known: &[&str]) -> Result<(), ReadError> {
        if self.options.lossy {
            return Ok(());
        }
        let Some(extensions) = at.get("extensions")? else { return Ok(()) };
        match extensions.each_field()?.find(|(name, _)| !known.contains(name)) {
            Some((name, extension)) => Err(unknown(&extension, name)),
            None => Ok(()),
        }
    }
}

fn unknown(at: &At<'_, '_>, name: &str) -> ReadError {
    at.error(ReadFault::Unsupported(format!("the extension {}", shortened(name))))
}

/// Whether there is a whole number in it, which may be a reference.
fn refers(value: &Value<'_>) -> bool {
    match value {
        Value::Integer(number) => *number >= 0,
        Value::List(items) => items.iter().any(refers),
        Value::Map(fields) => fields.iter().any(|(_, value)| refers(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => false,
    }
}

/// Tells of every value how many lists and objects are around it, and of the longest text in it.
fn measure(value: &Value<'_>, depth: usize, tell: &mut impl FnMut(usize, usize)) {
    match value {
        Value::Text(text) => tell(depth, text.len()),
        Value::List(items) => {
            tell(depth, 0);
            items.iter().for_each(|item| measure(item, depth + 1, tell));
        }
        Value::Map(fields) => {
            tell(depth, fields.iter().map(|(key, _)| key.len()).max().unwrap_or(0));
            fields.iter().for_each(|(_, field)| measure(field, depth + 1, tell));
        }
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Number(_) => tell(depth, 0),
    }
}
