//! `chain`: what a wait costs when many descriptors are ready.
//!
//! It has the shape of libevent's benchmark (Provos, `test/bench.c`): N pairs of sockets, all of
//! them watched. At the beginning, 100 bytes are written to evenly spread pairs. Each pair that
//! gets a byte reads it and writes one to the next pair, until 1000 more are written. The time is
//! that of one such run: 1100 bytes are written and read one by one, in 11 waits, each of which
//! finds 100 pairs ready.
//!
//! With N = 100, all pairs are active, and nearly all of the time is for writing and reading, 2200
//! calls. No way to wait is much better than the others, and poll and select are even a little
//! ahead. The more pairs are silent, the more these two pay for them, but only once for every 100
//! ready ones, so their curves are flatter than in `wait_cost`.
//!
//! Held fixed: one thread; how many pairs are active; and the number of waits, because all ready
//! bytes are read before any is passed on. (libevent passes on each byte at once. Then a pair that
//! comes later in the same turn has two bytes to read or one more turn to wait, depending on the
//! way.)
//!
//! What would make it lie:
//!
//! - Only the same 1100 pairs ever get bytes, as in libevent's benchmark. If there are 9000, the
//!   others are silent and only poll ever touches them, so they may drop out of the caches.
//! - libevent's time begins after the first 100 bytes are written; here these count, too.
//! - libevent's waits never sleep (`EVLOOP_NONBLOCK`), which saves poll and select more than half
//!   of the work: adding themselves to the queue of each descriptor. The waits of a server may
//!   sleep, and so may these.
//! - N is limited, because each pair needs two descriptors. If a process may not have that many, a
//!   remark says so.

use std::cell::LazyCell;

use criterion::{Criterion, SamplingMode};

use crate::group::Group;
use crate::pairs::{self, Pairs};
use crate::ways::{Way, bench_each};

/// From all pairs active to hardly any. The last takes 18,000 descriptors; some systems allow a
/// process no more than 20,000.
const COUNTS: [usize; 3] = [100, 1000, 9000];

/// How many bytes are under way; libevent's `-a 100`.
const ACTIVE: usize = 100;

/// How often bytes are passed on in total; libevent's `-w 1000`.
const WRITES: usize = 1000;

pub fn benches(criterion: &mut Criterion) {
    let mut group = Group::new(criterion, "chain");
    // A run takes milliseconds, so with the same number of runs in each sample, sampling is quick.
    group.criterion.sampling_mode(SamplingMode::Flat);
    for count in COUNTS {
        if pairs::room() < 2 * count {
            group.remark(format!("{count} pairs need more descriptors than this process may have"));
            continue;
        }
        let sockets = LazyCell::new(|| Pairs::sockets(count).expect("there is room for all"));
        bench_each(&mut group, count, &sockets, |bencher, sockets, way| {
            let mut ready = Vec::new();
            bencher.iter(|| run(sockets, way, &mut ready));
        });
    }
    group.finish();
}

/// One run, from writing the first byte to reading the last.
fn run(sockets: &Pairs, way: &mut dyn Way, ready: &mut Vec<usize>) {
    let count = sockets.readers.len();
    for byte in 0..ACTIVE {
        sockets.write(byte * (count / ACTIVE));
    }
    let mut writes_left = WRITES;
    loop {
        ready.clear();
        way.wait(ready).expect("nothing is in its way");
        assert_eq!(ready.len(), ACTIVE, "every byte is found in every turn");
        ready.iter().for_each(|&index| sockets.read(index));
        if writes_left == 0 {
            break;
        }
        ready.iter().for_each(|&index| sockets.write((index + 1) % count));
        writes_left -= ACTIVE;
    }
}
