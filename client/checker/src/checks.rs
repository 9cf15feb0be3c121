//! Every check: what it tries, what most likely is wrong when the promise is not kept, and
//! where that is explained.
//!
//! They stand in the order in which a learner should mend things: what a check
//! [needs](Check::needs) stands before it.

mod deaf;
mod hostile;
mod limits;
mod neighbours;
mod stopping;
mod stream;

use protocol::Protocol;

use super::chapters::{
    Chapter, NO_MESSAGES, ONE_CLIENT, ONE_SLOW_CLIENT, POLL, SELECT, WAYS_TO_ASK, ZOO,
};
use super::scene::{Attempt, Scene};

/// One promise of a server, and how it is tried.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// The name in tables and on command lines.
    pub name: &'static str,
    /// What is tried, in a sentence or two.
    pub tries: &'static str,
    /// What most likely is wrong with a server that does not keep the promise.
    pub likely: &'static str,
    /// Where that is explained.
    pub chapter: Chapter,
    /// Checks that this one builds on. If one of them fails, this one is not tried, and told as
    /// following from it.
    pub needs: &'static [&'static str],
    /// Whether it makes sense in [`Protocol::OneShot`], too.
    pub(super) in_one_shot: bool,
    pub(super) pace: Pace,
    /// How many descriptors the server may have, if they are to be few.
    pub(super) descriptor_limit: Option<u32>,
    /// Whether the server has ended when it is over.
    pub(super) ends_server: bool,
    pub(super) attempt: fn(&Scene) -> Attempt,
}

impl Check {
    /// The check of this name.
    pub fn named(name: &str) -> Option<&'static Check> {
        ALL.iter().find(|check| check.name == name)
    }

    /// Whether it makes sense in this protocol.
    pub fn is_for(&self, protocol: Protocol) -> bool {
        self.in_one_shot || protocol == Protocol::Lines
    }
}

/// How long a check takes, and how much it costs; the order is that in which they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pace {
    /// It waits for a second or more, so others can be done meanwhile.
    Slow,
    Quick,
    /// It keeps a core busy, so few of its kind may run at the same time.
    Heavy,
}

/// What most checks have in common.
const PLAIN: Check = Check {
    name: "",
    tries: "",
    likely: "",
    chapter: ONE_CLIENT,
    needs: &["answers", "greets-once"],
    in_one_shot: false,
    pace: Pace::Quick,
    descriptor_limit: None,
    ends_server: false,
    attempt: |_| Ok(None),
};

/// All checks, in the order in which to mend what they find.
pub static ALL: &[Check] = &[
    Check {
        name: "answers",
        tries: "A client connects, asks once, and reads the reply, to the byte.",
        likely: "The reply to every request is `Hello from server!` and LF (in `one-shot` without \
                 the LF), and it is sent at once: a program that writes through a buffer has to \
                 flush it. The server must listen on the port that it was told.",
        chapter: ONE_CLIENT,
        needs: &[],
        in_one_shot: true,
        attempt: stream::answers,
        ..PLAIN
    },
    Check {
        name: "greets-once",
        tries: "A client asks once, and listens on after the reply: nothing more may come.",
        likely: "A connection stays in the list of those to write to after it was answered. It is \
                 writable at once again, and so it is greeted again, and again. Take it off the \
                 list when nothing is left to send.",
        chapter: NO_MESSAGES,
        needs: &["answers"],
        in_one_shot: true,
        attempt: stream::greets_once,
        ..PLAIN
    },
    Check {
        name: "asks-again",
        tries: "A client asks, is answered, and asks again on the same connection, and again.",
        likely: "The server closes after one reply, or it does not look at the connection again. \
                 Read in a loop until the end; where interest is oneshot or edge-triggered, it \
                 must be armed again, or everything read until the kernel says EAGAIN.",
        chapter: POLL,
        attempt: stream::asks_again,
        ..PLAIN
    },
    Check {
        name: "byte-by-byte",
        tries: "A client sends one request in single bytes: one reply may come, after the last.",
        likely: "One read is taken for one message. TCP is a stream of bytes: keep what has come \
                 in a buffer for each connection, and answer when an LF is in it.",
        chapter: NO_MESSAGES,
        needs: &["answers", "greets-once", "asks-again"],
        attempt: stream::byte_by_byte,
        ..PLAIN
    },
    Check {
        name: "pipelined",
        tries: "A client sends 500 requests in one go, and reads 500 replies.",
        likely: "What one read brings is taken for one request, or what follows the first LF is \
                 thrown away. Answer every line that is in the buffer before you read again.",
        chapter: NO_MESSAGES,
        needs: &["answers", "greets-once", "asks-again", "byte-by-byte"],
        attempt: stream::pipelined,
        ..PLAIN
    },
    Check {
        name: "half-close",
        tries: "A client sends three requests and closes its sending half; it reads three \
                replies, and then the end.",
        likely: "A read of 0 bytes is the client's end: it has nothing more to ask, but can still \
                 hear. Send what is owed, then close; a connection that nobody closes stays \
                 readable for ever, and costs a descriptor.",
        chapter: ONE_CLIENT,
        needs: &["answers", "greets-once", "asks-again", "byte-by-byte", "pipelined"],
        attempt: stream::half_close,
        ..PLAIN
    },
    Check {
        name: "idle-cost",
        tries: "20 clients are there and say nothing: within a second the server may use 20 ms of \
                processor time.",
        likely: "The server asks again and again whether something is there (a time-out of 0, or \
                 non-blocking calls in a loop), or it is told again and again of something that \
                 it does not do, such as being writable. Wait without a time-out, and only for \
                 what you would act on.",
        chapter: WAYS_TO_ASK,
        in_one_shot: true,
        pace: Pace::Slow,
        attempt: limits::idle_cost,
        ..PLAIN
    },
    Check {
        name: "silent-neighbour",
        tries: "Five clients connect and say nothing; another one asks, and is answered beside \
                them. When the silent ones speak at last, they are answered, too.",
        likely: "The server serves one connection to its end before it accepts the next, or one \
                 blocking read waits for a client that says nothing. Wait for all connections at \
                 once, or give each a thread.",
        chapter: ONE_SLOW_CLIENT,
        in_one_shot: true,
        attempt: neighbours::silent,
        ..PLAIN
    },
    Check {
        name: "half-sent-neighbour",
        tries: "Five clients send half a request; another one asks, and is answered beside them. \
                When the halves are completed, they are answered, too.",
        likely: "After a connection was found readable, the server reads until it has a whole \
                 request. The rest may never come: read once, keep what came, and go back to \
                 waiting.",
        chapter: ZOO,
        needs: &["answers", "greets-once", "asks-again", "byte-by-byte", "silent-neighbour"],
        attempt: neighbours::half_sent,
        ..PLAIN
    },
    Check {
        name: "dribbling-neighbour",
        tries: "A client sends a request a byte at a time, every 20 ms; another one asks, and is \
                answered beside it.",
        likely: "As long as bytes come from one client, the server stays with it; a time-out on \
                 each read does not help, since it begins anew with every byte.",
        chapter: ZOO,
        needs: &[
            "answers",
            "greets-once",
            "asks-again",
            "byte-by-byte",
            "silent-neighbour",
            "half-sent-neighbour",
        ],
        attempt: neighbours::dribbling,
        ..PLAIN
    },
    Check {
        name: "connect-and-close",
        tries: "100 clients connect and go without a word, some at once; then another one asks.",
        likely: "Something is done with a new connection that fails when the client has gone \
                 already (asking for its name, reading its first line), and the error ends the \
                 server. It concerns one connection: close that, and go on.",
        chapter: ZOO,
        in_one_shot: true,
        attempt: hostile::connect_and_close,
        ..PLAIN
    },
    Check {
        name: "resets",
        tries: "30 times clients reset their connections: in the middle of a request, right after a \
                whole one, and while many are being answered. Then another one asks.",
        likely: "ECONNRESET from a read or EPIPE from a write (or SIGPIPE, which ends a process \
                 that does not ignore it) ends the server. Every call on a connection can fail: \
                 close that connection, and go on.",
        chapter: ZOO,
        needs: &["answers", "greets-once", "connect-and-close"],
        in_one_shot: true,
        attempt: hostile::resets,
        ..PLAIN
    },
    Check {
        name: "deaf-replies",
        tries: "A client asks up to 300,000 times before it reads; then it reads every reply, to \
                the byte.",
        likely: "A write to a non-blocking socket takes a part, and says how much; or nothing, and \
                 says EAGAIN (in Python a BlockingIOError). What did not fit was dropped: keep \
                 it, and send it when the socket is writable again, before anything else.",
        chapter: ZOO,
        needs: &["answers", "greets-once", "asks-again", "byte-by-byte", "pipelined"],
        pace: Pace::Heavy,
        attempt: deaf::replies,
        ..PLAIN
    },
    Check {
        name: "deaf-neighbour",
        tries: "A client asks and asks and reads nothing, until nobody takes its requests any \
                more; another one asks, and is answered beside it.",
        likely: "A write blocks because nobody reads: the socket is blocking, or the server waits \
                 until everything is written. Write what fits, keep the rest, and wait for that \
                 socket to be writable together with all others.",
        chapter: ZOO,
        needs: &[
            "answers",
            "greets-once",
            "silent-neighbour",
            "half-sent-neighbour",
            "deaf-replies",
        ],
        pace: Pace::Heavy,
        attempt: deaf::neighbour,
        ..PLAIN
    },
    Check {
        name: "deaf-memory",
        tries: "A client asks up to 300,000 times and reads nothing: the server must stop reading \
                from it before it has kept more than 1 MiB of replies.",
        likely: "The list of what is to be sent grows without a bound, so one client that does \
                 not read fills the memory. Stop reading from a connection as long as it is owed \
                 much (in asyncio `await writer.drain()`, in Node `pause` until `drain`).",
        chapter: ZOO,
        needs: &["answers", "greets-once", "deaf-replies"],
        pace: Pace::Heavy,
        attempt: deaf::memory,
        ..PLAIN
    },
    Check {
        name: "deaf-sleep",
        tries: "While a client does not read, and again after it has read everything, the server \
                sleeps.",
        likely: "Interest in writing was not taken back when everything was sent, so an idle \
                 connection reports for ever that it is writable; or interest in reading was \
                 kept though nothing is read from a client that is owed much.",
        chapter: NO_MESSAGES,
        needs: &["answers", "greets-once", "idle-cost", "deaf-replies"],
        pace: Pace::Heavy,
        attempt: deaf::sleep,
        ..PLAIN
    },
    Check {
        name: "unfinished-line",
        tries: "A client sends a request and half of one, and closes its sending half: both are \
                answered.",
        likely: "At the end of the stream, what is left in the buffer is thrown away. It counts \
                 as a request if it is not empty.",
        chapter: NO_MESSAGES,
        needs: &["answers", "greets-once", "asks-again", "byte-by-byte", "pipelined", "half-close"],
        attempt: stream::unfinished_line,
        ..PLAIN
    },
    Check {
        name: "too-long",
        tries: "A client sends a request and then 100,000 bytes without an LF: it reads the \
                reply, `Request too long!`, and the end, without a reset. 1024 bytes are still a \
                request, with an LF at their end or as a last line without one; 1025 are too \
                long.",
        likely: "The server doesn't count the bytes of a request (without a limit, one client \
                 fills the memory), or its limit is off by one: a request has at most 1024 bytes, \
                 including its LF if it has one. Or the server closes while bytes from the client \
                 are unread. Then the kernel sends a reset, which destroys the last reply: close \
                 only the sending half, and read on until the client closes.",
        chapter: NO_MESSAGES,
        needs: &[
            "answers",
            "greets-once",
            "asks-again",
            "byte-by-byte",
            "pipelined",
            "half-close",
            "unfinished-line",
        ],
        attempt: stream::too_long,
        ..PLAIN
    },
    Check {
        name: "many-connections",
        tries: "1100 clients connect, ask, and stay. If not all are served at once, those who \
                have to wait must be served when others leave.",
        likely: "select(2) can't watch descriptors from 1024 on: an exception at best, else other \
                 memory is overwritten. Leave clients in the backlog when there is no room for \
                 them, and use poll, epoll or kqueue.",
        chapter: SELECT,
        pace: Pace::Heavy,
        attempt: limits::many_connections,
        ..PLAIN
    },
    Check {
        name: "descriptor-limit",
        tries: "The server has 64 descriptors, and 100 clients come: those who fit are answered, \
                the server sleeps, and others are answered when some leave.",
        likely: "accept fails with EMFILE and the client stays in the backlog, so the listener \
                 stays readable: trying again at once spins. Stop watching the listener, and \
                 accept again when a connection closes. The error is no reason to end. (Node \
                 accepts such clients and closes them by itself, and offers no other way.)",
        chapter: ZOO,
        needs: &["answers", "greets-once", "half-close", "idle-cost"],
        descriptor_limit: Some(64),
        pace: Pace::Slow,
        attempt: limits::descriptor_limit,
        ..PLAIN
    },
    Check {
        name: "ctrl-c",
        tries: "Ctrl-C while two clients are here, one that was answered and one that has said \
                nothing: the server ends within 1.5 seconds, with status 0.",
        likely: "Nobody handles SIGINT (in Python a KeyboardInterrupt), so it kills the process, and \
                 what was owed is lost; or the handler only sets a flag, and the call that waits \
                 goes on sleeping; or threads are waited for that wait for their clients. Wake \
                 whoever sleeps, through a pipe that the loop watches or by shutting sockets down.",
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
            for need in check.needs {
                let before = ALL[..position].iter().any(|before| before.name == *need);
                assert!(before, "{} needs {need}", check.name);
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
