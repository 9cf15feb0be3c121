//! The runtime: how many threads share the tasks.

use std::io;
use std::sync::Mutex;
use std::thread;

use server_kit::{OwnOptions, whole_number};
use tokio::runtime::{Builder, Runtime};

/// Most workers: to have more of them than processors helps with nothing but work that blocks.
const WORKERS_MAX: u16 = 256;

/// What this server takes besides.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// How many threads share the tasks; with one, it is the thread that accepts
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = whole_number(1..=WORKERS_MAX))]
    pub workers: u16,
}

impl OwnOptions for Options {
    const EXAMPLES: &'static [&'static str] = &["--work 250ms --workers 4"];
}

/// One worker is the calling thread. With more, they are threads of their own, and the caller
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

/// Whether the system has so many threads for this process: if it refuses one to tokio, that
/// panics, and waits for ever for those that it has got. So they are started here before, all at
/// the same time, and end again.
///
/// Left out: somebody else may take the last before tokio does.
fn try_threads(count: u16) -> io::Result<()> {
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed = gate.lock();
        let start = |_| thread::Builder::new().spawn_scoped(scope, || drop(gate.lock()));
        let threads: io::Result<Vec<_>> = (0..count).map(start).collect();
        drop(closed);
        // The scope would wait only until they have nothing more to do, and not until they are
        // gone. None of them can panic.
        threads?.into_iter().for_each(|thread| drop(thread.join()));
        Ok(())
    })
}
