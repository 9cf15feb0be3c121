//! What the flood reports while it goes on.

use std::time::Instant;

use crate::phase::Phase;
use crate::report::{Failure, Report};

/// What happens in a flood, reported while it goes on. Clients are numbered from 0.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A client enters another phase. The first phase of each client is [`Phase::Connecting`].
    Entered {
        /// Its number.
        client: usize,
        /// The phase.
        phase: Phase,
        /// When it began.
        at: Instant,
    },
    /// A client is connected.
    Connected {
        /// Its number.
        client: usize,
    },
    /// A client has read these bytes. They are not checked yet.
    Received {
        /// Its number.
        client: usize,
        /// Perhaps only a part of a reply.
        bytes: &'a [u8],
    },
    /// A client has got a whole reply, in which every byte is right.
    Answered {
        /// Its number.
        client: usize,
    },
    /// Something went wrong for a client, and its connection is closed.
    Failed {
        /// Its number.
        client: usize,
        /// What went wrong.
        failure: &'a Failure,
    },
    /// A client has done everything that it had to do, and its connection is closed.
    Closed {
        /// Its number.
        client: usize,
        /// When.
        at: Instant,
    },
    /// Some time has passed: the report so far, about ten times a second, whatever else happens.
    Tick(&'a Report),
}
