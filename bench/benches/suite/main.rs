//! The benchmark suite: `cargo bench -p bench`.
//!
//! ```text
//! cargo bench -p bench                        # all of it, in ten minutes at most
//! cargo bench -p bench -- wait_cost           # one group, or all benchmarks with this in the name
//! cargo bench -p bench -- --quick             # all of it, roughly
//! cargo bench -p bench -- --save-baseline x   # to compare with it later: --baseline x
//! ```
//!
//! Its report, with plots, is `target/criterion/report/index.html`.
//!
//! | Group | What is measured |
//! |---|---|
//! | `slow_clients` | how long a visitor waits while other clients dribble |
//! | `idle_connections` | a round trip while nothing happens on many other connections |
//! | `busy_connections` | time per request under full load |
//! | `processor_time` | the same, in the server's processor time |
//! | `connect_and_ask` | a new connection for each request |
//! | `wait_cost` | what one wait costs when one of N descriptors is ready, as Kerrisk measured it |
//! | `chain` | what it costs when a hundred of N are ready, as libevent measures it |
//! | `protocol` | the state machine alone, without a socket |
//!
//! Each group's file says what it holds fixed, and what would make it lie.

use criterion::{criterion_group, criterion_main};

mod busy_connections;
#[cfg(unix)]
mod chain;
mod connect_and_ask;
mod group;
mod idle_connections;
mod order;
#[cfg(unix)]
mod pairs;
mod protocol;
mod servers;
mod slow_clients;
#[cfg(unix)]
mod wait_cost;
#[cfg(unix)]
mod ways;

criterion_group! {
    name = at_servers;
    config = servers::short();
    targets =
        slow_clients::benches,
        idle_connections::benches,
        busy_connections::benches,
        connect_and_ask::benches
}

#[cfg(unix)]
criterion_group! {
    name = waits;
    config = ways::short();
    targets = wait_cost::benches, chain::benches
}

/// Left out: Windows, which has only IOCP of these calls, and doesn't wait for pipes.
#[cfg(not(unix))]
fn waits() {
    eprintln!("wait_cost and chain are left out: they measure system calls of Unix");
}

criterion_group! {
    name = alone;
    config = servers::short();
    targets = protocol::benches
}

criterion_main!(at_servers, waits, alone);
