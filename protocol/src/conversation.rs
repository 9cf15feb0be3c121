//! The server's side of the conversation on one connection, as a state machine.
//!
//! ```text
//!          the client has ended,                   everything
//!          or has sent its one request             owed is sent
//!  Open ────────────────────────────────> Closing ─────────────> Over
//!    │                                       ^                     ^
//!    │ a request was too long,               │ the client          │ time is up
//!    │ or the server is stopping             │ has ended           │ (anywhere)
//!    └───────────────────────────────> Lingering ──────────────────┘
//! ```
//!
//! *Lingering* makes sure that the server's last reply arrives. If the server closed its socket
//! while bytes from the client are still unread, the kernel would send a reset, and the reset can
//! destroy the last reply on its way (RFC 1122, 4.2.2.13). So the server closes only its sending
//! half, and discards what still comes until the client closes, too. nginx does the same and calls
//! it `lingering_close`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::delay::{Delay, Dice};
use crate::{Protocol, REQUEST_MAX, TOO_LONG};

/// The most bytes of replies that are owed to one client, delayed ones included.
///
/// While more than half of this is owed, the server reads no more requests from that client
/// (*backpressure*): a non-reading client must not fill the server's memory. 64 KiB are some 3400
/// replies, more than any client in this workspace requests in one go.
pub const PENDING_MAX: usize = 64 * 1024;

/// The most memory that a conversation holds in addition to its own size, in bytes.
///
/// The queues double when they grow, hence the factors of two: [`PENDING_MAX`] bytes to send and,
/// in a server that delays its replies, one entry for each delayed reply.
///
/// Left out: the queues keep their size until the connection ends, so a client that was once owed
/// a lot goes on costing that much memory. Giving it back would mean allocating it again for the
/// next burst.
pub const MEMORY_MAX: usize =
    2 * PENDING_MAX + 2 * (PENDING_MAX / REPLY_MAX) * size_of::<Delayed>();

/// How long, in total, the server waits for the client to close after the last reply. If a slow
/// client sends something later, the kernel sends a reset, and that reply may be lost.
///
/// nginx waits 5 seconds for each piece (`lingering_timeout`) and 30 in total.
const LINGER: Duration = Duration::from_secs(5);

/// The longest reply, in bytes: the greeting of [`Protocol::Lines`].
const REPLY_MAX: usize = 19;

/// What the server offers to its clients.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// How requests and replies are separated.
    pub protocol: Protocol,
    /// How long nothing may move before the server closes the connection; `None`: no limit.
    ///
    /// While a reply waits for its [`Delay`], the time doesn't count.
    pub idle_timeout: Option<Duration>,
    /// How long each reply waits before it may be sent.
    pub delay: Delay,
}

/// What the socket of a conversation has to be watched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Wake the server when there is something to read.
    pub readable: bool,
    /// Wake the server when there is room to send.
    pub writable: bool,
}

/// Why a conversation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every request got its reply.
    Complete,
    /// A request was longer than [`REQUEST_MAX`].
    TooLong,
    /// Nothing moved for [`Terms::idle_timeout`], although the server was not stopping and had not
    /// sent its last reply.
    Idle,
    /// The server is stopping.
    Stopped,
}

/// The conversation on one connection, on the server's side; see the picture of the module.
///
/// A server that drives it follows one rule: after each call, send what is [`pending`], close the
/// sending half when [`half_close_is_due`], and stop when there is an [`ending`]; otherwise wait
/// for what [`interest`] says, until the [`deadline`] at the latest.
///
/// ```
/// use protocol::{Conversation, Terms};
/// use std::time::Instant;
///
/// let now = Instant::now();
/// let mut conversation = Conversation::new(Terms::default(), 0, now);
/// assert_eq!(conversation.receive(b"hello fr", now), 0);
/// assert_eq!(conversation.receive(b"om client number 0\n", now), 1);
/// assert_eq!(conversation.pending(), b"Hello from server!\n");
/// assert_eq!(conversation.sent(19, now), 1);
/// assert_eq!(conversation.ending(), None); // the client may send another request
/// ```
///
/// [`pending`]: Conversation::pending
/// [`half_close_is_due`]: Conversation::half_close_is_due
/// [`ending`]: Conversation::ending
/// [`interest`]: Conversation::interest
/// [`deadline`]: Conversation::deadline
pub struct Conversation {
    terms: Terms,
    phase: Phase,
    /// How many bytes of an unfinished request have arrived.
    unfinished: usize,
    /// Replies that are not due yet, in the order of the requests.
    delayed: VecDeque<Delayed>,
    /// Bytes that may be sent now.
    pending: VecDeque<u8>,
    /// Replies that are not completely sent, whether delayed or pending.
    owed: usize,
    half_closed: bool,
    /// When something last moved: bytes in either direction, the end of the input, or a reply that
    /// was delayed until then.
    last_moved: Instant,
    /// When to close, even if replies are still owed.
    give_up: Option<Instant>,
    dice: Dice,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Requests are accepted.
    Open,
    /// No more input is accepted; what is owed is sent.
    Closing(Ending),
    /// No more requests are accepted; what is owed is sent, input is discarded.
    Lingering(Ending),
    Over(Ending),
}

struct Delayed {
    due: Instant,
    reply: &'static [u8],
}

impl Conversation {
    /// A conversation that begins `now`; `seed` makes its delays repeatable.
    pub fn new(terms: Terms, seed: u64, now: Instant) -> Self {
        Conversation {
            terms,
            phase: Phase::Open,
            unfinished: 0,
            delayed: VecDeque::new(),
            pending: VecDeque::new(),
            owed: 0,
            half_closed: false,
            last_moved: now,
            give_up: None,
            dice: Dice::new(seed),
        }
    }

    /// How many bytes [`receive`](Self::receive) accepts now.
    ///
    /// Their replies fit into [`PENDING_MAX`], even if every byte is a request.
    pub fn room(&self) -> usize {
        match self.phase {
            Phase::Open => match self.terms.protocol {
                Protocol::Lines => (PENDING_MAX - self.owed_bytes()) / REPLY_MAX,
                Protocol::OneShot => REQUEST_MAX,
            },
            Phase::Lingering(_) => usize::MAX,
            Phase::Closing(_) | Phase::Over(_) => 0,
        }
    }

    /// Takes bytes from the client, at most [`room`](Self::room) of them, and returns the
    /// number of requests that they complete.
    ///
    /// Only the length of a request matters in this protocol, so none of its bytes is kept.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) -> usize {
        debug_assert!(bytes.len() <= self.room());
        if bytes.is_empty() {
            return 0; // Nothing has moved.
        }
        self.moved(now);
        if self.phase != Phase::Open {
            return 0;
        }
        if self.terms.protocol == Protocol::OneShot {
            self.answer(self.terms.protocol.reply(), now);
            self.enter(Phase::Closing(Ending::Complete));
            return 1;
        }
        let mut requests = 0;
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.unfinished += piece.len();
            if self.unfinished > REQUEST_MAX {
                requests += 1;
                self.answer(TOO_LONG, now);
                self.enter(Phase::Lingering(Ending::TooLong));
                break;
            }
            if piece.ends_with(b"\n") {
                requests += 1;
                self.unfinished = 0;
                self.answer(self.terms.protocol.reply(), now);
            }
        }
        requests
    }

    /// The client has closed its sending half (or its socket). Returns 1 if that turned the bytes
    /// after the last LF into a request, otherwise 0.
    pub fn receive_end(&mut self, now: Instant) -> usize {
        let mut requests = 0;
        let ending = match self.phase {
            Phase::Open if self.unfinished > 0 => {
                requests = 1;
                self.unfinished = 0;
                self.answer(self.terms.protocol.reply(), now);
                Ending::Complete
            }
            Phase::Open => Ending::Complete,
            Phase::Lingering(ending) => ending,
            Phase::Closing(_) | Phase::Over(_) => return 0, // It is known already.
        };
        self.moved(now);
        self.enter(Phase::Closing(ending));
        requests
    }

    /// The bytes to send now, as many as are contiguous in memory.
    pub fn pending(&self) -> &[u8] {
        self.pending.as_slices().0
    }

    /// Whether [`pending`](Self::pending) returns all bytes to send now.
    pub fn pending_is_whole(&self) -> bool {
        self.pending.as_slices().1.is_empty()
    }

    /// The first `count` bytes of [`pending`](Self::pending) were sent at the time `now`, which may
    /// be in the past. Returns how many replies they complete.
    pub fn sent(&mut self, count: usize, now: Instant) -> usize {
        if count == 0 {
            return 0; // Nothing has moved.
        }
        self.moved(now);
        let replies = if count == self.pending.len() {
            self.pending.clear();
            self.owed - self.delayed.len()
        } else {
            // Only whole replies count, and each ends with LF. (In one-shot it doesn't, but there
            // is only one, and it is whole when nothing is left.)
            self.pending.drain(..count).filter(|&byte| byte == b'\n').count()
        };
        self.owed -= replies;
        self.enter(self.phase);
        replies
    }

    /// Whether it is time to shut down the sending half of the socket, to be reported with
    /// [`half_closed`](Self::half_closed).
    pub fn half_close_is_due(&self) -> bool {
        matches!(self.phase, Phase::Lingering(_)) && self.owed == 0 && !self.half_closed
    }

    /// The sending half is shut down, so the server can't send any more.
    pub fn half_closed(&mut self, now: Instant) {
        self.half_closed = true;
        self.give_up_at(later(now, LINGER));
    }

    /// What the socket should be watched for.
    pub fn interest(&self) -> Interest {
        Interest {
            readable: match self.phase {
                // Not before half of the space is free. Otherwise the server would make a call for
                // each byte, as soon as there is room for one more reply.
                Phase::Open => self.owed_bytes() <= PENDING_MAX / 2,
                // Replies come first: the server doesn't read from a non-reading client.
                Phase::Lingering(_) => self.owed == 0,
                Phase::Closing(_) | Phase::Over(_) => false,
            },
            writable: !self.pending.is_empty(),
        }
    }

    /// When to call [`expire`](Self::expire) at the latest, if nothing moves before.
    pub fn deadline(&self) -> Option<Instant> {
        let next_reply = self.delayed.front().map(|delayed| delayed.due);
        let idle = match self.terms.idle_timeout {
            Some(timeout) if self.delayed.is_empty() => Some(later(self.last_moved, timeout)),
            _ => None,
        };
        [next_reply, idle, self.give_up].into_iter().flatten().min()
    }

    /// Does what is due `now`: releases delayed replies, or ends the conversation with an idle
    /// client. Before the [`deadline`](Self::deadline) it does nothing, so calling it too early
    /// does no harm.
    pub fn expire(&mut self, now: Instant) {
        while self.delayed.front().is_some_and(|delayed| delayed.due <= now) {
            self.release_one(now);
        }
        if self.ending().is_none() && self.deadline().is_some_and(|deadline| deadline <= now) {
            // No reply is due any more, so one of the other two deadlines has passed.
            self.phase = Phase::Over(match self.phase {
                Phase::Lingering(ending) | Phase::Closing(ending) if self.give_up.is_some() => {
                    ending
                }
                _ => Ending::Idle,
            });
        }
    }

    /// The server is stopping: no more requests are accepted, delayed replies are released, and
    /// what is not sent by `give_up` never will be. If the conversation would have ended before
    /// that, it still does.
    pub fn stop(&mut self, now: Instant, give_up: Instant) {
        while !self.delayed.is_empty() {
            self.release_one(now);
        }
        self.give_up_at(give_up);
        self.phase = match self.phase {
            Phase::Open => Phase::Lingering(Ending::Stopped),
            Phase::Closing(Ending::Complete) => Phase::Closing(Ending::Stopped),
            phase => phase,
        };
    }

    /// Why it is over, once it is.
    pub fn ending(&self) -> Option<Ending> {
        match self.phase {
            Phase::Over(ending) => Some(ending),
            _ => None,
        }
    }

    /// How many replies are not completely sent yet.
    pub fn owed(&self) -> usize {
        self.owed
    }

    /// The memory that the conversation holds in addition to its own size, in bytes: at most
    /// [`MEMORY_MAX`].
    pub fn memory(&self) -> usize {
        self.pending.capacity() + self.delayed.capacity() * size_of::<Delayed>()
    }

    fn answer(&mut self, reply: &'static [u8], now: Instant) {
        self.owed += 1;
        let delay = self.terms.delay.draw(&mut self.dice);
        if delay.is_zero() && self.delayed.is_empty() {
            self.pending.extend(reply);
            return;
        }
        // Replies keep the order of their requests: only the first one in the queue counts, and one
        // that is due earlier is released together with those before it.
        self.delayed.push_back(Delayed { due: later(now, delay), reply });
    }

    /// Ends the conversation at this time, unless an earlier one is set.
    fn give_up_at(&mut self, at: Instant) {
        self.give_up = Some(self.give_up.map_or(at, |earlier| earlier.min(at)));
    }

    /// Movements may be reported out of order: the time never goes back.
    fn moved(&mut self, now: Instant) {
        self.last_moved = self.last_moved.max(now);
    }

    fn release_one(&mut self, now: Instant) {
        if let Some(delayed) = self.delayed.pop_front() {
            self.pending.extend(delayed.reply);
            self.last_moved = now;
        }
    }

    /// Changes to `phase`, and from `Closing` to `Over` when nothing is owed.
    fn enter(&mut self, phase: Phase) {
        self.phase = match phase {
            Phase::Closing(ending) if self.owed == 0 => Phase::Over(ending),
            phase => phase,
        };
    }

    fn owed_bytes(&self) -> usize {
        self.pending.len() + self.delayed.len() * REPLY_MAX
    }
}

/// `now + by`. If an `Instant` can't represent that, it is 30 years away, which is never.
fn later(now: Instant, by: Duration) -> Instant {
    const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    now.checked_add(by).unwrap_or_else(|| now + NEVER)
}
