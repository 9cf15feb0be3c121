//! The benchmark suite: `cargo bench -p bench`.
//!
//! ```text
//! cargo bench -p bench                        # all of it, in ten minutes at most
//! cargo bench -p bench -- wait_cost           # one group, or whatever has this in its name
//! cargo bench -p bench -- --quick             # all of it, roughly
//! cargo bench -p bench -- --save-baseline x   # to compare with later: --baseline x
//! ```
//!
//! | Group | What is measured |
//! |---|---|
//! | `slow_clients` | how long a visitor waits beside clients that dribble |
//! | `idle_connections` | a round trip beside connections on which nothing happens |
//! | `busy_connections` | time for a request when the server has as much to do as it can |
//! | `processor_time` | the same, in the server's processor time |
//! | `connect_and_ask` | a new connection for each request |
//! | `protocol` | the state machine alone, without a socket |
//!
//! Each group's file says what it holds fixed, and what would make it lie.

use criterion::{criterion_group, criterion_main};

mod busy_connections;
mod connect_and_ask;
mod idle_connections;
mod order;
mod protocol;
mod servers;
mod slow_clients;

criterion_group!(
    benches,
    slow_clients::benches,
    idle_connections::benches,
    busy_connections::benches,
    connect_and_ask::benches,
    protocol::benches,
);
criterion_main!(benches);
