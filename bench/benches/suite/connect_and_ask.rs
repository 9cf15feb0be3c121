//! `connect_and_ask`: a new connection for each request.
//!
//! **Measures** a visit from before the connect until the reply is there, one after the other. Each
//! client then closes, and waits until the server has, too; that is not counted. Who starts
//! something for each client (a thread) pays for it here, and nearly everybody else pays the same:
//! what TCP takes to open a connection.
//!
//! **Holds fixed** that there is one client at a time, and nobody besides.
//!
//! **Would make it lie:** too many visits in a row. The port of each stays taken for a minute after
//! its end (TIME_WAIT); when half of the 28,000 ports that Linux gives away are, the client's
//! kernel begins to search for one, which can take longer than the visit. So few are made at
//! each server.

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
