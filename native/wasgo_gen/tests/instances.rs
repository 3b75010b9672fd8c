//! The instance table: what scripts are given, and what they may give back.

use proptest::prelude::*;
use support::chunk;
use wasgo_gen::instance::{BOUNDS_MARGIN, INSTANCE_BYTES, MAX_SCALE};
use wasgo_gen::{Instance, InstanceError, MAX_INSTANCES, Plan, pack_instances, transforms, unpack_instances};

mod support;

fn one() -> Instance {
    Instance { kind: 2, position: [1.0, 2.0, 3.0], yaw: 0.5, scale: 1.5, slope: 0.25, moisture: 0.75 }
}

fn refused(change: impl FnOnce(&mut Instance)) -> String {
    let mut second = one();
    change(&mut second);
    unpack_instances(&pack_instances(&[one(), second]), &Plan::new(1), 64.0).unwrap_err().to_string()
}

#[test]
fn the_layout_is_as_documented() {
    let table = pack_instances(&[one()]);
    assert_eq!(table.len(), INSTANCE_BYTES);
    let word = |at: usize| u32::from_le_bytes(table[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 2);
    for (at, value) in [(4, 1.0f32), (8, 2.0), (12, 3.0), (16, 0.5), (20, 1.5), (24, 0.25), (28, 0.75)] {
        assert_eq!(f32::from_bits(word(at)), value, "offset {at}");
    }
}

#[test]
fn the_instances_of_a_chunk_come_back() {
    let plan = Plan::new(4);
    let chunk = chunk(&plan, 0, 0);
    assert!(!chunk.instances.is_empty());
    assert_eq!(unpack_instances(&pack_instances(&chunk.instances), &plan, 64.0), Ok(chunk.instances));
    assert_eq!(unpack_instances(&[], &plan, 64.0), Ok(Vec::new()));
}

#[test]
fn what_scripts_return_is_checked() {
    let plan = Plan::new(1);
    assert_eq!(unpack_instances(&[0; 31], &plan, 64.0), Err(InstanceError::Length { bytes: 31 }));
    let many = vec![0; (MAX_INSTANCES + 1) * INSTANCE_BYTES];
    assert_eq!(
        unpack_instances(&many, &plan, 64.0),
        Err(InstanceError::TooMany { count: MAX_INSTANCES + 1, max: MAX_INSTANCES })
    );
    let kinds = plan.kinds() as u32;
    assert_eq!(refused(|it| it.kind = kinds), format!("instance 1: kind is {kinds}, the plan has {kinds}"));
    assert_eq!(refused(|it| it.position[0] = 72.5), "instance 1: x is 72.5, allowed: -8 to 72");
    assert_eq!(refused(|it| it.position[2] = -8.5), "instance 1: z is -8.5, allowed: -8 to 72");
    assert_eq!(refused(|it| it.position[1] = 2e4), "instance 1: y is 20000, allowed: -16384 to 16384");
    assert_eq!(refused(|it| it.yaw = f32::NAN), "instance 1: yaw is NaN, allowed: -1000 to 1000");
    assert_eq!(refused(|it| it.scale = 0.0), "instance 1: scale is 0, allowed: 0.000001 to 100");
    assert_eq!(refused(|it| it.scale = -1.0), "instance 1: scale is -1, allowed: 0.000001 to 100");
    assert!(refused(|it| it.scale = MAX_SCALE * 1.001).starts_with("instance 1: scale is 100.1"));
    assert_eq!(refused(|it| it.slope = 1.5), "instance 1: slope is 1.5, allowed: 0 to 1");
    assert_eq!(refused(|it| it.moisture = f32::INFINITY), "instance 1: moisture is inf, allowed: 0 to 1");
}

#[test]
fn the_bounds_themselves_are_allowed() {
    let plan = Plan::new(1);
    let edge = |x, scale| Instance { position: [x, 0.0, x], scale, ..one() };
    let all = [edge(-BOUNDS_MARGIN, MAX_SCALE), edge(64.0 + BOUNDS_MARGIN, 1e-6)];
    assert_eq!(unpack_instances(&pack_instances(&all), &plan, 64.0), Ok(all.to_vec()));
}

#[test]
fn transforms_are_of_one_kind() {
    let other = Instance { kind: 3, yaw: 0.0, ..one() };
    let bytes = transforms(&[one(), other, one()], 3);
    let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(values, [1.5, 0.0, 0.0, 1.0, 0.0, 1.5, 0.0, 2.0, 0.0, 0.0, 1.5, 3.0]);
    assert_eq!(transforms(&[one(), other, one()], 2).len(), 96);
    assert!(transforms(&[one()], 9).is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_sound(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let plan = Plan::new(1);
        if let Ok(instances) = unpack_instances(&bytes, &plan, 64.0) {
            prop_assert_eq!(pack_instances(&instances), bytes);
        }
    }

    /// Sound tables with a few words overwritten: near misses, which random bytes never are.
    #[test]
    fn a_table_with_changed_words_is_refused_or_sound(
        count in 1usize..20,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u32>(), any::<f32>(), any::<bool>()), 0..4),
    ) {
        let plan = Plan::new(1);
        let mut table = pack_instances(&vec![one(); count]);
        for (place, bits, float, as_float) in changes {
            let at = place.index(table.len() / 4) * 4;
            let word = if as_float { float.to_bits() } else { bits };
            table[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        if let Ok(instances) = unpack_instances(&table, &plan, 64.0) {
            for it in &instances {
                prop_assert!((it.kind as usize) < plan.kinds());
                prop_assert!(it.position.iter().all(|v| v.is_finite()) && it.scale > 0.0);
            }
            let kinds: Vec<u8> = (0..plan.kinds() as u32).flat_map(|kind| transforms(&instances, kind)).collect();
            prop_assert_eq!(kinds.len(), instances.len() * 48);
        }
    }
}
