//! What there is more of when a crowd has come, and what stays when it has gone.

use std::collections::BTreeMap;

use serde::Serialize;

use super::kernel::{Kernel, ObjectsForEach};
use super::look::{Look, Watched};

/// What a server has in use before a crowd comes, while it is there, and after it has gone: bytes,
/// or descriptors.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Course {
    /// Before.
    pub before: u64,
    /// With the crowd.
    pub with: u64,
    /// When it has gone.
    pub after: u64,
    /// How much of it each connection takes.
    pub per_connection: f64,
    /// How much of that may be chance: see `many/look.rs`.
    pub noise: f64,
}

impl Course {
    fn of(figures: [u64; 3], noise: f64, connections: usize) -> Self {
        let [before, with, after] = figures;
        let connections = connections as f64;
        let per_connection = (with as f64 - before as f64) / connections;
        Course { before, with, after, per_connection, noise: noise / connections }
    }

    pub(super) fn of_memory(looks: [&Look; 3], connections: usize) -> Option<Self> {
        let [before, with, after] = looks.map(|look| look.process.as_ref());
        let (before, with, after) = (before?, with?, after?);
        let noise = before.noise_until(with);
        let of = || Course::of([before.last, with.last, after.last], noise, connections);
        (connections > 0).then(of)
    }

    pub(super) fn of_descriptors(looks: [&Look; 3], connections: usize) -> Option<Self> {
        let [before, with, after] = looks.map(|look| Some(look.descriptors? as u64));
        let figures = [before?, with?, after?];
        (connections > 0).then(|| Course::of(figures, 0.0, connections))
    }

    /// How much of what the crowd took stays when it has gone.
    pub fn stays(&self) -> u64 {
        self.after.saturating_sub(self.before)
    }

    /// Whether it tells more than chance.
    pub fn bears(&self) -> bool {
        bears(self.per_connection, self.noise)
    }
}

/// What a crowd makes the kernel take, for each connection.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Growth {
    /// In bytes, for both ends: objects, stacks and page tables.
    pub per_connection: f64,
    /// How much of that may be chance: see `many/look.rs`.
    pub noise: f64,
    /// What TCP has set aside for bytes under way, in bytes.
    pub under_way: f64,
    /// Of which kinds there is at least one for two connections. Nothing where the system does
    /// not tell everybody.
    pub objects: BTreeMap<String, ObjectsForEach>,
}

impl Growth {
    pub(super) fn of(before: &Watched<Kernel>, with: &Watched<Kernel>, connections: usize) -> Self {
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

    /// Whether it tells more than chance.
    pub fn bears(&self) -> bool {
        bears(self.per_connection, self.noise)
    }
}

/// A figure that is less than this many times the noise tells nothing.
const NOTABLE: f64 = 3.0;

fn bears(figure: f64, noise: f64) -> bool {
    figure > 0.0 && figure >= NOTABLE * noise
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_bears_if_chance_can_not_have_made_it() {
        let course = Course::of([1000, 5000, 2000], 400.0, 10);
        assert_eq!((course.per_connection, course.noise, course.stays()), (400.0, 40.0, 1000));
        assert!(course.bears());
        assert!(!Course::of([1000, 5000, 1000], 2000.0, 10).bears(), "half of it may be chance");
        let shrunk = Course::of([1000, 900, 800], 0.0, 10);
        assert!(!shrunk.bears());
        assert_eq!(shrunk.stays(), 0);
    }
}
