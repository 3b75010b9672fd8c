//! Decoding never takes memory out of proportion to its input, whatever the input declares.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use wasgo_wire::format::{self, Data, DataBuilder, EncodeOptions, EncodeReason, Format, check_etf};
use wasgo_wire::variant::{Limits, Type, decode_value};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller's promises are the system allocator's conditions.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: `pointer` came from the system's allocator with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SIZE: usize = 1 << 17;

/// The most that a byte of input may cost, in bytes, in the tree of values and while it is made. A value of 4 bytes takes
/// 32 in the tree, an empty array of 8 bytes about 90.
const FACTOR: usize = 16;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().copied().cycle().take(SIZE / 4).flat_map(u32::to_le_bytes).collect()
}

/// An array with as many elements as the rest of the input can hold, of `element` over and over.
fn array_of(element: &[u32]) -> Vec<u8> {
    let mut bytes = words(element);
    bytes[..4].copy_from_slice(&[28, 0, 0, 0]);
    let count = (SIZE / 4 - 2) / element.len();
    bytes[4..8].copy_from_slice(&(count as u32).to_le_bytes());
    bytes.truncate(8);
    bytes.extend(element.iter().copied().cycle().take(count * element.len()).flat_map(u32::to_le_bytes));
    bytes
}

// One test: a second one beside it would count too.
#[test]
fn memory_stays_in_proportion_to_the_input() {
    let largest = (SIZE / 4) as u32;
    let mut inputs = vec![words(&[0]), array_of(&[0]), array_of(&[28, 0]), array_of(&[27, 0]), array_of(&[4, 0])];
    inputs.push(array_of(&[22, 0x8000_0000, 0, 0]));
    inputs.push(words(&[28, 1])); // as deep as can be
    for kind in Type::Dictionary.id()..=Type::PackedVector4Array.id() {
        let kind = u32::from(kind);
        // Claims at every level, of what would fit were it the only one, and of what fits nowhere.
        for count in [largest / 64, largest / 4, largest / 2 - 2, largest - 2, largest, 0x7fff_ffff, u32::MAX] {
            inputs.push(words(&[kind, count]));
            let mut first = words(&[0]);
            first[..4].copy_from_slice(&kind.to_le_bytes());
            first[4..8].copy_from_slice(&count.to_le_bytes());
            inputs.push(first);
        }
    }
    let mut decoded = 0;
    for input in inputs {
        let mut result = None;
        let taken = peak(|| result = Some(decode_value(&input, &Limits::new(1024, SIZE))));
        let bound = FACTOR * input.len() + (64 << 10);
        assert!(taken <= bound, "{taken} bytes for {:?}...", &input[..12]);
        decoded += usize::from(matches!(result, Some(Ok(_))));
    }
    assert!(decoded > 20, "{decoded} inputs were values");
    formats();
}

/// The most that a byte of input may cost in the tree of the serde formats: a value of one byte takes 32 in it, and as many in the stack
/// that values wait in, which doubles as it grows.
const FORMAT_FACTOR: usize = 32 + 2 * 32 + 32;

fn formats() {
    let mut inputs: Vec<(Format, Vec<u8>)> = Vec::new();
    // Claims of what is not there, alone, and at every level.
    let claims: [(Format, &[&[u8]]); 3] = [
        (
            Format::MessagePack,
            &[
                &[0xdd, 0xff, 0xff, 0xff, 0xff],
                &[0xdf, 0xff, 0xff, 0xff, 0xff],
                &[0xdb, 0xff, 0xff, 0xff, 0xff],
                &[0xc6, 0xff, 0xff, 0xff, 0xff],
                &[0xdd, 0, 1, 0xff, 0],
                &[0xdf, 0, 0, 0xff, 0],
                &[0xdc, 0xff, 0xff],
                &[0x91],
                &[0x90],
            ],
        ),
        (
            Format::Cbor,
            &[
                &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                &[0xbb, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                &[0x7a, 0xff, 0xff, 0xff, 0xff],
                &[0x9a, 0, 1, 0xff, 0],
                &[0xc2, 0x5a, 0, 1, 0xff, 0],
                &[0x7f, 0x60],
                &[0x5f, 0x41, 0],
                &[0x9f],
                &[0x80],
            ],
        ),
        (
            Format::Postcard,
            &[
                &[7, 0xff, 0xff, 0xff, 0xff, 0x0f],
                &[8, 0xff, 0xff, 3],
                &[5, 0xff, 0xff, 0xff, 0xff, 0x0f],
                &[6, 0xff, 0xff, 7],
                &[7, 0],
            ],
        ),
    ];
    for (format, claims) in claims {
        for claim in claims {
            inputs.push((format, claim.iter().copied().cycle().take(SIZE).collect()));
            inputs.push((format, [claim, &[0; SIZE - 16][..]].concat()));
        }
    }
    for text in ["[", "[[],", "[0,", "{\"\":", "\"\\u0000", "\"", "[\"\",", "9", "[{},"] {
        inputs.push((Format::Json, text.bytes().cycle().take(SIZE).collect()));
        inputs.push((Format::Json, format!("[{}0]", "[],".repeat(SIZE / 4)).into_bytes()));
        inputs.push((Format::Json, format!("[{}0]", "0,".repeat(SIZE / 2 - 2)).into_bytes()));
    }
    let limits = format::Limits { max_bytes: SIZE, ..format::Limits::default() };
    for (format, input) in inputs {
        let taken = peak(|| drop(format::decode(&input, format, &limits, &mut DataBuilder)));
        let bound = FORMAT_FACTOR * input.len() + (64 << 10);
        assert!(taken <= bound, "{taken} bytes for {format:?} {:?}...", &input[..12]);
    }
    // A check makes nothing, whatever is declared; what is compressed takes what it holds.
    for tag in 0..=255_u8 {
        let mut input = vec![131, tag, 0xff, 0xff, 0xff, 0xff];
        input.resize(SIZE, tag);
        let taken = peak(|| drop(check_etf(&input, &limits)));
        assert!(taken <= (64 << 10), "{taken} bytes for tag {tag}");
    }
    let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&[106; 100 * SIZE], 6);
    for size in [0, 1, SIZE - 1, SIZE, 100 * SIZE] {
        let input = [&[131, 80], &(size as u32).to_be_bytes()[..], &bomb].concat();
        let taken = peak(|| drop(check_etf(&input, &limits)));
        assert!(taken <= 3 * SIZE + (64 << 10), "{taken} bytes for {size}");
    }
    // Bytes whose text would be over the limit are not made into one.
    let bytes = Data::Bytes(vec![0; SIZE]);
    let options = EncodeOptions { base64: true, ..EncodeOptions::default() };
    let mut result = None;
    let taken = peak(|| result = Some(format::encode(&bytes, Format::Json, options, &limits)));
    assert!(matches!(result, Some(Err(error)) if error.reason == EncodeReason::TooLarge { limit: SIZE }));
    assert!(taken <= (4 << 10), "{taken} bytes for a text that was refused");
}

/// The most memory that is taken at a time.
fn peak(work: impl FnOnce()) -> usize {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    work();
    PEAK.load(Relaxed) - before
}
