//! `idle_connections`: how long an answer takes beside many connections on which nothing happens.
//!
//! **Measures** one round trip on a connection that is kept, while N others are silent. Whoever
//! brings the kernel the whole list for each wait (select, poll), or asks each socket himself
//! (busy), takes longer the more there are; whoever lets the kernel remember it does not.
//!
//! **Holds fixed** that one client is active, with one request under way, and sleeps until it is
//! answered. So most of the time is what it takes to wake the server and the client up again.
//!
//! **Would make it lie:** two processors that fall asleep between two requests, which they do the
//! more readily the longer the server takes; so the small differences on the left say little.

use bench::ServerProcess;
use bench::load::{Silent, kept_probe};
use criterion::Criterion;

use crate::group::Group;
use crate::servers::{bench_at_server, can_have, is_smoke_test, models, program};

pub fn benches(criterion: &mut Criterion) {
    let numbers: &[usize] = if is_smoke_test() { &[0, 10] } else { &[0, 10, 100, 1000, 10_000] };
    let mut group = Group::new(criterion, "idle_connections");
    for &idle in numbers {
        for model in models() {
            // The probe is one more.
            if let Err(why) = can_have(&model, idle + 1) {
                group.remark(format!("{} beside {idle} is left out: {why}", model.label));
                continue;
            }
            let prepare = |server: &ServerProcess| {
                let silent = Silent::connect(program(), server.address(), idle)?;
                Ok((kept_probe(server.address())?, silent))
            };
            bench_at_server(&mut group, model, idle, prepare, |(probe, _), times| {
                (0..times).map(|_| probe.ask()).sum()
            });
        }
    }
    group.finish();
}
