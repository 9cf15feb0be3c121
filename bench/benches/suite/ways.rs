//! The ways to wait, each as small as possible, behind one trait: what `wait_cost` and `chain`
//! compare.
//!
//! (The servers share no such trait, because each should show its whole loop. Here, only the call
//! matters.)

use std::cell::LazyCell;
use std::fs::File;
use std::io;
use std::time::Duration;

use criterion::{Bencher, BenchmarkId, Criterion};

use crate::group::Group;
use crate::order::shuffled;
use crate::pairs::Pairs;

#[cfg(target_os = "linux")]
mod epoll;
mod poll;
mod polling;
mod select;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod uring;

/// A way to wait, set up for a list of descriptors.
pub trait Way {
    /// Sleeps until something can be read, and adds the indices of the readable descriptors to the
    /// list. They have to be read until they are empty before the next wait: some ways to wait
    /// would report them again, others would not.
    fn wait(&mut self, ready: &mut Vec<usize>) -> io::Result<()>;
}

/// A way to wait, before it has a list of descriptors.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its part of the benchmark's name.
    name: &'static str,
    /// Whether this many descriptors can be watched here; if not, a sentence that says why not.
    can_watch: fn(usize) -> Result<(), String>,
    /// Sets it up.
    watch: for<'a> fn(&'a [File]) -> io::Result<Box<dyn Way + 'a>>,
}

/// Crate `polling`, and what it uses on this system.
const POLLING: &str =
    if cfg!(target_os = "linux") { "epoll through polling" } else { "kqueue through polling" };

/// The ways to wait that this system has.
const ALL: &[Kind] = &[
    Kind { name: "poll", can_watch: |_| Ok(()), watch: poll::watch },
    Kind { name: "select", can_watch: select::can_watch, watch: select::watch },
    Kind { name: POLLING, can_watch: |_| Ok(()), watch: polling::watch },
    #[cfg(target_os = "linux")]
    Kind { name: "epoll", can_watch: |_| Ok(()), watch: epoll::watch },
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    Kind { name: "io_uring", can_watch: uring::can_watch, watch: uring::watch },
];

/// The settings for many short benchmarks, which only have to show how a cost grows.
pub fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
}

/// Benchmarks all ways on `count` pairs, one after the other, in a random order. Pairs and ways are
/// set up when their first benchmark runs, because perhaps none of them is chosen.
pub fn bench_each<Make: FnOnce() -> Pairs>(
    group: &mut Group<'_>,
    count: usize,
    pairs: &LazyCell<Pairs, Make>,
    bench: impl Fn(&mut Bencher<'_>, &Pairs, &mut dyn Way),
) {
    for Kind { name, can_watch, watch } in shuffled(ALL) {
        if let Err(why) = can_watch(count) {
            group.remark(format!("{name} is left out: {why}"));
            continue;
        }
        let mut way = None;
        let set_up = || watch(&pairs.readers).expect("that many can be watched");
        group.bench(BenchmarkId::new(name, count), |bencher| {
            bench(bencher, pairs, &mut **way.get_or_insert_with(set_up));
        });
    }
}
