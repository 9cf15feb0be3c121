//! `connect_and_ask`: a new connection for each request.
//!
//! **Measures** one visit after the other, each from before the connect until the reply is there.
//! The client then closes, and waits until the server has closed, too, but this time doesn't count.
//! A server that starts something for each client (a thread) pays for it here. Nearly all others
//! pay the same: what TCP takes to open a connection.
//!
//! **Holds fixed** that there is only one client at a time.
//!
//! **Would make it lie:** too many visits in a row. The port of each stays taken for a minute after
//! its end (TIME_WAIT). When half of the 28,000 ports that Linux hands out are taken, the client's
//! kernel begins to search for a free one, which can take longer than the visit. So only few visits
//! are made at each server.

use std::time::Duration;

use bench::load::visit;
use criterion::Criterion;

use crate::group::Group;
use crate::servers::{bench_at_server, models};

pub fn benches(criterion: &mut Criterion) {
    let mut group = Group::new(criterion, "connect_and_ask");
    group.criterion.warm_up_time(Duration::from_millis(100));
    group.criterion.measurement_time(Duration::from_millis(500));
    for model in models() {
        bench_at_server(
            &mut group,
            model,
            "one at a time",
            |server| Ok(server.address()),
            |&mut address, times| (0..times).map(|_| visit(address)).sum(),
        );
    }
    group.finish();
}
