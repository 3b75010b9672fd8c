//! An instance's exported function, ready to be called.
//!
//! Wasmtime checks a function's type at each call of a [`Func`]. For the commonest types that is done once, which makes a small call a
//! tenth faster.

use wasmtime::{Func, Store, TypedFunc, Val, ValType, WasmParams, WasmResults, WasmTy};

use crate::call::Values;
use crate::core::{Core, Host};
use crate::error::Error;
use crate::module::FunctionExport;

/// A type of wasm's numbers.
trait Number: WasmTy + Copy + Sync {
    fn of(value: &Val) -> Option<Self>;
    fn into_val(self) -> Val;
}

macro_rules! numbers {
    ($($type:ident: $variant:ident, $from:expr, $into:expr;)*) => {
        $(impl Number for $type {
            fn of(value: &Val) -> Option<Self> {
                match value {
                    Val::$variant(value) => Some($from(*value)),
                    _ => None,
                }
            }

            fn into_val(self) -> Val {
                Val::$variant($into(self))
            }
        })*
    };
}

numbers! {
    i32: I32, |value| value, |value| value;
    i64: I64, |value| value, |value| value;
    f32: F32, f32::from_bits, f32::to_bits;
    f64: F64, f64::from_bits, f64::to_bits;
}

/// Parameters of a function.
trait Parameters: WasmParams + Sync + Sized {
    fn of(values: &[Val]) -> Option<Self>;
}

impl Parameters for () {
    fn of(values: &[Val]) -> Option<Self> {
        values.is_empty().then_some(())
    }
}

impl<A: Number> Parameters for (A,) {
    fn of(values: &[Val]) -> Option<Self> {
        let [a] = values else { return None };
        Some((A::of(a)?,))
    }
}

impl<A: Number, B: Number> Parameters for (A, B) {
    fn of(values: &[Val]) -> Option<Self> {
        let [a, b] = values else { return None };
        Some((A::of(a)?, B::of(b)?))
    }
}

impl<A: Number, B: Number, C: Number> Parameters for (A, B, C) {
    fn of(values: &[Val]) -> Option<Self> {
        let [a, b, c] = values else { return None };
        Some((A::of(a)?, B::of(b)?, C::of(c)?))
    }
}

/// Results of a function: none or one.
trait Outcome: WasmResults + Sync {
    fn into_values(self) -> Values;
}

impl Outcome for () {
    fn into_values(self) -> Values {
        Values::new()
    }
}

impl<A: Number> Outcome for (A,) {
    fn into_values(self) -> Values {
        let mut values = Values::new();
        values.push(self.0.into_val());
        values
    }
}

macro_rules! value_type {
    (i32) => {
        ValType::I32
    };
    (i64) => {
        ValType::I64
    };
    (f32) => {
        ValType::F32
    };
    (f64) => {
        ValType::F64
    };
}

macro_rules! callable {
    ($($variant:ident: ($($parameter:ident),*) -> ($($result:ident),*);)*) => {
        /// A function of one of the common types, or of any.
        pub(crate) enum Callable {
            /// Its type is checked at each call; it has so many results.
            Any(Func, usize),
            $($variant(TypedFunc<($($parameter,)*), ($($result,)*)>),)*
        }

        impl Callable {
            pub(crate) fn new(store: &Store<Host>, function: Func, export: &FunctionExport) -> Result<Self, Error> {
                match (&*export.parameters, &*export.results) {
                    $(([$(value_type!($parameter)),*], [$(value_type!($result)),*]) => {
                        function.typed(store).map(Self::$variant).map_err(Error::engine)
                    })*
                    _ => Ok(Self::Any(function, export.results.len())),
                }
            }

            pub(crate) fn function(&self) -> &Func {
                match self {
                    Self::Any(function, _) => function,
                    $(Self::$variant(function) => function.func(),)*
                }
            }
        }

        impl Core {
            /// Calls the exported function of a number with arguments of its types.
            // In one piece: each async function within another would be one more copy of the innermost's state at each call.
            pub(crate) async fn call(&mut self, export: u32, arguments: &[Val]) -> Result<Values, Error> {
                let at = self.find(export)?;
                let (function, store) = self.function_and_store(at);
                let called = match function {
                    Callable::Any(function, results) => {
                        let mut values = Values::from_elem(Val::I32(0), *results);
                        function.call_async(store, arguments, &mut values).await.map(|()| values)
                    }
                    $(Callable::$variant(function) => match Parameters::of(arguments) {
                        Some(arguments) => function.call_async(store, arguments).await.map(Outcome::into_values),
                        None => Err(wasmtime::Error::msg("arguments of another type than the function's")),
                    },)*
                };
                called.map_err(|error| self.guest_error(error))
            }

            /// As [`Self::call`], on this thread's stack, for an instance that was made for that.
            pub(crate) fn call_here(&mut self, export: u32, arguments: &[Val]) -> Result<Values, Error> {
                let at = self.find(export)?;
                let (function, store) = self.function_and_store(at);
                let called = match function {
                    Callable::Any(function, results) => {
                        let mut values = Values::from_elem(Val::I32(0), *results);
                        function.call(store, arguments, &mut values).map(|()| values)
                    }
                    $(Callable::$variant(function) => match Parameters::of(arguments) {
                        Some(arguments) => function.call(store, arguments).map(Outcome::into_values),
                        None => Err(wasmtime::Error::msg("arguments of another type than the function's")),
                    },)*
                };
                called.map_err(|error| self.guest_error(error))
            }
        }
    };
}

callable! {
    Run: () -> ();
    MakeI32: () -> (i32);
    MakeI64: () -> (i64);
    MakeF32: () -> (f32);
    MakeF64: () -> (f64);
    TakeI32: (i32) -> ();
    TakeI64: (i64) -> ();
    TakeF32: (f32) -> ();
    TakeF64: (f64) -> ();
    MapI32: (i32) -> (i32);
    MapI64: (i64) -> (i64);
    MapF32: (f32) -> (f32);
    MapF64: (f64) -> (f64);
    TakeTwoI32: (i32, i32) -> ();
    TakeTwoI64: (i64, i64) -> ();
    TakeTwoF32: (f32, f32) -> ();
    TakeTwoF64: (f64, f64) -> ();
    JoinI32: (i32, i32) -> (i32);
    JoinI64: (i64, i64) -> (i64);
    JoinF32: (f32, f32) -> (f32);
    JoinF64: (f64, f64) -> (f64);
    SpanI64: (i32, i32) -> (i64);
    JoinThreeI32: (i32, i32, i32) -> (i32);
    JoinThreeF64: (f64, f64, f64) -> (f64);
}
