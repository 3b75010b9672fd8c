//! Moves a scene as a whole.

use crate::transform::{compose, row_bytes, rows_from_bytes, rows_of, trs_from_rows};
use crate::{Limits, Node, Scene, SceneError, Transform, validate};

/// The scene with all that it shows moved by a 3x4 matrix, row by row.
///
/// Roots get new transforms. Where that can't be said by a translation, rotation and scale, or an animation moves a root,
/// the roots come below a new one with the matrix, named as the scene.
///
/// # Errors
///
/// What [`validate`] finds; [`SceneError::BadTransform`] for a matrix that is not finite, or that is sheared or flat.
pub fn transform<'a>(mut scene: Scene<'a>, rows: &[f32; 12]) -> Result<Scene<'a>, SceneError> {
    validate(&scene, &Limits::NONE)?;
    let Some((translation, rotation, scale)) = trs_from_rows(rows) else {
        let fault = "the matrix is not a translation, rotation and scale";
        return Err(SceneError::BadTransform { whose: "the transform".into(), fault });
    };
    for set in scene.instances.iter_mut().filter(|set| set.parent.is_none()) {
        let places = set.transforms.as_chunks::<48>().0.iter();
        let moved = places.flat_map(|place| row_bytes(&compose(rows, &rows_from_bytes(place))));
        set.transforms = moved.collect::<Vec<u8>>().into();
    }
    let moved: Option<Vec<Transform>> = scene.roots.iter().map(|root| moved(rows, &scene.nodes[*root])).collect();
    let mut channels = scene.animations.iter().flat_map(|animation| &animation.channels);
    let animated = channels.any(|channel| scene.roots.contains(&channel.node));
    match moved.filter(|_| !animated) {
        Some(moved) => {
            for (root, transform) in scene.roots.iter().zip(moved) {
                scene.nodes[*root].transform = transform;
            }
        }
        None => {
            let children = std::mem::take(&mut scene.roots);
            let transform = Transform::Trs { translation, rotation, scale };
            scene.roots.push(scene.nodes.len());
            scene.nodes.push(Node { name: scene.name.clone(), transform, children, ..Node::default() });
        }
    }
    Ok(scene)
}

fn moved(rows: &[f32; 12], root: &Node) -> Option<Transform> {
    let rows = compose(rows, &rows_of(&root.transform));
    let (translation, rotation, scale) = trs_from_rows(&rows)?;
    Some(match root.transform {
        Transform::Trs { .. } => Transform::Trs { translation, rotation, scale },
        Transform::Rows(_) => Transform::Rows(rows),
    })
}
