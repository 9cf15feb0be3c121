//! Crowds, descriptors that run out, and what nobody costs.

use std::time::Duration;

use protocol::Protocol;

use crate::check::guests::Guests;
use crate::check::scene::{Attempt, Scene, Trouble, broken};
use crate::check::visitor::Visitor;

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
    let mut spent = scene.cost_of(WINDOW)?.processor_time;
    if spent > BOUND {
        spent = scene.cost_of(WINDOW)?.processor_time; // there may have been something left to do
    }
    if spent > BOUND {
        return broken(format!(
            "the server used {spent:?} of processor time within {WINDOW:?}, though {CLIENTS} \
             clients said nothing"
        ));
    }
    Ok(Some(format!("{} ms", spent.as_millis())))
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
    rlimit::increase_nofile_limit(u64::MAX).is_ok_and(|limit| limit > clients as u64 + SPARE)
}
