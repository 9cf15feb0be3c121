//! The ways to wait, each as small as it can be, behind one trait: what `wait_cost` and
//! `chain` compare.
//!
//! (The servers share no such trait: there, the loop is the lesson. Here it is the call.)

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
    /// Sleeps until something can be read, and adds the places in the list of those from which
    /// it can. They are to be read empty before the next wait: some ways would tell of them
    /// again, some would not.
    fn wait(&mut self, ready: &mut Vec<usize>) -> io::Result<()>;
}

/// A way to wait, before there is anything to wait for.
#[derive(Clone, Copy)]
pub struct Kind {
    /// What stands in the benchmark's name.
    name: &'static str,
    /// Whether so many descriptors can be watched here; if not, a sentence that says why not.
    can_watch: fn(usize) -> Result<(), String>,
    /// Sets it up.
    watch: for<'a> fn(&'a [File]) -> io::Result<Box<dyn Way + 'a>>,
}

/// What crate `polling` stands on here.
const POLLING: &str =
    if cfg!(target_os = "linux") { "epoll through polling" } else { "kqueue through polling" };

/// All of them that this system has.
const ALL: &[Kind] = &[
    Kind { name: "poll", can_watch: |_| Ok(()), watch: poll::watch },
    Kind { name: "select", can_watch: select::can_watch, watch: select::watch },
    Kind { name: POLLING, can_watch: |_| Ok(()), watch: polling::watch },
    #[cfg(target_os = "linux")]
    Kind { name: "epoll", can_watch: |_| Ok(()), watch: epoll::watch },
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    Kind { name: "io_uring", can_watch: uring::can_watch, watch: uring::watch },
];

/// For many short benchmarks: what these have to say is how a cost grows.
pub fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
}

/// All ways on so many pairs, one after the other, in an order of this run's own. Pairs and ways
/// are made when the first benchmark of theirs runs: maybe none is asked for.
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
        let set_up = || watch(&pairs.readers).expect("so many can be watched");
        group.bench(BenchmarkId::new(name, count), |bencher| {
            bench(bencher, pairs, &mut **way.get_or_insert_with(set_up));
        });
    }
}
