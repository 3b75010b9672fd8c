//! A whole network with a guest's stack in the same thread: `cargo bench -p wasgo_net --bench net`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use bytes::Bytes;
use common::{ALL, World};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wasgo_net::{CloseReason, Event, Options, WriteOutcome};

const CHUNK: usize = 64 << 10;

fn connect(criterion: &mut Criterion) {
    let mut world = World::up(Options::default());
    criterion.bench_function("connect and reset", |bencher| {
        bencher.iter_custom(|times| {
            let begun = Instant::now();
            for _ in 0..times {
                let socket = world.listen(80);
                let id = world.network().connect(80).expect("room for it");
                assert_eq!(world.event(), Event::Connected(id));
                world.network().reset(id);
                world.closed(id, CloseReason::Aborted);
                world.sockets.remove(socket);
            }
            begun.elapsed()
        });
    });
}

fn round_trip(criterion: &mut Criterion) {
    let mut world = World::up(Options::default());
    let (id, socket) = world.connection(80);
    criterion.bench_function("round trip of a byte", |bencher| {
        bencher.iter(|| {
            world.write(id, b"x");
            let bytes = world.guest_reads(socket, 1);
            world.tcp(socket).send_slice(&bytes).expect("room for it");
            world.data(id, 1)
        });
    });
}

fn throughput(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("throughput");
    let total = 16 << 20;
    group.throughput(Throughput::Bytes(total as u64)).sample_size(20);
    let chunk = Bytes::from(vec![1; CHUNK]);

    let mut world = World::up(Options::default());
    let (id, socket) = world.connection(80);
    group.bench_function("to the guest", |bencher| {
        bencher.iter(|| {
            let (mut sent, mut read) = (0, 0);
            world.until(|world| {
                while sent < total && world.network().write(id, chunk.clone()) == WriteOutcome::Written {
                    sent += CHUNK;
                }
                while let Ok(more) = world.tcp(socket).recv(|bytes| (bytes.len(), bytes.len()))
                    && more > 0
                {
                    read += more;
                }
                while world.try_event().is_some() {}
                (read == total).then_some(())
            });
        });
    });

    let mut world = World::up(Options::default());
    let (id, socket) = world.connection(80);
    group.bench_function("from the guest", |bencher| {
        bencher.iter(|| {
            world.network().give_credit(id, ALL);
            let (mut sent, mut read) = (0, 0);
            world.until(|world| {
                while sent < total {
                    let more = world.tcp(socket).send_slice(&chunk[..CHUNK.min(total - sent)]).expect("open");
                    if more == 0 {
                        break;
                    }
                    sent += more;
                }
                while let Some(event) = world.try_event() {
                    if let Event::Data(_, bytes) = event {
                        read += bytes.len();
                    }
                }
                (read == total).then_some(())
            });
        });
    });
    group.finish();
}

criterion_group!(benches, connect, round_trip, throughput);
criterion_main!(benches);
