//! The runtime: how many threads share the tasks.

use std::io;
use std::sync::Mutex;
use std::thread;

use server_kit::{OwnOptions, whole_number};
use tokio::runtime::{Builder, Runtime};

/// The most workers. More of them than processors only help if work blocks.
const WORKERS_MAX: u16 = 256;

/// The options of this server only.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Run the tasks in this many threads; a single one also accepts clients
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = whole_number(1..=WORKERS_MAX))]
    pub workers: u16,
}

impl OwnOptions for Options {
    const EXAMPLES: &'static [&'static str] = &["--work 250ms --workers 4"];
}

/// A single worker is the calling thread. Several workers are threads of their own, and the caller
/// only accepts.
pub(crate) fn runtime(options: &Options) -> io::Result<Runtime> {
    let mut builder = match options.workers {
        1 => Builder::new_current_thread(),
        workers => {
            try_threads(workers)?;
            Builder::new_multi_thread()
        }
    };
    builder.worker_threads(options.workers.into()).enable_io().enable_time().build()
}

/// Checks whether the system has this many threads for this process. If tokio can't start one of
/// its threads, it panics, and then waits for ever for the others. So this starts as many threads
/// first, all at the same time, and ends them again.
///
/// Left out: another process may take the last one before tokio does.
fn try_threads(count: u16) -> io::Result<()> {
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed = gate.lock();
        let start = |_| thread::Builder::new().spawn_scoped(scope, || drop(gate.lock()));
        let threads: io::Result<Vec<_>> = (0..count).map(start).collect();
        drop(closed);
        // The scope alone would only wait until they have nothing more to do, and not until they
        // have ended. None of them can panic.
        threads?.into_iter().for_each(|thread| drop(thread.join()));
        Ok(())
    })
}
