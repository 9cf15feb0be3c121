//! `slow_clients`: how long a prompt client waits for its answer beside others that dribble.
//!
//! **Measures** a whole visit (connect, ask, be answered) while N clients are there that send a
//! byte every 2 ms. A server that serves one client at a time makes the visitor wait for all
//! of them, one after the other: its line rises with N. So does that of a pool, from as many
//! slow clients on as it has threads. The others are flat.
//!
//! **Holds fixed** what a slow client does: two requests of 27 bytes, 54 ms each, of which the
//! first arrives while the client still stands in the queue. All N are connected before the visitor
//! comes.
//!
//! **Would make it lie:** slow clients that are done before the visitor is served (then he is
//! beside fewer than N; so a wave of which one is done counts no more, see
//! [`bench::load::Dribblers`]); a machine on which the clients' thread does not get to send its
//! bytes in time; and so many slow clients that their bytes are a load themselves, which is why
//! there are 64 at most.

use std::time::Duration;

use bench::load::{Dribblers, EVERY};
use bench::{Model, ServerProcess};
use criterion::Criterion;

use crate::group::Group;
use crate::servers::{MEASURED, bench_at_server, is_smoke_test, models};

/// How many slow clients there are for each that a server serves at the same time, at most: a
/// visit beside them then takes half a second, and there are ten visits at least.
const MOST_IN_TURN: usize = 8;

/// How long a slow client takes for a request of 27 bytes.
const IN_TURN: Duration = EVERY.saturating_mul(27);

pub fn benches(criterion: &mut Criterion) {
    let numbers: &[usize] = if is_smoke_test() { &[0, 2] } else { &[0, 1, 2, 4, 8, 16, 32, 64] };
    let mut group = Group::new(criterion, "slow_clients");
    for &slow in numbers {
        for model in models() {
            if slow / MOST_IN_TURN > model.serves_at_once {
                let Model { label, serves_at_once, .. } = model;
                group.remark(format!(
                    "{label} beside {slow} is left out: it serves {serves_at_once} at a time, and \
                     each visit would take long"
                ));
                continue;
            }
            let before = slow / model.serves_at_once;
            let (samples, time) = match before as u32 {
                0 => (20, MEASURED),
                before => (10, 11 * (1 + before) * IN_TURN),
            };
            group.criterion.sample_size(samples).measurement_time(time);
            let prepare = |server: &ServerProcess| Ok(Dribblers::new(server.address(), slow));
            bench_at_server(&mut group, model, slow, prepare, |dribblers, times| {
                (0..times).map(|_| dribblers.visit_beside()).sum()
            });
        }
    }
    group.finish();
}
