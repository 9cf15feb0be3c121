//! `slow_clients`: how long a prompt client waits for its reply while other clients dribble.
//!
//! **Measures** a whole visit (connect, send a request, receive the reply) while N connected
//! clients send a byte every 2 ms. A server that serves one client at a time makes the visitor wait
//! for all of them, one after the other, so its line rises with N. The line of a pool also rises,
//! as soon as there are as many slow clients as threads. The other lines are flat.
//!
//! **Holds fixed** what a slow client does: it sends two requests of 27 bytes, each in 54 ms, of
//! which the first arrives while the client is still pending in the backlog. All N are connected
//! before the visitor comes.
//!
//! **Would make it lie:** slow clients that are done before the visitor is served, because then
//! there are fewer than N (so a wave with one finished client no longer counts, see
//! [`bench::load::SlowClients`]); a machine on which the clients' thread can't send its bytes in
//! time; and so many slow clients that their bytes are a load themselves, which is why there are at
//! most 64.

use std::time::Duration;

use bench::load::{EVERY, SlowClients};
use bench::{MeasuredServer, Model};
use criterion::Criterion;

use crate::group::Group;
use crate::servers::{MEASURED, bench_at_server, is_smoke_test, models};

/// The most slow clients per client that a server serves at the same time. A visit then takes half
/// a second, and there are at least ten visits.
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
                    "{label} with {slow} is left out: it serves {serves_at_once} at a time, so \
                     each visit would take too long"
                ));
                continue;
            }
            let before = slow / model.serves_at_once;
            let (samples, time) = match before as u32 {
                0 => (20, MEASURED),
                before => (10, 11 * (1 + before) * IN_TURN),
            };
            group.criterion.sample_size(samples).measurement_time(time);
            let prepare = |server: &MeasuredServer| Ok(SlowClients::new(server.address(), slow));
            bench_at_server(&mut group, model, slow, prepare, |slow_clients, times| {
                (0..times).map(|_| slow_clients.visit_beside()).sum()
            });
        }
    }
    group.finish();
}
