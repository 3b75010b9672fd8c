//! Another of the same kind: any mesh in other sizes, shapes and colours.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wasgo_scene::{Mesh, Morph, Surface};

use super::color::{from_oklab, to_oklab};
use super::fault::{PropError, range};
use super::model::{Collider, Finish, PropModel, bounds};
use crate::MeshData;
use crate::bytes::le_bytes;
use crate::hash::{Chance, derive, unit as share_of};
use crate::noise::simplex3;
use crate::plan::PlanError;
use crate::vector::{Vector, add, cross, dot, mul, scale, sub, unit};

/// The most vertices that a surface to be varied may have.
pub const MAX_VERTICES: usize = 16_777_216;

/// By how much things of a kind differ: each amount is the most that a seed may choose, in both directions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Variation {
    /// Size as a whole: 0..=0.9; 0.2 is from 0.8 to 1.2 times. Default 0.15.
    pub size: f32,
    /// Size along each axis besides that: 0..=0.9. Default 0.1.
    pub stretch: f32,
    /// Swellings and dents, of the largest side of the mesh: 0..=0.25. Default 0.03.
    pub swell: f32,
    /// How many swellings there are along the largest side: 0.25..=8. Default 1.5.
    pub waves: f32,
    /// How far the top bends to a side, in radians: 0..=1. Default 0.08.
    pub bend: f32,
    /// How far the top turns around the Y axis, in radians: 0..=3. Default 0.2.
    pub twist: f32,
    /// How much narrower or wider the top is: 0..=0.9. Default 0.08.
    pub taper: f32,
    /// Hue, in radians: 0..=3.2. Default 0.12.
    pub hue: f32,
    /// Saturation: 0..=1; 1 is from grey to twice as colourful. Default 0.15.
    pub saturation: f32,
    /// Lightness, as the eye sees it: 0..=0.5. Default 0.05.
    pub lightness: f32,
    /// Weights of blend shapes: 0..=1, the most that each may get. Default 1.
    pub morphs: f32,
    /// How far textures are shifted: 0..=1 of their size. Default 0.
    pub uv_shift: f32,
    /// How many variants of the materials there are to choose from: 1..=1024. Default 1.
    pub materials: u32,
}

impl Default for Variation {
    fn default() -> Self {
        Self {
            size: 0.15,
            stretch: 0.1,
            swell: 0.03,
            waves: 1.5,
            bend: 0.08,
            twist: 0.2,
            taper: 0.08,
            hue: 0.12,
            saturation: 0.15,
            lightness: 0.05,
            morphs: 1.0,
            uv_shift: 0.0,
            materials: 1,
        }
    }
}

impl Variation {
    /// No change at all.
    pub const NONE: Self = Self {
        size: 0.0,
        stretch: 0.0,
        swell: 0.0,
        waves: 1.0,
        bend: 0.0,
        twist: 0.0,
        taper: 0.0,
        hue: 0.0,
        saturation: 0.0,
        lightness: 0.0,
        morphs: 0.0,
        uv_shift: 0.0,
        materials: 1,
    };

    /// Reads one from JSON text: `{"size": 0.2}`. What is not said has its default.
    ///
    /// # Errors
    ///
    /// The first fault, with its place, as in `variation.size`.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        let amounts: Self = PlanError::read(text).map_err(|error| error.within("variation"))?;
        amounts.validate().map_err(|error| PlanError::of_prop("variation", error))?;
        Ok(amounts)
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field found that is not allowed.
    pub fn validate(&self) -> Result<(), PropError> {
        range("variation.size", self.size, 0.0, 0.9)?;
        range("variation.stretch", self.stretch, 0.0, 0.9)?;
        range("variation.swell", self.swell, 0.0, 0.25)?;
        range("variation.waves", self.waves, 0.25, 8.0)?;
        range("variation.bend", self.bend, 0.0, 1.0)?;
        range("variation.twist", self.twist, 0.0, 3.0)?;
        range("variation.taper", self.taper, 0.0, 0.9)?;
        range("variation.hue", self.hue, 0.0, 3.2)?;
        range("variation.saturation", self.saturation, 0.0, 1.0)?;
        range("variation.lightness", self.lightness, 0.0, 0.5)?;
        range("variation.morphs", self.morphs, 0.0, 1.0)?;
        range("variation.uv_shift", self.uv_shift, 0.0, 1.0)?;
        range("variation.materials", self.materials as f32, 1.0, 1024.0)
    }

    /// What a seed makes of this for a mesh in a box (least and greatest corner, finite).
    ///
    /// # Errors
    ///
    /// When an amount is not allowed or the box is not finite.
    pub fn choose(&self, bounds: [[f32; 3]; 2], seed: u64) -> Result<Varied, PropError> {
        self.validate()?;
        for value in bounds.as_flattened() {
            range("variation bounds", *value, -1e6, 1e6)?;
        }
        let mut chance = Chance::new(derive(seed, 0x7A21));
        let mut about = |amount: f32| chance.between(-1.0, 1.0) * amount;
        let [low, high] = bounds;
        let side = sub(high, low).into_iter().fold(1e-6, f32::max);
        let whole = 1.0 + about(self.size);
        let scale = [0; 3].map(|_| whole * (1.0 + about(self.stretch)));
        let bend = [about(self.bend), about(self.bend)];
        let (twist, taper) = (about(self.twist), about(self.taper));
        let (hue_turn, chroma, lightness) = (about(self.hue), 1.0 + about(self.saturation), about(self.lightness));
        let (hue_sin, hue_cos) = libm::sincosf(hue_turn);
        let uv_offset = [about(self.uv_shift), about(self.uv_shift)];
        let material = (derive(seed, 0x3A7) % u64::from(self.materials)) as u32;
        Ok(Varied {
            seed: derive(seed, 0x5E1),
            foot: [(low[0] + high[0]) * 0.5, low[1], (low[2] + high[2]) * 0.5],
            height: (high[1] - low[1]).max(1e-6),
            side,
            scale,
            bend,
            twist,
            taper,
            swell: self.swell,
            waves: self.waves,
            hue: [hue_sin, hue_cos],
            chroma,
            lightness,
            morphs: self.morphs,
            material,
            uv_offset,
        })
    }
}

/// One of a kind: what a seed chose. The same change for all meshes, levels of detail and colliders of a prop.
///
/// Points in the same place move alike, so that seams stay closed; normals turn with what they stand on. Before it is
/// scaled a point moves by at most the sum of `swell` (of the largest side), `taper` and `twist` (of its distance from the axis)
/// and `bend` (of its height).
#[derive(Clone, Debug, PartialEq)]
pub struct Varied {
    seed: u64,
    foot: Vector,
    height: f32,
    side: f32,
    scale: Vector,
    bend: [f32; 2],
    twist: f32,
    taper: f32,
    swell: f32,
    waves: f32,
    hue: [f32; 2],
    chroma: f32,
    lightness: f32,
    morphs: f32,
    material: u32,
    uv_offset: [f32; 2],
}

impl Varied {
    /// Which of the variants of its materials it has, from 0.
    #[must_use]
    pub fn material(&self) -> u32 {
        self.material
    }

    /// How far its textures are shifted.
    #[must_use]
    pub fn uv_offset(&self) -> [f32; 2] {
        self.uv_offset
    }

    /// Weights for so many blend shapes, each in 0..=1. At most 4,096: what is asked beyond has none.
    #[must_use]
    pub fn morph_weights(&self, count: usize) -> Vec<f32> {
        (0..count.min(4096)).map(|number| self.morphs * share_of(derive(self.seed, 64 + number as u64))).collect()
    }

    /// Where a point goes.
    #[must_use]
    pub fn point(&self, at: [f32; 3]) -> [f32; 3] {
        let at = add(at, self.swelling(at));
        let [x, y, z] = sub(at, self.foot);
        // The foot stays where it is.
        let share = (y / self.height).clamp(0.0, 1.0);
        let wide = 1.0 + self.taper * share;
        let (sin, cos) = libm::sincosf(self.twist * share);
        let (x, z) = ((x * cos + z * sin) * wide, (z * cos - x * sin) * wide);
        let over = share * share * self.height;
        let bent = [x + self.bend[0] * over, y, z + self.bend[1] * over];
        add(self.foot, mul(bent, self.scale))
    }

    fn swelling(&self, at: Vector) -> Vector {
        if self.swell == 0.0 {
            return [0.0; 3];
        }
        let frequency = self.waves / self.side;
        let [x, y, z] = at.map(|v| f64::from(v * frequency));
        let mut axis = 0u64;
        [0; 3].map(|_: u32| {
            axis += 1;
            self.swell * self.side * simplex3(self.seed.wrapping_add(axis), x, y, z) as f32 * 0.57
        })
    }

    /// Where a normal at a point turns: the change of the surface around the point.
    #[must_use]
    pub fn normal(&self, at: [f32; 3], normal: [f32; 3]) -> [f32; 3] {
        let step = self.side * 1e-3;
        let other = if normal[0].abs() > 0.8 { [0.0, 1.0, 0.0] } else { [1.0, 0.0, 0.0] };
        let Some(tangent) = unit(cross(normal, other)) else { return normal };
        let bitangent = cross(normal, tangent);
        let here = self.point(at);
        let along = |direction: Vector| sub(self.point(add(at, scale(direction, step))), here);
        unit(cross(along(tangent), along(bitangent))).unwrap_or(normal)
    }

    /// Where a direction along the surface at a point turns, square to the new normal there.
    fn tangent(&self, at: Vector, tangent: Vector, normal: Vector) -> Vector {
        let ahead = sub(self.point(add(at, scale(tangent, self.side * 1e-3))), self.point(at));
        unit(sub(ahead, scale(normal, dot(ahead, normal)))).unwrap_or(tangent)
    }

    /// What becomes of a linear colour.
    #[must_use]
    pub fn color(&self, color: [f32; 3]) -> [f32; 3] {
        let [lightness, a, b] = to_oklab(color);
        let [sin, cos] = self.hue;
        let (a, b) = ((a * cos - b * sin) * self.chroma, (a * sin + b * cos) * self.chroma);
        // Black stays black.
        let share = (lightness * 4.0).clamp(0.0, 1.0);
        from_oklab([(lightness + self.lightness * share).max(0.0), a, b])
    }

    /// A mesh, varied.
    #[must_use]
    pub fn mesh(&self, base: &MeshData) -> MeshData {
        let mut mesh = base.clone();
        let pairs = mesh.positions.iter_mut().zip(&mut mesh.normals).zip(base.positions.iter().zip(&base.normals));
        for ((at, normal), (old, old_normal)) in pairs {
            *at = self.point(*old);
            *normal = self.normal(*old, *old_normal);
        }
        for at in mesh.positions.iter_mut().skip(base.normals.len()) {
            *at = self.point(*at);
        }
        let mut known = None;
        for color in &mut mesh.colors {
            let [red, green, blue] = self.remembered(&mut known, [color[0], color[1], color[2]]);
            *color = [red, green, blue, color[3]];
        }
        for uv in &mut mesh.uvs {
            *uv = [uv[0] + self.uv_offset[0], uv[1] + self.uv_offset[1]];
        }
        mesh
    }

    /// A prop, varied with all its levels of detail and what it collides with. Cards keep their places in their image.
    ///
    /// ```
    /// use wasgo_gen::props::{RockSpec, Variation, rock};
    /// let base = rock(&RockSpec::default(), 1)?;
    /// let varied = Variation::default().choose(base.bounds, 2)?.model(&base);
    /// assert_eq!(varied.lods[0].triangles(), base.lods[0].triangles());
    /// # Ok::<(), wasgo_gen::props::PropError>(())
    /// ```
    #[must_use]
    pub fn model(&self, base: &PropModel) -> PropModel {
        let mut model = base.clone();
        for part in model.lods.iter_mut().flat_map(|lod| &mut lod.parts) {
            let mut mesh = self.mesh(&part.mesh);
            if part.finish == Finish::Card {
                mesh.uvs.clone_from(&part.mesh.uvs);
            }
            part.mesh = mesh;
        }
        let widest = self.scale[0].max(self.scale[2]);
        for lod in &mut model.lods {
            lod.error *= widest.max(self.scale[1]);
        }
        for collider in &mut model.colliders {
            match collider {
                Collider::Capsule { from, to, radius } => {
                    (*from, *to) = (self.point(*from), self.point(*to));
                    *radius *= widest;
                }
                Collider::Box { center, half } => {
                    *center = self.point(*center);
                    *half = mul(*half, self.scale);
                }
                Collider::Hull { points } => points.iter_mut().for_each(|point| *point = self.point(*point)),
            }
        }
        model.bounds = model.lods.first().map_or(model.bounds, |lod| bounds(&lod.parts));
        model
    }

    /// A colour, and the last one again for nothing: faces have three corners of one colour.
    fn remembered(&self, known: &mut Option<[Vector; 2]>, color: Vector) -> Vector {
        match known {
            Some([from, to]) if *from == color => *to,
            _ => {
                let to = self.color(color);
                *known = Some([color, to]);
                to
            }
        }
    }

    /// A surface, varied. Shapes to blend to become the varied ones; what bends it with bones stays as it is.
    fn surface(&self, base: &Surface<'_>) -> Surface<'static> {
        let mut varied = base.borrow().into_owned();
        let positions = triples(&base.positions);
        let normals = triples(&base.normals);
        let points: Vec<f32> = positions.iter().flat_map(|at| self.point(*at)).collect();
        let turned: Vec<f32> =
            positions.iter().zip(&normals).flat_map(|(at, normal)| self.normal(*at, *normal)).collect();
        let mut known = None;
        let mut colors: Vec<f32> = Vec::with_capacity(base.colors.len() / 4);
        for color in floats(&base.colors).collect::<Vec<f32>>().chunks_exact(4) {
            colors.extend(self.remembered(&mut known, [color[0], color[1], color[2]]));
            colors.push(color[3]);
        }
        varied.positions = Cow::Owned(le_bytes(&points).into_owned());
        varied.normals = Cow::Owned(le_bytes(&turned).into_owned());
        let mut tangents: Vec<f32> = Vec::with_capacity(base.tangents.len() / 4);
        let sides = floats(&base.tangents).collect::<Vec<f32>>();
        for ((tangent, at), normal) in sides.chunks_exact(4).zip(&positions).zip(triples_of(&turned)) {
            tangents.extend(self.tangent(*at, [tangent[0], tangent[1], tangent[2]], normal));
            tangents.push(tangent[3]);
        }
        let mut uvs: Vec<f32> = Vec::with_capacity(base.uvs.len() / 4);
        for uv in floats(&base.uvs).collect::<Vec<f32>>().chunks_exact(2) {
            uvs.extend([uv[0] + self.uv_offset[0], uv[1] + self.uv_offset[1]]);
        }
        for (morph, of) in varied.morphs.iter_mut().zip(&base.morphs) {
            self.morph(morph, of, (&positions, &normals), (&points, &turned));
        }
        let own = |values: &[f32]| Cow::Owned(le_bytes(values).into_owned());
        varied.colors = own(&colors);
        if !tangents.is_empty() {
            varied.tangents = own(&tangents);
        }
        if self.uv_offset != [0.0; 2] {
            varied.uvs = own(&uvs);
        }
        varied
    }

    /// What is added to the varied points and normals so that they are those of the shape, varied.
    fn morph(
        &self,
        varied: &mut Morph<'_>,
        base: &Morph<'_>,
        (positions, normals): (&[Vector], &[Vector]),
        (points, turned): (&[f32], &[f32]),
    ) {
        let own = |values: &[f32]| Cow::Owned(le_bytes(values).into_owned());
        let moves = triples(&base.positions);
        let moved = |number: usize| add(positions[number], moves.get(number).copied().unwrap_or_default());
        let deltas: Vec<f32> = (0..moves.len())
            .zip(triples_of(points))
            .flat_map(|(number, point)| sub(self.point(moved(number)), point))
            .collect();
        varied.positions = own(&deltas);
        let turns = triples(&base.normals);
        if turns.len() == normals.len() {
            let deltas: Vec<f32> = turns
                .iter()
                .zip(triples_of(turned))
                .enumerate()
                .flat_map(|(number, (turn, now))| match unit(add(normals[number], *turn)) {
                    Some(normal) => sub(self.normal(moved(number), normal), now),
                    None => [0.0; 3],
                })
                .collect();
            varied.normals = own(&deltas);
        }
    }
}

pub(super) fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

fn triples_of(values: &[f32]) -> impl Iterator<Item = Vector> + '_ {
    values.as_chunks::<3>().0.iter().copied()
}

pub(super) fn triples(bytes: &[u8]) -> Vec<Vector> {
    bytes
        .chunks_exact(12)
        .map(|bytes| std::array::from_fn(|axis| floats(&bytes[4 * axis..]).next().unwrap_or(0.0)))
        .collect()
}

/// Another mesh of the same kind: sizes, shape and colours differ by the seed within the amounts. Any mesh will do, one
/// that was read from a file too. Colours of materials and textures are not in a mesh: see [`Variation::choose`].
///
/// ```
/// use wasgo_gen::props::{Variation, variation};
/// let plan = wasgo_gen::Plan::new(1);
/// let base = wasgo_gen::props(&plan)?[0].mesh().clone();
/// let (one, other) = (variation(&base, &Variation::default(), 1)?, variation(&base, &Variation::default(), 2)?);
/// assert_ne!(one, other);
/// assert_eq!(variation(&base, &Variation::default(), 1)?, one);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// When an amount is not allowed, or a surface is not sound: buffers whose lengths do not fit, numbers that are not
/// finite or too large (beyond 1,000,000), more than [`MAX_VERTICES`] vertices.
pub fn variation(base: &Mesh<'_>, amounts: &Variation, seed: u64) -> Result<Mesh<'static>, PropError> {
    check_mesh(base)?;
    let varied = amounts.choose(mesh_bounds(base), seed)?;
    let shapes = base.surfaces.iter().map(|surface| surface.morphs.len()).max().unwrap_or(0);
    let weights = if shapes > 0 && amounts.morphs > 0.0 { varied.morph_weights(shapes) } else { base.weights.clone() };
    Ok(Mesh {
        name: base.name.clone(),
        surfaces: base.surfaces.iter().map(|surface| varied.surface(surface)).collect(),
        weights,
        extras: base.extras.clone(),
        extensions: base.extensions.clone(),
    })
}

/// The box around all vertices of a mesh: least and greatest corner; at 0 if there are none.
pub(super) fn mesh_bounds(mesh: &Mesh<'_>) -> [[f32; 3]; 2] {
    let mut bounds = [[f32::MAX; 3], [f32::MIN; 3]];
    for at in mesh.surfaces.iter().flat_map(|surface| triples(&surface.positions)) {
        bounds[0] = std::array::from_fn(|axis| bounds[0][axis].min(at[axis]));
        bounds[1] = std::array::from_fn(|axis| bounds[1][axis].max(at[axis]));
    }
    if bounds[0][0] > bounds[1][0] { [[0.0; 3]; 2] } else { bounds }
}

/// That each surface of a mesh is sound.
pub(super) fn check_mesh(mesh: &Mesh<'_>) -> Result<(), PropError> {
    match mesh.surfaces.iter().enumerate().find_map(|(number, surface)| Some((number, check(surface)?))) {
        Some((surface, fault)) => Err(PropError::BadSurface { mesh: mesh.name.clone(), surface, fault }),
        None => Ok(()),
    }
}

fn check(surface: &Surface<'_>) -> Option<&'static str> {
    let vertices = surface.positions.len() / 12;
    if vertices > MAX_VERTICES {
        return Some("more vertices than are allowed");
    }
    if !surface.positions.len().is_multiple_of(12) {
        return Some("positions are not whole");
    }
    let morphs = surface.morphs.iter().flat_map(|morph| [&morph.positions, &morph.normals]);
    let vertex_data = [
        (&surface.normals, 12, "normals are not one a vertex"),
        (&surface.colors, 16, "colours are not one a vertex"),
        (&surface.tangents, 16, "tangents are not one a vertex"),
        (&surface.uvs, 8, "texture coordinates are not one a vertex"),
    ];
    for (bytes, each, fault) in vertex_data
        .into_iter()
        .chain(morphs.clone().map(|bytes| (bytes, 12, "a blend shape is not one of its surface")))
    {
        if !bytes.is_empty() && bytes.len() != vertices * each {
            return Some(fault);
        }
    }
    if !floats(&surface.positions).all(|value| value.abs() <= 1e6) {
        return Some("a position is not finite or too large");
    }
    if !floats(&surface.normals).chain(floats(&surface.colors)).all(f32::is_finite) {
        return Some("a normal or colour is not finite");
    }
    if !floats(&surface.tangents).chain(floats(&surface.uvs)).all(f32::is_finite) {
        return Some("a tangent or texture coordinate is not finite");
    }
    if !morphs.flat_map(|bytes| floats(bytes)).all(|value| value.abs() <= 1e6) {
        return Some("a blend shape has a number that is not finite or too large");
    }
    let normals = triples(&surface.normals);
    if normals.iter().any(|normal| (dot(*normal, *normal) - 1.0).abs() > 0.02) {
        return Some("a normal is not of length 1");
    }
    None
}
