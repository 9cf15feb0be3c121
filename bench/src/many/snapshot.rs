//! What is in use at one moment: by a server, and by the kernel.

use std::thread;
use std::time::{Duration, Instant};

use super::kernel::Kernel;
use crate::Meter;

/// The time between two readings.
const BETWEEN: Duration = Duration::from_millis(250);

/// The most readings for a snapshot. The kernel frees some memory only after a while (`call_rcu`),
/// but on a machine where other programs work meanwhile, the figures never settle.
const READINGS: usize = 4;

/// The figures have settled if two readings differ by no more than this, in bytes.
const SETTLED: u64 = 128 * 1024;

/// What is in use, and how much of it changes by itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    /// Memory of the server's own, in bytes.
    pub(super) process: Option<Reading<u64>>,
    pub(super) kernel: Option<Reading<Kernel>>,
    pub(super) descriptors: Option<usize>,
    /// The share of a core that the server used while the snapshot was taken.
    pub(super) share_of_a_core: Option<f64>,
}

/// Something in use, and by how much it has changed since the reading before.
#[derive(Clone, Debug)]
pub(super) struct Reading<T> {
    pub(super) last: T,
    /// When it was read.
    at: Instant,
    /// In bytes.
    change: u64,
}

impl<T> Reading<T> {
    fn new(last: T, change: u64) -> Self {
        Reading { last, at: Instant::now(), change }
    }

    /// By how many bytes it would change until `later` if it went on changing as it did during both
    /// snapshots.
    pub(super) fn noise_until<Other>(&self, later: &Reading<Other>) -> f64 {
        let change = self.change.max(later.change) as f64;
        change * (later.at - self.at).div_duration_f64(BETWEEN).max(1.0)
    }
}

impl Snapshot {
    /// Reads until the figures have settled, or for three quarters of a second.
    pub(super) fn settled(server: Option<&Meter>) -> Self {
        let (began, used_before) = (Instant::now(), server.and_then(Meter::processor_time));
        let memory = || server.and_then(Meter::own_memory);
        let (mut process, mut kernel) = (memory(), Kernel::read());
        let mut snapshot = Snapshot::default();
        for _ in 1..READINGS {
            thread::sleep(BETWEEN);
            let (process_now, kernel_now) = (memory(), Kernel::read());
            let change = |(now, before): (u64, u64)| Reading::new(now, now.abs_diff(before));
            snapshot.process = process_now.zip(process).map(change);
            let change = |(now, before): (Kernel, Kernel)| {
                let change = now.bytes.abs_diff(before.bytes);
                Reading::new(now, change)
            };
            snapshot.kernel = kernel_now.clone().zip(kernel).map(change);
            (process, kernel) = (process_now, kernel_now);
            if snapshot.change() <= SETTLED {
                break;
            }
        }
        let used = server.and_then(Meter::processor_time).zip(used_before);
        let share = |used: Duration| used.div_duration_f64(began.elapsed());
        snapshot.share_of_a_core = used.map(|(now, before)| share(now - before));
        snapshot.descriptors = server.and_then(Meter::descriptors);
        snapshot
    }

    /// By how much it changed between the last two readings; 0 where nothing is known.
    fn change(&self) -> u64 {
        let process = self.process.as_ref().map_or(0, |reading| reading.change);
        let kernel = self.kernel.as_ref().map_or(0, |reading| reading.change);
        process.max(kernel)
    }
}
