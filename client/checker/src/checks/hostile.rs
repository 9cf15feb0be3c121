//! Clients that break off. What they are here for is done by the runner: it asks after each
//! check whether the server still lives and answers.

use std::thread;
use std::time::Duration;

use crate::scene::{Attempt, Scene};
use crate::visitor::Visitor;

pub(super) fn connect_and_close(scene: &Scene) -> Attempt {
    for number in 0..100 {
        let visitor = Visitor::connect(scene)?;
        if number % 10 == 0 {
            // Time to be accepted. The others may have gone before that.
            thread::sleep(Duration::from_millis(2));
        }
        drop(visitor);
    }
    Ok(None)
}

pub(super) fn resets(scene: &Scene) -> Attempt {
    let in_the_middle = b"in the middle of a requ".to_vec();
    let whole = scene.protocol.request("hello from the checker");
    let many = whole.repeat(500); // the last of them can't be answered any more
    for number in 0..30 {
        for requests in [&in_the_middle, &whole, &many] {
            let mut visitor = Visitor::connect(scene)?;
            visitor.send(requests)?;
            take_turns(number);
            visitor.reset();
        }
    }
    Ok(None)
}

/// Sometimes the server has read already when the reset comes, and sometimes not.
fn take_turns(number: u64) {
    thread::sleep(Duration::from_millis(number % 3));
}
