//! What a crowd of connections adds while it is there, and what stays after it has left.

use std::collections::BTreeMap;
use std::mem;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::kernel::{Kernel, Objects};
use crate::Meter;

/// The time between two readings.
const BETWEEN: Duration = Duration::from_millis(250);

/// The most readings for a snapshot. The kernel frees some memory only after a while (`call_rcu`),
/// but on a machine where other programs work meanwhile, the figures never settle.
const READINGS: usize = 4;

/// The figures have settled if two readings differ by no more than this, in bytes.
const SETTLED: u64 = 128 * 1024;

/// What is in use at one moment, by a server and by the kernel, and how much it changes by itself.
#[derive(Debug)]
pub(super) struct Snapshot {
    at: Instant,
    /// Memory of the server's own, in bytes.
    pub(super) process: Option<u64>,
    kernel: Option<Kernel>,
    pub(super) descriptors: Option<u64>,
    /// By how many bytes the server's memory has changed since the reading before.
    pub(super) process_change: u64,
    /// The same for the kernel.
    kernel_change: u64,
    /// The share of a core that the server used while the snapshot was taken.
    pub(super) share_of_a_core: Option<f64>,
}

impl Snapshot {
    fn read(server: Option<&Meter>) -> Self {
        Snapshot {
            at: Instant::now(),
            process: server.and_then(Meter::own_memory),
            kernel: Kernel::read(),
            descriptors: None,
            process_change: 0,
            kernel_change: 0,
            share_of_a_core: None,
        }
    }

    /// Reads until the figures have settled, or for three quarters of a second.
    pub(super) fn settled(server: Option<&Meter>) -> Self {
        let (began, used_before) = (Instant::now(), server.and_then(Meter::processor_time));
        let change = |before: Option<u64>, now: Option<u64>| {
            before.zip(now).map_or(0, |(before, now)| now.abs_diff(before))
        };
        let bytes = |snapshot: &Snapshot| snapshot.kernel.as_ref().map(|kernel| kernel.bytes);
        let mut now = Snapshot::read(server);
        for _ in 1..READINGS {
            thread::sleep(BETWEEN);
            let before = mem::replace(&mut now, Snapshot::read(server));
            now.process_change = change(before.process, now.process);
            now.kernel_change = change(bytes(&before), bytes(&now));
            if now.process_change.max(now.kernel_change) <= SETTLED {
                break;
            }
        }
        let used = server.and_then(Meter::processor_time).zip(used_before);
        now.share_of_a_core =
            used.map(|(now, before)| (now - before).div_duration_f64(began.elapsed()));
        // Only after the readings, because listing them makes the kernel take memory.
        now.descriptors = server.and_then(Meter::descriptors).map(|count| count as u64);
        now
    }

    /// By how many bytes something would change until `later` if it went on changing as it did
    /// during both snapshots.
    fn noise_until(&self, later: &Snapshot, change: fn(&Snapshot) -> u64) -> f64 {
        let change = change(self).max(change(later)) as f64;
        change * (later.at - self.at).div_duration_f64(BETWEEN).max(1.0)
    }
}

/// How much of something each connection takes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct PerConnection {
    /// How much: bytes, or descriptors.
    #[serde(rename = "per_connection")]
    pub amount: f64,
    /// How much of that may be chance: what is read twice and differs may have changed like that
    /// all the time.
    pub noise: f64,
}

/// A figure that is less than this many times the noise may be chance.
const NOTABLE: f64 = 3.0;

impl PerConnection {
    /// `None` without connections.
    fn of(before: u64, with: u64, noise: f64, connections: usize) -> Option<Self> {
        let each = |more: f64| more / connections as f64;
        let amount = each(with as f64 - before as f64);
        (connections > 0).then(|| PerConnection { amount, noise: each(noise) })
    }

    /// Whether it is more than chance.
    pub fn is_significant(&self) -> bool {
        self.amount > 0.0 && self.amount >= NOTABLE * self.noise
    }
}

/// What a server has in use before a crowd comes, while it is there, and after it has left: bytes,
/// or descriptors.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ResourceUse {
    /// Before.
    pub before: u64,
    /// With the crowd.
    pub with: u64,
    /// After it has left.
    pub after: u64,
    /// How much of it each connection takes.
    #[serde(flatten)]
    pub each: PerConnection,
}

impl ResourceUse {
    /// What the snapshots show of the `amount`, which also changes by itself; `None` where it isn't
    /// known.
    pub(super) fn of(
        snapshots: [&Snapshot; 3],
        amount: fn(&Snapshot) -> Option<u64>,
        change: fn(&Snapshot) -> u64,
        connections: usize,
    ) -> Option<Self> {
        let [before, with, after] = snapshots.map(amount);
        let (before, with, after) = (before?, with?, after?);
        let noise = snapshots[0].noise_until(snapshots[1], change);
        let each = PerConnection::of(before, with, noise, connections)?;
        Some(ResourceUse { before, with, after, each })
    }

    /// How much of what the crowd took the server keeps after it has left.
    pub fn kept(&self) -> u64 {
        self.after.saturating_sub(self.before)
    }
}

/// What a crowd makes the kernel take, per connection.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Growth {
    /// In bytes, for both ends: objects, stacks and page tables.
    #[serde(flatten)]
    pub each: PerConnection,
    /// What TCP has set aside for bytes under way, in bytes.
    pub under_way: f64,
    /// The kinds of which there is at least one for every two connections. Empty where the system
    /// doesn't let this program read them.
    pub objects: BTreeMap<String, Objects>,
}

impl Growth {
    pub(super) fn of(before: &Snapshot, with: &Snapshot, connections: usize) -> Option<Self> {
        let noise = before.noise_until(with, |it| it.kernel_change);
        let (before, with) = (before.kernel.as_ref()?, with.kernel.as_ref()?);
        Some(Growth {
            each: PerConnection::of(before.bytes, with.bytes, noise, connections)?,
            under_way: (with.under_way as f64 - before.under_way as f64) / connections as f64,
            objects: with.objects_for_each(before, connections),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_significant_if_it_is_far_above_the_noise() {
        let of = |[before, with, after]: [u64; 3], noise| {
            let each = PerConnection::of(before, with, noise, 10).unwrap();
            ResourceUse { before, with, after, each }
        };
        let memory = of([1000, 5000, 2000], 400.0);
        assert_eq!((memory.each.amount, memory.each.noise, memory.kept()), (400.0, 40.0, 1000));
        assert!(memory.each.is_significant());
        let noisy = of([1000, 5000, 1000], 2000.0);
        assert!(!noisy.each.is_significant(), "half of it may be chance");
        let shrunk = of([1000, 900, 800], 0.0);
        assert!(!shrunk.each.is_significant());
        assert_eq!(shrunk.kept(), 0);
    }
}
