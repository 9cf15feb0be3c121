//! Clients that break off. The runner does the actual checking: after each check it makes sure that
//! the server is still alive and still replies.

use std::thread;
use std::time::Duration;

use crate::client::Client;
use crate::fixture::{CheckResult, Fixture};

pub(super) fn connect_and_close(fixture: &Fixture) -> CheckResult {
    for number in 0..100 {
        let client = Client::connect(fixture)?;
        if number % 10 == 0 {
            // Time for the server to accept it. The others may be gone before that.
            thread::sleep(Duration::from_millis(2));
        }
        drop(client);
    }
    Ok(None)
}

pub(super) fn resets(fixture: &Fixture) -> CheckResult {
    let in_the_middle = b"in the middle of a requ".to_vec();
    let whole = fixture.protocol.request("hello from the checker");
    let many = whole.repeat(500); // the last of them can no longer be answered
    for number in 0..30 {
        for requests in [&in_the_middle, &whole, &many] {
            let mut client = Client::connect(fixture)?;
            client.send(requests)?;
            // Sometimes the server has already read when the reset comes, and sometimes not.
            thread::sleep(Duration::from_millis(number % 3));
            client.reset();
        }
    }
    Ok(None)
}
