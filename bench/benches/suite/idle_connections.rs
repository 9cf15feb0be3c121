//! `idle_connections`: how long a reply takes while nothing happens on many other connections.
//!
//! **Measures** one round trip on a connection that stays open, while N others are silent. A server
//! that passes the whole list to the kernel for each wait (select, poll), or that tries each socket
//! itself (busy), takes longer the more connections there are. One that lets the kernel remember
//! the list does not.
//!
//! **Holds fixed** that one client is active, with one request under way, and sleeps until it has
//! the reply. So most of the time is what it takes to wake up the server and the client.
//!
//! **Would make it lie:** two processors that fall asleep between two requests. The longer the
//! server takes, the more likely that is, so the small differences on the left mean little.

use bench::MeasuredServer;
use bench::load::{HeldConnections, kept_probe};
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
                group.remark(format!("{} with {idle} is left out: {why}", model.label));
                continue;
            }
            let prepare = |server: &MeasuredServer| {
                let silent = HeldConnections::silent(program(), server.address(), idle)?;
                Ok((kept_probe(server.address())?, silent))
            };
            bench_at_server(&mut group, model, idle, prepare, |(probe, _), times| {
                (0..times).map(|_| probe.request()).sum()
            });
        }
    }
    group.finish();
}
