//! A component that returns what it is given, in every type of WIT; with resources, and ways to fail.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

wit_bindgen::generate!({ world: "echoes", path: "wit" });

use exports::wasgo::test::echo::{Access, Color, Guest as Echo, Person, Point, Shape};
use exports::wasgo::test::things::{
    Counter, CounterBorrow, Guest as Things, GuestCounter, GuestOther,
};

struct Component;

export!(Component);

impl Guest for Component {
    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }
}

macro_rules! same {
    ($($name:ident: $ty:ty),* $(,)?) => { $(fn $name(a: $ty) -> $ty { a })* };
}

impl Echo for Component {
    same! {
        bool: bool, s8: i8, u8: u8, s16: i16, u16: u16, s32: i32, u32: u32, s64: i64, u64: u64,
        f32: f32, f64: f64, char: char, string: String, bytes: Vec<u8>, strings: Vec<String>,
        nested: Vec<Vec<i16>>, pair: (u8, String), a_point: Point, a_person: Person, a_shape: Shape,
        a_color: Color, an_access: Access, maybe: Option<String>, maybe_maybe: Option<Option<u8>>,
        maybe_thrice: Option<Option<Option<bool>>>, outcome: Result<u32, String>,
        outcome_plain: Result<(), ()>, outcome_ok: Result<Vec<u8>, ()>,
        outcome_error: Result<(), Color>, people: Vec<Option<Person>>,
    }

    fn mixed(a: u8, b: String, c: Vec<Shape>) -> (Vec<Shape>, String, u8) {
        (c, b, a)
    }

    fn nothing() {}

    fn answer() -> u32 {
        42
    }
}

static ALIVE: AtomicU32 = AtomicU32::new(0);

struct Count(Cell<u32>);

impl Count {
    fn begin(start: u32) -> Self {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Self(Cell::new(start))
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

impl GuestCounter for Count {
    fn new(start: u32) -> Self {
        Self::begin(start)
    }

    fn next(&self) -> u32 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }

    fn absorb(&self, other: Counter) {
        self.0.set(self.0.get() + other.into_inner::<Count>().0.get());
    }

    fn alive() -> u32 {
        ALIVE.load(Ordering::Relaxed)
    }
}

struct Other;

impl GuestOther for Other {
    fn new() -> Self {
        Self
    }
}

impl Things for Component {
    type Counter = Count;
    type Other = Other;

    fn total(counters: Vec<CounterBorrow<'_>>) -> u32 {
        counters.iter().map(|counter| counter.get::<Count>().0.get()).sum()
    }

    fn make(count: u32) -> Vec<Counter> {
        (0..count).map(|start| Counter::new(Count::begin(start))).collect()
    }

    fn fail(why: String) {
        panic!("{why}");
    }

    fn spin() {
        loop {
            std::hint::black_box(0);
        }
    }

    fn fill(bytes: u32) -> u32 {
        vec![1_u8; bytes as usize].iter().map(|byte| u32::from(*byte)).sum()
    }

    fn repeat(text: String, times: u32) -> String {
        text.repeat(times as usize)
    }
}
