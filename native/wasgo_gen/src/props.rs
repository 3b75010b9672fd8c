//! Low-poly meshes of what scatter rules place, and of a creature. Origin at the foot, +Y up, colours in the vertices.

mod creature;
mod paint;
mod plants;
mod rock;
mod shape;

use wasgo_scene::Mesh;

pub use creature::creature;

use crate::hash::derive;
use crate::plan::{Plan, PlanError, PropKind};

/// Props take their seeds from here on: 1,024 numbers for each kind.
const SALT: u64 = 1_000_000;

/// A mesh that instances place.
#[derive(Clone, Debug, PartialEq)]
pub struct Prop {
    /// Kind and number, as in `tree_0`; no two props of a plan have the same.
    pub name: String,
    /// What it is.
    pub kind: PropKind,
    /// How it looks: 100 to 400 triangles. The material is [`PAINTED`](crate::scene::PAINTED).
    pub mesh: Mesh<'static>,
}

/// The meshes that a plan's chunks place, in the order of [`Instance::kind`](crate::Instance::kind). They are the same for all chunks.
///
/// ```
/// let plan = wasgo_gen::Plan::new(42);
/// let props = wasgo_gen::props(&plan)?;
/// assert_eq!(props.len(), plan.kinds());
/// assert_eq!(props[0].name, "tree_0");
/// # Ok::<(), wasgo_gen::PlanError>(())
/// ```
///
/// # Errors
///
/// When the plan is not allowed.
pub fn props(plan: &Plan) -> Result<Vec<Prop>, PlanError> {
    plan.validate()?;
    let mut props = Vec::with_capacity(plan.kinds());
    // Two rules may place the same kind: their meshes count on.
    let mut made = [0u64; PropKind::ALL.len()];
    for rule in &plan.scatter {
        for _ in 0..rule.variants {
            let number = &mut made[rule.kind as usize];
            props.push(prop(plan.seed, rule.kind, *number));
            *number += 1;
        }
    }
    Ok(props)
}

fn prop(seed: u64, kind: PropKind, number: u64) -> Prop {
    // At most 32 rules of 16 variants: 512 of a kind.
    let seed = derive(seed, SALT + 1024 * kind as u64 + number);
    let surface = match kind {
        PropKind::Tree => plants::tree(seed),
        PropKind::Conifer => plants::conifer(seed),
        PropKind::Rock => rock::rock(seed),
        PropKind::Bush => plants::bush(seed),
    };
    let name = format!("{}_{number}", kind.name());
    Prop { name: name.clone(), kind, mesh: Mesh { name, surfaces: vec![surface], ..Mesh::default() } }
}
