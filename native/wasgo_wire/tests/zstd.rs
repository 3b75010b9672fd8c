//! zstd both ways, and frames that are not what they say.

use proptest::prelude::*;
use wasgo_wire::zstd::{LEVELS, MAX_WINDOW, Reason, bound, compress, decompress, most_blocks};

const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

fn reason(frame: &[u8], size: usize) -> Reason {
    decompress(frame, size).expect_err("a frame that is wrong was taken").reason
}

/// A frame with this descriptor and what follows it.
fn frame(parts: &[&[u8]]) -> Vec<u8> {
    [&MAGIC[..], &parts.concat()].concat()
}

/// A block of one byte, repeated.
fn repeated(last: bool, count: u32) -> [u8; 4] {
    let [a, b, c, _] = (count << 3 | 1 << 1 | u32::from(last)).to_le_bytes();
    [a, b, c, 7]
}

fn mixed(bytes: usize) -> Vec<u8> {
    (0..bytes as u32)
        .map(|at| if at / 100 % 3 == 0 { at.wrapping_mul(2_654_435_761) >> 24 } else { at / 100 } as u8)
        .collect()
}

#[test]
fn every_level_gives_the_bytes_back() {
    for size in [0, 1, 255, 256, 257, 70_000, 300_000] {
        for level in LEVELS {
            let bytes = mixed(size);
            let frame = compress(&bytes, level).unwrap();
            assert!(frame.len() <= bound(size));
            assert_eq!(decompress(&frame, size).unwrap(), bytes, "{size} bytes at level {level}");
        }
    }
}

#[test]
fn there_are_no_other_levels() {
    for level in [i32::MIN, -1, 0, 10, 22, i32::MAX] {
        assert_eq!(compress(b"a", level).unwrap_err().reason, Reason::Level(level));
    }
}

#[test]
fn more_or_less_than_expected_is_refused() {
    let bytes = mixed(5000);
    let frame = compress(&bytes, 3).unwrap();
    for size in [0, 1, 4999, 5001, usize::MAX] {
        assert_eq!(reason(&frame, size), Reason::Size { found: Some(5000), size });
    }
}

#[test]
fn a_frame_that_says_nothing_of_its_size_is_held_to_what_is_expected() {
    // A window of 1 MiB, no size: three blocks of 100 bytes.
    let bytes = frame(&[&[0, 0x50], &repeated(false, 100), &repeated(false, 100), &repeated(true, 100)]);
    assert_eq!(decompress(&bytes, 300).unwrap(), [7; 300]);
    for size in [0, 299, 301, 1 << 40] {
        assert_eq!(reason(&bytes, size), Reason::Size { found: None, size });
    }
}

#[test]
fn the_size_that_a_frame_declares_is_not_believed() {
    // 200 bytes declared in four, 100 there; and the other way round.
    let less = frame(&[&[0xA0], &200_u32.to_le_bytes(), &repeated(true, 100)]);
    assert_eq!(reason(&less, 200), Reason::Size { found: None, size: 200 });
    let more = frame(&[&[0xA0], &100_u32.to_le_bytes(), &repeated(true, 200)]);
    assert_eq!(reason(&more, 100), Reason::Size { found: None, size: 100 });
    // A size that no memory holds, of which nothing is there.
    let all = frame(&[&[0xE0], &u64::MAX.to_le_bytes(), &repeated(true, 100)]);
    assert_eq!(reason(&all, usize::MAX), Reason::Size { found: None, size: usize::MAX });
    // Compressed blocks hold 128 KiB each at most: two of them are no gigabyte.
    let claim = frame(&[&[0xA0], &(1_u32 << 30).to_le_bytes(), &[0x14, 0, 0, 0, 0], &[0x15, 0, 0, 0, 0]]);
    assert_eq!(reason(&claim, 1 << 30), Reason::Size { found: None, size: 1 << 30 });
}

#[test]
fn every_truncation_is_refused() {
    let bytes = mixed(3000);
    let frame = compress(&bytes, 3).unwrap();
    for end in 0..frame.len() {
        assert!(matches!(reason(&frame[..end], 3000), Reason::Truncated { .. }), "at {end} of {}", frame.len());
    }
}

#[test]
fn what_follows_a_frame_is_refused() {
    let one = compress(b"one", 3).unwrap();
    assert_eq!(reason(&[&one[..], &[0]].concat(), 3), Reason::Trailing(1));
    assert_eq!(reason(&[&one[..], &one].concat(), 6), Reason::Size { found: Some(3), size: 6 });
    assert_eq!(reason(&[&one[..], &one].concat(), 3), Reason::Trailing(one.len()));
    // A skippable frame before one, or after it.
    let skipped = [&[0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 9][..], &one].concat();
    assert_eq!(reason(&skipped, 3), Reason::Syntax("a zstd frame"));
}

#[test]
fn a_window_over_the_limit_is_refused() {
    let largest = frame(&[&[0, 13 << 3], &repeated(true, 5)]);
    assert_eq!(decompress(&largest, 5).unwrap(), [7; 5]);
    let larger = frame(&[&[0, 13 << 3 | 1], &repeated(true, 5)]);
    assert_eq!(reason(&larger, 5), Reason::Window { bytes: MAX_WINDOW / 8 * 9 });
    let largest_of_all = frame(&[&[0, 0xFF], &repeated(true, 5)]);
    assert!(matches!(reason(&largest_of_all, 5), Reason::Window { bytes } if bytes > 1 << 41));
}

#[test]
fn dictionaries_reserved_bits_and_unknown_blocks_are_refused() {
    assert_eq!(reason(&frame(&[&[1, 0x50, 9], &repeated(true, 5)]), 5), Reason::Dictionary(9));
    assert_eq!(reason(&frame(&[&[8, 0x50], &repeated(true, 5)]), 5), Reason::Syntax("a header without reserved bits"));
    assert_eq!(reason(&frame(&[&[0, 0x50, 7, 0, 0]]), 5), Reason::Syntax("a block of a known type"));
    assert_eq!(
        reason(&frame(&[&[0, 0x50], &repeated(true, 131_073)]), 131_073),
        Reason::Syntax("a block of at most 128 KiB")
    );
}

#[test]
fn blocks_are_counted() {
    let blocks = |count: usize| [repeated(false, 0).repeat(count - 1), repeated(true, 5).to_vec()].concat();
    assert_eq!(decompress(&frame(&[&[0, 0x50], &blocks(most_blocks(5))]), 5).unwrap(), [7; 5]);
    assert_eq!(reason(&frame(&[&[0, 0x50], &blocks(most_blocks(5) + 1)]), 5), Reason::Blocks(most_blocks(5)));
}

#[test]
fn a_wrong_checksum_is_refused() {
    let wrong = frame(&[&[4, 0x50], &repeated(true, 5), &[1, 2, 3, 4]]);
    assert!(matches!(reason(&wrong, 5), Reason::Corrupt(_)));
    assert!(matches!(reason(&wrong[..wrong.len() - 1], 5), Reason::Truncated { needed: 4, left: 3 }));
}

#[test]
fn a_bomb_within_the_size_expected_is_only_that_large() {
    let bytes = vec![0; 64 << 20];
    let frame = compress(&bytes, 3).unwrap();
    assert!(frame.len() < 10_000);
    assert!(decompress(&frame, 64 << 20).unwrap() == bytes);
}

proptest! {
    #[test]
    fn any_bytes_come_back(bytes in proptest::collection::vec(0_u8..4, 0..20_000), level in LEVELS) {
        prop_assert_eq!(decompress(&compress(&bytes, level).unwrap(), bytes.len()).unwrap(), bytes);
    }

    #[test]
    fn damage_gives_an_error_or_as_many_bytes(
        bytes in proptest::collection::vec(any::<u8>(), 1..400),
        copies in 1_usize..20,
        hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let bytes = bytes.repeat(copies);
        let mut frame = compress(&bytes, 3).unwrap();
        for (index, byte) in hits {
            let at = index.index(frame.len());
            frame[at] = byte;
        }
        if let Ok(result) = decompress(&frame, bytes.len()) {
            prop_assert_eq!(result.len(), bytes.len());
        }
    }

    #[test]
    fn noise_is_no_frame(noise in proptest::collection::vec(any::<u8>(), 0..200), size in 0_usize..1000) {
        let _ = decompress(&noise, size);
        if let Ok(bytes) = decompress(&frame(&[&noise]), size) {
            prop_assert_eq!(bytes.len(), size);
        }
    }
}
