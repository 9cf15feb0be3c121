//! `chain`: what a wait costs each of those whom it finds ready.
//!
//! It has the shape of libevent's benchmark (Provos, `test/bench.c`): N pairs of sockets, all
//! watched. At the beginning 100 bytes are written to pairs that are evenly spread; whoever
//! gets a byte reads it and writes one to the next pair, until 1000 more are written. The time
//! is that of one such run: 1100 bytes written and read one by one, in 11 waits, each of which
//! finds 100 ready.
//!
//! With N = 100 everybody is active, and the time is nearly all writing and reading, 2200 calls:
//! there is no way that is much better, and poll and select are even a little ahead. The more
//! there are that are silent, the more these two pay for them; but only once for every 100 that
//! are served, which is why their curves are flatter than in `wait_cost`.
//!
//! Held fixed: one thread; how many are active; the number of waits, because what is ready is
//! read first and passed on afterwards. (libevent passes each on at once. One that is looked at
//! later in the same turn then has two bytes to read, or one more turn to wait, depending on
//! the way.)
//!
//! What would make it lie:
//!
//! - Only the same 1100 pairs ever speak, as at libevent's. Of 9000, the others are silent, and
//!   nobody but poll ever touches them: the caches may forget them.
//! - libevent begins to measure when the first 100 bytes are written; here these count, too.
//! - libevent's waits are not prepared to sleep (`EVLOOP_NONBLOCK`), which spares poll and
//!   select more than half of the work: to put themselves into the queue of each descriptor.
//!   Those of a server are, and so are these.
//! - Where two descriptors for each pair are more than a process may have, N ends. It is told.

use std::cell::LazyCell;

use criterion::{Criterion, SamplingMode};

use crate::group::Group;
use crate::pairs::{self, Pairs};
use crate::ways::{Way, bench_each};

/// From everybody active to hardly anybody. The last takes 18,000 descriptors; a few systems
/// grant a process no more than 20,000.
const COUNTS: [usize; 3] = [100, 1000, 9000];

/// How many bytes are under way; at libevent's, `-a 100`.
const ACTIVE: usize = 100;

/// How often these are passed on, all together; at libevent's, `-w 1000`.
const WRITES: usize = 1000;

pub fn benches(criterion: &mut Criterion) {
    let mut group = Group::new(criterion, "chain");
    // A run takes milliseconds: with as many for each sample, the samples are quickly taken.
    group.criterion.sampling_mode(SamplingMode::Flat);
    for count in COUNTS {
        if pairs::room() < 2 * count {
            group.remark(format!("{count} pairs are more than this process may have"));
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

/// One run, from the first byte that is written to the last that is read.
fn run(sockets: &Pairs, way: &mut dyn Way, ready: &mut Vec<usize>) {
    let count = sockets.readers.len();
    for byte in 0..ACTIVE {
        sockets.write(byte * (count / ACTIVE));
    }
    let mut writes_left = WRITES;
    loop {
        ready.clear();
        way.wait(ready).expect("nothing is in its way");
        assert_eq!(ready.len(), ACTIVE, "every byte is told of in every turn");
        ready.iter().for_each(|&index| sockets.read(index));
        if writes_left == 0 {
            break;
        }
        ready.iter().for_each(|&index| sockets.write((index + 1) % count));
        writes_left -= ACTIVE;
    }
}
