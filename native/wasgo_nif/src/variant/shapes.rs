//! The structs that are a few numbers: which members they have, in the order in which the codec takes components.

use rustler::{Atom, Env, Term};
use wasgo_wire::variant::Type;

use super::atoms;
use super::errors::Reason;

/// Units of work for a struct, besides its members.
pub(super) const STRUCT_UNITS: usize = 3;

/// The members of a struct.
pub(super) struct Shape {
    ty: Type,
    module: fn() -> Atom,
    members: &'static [Named],
}

/// A member and its name.
type Named = (fn() -> Atom, Member);

enum Member {
    Float,
    Int,
    Of(&'static Shape),
}

use Member::{Float, Int, Of};

macro_rules! shapes {
    ($($name:ident: $ty:ident, $module:ident, { $($member:ident: $kind:expr),* };)*) => {
        $(static $name: Shape = Shape {
            ty: Type::$ty,
            module: atoms::$module,
            members: &[$((atoms::$member, $kind)),*],
        };)*
        const SHAPES: &[&Shape] = &[$(&$name),*];
    };
}

shapes! {
    VECTOR3: Vector3, vector3_struct, { x: Float, y: Float, z: Float };
    TRANSFORM3D: Transform3D, transform3d_struct, { basis: Of(&BASIS), origin: Of(&VECTOR3) };
    COLOR: Color, color_struct, { r: Float, g: Float, b: Float, a: Float };
    QUATERNION: Quaternion, quaternion_struct, { x: Float, y: Float, z: Float, w: Float };
    VECTOR2: Vector2, vector2_struct, { x: Float, y: Float };
    VECTOR2I: Vector2i, vector2i_struct, { x: Int, y: Int };
    VECTOR3I: Vector3i, vector3i_struct, { x: Int, y: Int, z: Int };
    VECTOR4: Vector4, vector4_struct, { x: Float, y: Float, z: Float, w: Float };
    VECTOR4I: Vector4i, vector4i_struct, { x: Int, y: Int, z: Int, w: Int };
    BASIS: Basis, basis_struct, { x: Of(&VECTOR3), y: Of(&VECTOR3), z: Of(&VECTOR3) };
    AABB: Aabb, aabb_struct, { position: Of(&VECTOR3), size: Of(&VECTOR3) };
    RECT2: Rect2, rect2_struct, { position: Of(&VECTOR2), size: Of(&VECTOR2) };
    RECT2I: Rect2i, rect2i_struct, { position: Of(&VECTOR2I), size: Of(&VECTOR2I) };
    PLANE: Plane, plane_struct, { normal: Of(&VECTOR3), d: Float };
    TRANSFORM2D: Transform2D, transform2d_struct, { x: Of(&VECTOR2), y: Of(&VECTOR2), origin: Of(&VECTOR2) };
    PROJECTION: Projection, projection_struct, { x: Of(&VECTOR4), y: Of(&VECTOR4), z: Of(&VECTOR4), w: Of(&VECTOR4) };
}

/// The components of one value. Integers of 32 bits are exact in them too.
#[derive(Default)]
pub(super) struct Components {
    numbers: [f64; 16],
    len: usize,
}

impl Components {
    pub(super) fn floats(&self) -> &[f64] {
        &self.numbers[..self.len]
    }

    pub(super) fn ints(&self) -> Vec<i32> {
        self.floats().iter().map(|number| *number as i32).collect()
    }

    fn push(&mut self, number: f64) {
        self.numbers[self.len] = number;
        self.len += 1;
    }
}

impl Shape {
    pub(super) fn of_module(module: Atom) -> Option<&'static Shape> {
        SHAPES.iter().copied().find(|shape| (shape.module)() == module)
    }

    pub(super) fn of_type(ty: Type) -> Option<&'static Shape> {
        SHAPES.iter().copied().find(|shape| shape.ty == ty)
    }

    pub(super) fn ty(&self) -> Type {
        self.ty
    }

    /// Units of work for one value: its numbers, and a few for each of the structs that it is made of.
    pub(super) fn units(&self) -> usize {
        let member = |(_, member): &Named| match member {
            Float | Int => 1,
            Of(shape) => shape.units(),
        };
        STRUCT_UNITS + self.members.iter().map(member).sum::<usize>()
    }

    /// Reads the numbers out of a struct. Shapes nest three deep at most, so this recursion is bounded.
    pub(super) fn read<'a>(&self, term: Term<'a>, into: &mut Components) -> Result<(), Reason<'a>> {
        for (name, member) in self.members {
            let name = name();
            let value = term.map_get(name).map_err(|_| Reason::Unsupported(term))?;
            let wrong = || Reason::Field { module: (self.module)(), name, value };
            match member {
                Float => into.push(float(value).ok_or_else(wrong)?),
                Int if value.is_integer() => match value.decode::<i32>() {
                    Ok(number) => into.push(f64::from(number)),
                    Err(_) => return Err(Reason::IntegerRange { value, bits: 32 }),
                },
                Int => return Err(wrong()),
                Of(shape) if is_struct(value, (shape.module)()) => shape.read(value, into)?,
                Of(_) => return Err(wrong()),
            }
        }
        Ok(())
    }

    /// Makes the struct.
    pub(super) fn make<'a>(&self, env: Env<'a>, numbers: &[f64]) -> Term<'a> {
        self.make_from(env, &mut numbers.iter().copied())
    }

    fn make_from<'a>(&self, env: Env<'a>, numbers: &mut dyn Iterator<Item = f64>) -> Term<'a> {
        let module = (self.module)().to_term(env);
        let (mut keys, mut values) = ([module; 5], [module; 5]);
        keys[0] = atoms::struct_key().to_term(env);
        for (at, (name, member)) in (1..).zip(self.members) {
            keys[at] = name().to_term(env);
            values[at] = match member {
                Float => float_term(env, numbers.next().unwrap_or(0.0)),
                Int => rustler::Encoder::encode(&(numbers.next().unwrap_or(0.0) as i32), env),
                Of(shape) => shape.make_from(env, numbers),
            };
        }
        let len = 1 + self.members.len();
        make_struct(env, &keys[..len], &values[..len])
    }
}

/// A struct of its keys, which are all different, and their values.
pub(super) fn make_struct<'a>(env: Env<'a>, keys: &[Term<'a>], values: &[Term<'a>]) -> Term<'a> {
    Term::map_from_term_arrays(env, keys, values).unwrap_or_else(|_| Term::map_new(env))
}

pub(super) fn is_struct(term: Term<'_>, module: Atom) -> bool {
    term.map_get(atoms::struct_key()).is_ok_and(|found| module == found)
}

/// A number, or the atom of one that the BEAM has not.
pub(super) fn float(term: Term<'_>) -> Option<f64> {
    term.decode().ok().or_else(|| if term.is_atom() { float_atom(term) } else { None })
}

/// The float that an atom stands for.
pub(super) fn float_atom(term: Term<'_>) -> Option<f64> {
    match term {
        atom if atoms::nan() == atom => Some(f64::NAN),
        atom if atoms::infinity() == atom => Some(f64::INFINITY),
        atom if atoms::neg_infinity() == atom => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// A float of the BEAM, or the atom that stands for one it has not.
pub(super) fn float_term<'a>(env: Env<'a>, value: f64) -> Term<'a> {
    if value.is_finite() {
        rustler::Encoder::encode(&value, env)
    } else if value.is_nan() {
        atoms::nan().to_term(env)
    } else if value > 0.0 {
        atoms::infinity().to_term(env)
    } else {
        atoms::neg_infinity().to_term(env)
    }
}
