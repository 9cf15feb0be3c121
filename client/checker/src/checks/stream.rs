//! A stream of bytes, cut into all kinds of pieces.

use std::thread;
use std::time::Duration;

use protocol::{Protocol, REQUEST_MAX, TOO_LONG};

use crate::client::{A_WHILE, Client};
use crate::fixture::{CheckResult, Fixture};

/// When this much time lies between two bytes, the server has most probably read the first before
/// the second is sent.
const APART: Duration = Duration::from_millis(10);

pub(super) fn answers(fixture: &Fixture) -> CheckResult {
    Client::visit(fixture)?;
    Ok(None)
}

pub(super) fn greets_once(fixture: &Fixture) -> CheckResult {
    let mut client = Client::connect(fixture)?;
    client.send_request()?;
    client.replies(1)?;
    match fixture.protocol {
        Protocol::Lines => client.expect_silence(A_WHILE)?,
        Protocol::OneShot => client.expect_end()?,
    }
    Ok(None)
}

pub(super) fn asks_again(fixture: &Fixture) -> CheckResult {
    let mut client = Client::connect(fixture)?;
    for number in 1..=4 {
        let served = client.send_request().and_then(|()| client.replies(1));
        served.map_err(|why| why.when(&format!("request {number}")))?;
    }
    Ok(None)
}

pub(super) fn byte_by_byte(fixture: &Fixture) -> CheckResult {
    let mut client = Client::connect(fixture)?;
    for byte in b"hello" {
        client.send(&[*byte])?;
        client
            .expect_silence(APART)
            .map_err(|why| why.when("before the LF of the request was sent"))?;
    }
    client.send(b"\n")?;
    client.replies(1)?;
    client.expect_silence(A_WHILE)?;
    Ok(None)
}

pub(super) fn pipelined(fixture: &Fixture) -> CheckResult {
    const REQUESTS: usize = 500;
    let mut client = Client::connect(fixture)?;
    client.send(&fixture.protocol.request("hello from the checker").repeat(REQUESTS))?;
    client.replies(REQUESTS)?;
    client.expect_silence(A_WHILE)?;
    Ok(None)
}

pub(super) fn half_close(fixture: &Fixture) -> CheckResult {
    send_and_end(fixture, b"one\ntwo\nthree\n", 3)
}

pub(super) fn unfinished_line(fixture: &Fixture) -> CheckResult {
    send_and_end(fixture, b"one\ntwo", 2)
}

fn send_and_end(fixture: &Fixture, requests: &[u8], replies: usize) -> CheckResult {
    let mut client = Client::connect(fixture)?;
    client.send(requests)?;
    client.end()?;
    client.replies(replies)?;
    client.expect_end()?;
    Ok(None)
}

pub(super) fn too_long(fixture: &Fixture) -> CheckResult {
    let mut client = Client::connect(fixture)?;
    client.send(b"fine\n")?;
    client.replies(1)?;
    client.send(&[b'x'; 100_000])?;
    client.expect(TOO_LONG, 1)?;
    client.expect_end()?;
    // If the server closes with unread bytes, the kernel resets the connection, perhaps a moment
    // later.
    thread::sleep(APART);
    client.end()?;
    the_limit_is_exact(fixture)
}

/// Sends requests of the greatest allowed length, and of one byte more, each on its own connection:
/// once as a line, and once as a last line without an LF, which ends with the stream.
fn the_limit_is_exact(fixture: &Fixture) -> CheckResult {
    let try_length = |length: usize, ending: &str| {
        let reply = if length > REQUEST_MAX { TOO_LONG } else { fixture.protocol.reply() };
        let request = "x".repeat(length - ending.len()) + ending;
        let mut client = Client::connect(fixture)?;
        client.send_request()?;
        client.replies(1)?;
        client.send(request.as_bytes())?;
        client.end()?;
        client.expect(reply, 1)?;
        client.expect_end()
    };
    for length in [REQUEST_MAX, REQUEST_MAX + 1] {
        let sent = format!("after a line of {length} bytes, including its LF");
        try_length(length, "\n").map_err(|why| why.when(&sent))?;
        let sent = format!("after {length} bytes without an LF and the end of the stream");
        try_length(length, "").map_err(|why| why.when(&sent))?;
    }
    Ok(None)
}
