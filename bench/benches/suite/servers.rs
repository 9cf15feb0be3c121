//! What the groups about servers share: which servers there are, and how one is measured.
//!
//! Each server is a process of its own and runs only while it is measured. For each number of
//! connections, all servers are measured one after the other, in a random order.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use bench::{MeasuredServer, Model};
use criterion::{BenchmarkId, Criterion};

use crate::group::Group;
use crate::order::shuffled;

/// How long a benchmark is measured, after the warm-up.
pub const MEASURED: Duration = Duration::from_millis(800);

/// The settings for benchmarks that take a second each: with a dozen servers and several numbers of
/// connections, the whole suite should take ten minutes at most.
pub fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(MEASURED)
        .sample_size(20)
}

/// Whether each benchmark runs only once, as with `cargo test`. (criterion finds out in the same
/// way: only `cargo bench` adds this argument.)
pub fn is_smoke_test() -> bool {
    !std::env::args().any(|argument| argument == "--bench")
}

/// The binary of this package, in which the servers run.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_bench"))
}

/// The servers that can run here, in a random order. Those that can't are reported once.
pub fn models() -> Vec<Model> {
    static AVAILABLE: LazyLock<Vec<Model>> = LazyLock::new(|| {
        let can_run = |model: &Model| {
            let available = model.available();
            if let Err(why) = &available {
                eprintln!("{} is left out: {why}.", model.label);
            }
            available.is_ok()
        };
        Model::ALL.iter().copied().filter(can_run).collect()
    });
    shuffled(&AVAILABLE)
}

/// Whether a server can have this many connections at the same time, and this process, too.
///
/// # Errors
///
/// The reason why not.
pub fn can_have(model: &Model, connections: usize) -> Result<(), String> {
    let most = model.most_clients();
    if most < connections {
        return Err(format!("it serves {most} at a time"));
    }
    // The servers have the same limit, because this process starts them. A few more descriptors are
    // needed: standard streams, listener, poller, pipes between processes.
    let limit = system::raise_descriptor_limit().map_err(|error| error.to_string())?;
    if limit < connections as u64 + 50 {
        return Err(format!("the limit of descriptors is {limit}"));
    }
    Ok(())
}

/// Runs a benchmark at a server of its own.
///
/// `prepare` sets up the scene, which lasts until the benchmark is over. `measure` repeats what is
/// measured the given number of times, and returns how long that took. None of this happens if the
/// benchmark is not chosen (`cargo bench -p bench -- NAME`).
pub fn bench_at_server<Scene>(
    group: &mut Group<'_>,
    model: Model,
    parameter: impl Display,
    prepare: impl Fn(&MeasuredServer) -> io::Result<Scene>,
    measure: impl Fn(&mut Scene, u64) -> io::Result<Duration>,
) {
    let start = || {
        let server = MeasuredServer::start(program(), model, &["--quiet"])?;
        // In this order, so that the scene is dropped before the server.
        Ok((prepare(&server)?, server))
    };
    let failed = |error: io::Error| -> ! { panic!("{}: {error}", model.label) };
    let mut running: Option<(Scene, MeasuredServer)> = None;
    group.bench(BenchmarkId::new(model.label, parameter), |bencher| {
        let (scene, _) =
            running.get_or_insert_with(|| start().unwrap_or_else(|error| failed(error)));
        bencher.iter_custom(|times| measure(scene, times).unwrap_or_else(|error| failed(error)));
    });
}
