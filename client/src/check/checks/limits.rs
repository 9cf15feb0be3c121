//! Crowds, descriptors that run out, and what nobody costs.

use std::time::Duration;

use protocol::Protocol;

use crate::check::guests::Guests;
use crate::check::scene::{Attempt, Scene, Trouble};
use crate::check::visitor::Visitor;

pub(super) fn idle_cost(scene: &Scene) -> Attempt {
    const CLIENTS: usize = 20;
    // Two hundredths of a second: a server that sleeps needs none, but some languages look
    // after themselves now and then.
    const BOUND: Duration = Duration::from_millis(20);
    scene.cost()?;
    let _silent: Vec<Visitor>;
    let _answered: Guests;
    match scene.protocol {
        // Whoever is answered is gone.
        Protocol::OneShot => {
            _silent = (0..CLIENTS).map(|_| Visitor::connect(scene)).collect::<Attempt<_>>()?;
        }
        Protocol::Lines => _answered = Guests::come(scene, CLIENTS)?,
    }
    let spent = scene.expect_sleep(Duration::from_secs(1), BOUND, "20 clients said nothing")?;
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
    if must_sleep && guests.somebody_waits() {
        let window = Duration::from_millis(500);
        let bound = Duration::from_millis(50);
        let meanwhile = format!("{figure} were served and others waited in the backlog");
        // Left out where it can't be seen: whoever waits must be served nevertheless.
        if scene.cost().is_ok() {
            scene.expect_sleep(window, bound, &meanwhile)?;
        }
    }
    guests.leave_in_turns()?;
    Ok(Some(figure))
}

/// Whether there are enough, and some for servers that are being started meanwhile.
fn has_descriptors_for(clients: usize) -> bool {
    const SPARE: u64 = 300;
    rlimit::increase_nofile_limit(u64::MAX).is_ok_and(|limit| limit > clients as u64 + SPARE)
}
