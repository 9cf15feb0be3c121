//! What can happen to a conversation: each step makes sense at any time, so that the rest still
//! works when steps are removed or changed.

use std::fmt;

/// The most bytes that arrive in one go: what the servers read at once.
const READ_MAX: usize = 4096;

/// One thing that happens. Times are milliseconds.
#[derive(Clone, Copy)]
pub enum Step {
    /// This many lines arrive, each of this many bytes and an LF, and the rest without an LF; or as
    /// many of these bytes as there is room for.
    Receive { lines: usize, length: usize, rest: usize },
    /// The client closes its sending half, if it has not.
    End,
    /// The socket takes this many bytes, or what is pending in one piece.
    Send(usize),
    /// The sending half is shut down, if that is due.
    HalfClose,
    /// Time passes, and the server doesn't check it.
    Wait(u64),
    /// The server checks the time, whether or not anything is due.
    Expire,
    /// The server checks the time this long after the deadline, or (if negative) before it.
    ExpireAt(i64),
    /// The server stops, and gives up after this time.
    Stop(u64),
}

impl Step {
    /// The bytes that arrive if there is this much room.
    pub fn bytes(&self, room: usize) -> Vec<u8> {
        let Step::Receive { lines, length, rest } = *self else { return Vec::new() };
        let mut bytes = [b"x".repeat(length), b"\n".to_vec()].concat().repeat(
            // Not thousands of long lines, just to cut them off.
            lines.min(READ_MAX / (length + 1) + 1),
        );
        bytes.extend(b"x".repeat(rest));
        bytes.truncate(room.min(READ_MAX));
        bytes
    }
}

/// In words, and always in one line, so that a failing sequence is easy to read.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Step::Receive { lines: 0, rest: 0, .. } => write!(f, "nothing comes"),
            Step::Receive { lines: 0, rest, .. } => write!(f, "{rest} bytes come"),
            Step::Receive { lines, length, rest } => {
                write!(f, "{lines} lines of {length} bytes come, and {rest} bytes")
            }
            Step::End => write!(f, "the client ends"),
            Step::Send(count) => write!(f, "{count} bytes are sent"),
            Step::HalfClose => write!(f, "the sending half is shut down if that is due"),
            Step::Wait(time) => write!(f, "{time} ms pass"),
            Step::Expire => write!(f, "look at the clock"),
            Step::ExpireAt(offset) => {
                write!(f, "look at the clock, {offset} ms after the deadline")
            }
            Step::Stop(grace) => write!(f, "stop, and give up after {grace} ms"),
        }
    }
}
