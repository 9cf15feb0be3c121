//! Crowds, running out of descriptors, and what idle clients cost.

use std::time::Duration;

use protocol::Protocol;
use server_process::Cost;

use crate::client::Client;
use crate::clients::Clients;
use crate::fixture::{CheckResult, Fixture, broken, not_tried};

pub(super) fn idle_cost(fixture: &Fixture) -> CheckResult {
    const CLIENTS: usize = 20;
    const WINDOW: Duration = Duration::from_secs(1);
    // A server that sleeps needs nothing, but some runtimes do some work of their own now and then.
    const BOUND: Duration = Duration::from_millis(20);
    // If other processes have the processors, a server that never sleeps uses little time too, but
    // it waits for a processor nearly all the time.
    const WAITED: Duration = Duration::from_millis(200);
    fixture.cost()?;
    let _clients: Vec<Client> = match fixture.protocol {
        // A client that has its reply is gone, so these send nothing. The backlog of a blocking
        // server may hold fewer. Those that fit are enough.
        Protocol::OneShot => {
            (0..CLIENTS).map_while(|_| Client::connect_if_there_is_room(fixture)).collect()
        }
        Protocol::Lines => {
            let Clients { answered, waiting, .. } = Clients::connect(fixture, CLIENTS)?;
            answered.into_iter().chain(waiting).collect()
        }
    };
    let is_idle = |cost: &Cost| cost.processor_time <= BOUND && cost.waited <= WAITED;
    let mut cost = fixture.cost_of(WINDOW)?;
    if !is_idle(&cost) {
        cost = fixture.cost_of(WINDOW)?; // perhaps something was still left to do
    }
    let Cost { processor_time: spent, waited, .. } = cost;
    if is_idle(&cost) {
        return Ok(Some(format!("{} ms", spent.as_millis())));
    }
    let waited = match spent > BOUND {
        true => String::new(),
        false => format!(" and waited for a processor for {waited:.0?} more"),
    };
    broken(format!(
        "the server used {spent:?} of processor time within {WINDOW:?}{waited}, although {CLIENTS} \
         clients sent nothing"
    ))
}

pub(super) fn many_connections(fixture: &Fixture) -> CheckResult {
    const CLIENTS: usize = 1100;
    /// For servers that are started meanwhile.
    const SPARE: u64 = 300;
    if !system::raise_descriptor_limit().is_ok_and(|limit| limit > CLIENTS as u64 + SPARE) {
        return not_tried(format!(
            "the checker itself can't have {CLIENTS} descriptors: see `ulimit -n`"
        ));
    }
    as_many_as_fit(fixture, CLIENTS, false)
}

pub(super) fn descriptor_limit(fixture: &Fixture) -> CheckResult {
    as_many_as_fit(fixture, 100, true)
}

fn as_many_as_fit(fixture: &Fixture, clients: usize, must_sleep: bool) -> CheckResult {
    let mut clients = Clients::connect(fixture, clients)?;
    let figure = format!("{} at once", clients.answered.len());
    // Skipped where the processor time can't be seen. The waiting clients have to be served all the
    // same.
    if must_sleep && !clients.waiting.is_empty() && fixture.cost().is_ok() {
        fixture.expect_sleep(&format!("{figure} were served, and others waited in the backlog"))?;
    }
    clients.leave_in_turn()?;
    Ok(Some(figure))
}
