//! The benchmark suite: `cargo bench -p bench`.

use criterion::{criterion_group, criterion_main};

mod protocol;

criterion_group!(benches, protocol::benches);
criterion_main!(benches);
