//! Slow clients, and a prompt one at the same time.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::client::Client;
use crate::fixture::{CheckResult, Fixture, not_tried};

/// More than the few threads or processes that a server may have prepared for all clients.
const SLOW_ONES: usize = 5;

/// How long a dribbling client waits after each byte.
const DRIBBLE: Duration = Duration::from_millis(20);

pub(super) fn silent(fixture: &Fixture) -> CheckResult {
    slow(fixture, b"", "while five silent clients were connected")
}

pub(super) fn half_sent(fixture: &Fixture) -> CheckResult {
    slow(fixture, b"hello fr", "while five clients had sent half a request")
}

/// Clients that send only `beginning`, until another one has got its reply.
fn slow(fixture: &Fixture, beginning: &[u8], circumstances: &str) -> CheckResult {
    let mut slow = Vec::new();
    for _ in 0..SLOW_ONES {
        let mut client = Client::connect(fixture)?;
        client.send(beginning)?;
        slow.push(client);
    }
    Client::visit(fixture).map_err(|why| why.when(circumstances))?;
    for mut client in slow {
        client.send_request()?;
        client.replies(1).map_err(|why| {
            why.when("to one of the slow clients, when it finally sent its request")
        })?;
    }
    Ok(None)
}

pub(super) fn dribbling(fixture: &Fixture) -> CheckResult {
    let mut dribbling = Client::connect(fixture)?;
    dribbling.send(b"h")?;
    let (stop, stopped) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let dribbling = thread::Builder::new().spawn_scoped(scope, move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(DRIBBLE) {
                dribbling.send(b"m")?;
            }
            dribbling.send(b"\n")?;
            dribbling.replies(1)
        });
        let dribbling = dribbling
            .or_else(|error| not_tried(format!("the checker can't start a thread: {error}")))?;
        let served = (0..3).try_for_each(|_| {
            thread::sleep(2 * DRIBBLE);
            Client::visit(fixture)
                .map_err(|why| why.when("while another client sent a byte every 20 ms"))
        });
        drop(stop);
        let dribbled = match dribbling.join() {
            Ok(dribbled) => dribbled,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        served?;
        dribbled.map_err(|why| why.when("to the client that sent a byte every 20 ms"))?;
        Ok(None)
    })
}
