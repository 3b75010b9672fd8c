//! Matrices and quaternions agree with each other.

use proptest::prelude::*;
use wasgo_scene::transform::{quaternion_from_yaw, rows_from_trs, rows_from_yaw, trs_from_rows};
use wasgo_scene::winding;

fn close(a: &[f32; 12], b: &[f32; 12], tolerance: f32) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance)
}

#[test]
fn a_quarter_turn_brings_forward_to_the_left() {
    let rows = rows_from_yaw([0.0; 3], std::f32::consts::FRAC_PI_2, 1.0);
    // The matrix times (0, 0, -1).
    let turned = [-rows[2], -rows[6], -rows[10]];
    assert!((turned[0] + 1.0).abs() < 1e-6 && turned[1].abs() < 1e-6 && turned[2].abs() < 1e-6, "{turned:?}");
}

#[test]
fn flat_sheared_and_infinite_matrices_have_no_parts() {
    let sound = rows_from_yaw([1.0, 2.0, 3.0], 0.5, 2.0);
    assert!(trs_from_rows(&sound).is_some());
    let with = |place: usize, value: f32| {
        let mut rows = sound;
        rows[place] = value;
        rows
    };
    assert_eq!(trs_from_rows(&with(5, 0.0)), None);
    assert_eq!(trs_from_rows(&with(1, 1.0)), None);
    assert_eq!(trs_from_rows(&with(3, f32::NAN)), None);
    assert_eq!(trs_from_rows(&with(0, f32::MAX)), None);
}

proptest! {
    #[test]
    fn yaw_as_matrix_and_as_quaternion_is_the_same(yaw in -10.0f32..10.0, scale in 0.1f32..10.0) {
        let one = rows_from_yaw([1.0, 2.0, 3.0], yaw, scale);
        let other = rows_from_trs([1.0, 2.0, 3.0], quaternion_from_yaw(yaw), [scale; 3]);
        prop_assert!(close(&one, &other, 1e-5 * scale), "{one:?} {other:?}");
    }

    #[test]
    fn parts_of_a_matrix_make_the_matrix(
        t in proptest::array::uniform3(-100.0f32..100.0),
        q in proptest::array::uniform4(-1.0f32..1.0),
        s in proptest::array::uniform3(0.1f32..10.0),
        mirrored in any::<bool>(),
    ) {
        let length = q.iter().map(|v| v * v).sum::<f32>().sqrt();
        prop_assume!(length > 0.1);
        let s = if mirrored { [s[0], -s[1], s[2]] } else { s };
        let rows = rows_from_trs(t, q.map(|v| v / length), s);
        let (t, q, s) = trs_from_rows(&rows).unwrap();
        prop_assert!(close(&rows_from_trs(t, q, s), &rows, 1e-4));
    }

    #[test]
    fn flipping_twice_changes_nothing(indices in proptest::collection::vec(any::<u8>(), 0..100)) {
        let once = winding::flip(&indices);
        prop_assert_eq!(once.len(), indices.len());
        prop_assert_eq!(winding::flip(&once), indices);
    }
}
