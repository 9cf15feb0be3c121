//! `wait_cost`: what one wait costs when one of N descriptors is ready.
//!
//! It repeats the measurement of *The Linux Programming Interface* (Kerrisk 2010, Table 63-9) on
//! this machine. There are N pipes, all of them watched. A byte is written to a random one; the
//! program waits, finds out which one it is, and reads the byte. Kerrisk gives the processor
//! seconds for 100,000 of these operations:
//!
//! ```text
//!      N      poll    select    epoll
//!     10      0.61      0.73     0.41
//!    100      2.9       3.0      0.42
//!   1000     35        35        0.53
//! 10,000    990       930        0.66
//! ```
//!
//! Held fixed: one thread, which writes, waits and reads; one byte; the same choice of pipes for
//! every way to wait. No wait ever sleeps, because the byte is there before it begins. So the time
//! on the clock, which criterion measures, is processor time as long as no other program needs the
//! processor.
//!
//! The time includes writing and reading the byte, two calls. The line `byte alone` shows what they
//! cost without a wait. It grows, too, because 10,000 pipes don't fit into the fastest caches, and
//! that is a good part of what epoll seems to lose there.
//!
//! What would make it lie:
//!
//! - Pipes with one descriptor for both ends (opened with `O_RDWR`) need only half of the
//!   descriptors. But each has two queues, one for readers and one for writers, so poll and select
//!   seem to cost half as much again.
//! - A server often wakes up with several descriptors ready, which share the cost of one wait; see
//!   `chain`. One of N is the worst case.
//! - The list of what is watched is set up once, outside of the measurement. A server changes it
//!   all the time, which costs epoll a call each time, poll nothing, and io_uring no call of its
//!   own. (select builds its set again for each wait. That is included.)
//! - select doesn't go up to 10,000, because its set has no room for them.
//! - If a process may not have two descriptors for each of 10,000 pipes, the last few of them are
//!   one pipe under several numbers, which is never written to. A remark says so.

use std::cell::LazyCell;

use criterion::{BenchmarkId, Criterion};

use crate::group::Group;
use crate::pairs::{Pairs, pipes_written_to};
use crate::ways::bench_each;

/// Kerrisk's.
const COUNTS: [usize; 4] = [10, 100, 1000, 10_000];

/// Any number, so that the choice of pipes is the same every time.
const SEED: u64 = 639;

pub fn benches(criterion: &mut Criterion) {
    let mut group = Group::new(criterion, "wait_cost");
    for count in COUNTS {
        let written_to = pipes_written_to(count);
        if written_to < count / 2 {
            group.remark(format!("{count} pipes need more descriptors than this process may have"));
            continue;
        }
        if written_to < count {
            let never = count - written_to;
            group.remark(format!(
                "of {count} pipes, {never} are one under several numbers and never written to, \
                 because this process may not have two descriptors for each"
            ));
        }
        let pipes = LazyCell::new(|| Pairs::pipes(count).expect("there is room for all"));
        bench_each(&mut group, count, &pipes, |bencher, pipes, way| {
            let mut ready = Vec::new();
            let mut random = fastrand::Rng::with_seed(SEED);
            bencher.iter(|| {
                operation(pipes, &mut random, |_| {
                    ready.clear();
                    way.wait(&mut ready).expect("nothing is in its way");
                    assert_eq!(ready.len(), 1);
                    ready[0]
                });
            });
        });
        group.bench(BenchmarkId::new("byte alone", count), |bencher| {
            let mut random = fastrand::Rng::with_seed(SEED);
            bencher.iter(|| operation(&pipes, &mut random, |chosen| chosen));
        });
    }
    group.finish();
}

/// One monitoring operation, from writing the byte to reading it.
fn operation(pipes: &Pairs, random: &mut fastrand::Rng, find_ready: impl FnOnce(usize) -> usize) {
    let chosen = random.usize(..pipes.written_to());
    pipes.write(chosen);
    let found = find_ready(chosen);
    pipes.read(found);
    assert_eq!(found, chosen);
}
