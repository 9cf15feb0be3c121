//! The end of the server.

use std::time::Duration;

use crate::client::Client;
use crate::fixture::{CheckResult, Fixture, broken, not_tried};

/// The promise is a second. The rest is for a machine that is busy with other checks.
const BOUND: Duration = Duration::from_millis(1500);

pub(super) fn ctrl_c(fixture: &Fixture) -> CheckResult {
    let process = fixture.process()?;
    // A blocking server has accepted only this first client.
    let mut answered = Client::connect(fixture)?;
    answered.send_request()?;
    answered.replies(1)?;
    let _idle = Client::connect(fixture)?;
    match process.end(BOUND) {
        Some(Ok(after)) => Ok(Some(format!("{} ms", after.as_millis()))),
        Some(Err(why)) => broken(why),
        None => not_tried("on this system, a program can't send Ctrl-C"),
    }
}
