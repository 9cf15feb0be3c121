//! Crowds, descriptors that run out, and what nobody costs.

use std::time::Duration;

use protocol::Protocol;
use server_process::Cost;

use crate::guests::Guests;
use crate::scene::{Attempt, Scene, Trouble, broken};
use crate::visitor::Visitor;

pub(super) fn idle_cost(scene: &Scene) -> Attempt {
    const CLIENTS: usize = 20;
    const WINDOW: Duration = Duration::from_secs(1);
    // A server that sleeps needs nothing; but some languages look after themselves now and then.
    const BOUND: Duration = Duration::from_millis(20);
    scene.cost()?;
    let _silent: Vec<Visitor>;
    let _answered: Guests;
    match scene.protocol {
        // Whoever is answered is gone.
        Protocol::OneShot => {
            // The backlog of a blocking server may hold fewer. Those who are in it are enough.
            let knock = |_| Visitor::connect_within(scene, Duration::from_millis(250)).ok();
            _silent = (0..CLIENTS).map_while(knock).collect();
        }
        Protocol::Lines => _answered = Guests::come(scene, CLIENTS)?,
    }
    // Where others have the processors, a server that never sleeps uses little, too: but it could
    // have run nearly all the time.
    const WAITED: Duration = Duration::from_millis(200);
    let is_idle = |cost: &Cost| cost.processor_time <= BOUND && cost.waited <= WAITED;
    let mut cost = scene.cost_of(WINDOW)?;
    if !is_idle(&cost) {
        cost = scene.cost_of(WINDOW)?; // there may have been something left to do
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
        "the server used {spent:?} of processor time within {WINDOW:?}{waited}, though {CLIENTS} \
         clients said nothing"
    ))
}

pub(super) fn many_connections(scene: &Scene) -> Attempt {
    const CLIENTS: usize = 1100;
    if !has_descriptors_for(CLIENTS) {
        let why = format!("the checker itself may not have {CLIENTS} descriptors: see `ulimit -n`");
        return Err(Trouble::NotTried(why));
    }
    as_many_as_fit(scene, CLIENTS, false)
}

pub(super) fn descriptor_limit(scene: &Scene) -> Attempt {
    const CLIENTS: usize = 100;
    as_many_as_fit(scene, CLIENTS, true)
}

fn as_many_as_fit(scene: &Scene, clients: usize, must_sleep: bool) -> Attempt {
    let mut guests = Guests::come(scene, clients)?;
    let figure = format!("{} at once", guests.at_once());
    // Left out where it can't be seen: whoever waits must be served nevertheless.
    if must_sleep && guests.somebody_waits() && scene.cost().is_ok() {
        scene.expect_sleep(&format!("{figure} were served and others waited in the backlog"))?;
    }
    guests.leave_in_turns()?;
    Ok(Some(figure))
}

/// Whether there are enough, and some for servers that are being started meanwhile.
fn has_descriptors_for(clients: usize) -> bool {
    const SPARE: u64 = 300;
    system::raise_descriptor_limit().is_ok_and(|limit| limit > clients as u64 + SPARE)
}
