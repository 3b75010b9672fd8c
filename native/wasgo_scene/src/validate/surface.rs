//! Checks of meshes.

use super::buffer::{not_finite, not_unit, out_of_range};
use super::{Limits, NORMAL_TOLERANCE, at_most, extras, floats, in_range, label, within};
use crate::{ComponentType, Material, Mesh, Scene, SceneError, Surface};

pub(super) fn check_mesh(
    index: usize,
    mesh: &Mesh<'_>,
    scene: &Scene<'_>,
    limits: &Limits,
    surfaces: bool,
) -> Result<(), SceneError> {
    let whose = || format!("mesh {}", label(index, &mesh.name));
    let misfit = |fault| Err(SceneError::Misfit { whose: whose(), fault });
    for (number, surface) in mesh.surfaces.iter().enumerate() {
        let at = || format!("mesh {}, surface {number}", label(index, &mesh.name));
        if let Some(material) = surface.material {
            within("material", material, scene.materials.len(), at)?;
        }
        if surfaces {
            Check { surface, number, mesh: &|| label(index, &mesh.name) }.all()?;
        }
        if let Some(material) = surface.material.filter(|_| !surface.is_empty()) {
            check_uv_sets(surface, &scene.materials[material], at)?;
        }
        extras::check(&surface.extras, limits, at)?;
    }
    // Surfaces that draw nothing are not in files.
    let mut drawn = mesh.surfaces.iter().filter(|surface| !surface.is_empty());
    let first = drawn.next();
    if let Some(first) = first {
        let names = |surface: &Surface<'_>, other: &Surface<'_>| {
            surface.morphs.iter().zip(&other.morphs).all(|(one, other)| one.name == other.name)
        };
        if drawn.any(|other| first.morphs.len() != other.morphs.len() || !names(first, other)) {
            return misfit("its surfaces have different morphs");
        }
    }
    let morphs = first.map_or(0, |first| first.morphs.len());
    if !mesh.weights.is_empty() && first.is_some() && mesh.weights.len() != morphs {
        return misfit("it has not as many weights as morphs");
    }
    at_most("weights of a mesh", mesh.weights.len(), limits.morphs)?;
    for weight in &mesh.weights {
        in_range(true, "a weight", *weight, "finite numbers", whose)?;
    }
    extras::check(&mesh.extensions, limits, whose)?;
    extras::check(&mesh.extras, limits, whose)
}

/// Checks the data of a surface, which needs no scene around it. `mesh` is the name of its mesh.
pub(crate) fn check_surface(surface: &Surface<'_>, number: usize, mesh: &str) -> Result<(), SceneError> {
    Check { surface, number, mesh: &|| format!("{mesh:?}") }.all()
}

/// A texture needs its places.
fn check_uv_sets(surface: &Surface<'_>, material: &Material, whose: impl Fn() -> String) -> Result<(), SceneError> {
    for (_, texture) in material.textures() {
        let set = texture.transform.and_then(|transform| transform.uv_set).unwrap_or(texture.uv_set);
        for set in [set, texture.uv_set] {
            let there = match set {
                0 => !surface.uvs.is_empty(),
                1 => !surface.uvs2.is_empty(),
                more => surface.attributes.contains_key(&format!("TEXCOORD_{more}")),
            };
            if !there {
                let fault = "its material has a texture for which the surface has no texture coordinates";
                return Err(SceneError::Misfit { whose: whose(), fault });
            }
        }
    }
    Ok(())
}

struct Check<'c, 's> {
    surface: &'c Surface<'s>,
    number: usize,
    mesh: &'c dyn Fn() -> String,
}

impl Check<'_, '_> {
    fn all(&self) -> Result<(), SceneError> {
        let surface = self.surface;
        self.lengths()?;
        let vectors: [(&'static str, &[u8], usize); 8] = [
            ("position", &surface.positions, 3),
            ("normal", &surface.normals, 3),
            ("tangent", &surface.tangents, 4),
            ("color", &surface.colors, 4),
            ("texture coordinate", &surface.uvs, 2),
            ("second texture coordinate", &surface.uvs2, 2),
            ("weight", &surface.weights, 4),
            ("other attribute", &[], 1),
        ];
        for (buffer, bytes, size) in vectors {
            self.finite(buffer, bytes, size)?;
        }
        for attribute in surface.attributes.values().filter(|each| each.component == ComponentType::Float) {
            self.finite("other attribute", &attribute.bytes, attribute.shape.components())?;
        }
        for morph in &surface.morphs {
            for bytes in [&morph.positions, &morph.normals, &morph.tangents] {
                self.finite("morph", bytes, 3)?;
            }
        }
        if let Some((vertex, length)) = not_unit::<12>(&surface.normals, NORMAL_TOLERANCE) {
            return Err(SceneError::NormalNotUnit { mesh: (self.mesh)(), surface: self.number, vertex, length });
        }
        self.tangents()?;
        self.joints()?;
        self.indices(&surface.indices)?;
        for lod in &surface.lods {
            self.indices(&lod.indices)?;
            in_range(lod.error >= 0.0, "the error of a LOD", lod.error, "0 or more", || self.whose())?;
        }
        Ok(())
    }

    fn whose(&self) -> String {
        format!("mesh {}, surface {}", (self.mesh)(), self.number)
    }

    fn misfit(&self, fault: &'static str) -> SceneError {
        SceneError::Misfit { whose: self.whose(), fault }
    }

    fn lengths(&self) -> Result<(), SceneError> {
        let surface = self.surface;
        let vertices = surface.vertices();
        let wrong = |buffer: &'static str, bytes: usize, expected: String| {
            Err(SceneError::WrongLength { mesh: (self.mesh)(), surface: self.number, buffer, bytes, expected })
        };
        let lods = surface.lods.iter().map(|lod| ("indices of a LOD", &lod.indices));
        for (buffer, bytes) in
            [("positions", &surface.positions), ("indices", &surface.indices)].into_iter().chain(lods)
        {
            if !bytes.len().is_multiple_of(12) {
                return wrong(buffer, bytes.len(), "a multiple of 12".into());
            }
        }
        let morphs = surface.morphs.iter().flat_map(|morph| {
            [
                ("positions of a morph", &morph.positions, 12),
                ("normals of a morph", &morph.normals, 12),
                ("tangents of a morph", &morph.tangents, 12),
            ]
        });
        let sized = [
            ("normals", &surface.normals, 12),
            ("tangents", &surface.tangents, 16),
            ("colors", &surface.colors, 16),
            ("uvs", &surface.uvs, 8),
            ("uvs2", &surface.uvs2, 8),
            ("joints", &surface.joints, 8),
            ("weights", &surface.weights, 16),
        ];
        for (buffer, bytes, size) in sized.into_iter().chain(morphs) {
            if !bytes.is_empty() && bytes.len() != vertices * size {
                return wrong(buffer, bytes.len(), format!("{} or none", vertices * size));
            }
        }
        for (name, attribute) in &surface.attributes {
            let expected = vertices * attribute.element_bytes();
            if attribute.bytes.len() != expected {
                return wrong("other attribute", attribute.bytes.len(), expected.to_string());
            }
            let own = ["TEXCOORD_", "COLOR_", "JOINTS_", "WEIGHTS_"];
            let numbered = own.iter().any(|own| name.strip_prefix(own).is_some_and(is_number));
            let taken = ["TEXCOORD_0", "TEXCOORD_1", "COLOR_0", "JOINTS_0", "WEIGHTS_0"].contains(&name.as_str());
            if !(name.starts_with('_') || numbered) || taken {
                return Err(self.misfit("an attribute whose name is not one that glTF has and that has no field"));
            }
            if attribute.component == ComponentType::UnsignedInt {
                return Err(self.misfit("an attribute of 32-bit integers, which glTF has for indices only"));
            }
        }
        if surface.joints.is_empty() != surface.weights.is_empty() {
            return Err(self.misfit("joints and weights are there together or not at all"));
        }
        if !surface.tangents.is_empty() && surface.normals.is_empty() {
            return Err(self.misfit("tangents need normals"));
        }
        if surface.morphs.iter().any(|morph| !morph.normals.is_empty() && surface.normals.is_empty()) {
            return Err(self.misfit("a morph moves normals, and there are none"));
        }
        if surface.morphs.iter().any(|morph| !morph.tangents.is_empty() && surface.tangents.is_empty()) {
            return Err(self.misfit("a morph moves tangents, and there are none"));
        }
        Ok(())
    }

    fn finite(&self, buffer: &'static str, bytes: &[u8], size: usize) -> Result<(), SceneError> {
        match not_finite(bytes) {
            None => Ok(()),
            Some(place) => {
                Err(SceneError::NotFinite { mesh: (self.mesh)(), surface: self.number, buffer, vertex: place / size })
            }
        }
    }

    fn tangents(&self) -> Result<(), SceneError> {
        if let Some((vertex, length)) = not_unit::<16>(&self.surface.tangents, NORMAL_TOLERANCE) {
            let whose = format!("{}, vertex {vertex}", self.whose());
            let field = "the length of the tangent";
            return Err(SceneError::BadValue { whose, field, value: length, allowed: "1" });
        }
        let sides = floats(&self.surface.tangents).skip(3).step_by(4);
        if let Some((vertex, value)) = sides.enumerate().find(|(_, side)| side.abs() != 1.0) {
            let whose = format!("{}, vertex {vertex}", self.whose());
            return Err(SceneError::BadValue { whose, field: "the side of the tangent", value, allowed: "1 and -1" });
        }
        Ok(())
    }

    /// Weights are 0 or more with a sum of about 1, and no joint holds a vertex twice.
    fn joints(&self) -> Result<(), SceneError> {
        let (joints, weights) = (self.surface.joints.as_chunks::<8>().0, self.surface.weights.as_chunks::<16>().0);
        // The rest may be in a second set.
        let more = self.surface.attributes.contains_key("WEIGHTS_1");
        for (vertex, (joints, weights)) in joints.iter().zip(weights).enumerate() {
            let mut values = [0.0f32; 4];
            values.iter_mut().zip(floats(weights)).for_each(|(place, value)| *place = value);
            let sum: f32 = values.iter().sum();
            let whose = || format!("{}, vertex {vertex}", self.whose());
            in_range(more || (sum - 1.0).abs() <= NORMAL_TOLERANCE, "the sum of the weights", sum, "1", whose)?;
            for value in values {
                in_range(value >= 0.0, "a weight", value, "0..=1", whose)?;
            }
            for one in 0..4 {
                for other in one + 1..4 {
                    let same = joints[one * 2..one * 2 + 2] == joints[other * 2..other * 2 + 2];
                    if same && values[one] > 0.0 && values[other] > 0.0 {
                        return Err(SceneError::Misfit { whose: whose(), fault: "a joint holds it twice" });
                    }
                }
            }
        }
        Ok(())
    }

    fn indices(&self, indices: &[u8]) -> Result<(), SceneError> {
        let vertices = self.surface.vertices();
        match out_of_range(indices, vertices) {
            None => Ok(()),
            Some((at, index)) => {
                Err(SceneError::IndexOutOfRange { mesh: (self.mesh)(), surface: self.number, at, index, vertices })
            }
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 4 && text.bytes().all(|byte| byte.is_ascii_digit())
}
