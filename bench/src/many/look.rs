//! What is in use at one moment: by a server, and by the kernel.

use std::thread;
use std::time::{Duration, Instant};

use super::kernel::Kernel;
use crate::Meter;

/// How long between two looks.
const BETWEEN: Duration = Duration::from_millis(250);

/// How often it is looked at most: the kernel frees some things only after a while
/// (`call_rcu`), but where others work meanwhile, it never comes to rest.
const LOOKS: usize = 4;

/// Two looks between which no more has changed than this, in bytes, are taken for rest.
const REST: u64 = 128 * 1024;

/// What is in use, and how much of it changes by itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    /// Memory of the server's own, in bytes.
    pub(super) process: Option<Watched<u64>>,
    pub(super) kernel: Option<Watched<Kernel>>,
    pub(super) descriptors: Option<usize>,
    /// The share of a core that the server used while it was looked at.
    pub(super) share_of_a_core: Option<f64>,
}

/// Something in use, and by how much it has changed since the look before.
#[derive(Clone, Debug)]
pub(super) struct Watched<T> {
    pub(super) last: T,
    /// When that was.
    at: Instant,
    /// In bytes.
    change: u64,
}

impl<T> Watched<T> {
    fn new(last: T, change: u64) -> Self {
        Watched { last, at: Instant::now(), change }
    }

    /// By how many bytes it would change until `later` if it went on as it did during both.
    pub(super) fn noise_until<Other>(&self, later: &Watched<Other>) -> f64 {
        let change = self.change.max(later.change) as f64;
        change * (later.at - self.at).div_duration_f64(BETWEEN).max(1.0)
    }
}

impl Look {
    /// Looks until there is rest, or for three quarters of a second.
    pub(super) fn settled(server: Option<&Meter>) -> Self {
        let (began, used_before) = (Instant::now(), server.and_then(Meter::processor_time));
        let memory = || server.and_then(Meter::own_memory);
        let (mut process, mut kernel) = (memory(), Kernel::look());
        let mut look = Look::default();
        for _ in 1..LOOKS {
            thread::sleep(BETWEEN);
            let (process_now, kernel_now) = (memory(), Kernel::look());
            let change = |(now, before): (u64, u64)| Watched::new(now, now.abs_diff(before));
            look.process = process_now.zip(process).map(change);
            let change = |(now, before): (Kernel, Kernel)| {
                let change = now.bytes.abs_diff(before.bytes);
                Watched::new(now, change)
            };
            look.kernel = kernel_now.clone().zip(kernel).map(change);
            (process, kernel) = (process_now, kernel_now);
            if look.change() <= REST {
                break;
            }
        }
        let used = server.and_then(Meter::processor_time).zip(used_before);
        let share = |used: Duration| used.div_duration_f64(began.elapsed());
        look.share_of_a_core = used.map(|(now, before)| share(now - before));
        look.descriptors = server.and_then(Meter::descriptors);
        look
    }

    /// By how much it has changed last; where nothing is known, not at all.
    fn change(&self) -> u64 {
        let process = self.process.as_ref().map_or(0, |watched| watched.change);
        let kernel = self.kernel.as_ref().map_or(0, |watched| watched.change);
        process.max(kernel)
    }
}
