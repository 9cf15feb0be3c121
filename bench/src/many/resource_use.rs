//! What a crowd of connections adds while it is there, and what stays after it has left.

use std::collections::BTreeMap;

use serde::Serialize;

use super::kernel::{Kernel, ObjectsForEach};
use super::snapshot::{Reading, Snapshot};

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
    pub per_connection: f64,
    /// How much of that may be chance: see `many/snapshot.rs`.
    pub noise: f64,
}

impl ResourceUse {
    fn of(figures: [u64; 3], noise: f64, connections: usize) -> Self {
        let [before, with, after] = figures;
        let connections = connections as f64;
        let per_connection = (with as f64 - before as f64) / connections;
        ResourceUse { before, with, after, per_connection, noise: noise / connections }
    }

    pub(super) fn of_memory(snapshots: [&Snapshot; 3], connections: usize) -> Option<Self> {
        let [before, with, after] = snapshots.map(|snapshot| snapshot.process.as_ref());
        let (before, with, after) = (before?, with?, after?);
        let noise = before.noise_until(with);
        let of = || ResourceUse::of([before.last, with.last, after.last], noise, connections);
        (connections > 0).then(of)
    }

    pub(super) fn of_descriptors(snapshots: [&Snapshot; 3], connections: usize) -> Option<Self> {
        let count = |snapshot: &Snapshot| Some(snapshot.descriptors? as u64);
        let [before, with, after] = snapshots.map(count);
        let figures = [before?, with?, after?];
        (connections > 0).then(|| ResourceUse::of(figures, 0.0, connections))
    }

    /// How much of what the crowd took the server keeps after it has left.
    pub fn kept(&self) -> u64 {
        self.after.saturating_sub(self.before)
    }

    /// Whether the figure per connection is more than chance.
    pub fn is_significant(&self) -> bool {
        is_significant(self.per_connection, self.noise)
    }
}

/// What a crowd makes the kernel take, per connection.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Growth {
    /// In bytes, for both ends: objects, stacks and page tables.
    pub per_connection: f64,
    /// How much of that may be chance: see `many/snapshot.rs`.
    pub noise: f64,
    /// What TCP has set aside for bytes under way, in bytes.
    pub under_way: f64,
    /// The kinds of which there is at least one for every two connections. Empty where the system
    /// doesn't let this program read them.
    pub objects: BTreeMap<String, ObjectsForEach>,
}

impl Growth {
    pub(super) fn of(before: &Reading<Kernel>, with: &Reading<Kernel>, connections: usize) -> Self {
        let each = |more: f64| more / connections as f64;
        let noise = before.noise_until(with);
        let (before, with) = (&before.last, &with.last);
        Growth {
            per_connection: each(with.bytes as f64 - before.bytes as f64),
            noise: each(noise),
            under_way: each(with.under_way as f64 - before.under_way as f64),
            objects: with.objects_for_each(before, connections),
        }
    }

    /// Whether the figure per connection is more than chance.
    pub fn is_significant(&self) -> bool {
        is_significant(self.per_connection, self.noise)
    }
}

/// A figure that is less than this many times the noise may be chance.
const NOTABLE: f64 = 3.0;

fn is_significant(figure: f64, noise: f64) -> bool {
    figure > 0.0 && figure >= NOTABLE * noise
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_significant_if_it_is_far_above_the_noise() {
        let memory = ResourceUse::of([1000, 5000, 2000], 400.0, 10);
        assert_eq!((memory.per_connection, memory.noise, memory.kept()), (400.0, 40.0, 1000));
        assert!(memory.is_significant());
        let noisy = ResourceUse::of([1000, 5000, 1000], 2000.0, 10);
        assert!(!noisy.is_significant(), "half of it may be chance");
        let shrunk = ResourceUse::of([1000, 900, 800], 0.0, 10);
        assert!(!shrunk.is_significant());
        assert_eq!(shrunk.kept(), 0);
    }
}
