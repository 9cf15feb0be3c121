//! The end of the server.

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::fixture::{CheckFailure, CheckResult, Fixture, broken};
use server_process::describe_exit;

/// The promise is a second. The rest is for a machine that is busy with other checks.
const BOUND: Duration = Duration::from_millis(1500);

pub(super) fn ctrl_c(fixture: &Fixture) -> CheckResult {
    let process = fixture.process()?;
    // A blocking server has accepted only this first client.
    let mut answered = Client::connect(fixture)?;
    answered.send_request()?;
    answered.replies(1)?;
    let _idle = Client::connect(fixture)?;
    let began = Instant::now();
    if !process.interrupt() {
        return Err(CheckFailure::NotTried("on this system, a program can't send Ctrl-C".into()));
    }
    match process.wait(BOUND) {
        None => broken(format!("the server was still running {BOUND:?} after Ctrl-C")),
        Some(status) if !status.success() => broken(
            process.death().unwrap_or_else(|| format!("the server {}", describe_exit(status))),
        ),
        Some(_) => {
            let after = began.elapsed().as_millis();
            if process.is_survived() {
                return broken("the server ended, but another process still listens on its port");
            }
            Ok(Some(format!("{after} ms")))
        }
    }
}
