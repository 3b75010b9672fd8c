//! The wasmtime engines behind one [`Engine`](crate::Engine): code is compiled for one of them and runs in no other.

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, ModuleVersionStrategy, PoolingAllocationConfig};

use crate::error::Error;

/// Stack of a guest's fiber in bytes, of which [`WASM_STACK`] is the guest's own; the rest is for the host's functions.
const FIBER_STACK: usize = 1 << 20;

/// Stack that a guest may use in bytes: half a MiB is several thousand frames of an ordinary recursion.
pub(crate) const WASM_STACK: usize = 512 << 10;

/// Memory that one instance of the pool can have at most, in bytes; it is the default limit of a script's memory. Address space is
/// reserved for it, no memory.
pub(crate) const POOL_MEMORY: u64 = 64 << 20;

/// Bytes of data that a module of the pool may have: each of its instances gets a copy of them. More are mapped, which elsewhere costs less
/// than to copy them.
pub(crate) const POOL_DATA: u64 = 256 << 10;

/// Bytes of data with which a program's memory is made an image of; with fewer, copying them takes a few milliseconds at most.
pub(crate) const MIN_IMAGE: u64 = 8 << 20;

/// Bytes of the image of a program's memory at most, and how many times the bytes of its data it may have. The image is written to the cache with
/// the zeros between the data, and nobody is to make a large file of a small module.
pub(crate) const MAX_IMAGE: u64 = 512 << 20;
pub(crate) const IMAGE_OVER_DATA: u64 = 8;

/// Data segments that such a program may have: the image takes them all at once.
pub(crate) const IMAGE_SEGMENTS: u64 = 100_000;

/// Elements that the table of an instance of the pool can have at most.
pub(crate) const POOL_TABLE: u64 = 20_000;

/// Instances that the pool holds, by what the machine's address space allows: the first number that it grants. 10,000 take 40 TiB of the
/// 128 that a process of x86-64 or aarch64 has; some kernels and containers give less.
const POOL_SIZES: [u32; 3] = [10_000, 1_000, 100];

/// Bytes of a memory that are cleared by writing zeros when an instance of the pool ends; what was written beyond is given back to the
/// system, which costs a call.
const KEEP_RESIDENT: usize = 64 << 10;

/// How code is compiled and where its instances live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Flavour {
    /// Instances come from a pool of places made beforehand: instantiating costs a microsecond or two.
    Pooled,
    /// The same code, whose instances get what they need when they need it: for when the pool is full, and for those that are not to have
    /// its places.
    Unpooled,
    /// As [`Self::Unpooled`], for modules that no place of the pool holds.
    Roomy,
    /// As [`Self::Roomy`], for programs that begin with much in their memory: an image of it is made when they are compiled, and all their
    /// instances share what they don't write to.
    Image,
    /// As [`Self::Roomy`], and code counts fuel and canonicalises NaNs, so that a run is the same everywhere.
    Deterministic,
    /// As [`Self::Roomy`], for components: the code between their modules copies from one memory to another.
    Component,
}

impl Flavour {
    /// A stable name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pooled => "pooled",
            Self::Unpooled => "unpooled",
            Self::Roomy => "roomy",
            Self::Image => "image",
            Self::Deterministic => "deterministic",
            Self::Component => "component",
        }
    }

    /// Whether a memory's data are copied into it, not mapped: a mapped image splits a place of the pool into two mappings more, which it
    /// keeps, and 10,000 places would take nearly all that Linux gives a process.
    pub(crate) fn copies_data(self) -> bool {
        matches!(self, Self::Pooled | Self::Unpooled)
    }

    pub(crate) fn is_deterministic(self) -> bool {
        self == Self::Deterministic
    }
}

/// The engine of the pool, as large as the machine allows; none where it allows none.
pub(crate) fn pooled() -> Option<(wasmtime::Engine, u32)> {
    POOL_SIZES.into_iter().find_map(|size| {
        let mut config = config(Flavour::Pooled).ok()?;
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(size)));
        wasmtime::Engine::new(&config).ok().map(|engine| (engine, size))
    })
}

/// An engine of another flavour than the pool's.
pub(crate) fn on_demand(flavour: Flavour) -> Result<wasmtime::Engine, Error> {
    wasmtime::Engine::new(&config(flavour)?).map_err(Error::engine)
}

fn pool(size: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(size)
        .total_memories(size)
        .total_tables(size)
        .total_stacks(size)
        .total_component_instances(0)
        .max_memory_size(POOL_MEMORY as usize)
        .table_elements(POOL_TABLE as usize)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT);
    // Where the kernel can say which pages were written, only those are cleared.
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.pagemap_scan(Enabled::Yes);
    }
    pool
}

fn config(flavour: Flavour) -> Result<Config, Error> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .async_stack_size(FIBER_STACK)
        .max_wasm_stack(WASM_STACK)
        .wasm_component_model(true)
        .wasm_memory64(false)
        .memory_init_cow(!flavour.copies_data())
        .wasm_multi_memory(flavour == Flavour::Component)
        .module_version(ModuleVersionStrategy::WasmtimeVersion)
        .map_err(Error::engine)?;
    if flavour == Flavour::Image {
        config.memory_guaranteed_dense_image_size(MAX_IMAGE);
    }
    if flavour.is_deterministic() {
        config.consume_fuel(true).cranelift_nan_canonicalization(true).relaxed_simd_deterministic(true);
    }
    Ok(config)
}
