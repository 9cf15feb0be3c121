//! `wait_cost`: what one wait costs when one of N descriptors is ready.
//!
//! It is the measurement of *The Linux Programming Interface* (Kerrisk 2010, Table 63-9), on
//! this machine: of N pipes, all watched, one is chosen at random and a byte written to it; the
//! program waits, finds out which it is, and reads the byte. Kerrisk gives processor seconds
//! for 100,000 of these operations:
//!
//! ```text
//!      N      poll    select    epoll
//!     10      0.61      0.73     0.41
//!    100      2.9       3.0      0.42
//!   1000     35        35        0.53
//! 10,000    990       930        0.66
//! ```
//!
//! Held fixed: one thread, which writes, waits and reads; one byte; the same choice of pipes
//! for every way. No wait ever sleeps, since the byte is there before it begins, so the time
//! on the clock, which criterion takes, is processor time as long as nobody else wants the
//! processor.
//!
//! Counted as well: the writing and the reading of the byte, two calls. What they cost stands
//! in the line `byte alone`, which does nothing else. It grows, too: 10,000 pipes don't fit into
//! the nearest caches, and that is a good part of what epoll seems to lose there.
//!
//! What would make it lie:
//!
//! - Pipes with one descriptor for both ends (opened with `O_RDWR`) need half of the
//!   descriptors, but stand in two queues each, for those who read and those who write: poll
//!   and select then seem to cost half as much again.
//! - A server wakes up to find several ready, and shares the cost of one wait among them; see
//!   `chain`. One of N is the worst case.
//! - What is watched is set up once, outside of the measurement. A server changes it all the
//!   time, which costs epoll a call each time, poll nothing, and io_uring no call of its own.
//!   (select, whose set does not last, builds it anew each time. That is counted.)
//! - select does not go to 10,000, for want of room in its set.
//! - Where two descriptors for each of 10,000 pipes are more than a process may have, the last
//!   few of them are one pipe under several numbers, and never written to. It is told.

use std::cell::LazyCell;

use criterion::{BenchmarkId, Criterion};

use crate::group::Group;
use crate::pairs::{Pairs, pipes_written_to};
use crate::ways::bench_each;

/// Kerrisk's.
const COUNTS: [usize; 4] = [10, 100, 1000, 10_000];

/// Any number: the choice of pipes shall only be the same every time.
const SEED: u64 = 639;

pub fn benches(criterion: &mut Criterion) {
    let mut group = Group::new(criterion, "wait_cost");
    for count in COUNTS {
        let written_to = pipes_written_to(count);
        if written_to < count / 2 {
            group.remark(format!("{count} pipes are more than this process may have"));
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

/// One monitoring operation, from the byte that is written to the byte that is read.
fn operation(pipes: &Pairs, random: &mut fastrand::Rng, find_ready: impl FnOnce(usize) -> usize) {
    let chosen = random.usize(..pipes.written_to());
    pipes.write(chosen);
    let found = find_ready(chosen);
    pipes.read(found);
    assert_eq!(found, chosen);
}
