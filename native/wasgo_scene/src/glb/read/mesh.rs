//! Meshes.

use std::borrow::Cow;

use super::super::{LODS, TARGET_NAMES};
use super::accessor::Numbers;
use super::at::At;
use super::error::{ReadError, ReadFault};
use super::source::shortened;
use super::{Reader, triangles};
use crate::validate::{NORMAL_TOLERANCE, check_surface, floats, not_unit};
use crate::{Attribute, ComponentType, ElementShape, Extra, Lod, Mesh, Morph, Surface};

impl<'d, 'a> Reader<'d, 'a, '_> {
    pub(super) fn read_meshes(&self) -> Result<Vec<Mesh<'a>>, ReadError> {
        let root = self.root;
        let Some(list) = root.get("meshes")? else { return Ok(Vec::new()) };
        list.at_most("meshes", list.len(), self.options.limits.meshes)?;
        list.items()?.map(|at| self.mesh(&at)).collect()
    }

    fn mesh(&self, at: &At<'d, '_>) -> Result<Mesh<'a>, ReadError> {
        let mut mesh = Mesh {
            name: at.name()?,
            extras: self.extras(at)?,
            extensions: self.extensions(at, &[])?,
            ..Mesh::default()
        };
        let primitives = at.need("primitives")?;
        for primitive in primitives.items()? {
            let mode = primitive.or("mode", 4, |at| at.whole())?;
            if let 0..=3 = mode {
                if self.options.lossy {
                    continue;
                }
                let what = ["points", "lines", "line loops", "line strips"][mode as usize];
                return primitive.unsupported(format!("a primitive of {what}"));
            }
            let surfaces = self.counts.surfaces.get() + 1;
            primitive.at_most("surfaces", surfaces, self.options.limits.surfaces)?;
            self.counts.surfaces.set(surfaces);
            let surface = self.surface(&primitive, mode)?;
            check_surface(&surface, mesh.surfaces.len(), &mesh.name)
                .map_err(|error| primitive.error(ReadFault::Scene(error)))?;
            mesh.surfaces.push(surface);
        }
        mesh.weights = at.or("weights", Vec::new(), |at| at.numbers(self.options.limits.morphs))?;
        let names = mesh.surfaces.iter().flat_map(|surface| &surface.morphs).count();
        self.charge(at, names.saturating_mul(longest_name(&mesh)))?;
        name_morphs(&mut mesh);
        Ok(mesh)
    }

    fn surface(&self, at: &At<'d, '_>, mode: u64) -> Result<Surface<'a>, ReadError> {
        self.refuse_extensions(at)?;
        let mut surface = Surface {
            extras: self.extras(at)?,
            material: at.maybe("material", |at| at.index("material", self.counts.materials))?,
            ..Surface::default()
        };
        let attributes = at.need("attributes")?;
        // A primitive without positions draws nothing.
        let Some(positions) = attributes.get("POSITION")? else { return Ok(surface) };
        let left = self.options.limits.vertices - self.counts.vertices.get();
        surface.positions = self.float_vectors(&positions, 3, "vertices", left)?;
        let vertices = surface.vertices();
        self.counts.vertices.set(self.counts.vertices.get() + vertices);
        for (name, attribute) in attributes.each_field()? {
            self.attribute(&mut surface, name, &attribute, vertices)?;
        }
        surface.indices = self.indices(at, mode, vertices)?;
        if let Some(targets) = at.get("targets")? {
            targets.at_most("morphs of a surface", targets.len(), self.options.limits.morphs)?;
            surface.morphs = targets.items()?.map(|target| self.morph(&target, vertices)).collect::<Result<_, _>>()?;
        }
        if self.own {
            self.lods(at, &mut surface)?;
        }
        Ok(surface)
    }

    fn attribute(
        &self,
        surface: &mut Surface<'a>,
        name: &str,
        at: &At<'d, '_>,
        vertices: usize,
    ) -> Result<(), ReadError> {
        let vectors = |components| -> Result<Cow<'a, [u8]>, ReadError> {
            let bytes = self.float_vectors(at, components, "vertices", self.options.limits.vertices)?;
            if bytes.len() != vertices * components * 4 {
                return at.invalid("as many elements as there are positions");
            }
            Ok(bytes)
        };
        match name {
            "POSITION" => {}
            "NORMAL" => surface.normals = self.unit::<12>(at, vectors(3)?)?,
            "TANGENT" => surface.tangents = self.unit::<16>(at, vectors(4)?)?,
            "TEXCOORD_0" => surface.uvs = vectors(2)?,
            "TEXCOORD_1" => surface.uvs2 = vectors(2)?,
            "WEIGHTS_0" => surface.weights = vectors(4)?,
            "COLOR_0" => surface.colors = self.colors(at, vertices)?,
            "JOINTS_0" => {
                let joints = self.same(at, vertices)?;
                surface.joints = self.joints(at, joints)?;
            }
            _ => {
                let known = ["TEXCOORD_", "COLOR_", "JOINTS_", "WEIGHTS_"].iter().any(|known| name.starts_with(known));
                if !known && !name.starts_with('_') {
                    if self.options.lossy {
                        return Ok(());
                    }
                    return at.unsupported(format!("the attribute {:?}", shortened(name)));
                }
                at.at_most(
                    "other attributes of a surface",
                    surface.attributes.len() + 1,
                    self.options.limits.attributes,
                )?;
                let numbers = self.same(at, vertices)?;
                let shape = match numbers.components {
                    1 => ElementShape::Scalar,
                    2 => ElementShape::Vec2,
                    3 => ElementShape::Vec3,
                    4 => ElementShape::Vec4,
                    _ => return at.unsupported("an attribute of MAT4"),
                };
                let attribute = Attribute {
                    component: numbers.component,
                    normalized: numbers.normalized,
                    shape,
                    bytes: numbers.bytes,
                };
                surface.attributes.insert(name.into(), attribute);
            }
        }
        Ok(())
    }

    /// As many elements as there are vertices.
    fn same(&self, at: &At<'d, '_>, vertices: usize) -> Result<Numbers<'a>, ReadError> {
        let numbers = self.accessor(at, "vertices", self.options.limits.vertices)?;
        if numbers.count != vertices {
            return at.invalid("as many elements as there are positions");
        }
        Ok(numbers)
    }

    /// Vectors brought to length 1 where one is not: rounding to few bits makes them longer or shorter.
    fn unit<const N: usize>(&self, at: &At<'d, '_>, bytes: Cow<'a, [u8]>) -> Result<Cow<'a, [u8]>, ReadError> {
        if not_unit::<N>(&bytes, NORMAL_TOLERANCE).is_none() {
            return Ok(bytes);
        }
        if let Cow::Borrowed(_) = bytes {
            self.charge(at, bytes.len())?;
        }
        let mut bytes = bytes.into_owned();
        for vector in bytes.as_chunks_mut::<N>().0 {
            let mut values = [0.0f32; 4];
            values.iter_mut().zip(floats(vector)).for_each(|(place, value)| *place = value);
            let [x, y, z, side] = values;
            let length = (x * x + y * y + z * z).sqrt();
            let mut unit = [x / length, y / length, z / length, if side < 0.0 { -1.0 } else { 1.0 }];
            // There is no direction in nothing.
            if !(length > 1e-12 && length.is_finite()) {
                if !self.options.lossy {
                    continue;
                }
                unit = [0.0, 1.0, 0.0, 1.0];
            }
            for (place, value) in vector.as_chunks_mut::<4>().0.iter_mut().zip(unit) {
                *place = value.to_le_bytes();
            }
        }
        Ok(Cow::Owned(bytes))
    }

    fn colors(&self, at: &At<'d, '_>, vertices: usize) -> Result<Cow<'a, [u8]>, ReadError> {
        let numbers = self.same(at, vertices)?;
        match numbers.components {
            4 => self.floats(at, numbers),
            3 => {
                let rgb = self.floats(at, numbers)?;
                self.charge(at, vertices * 16)?;
                let mut colors = Vec::with_capacity(vertices * 16);
                for color in rgb.as_chunks::<12>().0 {
                    colors.extend_from_slice(color);
                    colors.extend_from_slice(&1.0f32.to_le_bytes());
                }
                Ok(Cow::Owned(colors))
            }
            _ => at.invalid("an accessor of VEC3 or VEC4"),
        }
    }

    fn joints(&self, at: &At<'d, '_>, numbers: Numbers<'a>) -> Result<Cow<'a, [u8]>, ReadError> {
        match (numbers.components, numbers.component) {
            (4, ComponentType::UnsignedShort) => Ok(numbers.bytes),
            (4, ComponentType::UnsignedByte) => {
                self.charge(at, numbers.bytes.len() * 2)?;
                Ok(Cow::Owned(numbers.bytes.iter().flat_map(|joint| u16::from(*joint).to_le_bytes()).collect()))
            }
            _ => at.invalid("an accessor of VEC4 of unsigned integers of 8 or 16 bits"),
        }
    }

    /// The corners of all triangles.
    fn indices(&self, at: &At<'d, '_>, mode: u64, vertices: usize) -> Result<Cow<'a, [u8]>, ReadError> {
        let left = self.options.limits.triangles - self.counts.triangles.get();
        let corners = left.saturating_mul(3).saturating_add(2);
        let indices = match at.get("indices")? {
            Some(at) => self.index_words(&at, corners)?,
            None => {
                at.at_most("triangles", vertices / 3, left)?;
                self.charge(at, vertices * 4)?;
                Cow::Owned((0..vertices as u32).flat_map(u32::to_le_bytes).collect())
            }
        };
        let count = indices.len() / 4;
        let indices = match mode {
            4 => triangles::cut(indices),
            5 | 6 => {
                at.at_most("triangles", count.saturating_sub(2), left)?;
                self.charge(at, count * 12)?;
                let words: Vec<u32> = indices.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
                Cow::Owned(if mode == 5 { triangles::strip(&words) } else { triangles::fan(&words) })
            }
            _ => return at.invalid("a mode of 0 to 6"),
        };
        self.counts.triangles.set(self.counts.triangles.get() + indices.len() / 12);
        Ok(indices)
    }

    fn index_words(&self, at: &At<'d, '_>, limit: usize) -> Result<Cow<'a, [u8]>, ReadError> {
        let numbers = self.accessor(at, "corners of triangles", limit)?;
        if numbers.components != 1 {
            return at.invalid("an accessor of single numbers");
        }
        let words: Vec<u8> = match numbers.component {
            ComponentType::UnsignedInt => return Ok(numbers.bytes),
            ComponentType::UnsignedByte => {
                self.charge(at, numbers.count * 4)?;
                numbers.bytes.iter().flat_map(|index| u32::from(*index).to_le_bytes()).collect()
            }
            ComponentType::UnsignedShort => {
                self.charge(at, numbers.count * 4)?;
                let shorts = numbers.bytes.as_chunks::<2>().0.iter();
                shorts.flat_map(|index| u32::from(u16::from_le_bytes(*index)).to_le_bytes()).collect()
            }
            _ => return at.invalid("unsigned integers"),
        };
        Ok(Cow::Owned(words))
    }

    fn morph(&self, at: &At<'d, '_>, vertices: usize) -> Result<Morph<'a>, ReadError> {
        let mut morph = Morph::default();
        for (name, attribute) in at.each_field()? {
            let place = match name {
                "POSITION" => &mut morph.positions,
                "NORMAL" => &mut morph.normals,
                "TANGENT" => &mut morph.tangents,
                _ if self.options.lossy => continue,
                _ => return attribute.unsupported(format!("the attribute {:?} of a morph", shortened(name))),
            };
            let left = self.options.limits.vertices - self.counts.vertices.get();
            let numbers = self.accessor(&attribute, "vertices", left)?;
            if numbers.components != 3 || numbers.count != vertices {
                return attribute.invalid("an accessor of VEC3 with as many elements as there are positions");
            }
            if !numbers.absent {
                *place = self.floats(&attribute, numbers)?;
            }
        }
        self.counts.vertices.set(self.counts.vertices.get() + vertices);
        at.at_most("vertices", self.counts.vertices.get(), self.options.limits.vertices)?;
        Ok(morph)
    }

    /// The LODs that this crate wrote.
    fn lods(&self, at: &At<'d, '_>, surface: &mut Surface<'a>) -> Result<(), ReadError> {
        let Some(extras) = at.get("extras")? else { return Ok(()) };
        if surface.extras.remove(LODS).is_none() {
            return Ok(());
        }
        let lods = extras.need(LODS)?;
        lods.at_most("LODs of a surface", lods.len(), self.options.limits.lods)?;
        for lod in lods.items()? {
            let limit = self.options.limits.triangles.saturating_mul(3);
            let indices = triangles::cut(self.index_words(&lod.need("indices")?, limit)?);
            surface.lods.push(Lod { indices, error: lod.need("error")?.f32()? });
        }
        Ok(())
    }
}

/// The longest name that the mesh has for its morphs.
fn longest_name(mesh: &Mesh<'_>) -> usize {
    let Some(Extra::List(names)) = mesh.extras.get(TARGET_NAMES) else { return 0 };
    names.iter().map(|name| if let Extra::Text(name) = name { name.len() } else { 0 }).max().unwrap_or(0)
}

/// Gives the morphs of all surfaces the names that the mesh has for them.
fn name_morphs(mesh: &mut Mesh<'_>) {
    let Some(Extra::List(names)) = mesh.extras.get(TARGET_NAMES) else { return };
    let texts: Vec<String> =
        names.iter().filter_map(|name| if let Extra::Text(name) = name { Some(name.clone()) } else { None }).collect();
    let fit = texts.len() == names.len()
        && mesh
            .surfaces
            .iter()
            .filter(|surface| !surface.is_empty())
            .all(|surface| surface.morphs.len() == texts.len());
    if !fit || texts.iter().all(String::is_empty) {
        return;
    }
    mesh.extras.remove(TARGET_NAMES);
    for surface in &mut mesh.surfaces {
        for (morph, name) in surface.morphs.iter_mut().zip(&texts) {
            morph.name.clone_from(name);
        }
    }
}
