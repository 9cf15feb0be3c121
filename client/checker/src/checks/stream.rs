//! A stream of bytes, cut in every way.

use std::thread;
use std::time::Duration;

use protocol::{Protocol, REQUEST_MAX, TOO_LONG};

use crate::scene::{Attempt, Scene};
use crate::visitor::Visitor;

/// So long after a byte, the server has most probably read it before the next one is sent.
const APART: Duration = Duration::from_millis(10);

pub(super) fn answers(scene: &Scene) -> Attempt {
    scene.ask_as_anybody()?;
    Ok(None)
}

pub(super) fn greets_once(scene: &Scene) -> Attempt {
    let mut visitor = Visitor::connect(scene)?;
    visitor.ask()?;
    visitor.replies(1)?;
    match scene.protocol {
        Protocol::Lines => visitor.hears_nothing()?,
        Protocol::OneShot => visitor.hears_the_end()?,
    }
    Ok(None)
}

pub(super) fn asks_again(scene: &Scene) -> Attempt {
    let mut visitor = Visitor::connect(scene)?;
    for number in 1..=4 {
        let asked = visitor.ask().and_then(|()| visitor.replies(1));
        asked.map_err(|why| why.when(&format!("request {number}")))?;
    }
    Ok(None)
}

pub(super) fn byte_by_byte(scene: &Scene) -> Attempt {
    let mut visitor = Visitor::connect(scene)?;
    for byte in b"hello" {
        visitor.send(&[*byte])?;
        visitor
            .hears_nothing_for(APART)
            .map_err(|why| why.when("the LF of the request had not been sent"))?;
    }
    visitor.send(b"\n")?;
    visitor.replies(1)?;
    visitor.hears_nothing()?;
    Ok(None)
}

pub(super) fn pipelined(scene: &Scene) -> Attempt {
    const REQUESTS: usize = 500;
    let mut visitor = Visitor::connect(scene)?;
    visitor.send(&scene.protocol.request("hello from the checker").repeat(REQUESTS))?;
    visitor.replies(REQUESTS)?;
    visitor.hears_nothing()?;
    Ok(None)
}

pub(super) fn half_close(scene: &Scene) -> Attempt {
    ask_and_end(scene, b"one\ntwo\nthree\n", 3)
}

pub(super) fn unfinished_line(scene: &Scene) -> Attempt {
    ask_and_end(scene, b"one\ntwo", 2)
}

fn ask_and_end(scene: &Scene, requests: &[u8], replies: usize) -> Attempt {
    let mut visitor = Visitor::connect(scene)?;
    visitor.send(requests)?;
    visitor.end()?;
    visitor.replies(replies)?;
    visitor.hears_the_end()?;
    Ok(None)
}

pub(super) fn too_long(scene: &Scene) -> Attempt {
    let mut visitor = Visitor::connect(scene)?;
    visitor.send(b"fine\n")?;
    visitor.replies(1)?;
    visitor.send(&[b'x'; 100_000])?;
    visitor.expect(TOO_LONG, 1)?;
    visitor.hears_the_end()?;
    // Who closes with unread bytes in hand resets the connection, and it may do so late.
    thread::sleep(APART);
    visitor.end()?;
    the_limit_is_exact(scene)
}

/// Sends requests of as many bytes as one may have, and of one more, each on a connection of its
/// own: a line, and a last line that has no LF and that only the client's end finishes.
fn the_limit_is_exact(scene: &Scene) -> Attempt {
    let ask = |length: usize, ending: &str| {
        let reply = if length > REQUEST_MAX { TOO_LONG } else { scene.protocol.reply() };
        let request = "x".repeat(length - ending.len()) + ending;
        let mut visitor = Visitor::connect(scene)?;
        visitor.ask()?;
        visitor.replies(1)?;
        visitor.send(request.as_bytes())?;
        visitor.end()?;
        visitor.expect(reply, 1)?;
        visitor.hears_the_end()
    };
    for length in [REQUEST_MAX, REQUEST_MAX + 1] {
        let sent = format!("a line of {length} bytes, its LF included, had been sent");
        ask(length, "\n").map_err(|why| why.when(&sent))?;
        let sent = format!("{length} bytes without an LF had been sent, and the client had ended");
        ask(length, "").map_err(|why| why.when(&sent))?;
    }
    Ok(None)
}
