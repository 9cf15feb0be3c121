//! Every check: what it tries, what is most likely wrong if the promise isn't kept, and which
//! chapter explains it.
//!
//! They are in the order in which a learner should fix things: what a check [needs](Check::needs())
//! comes before it.

mod hostile;
mod limits;
mod neighbours;
mod non_reading;
mod stopping;
mod stream;

use protocol::Protocol;

use super::chapters::{
    Chapter, NO_MESSAGES, ONE_CLIENT, ONE_SLOW_CLIENT, POLL, SELECT, WAYS_TO_ASK, ZOO,
};
use super::fixture::{CheckResult, Fixture};

/// One promise of a server, and how to check it.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// The name in tables and on command lines.
    pub name: &'static str,
    /// What the check tries, in a sentence or two.
    pub tries: &'static str,
    /// What is most likely wrong with a server that breaks the promise.
    pub likely: &'static str,
    /// The chapter that explains it.
    pub chapter: Chapter,
    /// Checks that this one builds on besides [`BASICS`].
    needs: &'static [&'static str],
    /// Whether it makes sense in [`Protocol::OneShot`], too.
    pub(super) in_one_shot: bool,
    pub(super) pace: Pace,
    /// How many descriptors the server may have, if they are limited.
    pub(super) descriptor_limit: Option<u32>,
    /// Whether the server has ended when the check is over.
    pub(super) ends_server: bool,
    pub(super) attempt: fn(&Fixture) -> CheckResult,
}

impl Check {
    /// The check of this name.
    pub fn named(name: &str) -> Option<&'static Check> {
        ALL.iter().find(|check| check.name == name)
    }

    /// Whether this check builds on the one of this name. If that fails, this one isn't tried, and
    /// is reported as following from it.
    pub(super) fn needs(&self, name: &str) -> bool {
        let basics = BASICS.iter().take_while(|basic| **basic != self.name);
        basics.chain(self.needs).any(|need| *need == name)
    }

    /// Whether it makes sense in this protocol.
    pub fn is_for(&self, protocol: Protocol) -> bool {
        self.in_one_shot || protocol == Protocol::Lines
    }
}

/// How long a check takes, and how much it costs. The checks start in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pace {
    /// All others need it.
    First,
    /// It waits for a second or more, so others can run meanwhile.
    Slow,
    Quick,
    /// It keeps a core busy, so few of its kind may run at the same time.
    Heavy,
}

/// All checks that come after these build on them.
const BASICS: [&str; 2] = ["answers", "greets-once"];

/// What most checks have in common.
const PLAIN: Check = Check {
    name: "",
    tries: "",
    likely: "",
    chapter: ONE_CLIENT,
    needs: &[],
    in_one_shot: false,
    pace: Pace::Quick,
    descriptor_limit: None,
    ends_server: false,
    attempt: |_| Ok(None),
};

/// All checks, in the order in which to fix the faults that they find.
pub static ALL: &[Check] = &[
    Check {
        name: "answers",
        tries: "A client connects, sends one request, and compares the reply byte by byte.",
        likely: "The reply to every request is `Hello from server!` and LF (in `one-shot` without \
                 the LF), and it has to be sent at once: a program that writes through a buffer \
                 has to flush it. The server has to listen on the given port.",
        chapter: ONE_CLIENT,
        in_one_shot: true,
        pace: Pace::First,
        attempt: stream::answers,
        ..PLAIN
    },
    Check {
        name: "greets-once",
        tries: "A client sends one request and keeps reading after the reply: nothing more may \
                come.",
        likely: "A connection stays in the list of those to write to after its reply is sent. It \
                 is writable again at once, so the server sends another reply, and another. Take \
                 it off the list when nothing is left to send.",
        chapter: NO_MESSAGES,
        in_one_shot: true,
        attempt: stream::greets_once,
        ..PLAIN
    },
    Check {
        name: "asks-again",
        tries: "A client sends four requests on one connection, each after the reply to the \
                previous one.",
        likely: "The server closes the connection after one reply, or stops watching it. Read in a \
                 loop until the end of the stream. If interest is oneshot, re-arm it after each \
                 event; if it is edge-triggered, read until the kernel returns EAGAIN.",
        chapter: POLL,
        attempt: stream::asks_again,
        ..PLAIN
    },
    Check {
        name: "byte-by-byte",
        tries: "A client sends one request byte by byte: exactly one reply may come, after the \
                last byte.",
        likely: "The server takes one read for one message. TCP is a stream of bytes: keep a \
                 buffer for each connection, and reply when it contains an LF.",
        chapter: NO_MESSAGES,
        needs: &["asks-again"],
        attempt: stream::byte_by_byte,
        ..PLAIN
    },
    Check {
        name: "pipelined",
        tries: "A client sends 500 requests at once, and reads 500 replies.",
        likely: "The server takes the result of one read for one request, or throws away what \
                 follows the first LF. Answer every line in the buffer before you read again.",
        chapter: NO_MESSAGES,
        needs: &["asks-again", "byte-by-byte"],
        attempt: stream::pipelined,
        ..PLAIN
    },
    Check {
        name: "half-close",
        tries: "A client sends three requests and closes its sending half. It reads three replies, \
                and then the end of the stream.",
        likely: "A read of 0 bytes means that the client has closed its sending half; it can still \
                 receive. Send the pending replies, then close the connection. If you don't, it \
                 stays readable for ever and costs a descriptor.",
        chapter: ONE_CLIENT,
        needs: &["asks-again", "byte-by-byte", "pipelined"],
        attempt: stream::half_close,
        ..PLAIN
    },
    Check {
        name: "idle-cost",
        tries: "While 20 connected clients send nothing, the server may use at most 20 ms of \
                processor time a second.",
        likely: "The server polls in a busy loop (with a time-out of 0, or with non-blocking \
                 calls), or the kernel keeps reporting an event that the server doesn't act on, \
                 such as a writable socket. Wait without a time-out, and only for events that you \
                 act on.",
        chapter: WAYS_TO_ASK,
        in_one_shot: true,
        pace: Pace::Slow,
        attempt: limits::idle_cost,
        ..PLAIN
    },
    Check {
        name: "silent-neighbour",
        tries: "While five connected clients send nothing, another one sends a request and gets \
                its reply. When the silent ones send a request, they get theirs too.",
        likely: "The server serves one connection to its end before it accepts the next, or a \
                 blocking read waits for a client that sends nothing. Wait for all connections at \
                 once, or give each a thread.",
        chapter: ONE_SLOW_CLIENT,
        in_one_shot: true,
        attempt: neighbours::silent,
        ..PLAIN
    },
    Check {
        name: "half-sent-neighbour",
        tries: "While five clients have sent only half a request, another one sends a request and \
                gets its reply. When the five send the other half, they get theirs too.",
        likely: "When a connection is readable, the server reads until it has a whole request. The \
                 rest may never come: read once, keep what came, and go back to waiting.",
        chapter: ZOO,
        needs: &["asks-again", "byte-by-byte", "silent-neighbour"],
        attempt: neighbours::half_sent,
        ..PLAIN
    },
    Check {
        name: "dribbling-neighbour",
        tries: "While one client sends a byte every 20 ms, another one sends requests and gets its \
                replies.",
        likely: "The server stays with one client for as long as bytes come from it. A time-out on \
                 each read doesn't help, because it starts again with every byte.",
        chapter: ZOO,
        needs: &["asks-again", "byte-by-byte", "silent-neighbour", "half-sent-neighbour"],
        attempt: neighbours::dribbling,
        ..PLAIN
    },
    Check {
        name: "connect-and-close",
        tries: "100 clients connect and close without sending anything, most of them at once. Then \
                another one sends a request.",
        likely: "The server does something with a new connection that fails if the client has \
                 already gone, such as getpeername(2) or reading its first line, and the error \
                 ends the server. It concerns only one connection: close that one, and go on.",
        chapter: ZOO,
        in_one_shot: true,
        attempt: hostile::connect_and_close,
        ..PLAIN
    },
    Check {
        name: "resets",
        tries: "Clients reset their connections, 30 times each: in the middle of a request, right \
                after a whole one, and while many are being answered. Then another one sends a \
                request.",
        likely: "ECONNRESET from a read or EPIPE from a write (or SIGPIPE, which ends a process \
                 that doesn't ignore it) ends the server. Every call on a connection can fail: \
                 close that connection, and go on.",
        chapter: ZOO,
        needs: &["connect-and-close"],
        in_one_shot: true,
        attempt: hostile::resets,
        ..PLAIN
    },
    Check {
        name: "non-reading-replies",
        tries: "A client sends up to 300,000 requests before it reads anything. Then it compares \
                every reply byte by byte.",
        likely: "The server drops what doesn't fit into the socket. A non-blocking write takes a \
                 part and returns how much, or takes nothing and fails with EAGAIN (in Python a \
                 BlockingIOError). Keep the rest, and send it before anything else when the socket \
                 is writable again.",
        chapter: ZOO,
        needs: &["asks-again", "byte-by-byte", "pipelined"],
        pace: Pace::Heavy,
        attempt: non_reading::replies,
        ..PLAIN
    },
    Check {
        name: "non-reading-neighbour",
        tries: "A client sends requests until the sockets are full, and reads nothing. Meanwhile, \
                another one sends a request and gets its reply.",
        likely: "A write blocks because the client doesn't read: the socket is blocking, or the \
                 server waits until everything is written. Write what fits, keep the rest, and \
                 wait for that socket to be writable together with all the others.",
        chapter: ZOO,
        needs: &["silent-neighbour", "half-sent-neighbour", "non-reading-replies"],
        pace: Pace::Heavy,
        attempt: non_reading::neighbour,
        ..PLAIN
    },
    Check {
        name: "non-reading-memory",
        tries: "A client sends up to 300,000 requests and reads nothing: the server has to stop \
                reading from it before it buffers more than 1 MiB of replies.",
        likely: "The buffer of pending replies grows without limit, so one non-reading client \
                 fills the memory. Stop reading from a connection while much is pending for it (in \
                 asyncio `await writer.drain()`, in Node `pause` until `drain`).",
        chapter: ZOO,
        needs: &["non-reading-replies"],
        pace: Pace::Heavy,
        attempt: non_reading::memory,
        ..PLAIN
    },
    Check {
        name: "non-reading-sleep",
        tries: "The server has to sleep while a client doesn't read, and again after it has read \
                everything.",
        likely: "The server still waits for a connection to be writable after everything is sent, \
                 so an idle connection wakes it up all the time; or it still waits for one to be \
                 readable although it has stopped reading from it.",
        chapter: NO_MESSAGES,
        needs: &["idle-cost", "non-reading-replies"],
        pace: Pace::Heavy,
        attempt: non_reading::sleep,
        ..PLAIN
    },
    Check {
        name: "unfinished-line",
        tries: "A client sends one and a half requests and closes its sending half: it gets two \
                replies.",
        likely: "At the end of the stream, the server throws away what is left in the buffer. \
                 Unless that is empty, it counts as a request.",
        chapter: NO_MESSAGES,
        needs: &["asks-again", "byte-by-byte", "pipelined", "half-close"],
        attempt: stream::unfinished_line,
        ..PLAIN
    },
    Check {
        name: "too-long",
        tries: "A client sends a request and then 100,000 bytes without an LF. It reads the reply, \
                `Request too long!`, and the end of the stream, not a reset. 1024 bytes are still \
                a request, with an LF at their end or as a last line without one; 1025 bytes are \
                too long.",
        likely: "The server doesn't count the bytes of a request (without a limit, one client \
                 fills the memory), or its limit is off by one: a request has at most 1024 bytes, \
                 including its LF if it has one. Or the server closes while bytes from the client \
                 are unread. Then the kernel sends a reset, which destroys the last reply: close \
                 only the sending half, and read on until the client closes.",
        chapter: NO_MESSAGES,
        needs: &["asks-again", "byte-by-byte", "pipelined", "half-close", "unfinished-line"],
        attempt: stream::too_long,
        ..PLAIN
    },
    Check {
        name: "many-connections",
        tries: "1100 clients connect, send a request, and stay. If the server can't serve all of \
                them at once, it has to serve the rest when others leave.",
        likely: "select(2) can't watch descriptors from 1024 on: at best there is an exception, at \
                 worst it overwrites other memory. Leave clients in the backlog when there is no \
                 room for them, and use poll, epoll or kqueue.",
        chapter: SELECT,
        pace: Pace::Heavy,
        attempt: limits::many_connections,
        ..PLAIN
    },
    Check {
        name: "descriptor-limit",
        tries: "The server has 64 descriptors, and 100 clients connect: it has to serve those that \
                fit, then sleep, and serve the others when some leave.",
        likely: "accept(2) fails with EMFILE and the client stays in the backlog, so the listener \
                 stays readable, and trying again at once is a busy loop. Stop watching the \
                 listener, and accept again when a connection closes. The error is no reason to \
                 end the server. (Node accepts such clients and closes them by itself; that can't \
                 be changed.)",
        chapter: ZOO,
        needs: &["half-close", "idle-cost"],
        descriptor_limit: Some(64),
        pace: Pace::Slow,
        attempt: limits::descriptor_limit,
        ..PLAIN
    },
    Check {
        name: "ctrl-c",
        tries: "While two clients are connected, one with its reply and one that has sent nothing, \
                Ctrl-C is sent: the server has to end within 1.5 seconds, with status 0.",
        likely: "The server doesn't handle SIGINT (in Python a KeyboardInterrupt), so it is \
                 killed, and pending replies are lost; or its handler only sets a flag, and the \
                 waiting call sleeps on; or it joins threads that wait for their clients. Wake up \
                 the event loop through a pipe that it watches, or the threads by shutting down \
                 their sockets.",
        chapter: ZOO,
        in_one_shot: true,
        ends_server: true,
        attempt: stopping::ctrl_c,
        ..PLAIN
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_check_needs_stands_before_it() {
        for (position, check) in ALL.iter().enumerate() {
            for need in BASICS.iter().chain(check.needs) {
                let is_before = ALL[..position].iter().any(|before| before.name == *need);
                assert_eq!(check.needs(need), is_before, "{} needs {need}", check.name);
            }
        }
    }

    #[test]
    fn sentences_are_sentences() {
        for check in ALL {
            for text in [check.tries, check.likely] {
                let is_sentence = text.ends_with('.') || text.ends_with(".)");
                assert!(is_sentence && !text.contains("  "), "{text}");
            }
        }
    }
}
