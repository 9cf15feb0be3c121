//! What a conversation must do, written as simply as possible: lists that only grow, from which
//! everything is computed again each time.
//!
//! It is written from the description (the book's page on the protocol, and the comments of
//! `Conversation`), not from the code, and its numbers and texts are repeated here: a test fails if
//! one of them is changed by mistake. Time is a number of milliseconds.

use std::fmt;

use protocol::{Ending, Interest, Protocol};

use crate::step::Step;

const REQUEST_MAX: usize = 1024;
const PENDING_MAX: usize = 65_536;
const REPLY_MAX: usize = 19;
const LINGER: u64 = 5000;

/// One conversation, as the description has it.
#[derive(Clone)]
pub struct Reference {
    /// The terms, with the same delay for every reply.
    pub protocol: Protocol,
    pub delay: u64,
    pub idle_timeout: Option<u64>,

    pub now: u64,
    /// What the last step's call must have returned: how many requests were received, or replies
    /// sent.
    pub returned: usize,

    /// Every byte that arrived while requests were accepted.
    input: Vec<u8>,
    /// The client has closed its sending half.
    has_ended: bool,
    /// The reply to each request, and when it is due.
    replies: Vec<(u64, &'static [u8])>,
    /// How many of these replies have been due.
    released: usize,
    /// All bytes of these, and how many of them are sent.
    output: Vec<u8>,
    sent: usize,
    /// When something last moved: bytes, the end of the input, or a reply that became due.
    moved: u64,
    /// When the sending half was shut down.
    half_closed: Option<u64>,
    /// Set when the server is stopping: when it gives up.
    stopped: Option<u64>,
    ending: Option<Ending>,
}

impl Reference {
    pub fn new(protocol: Protocol, delay: u64, idle_timeout: Option<u64>) -> Self {
        Reference {
            protocol,
            delay,
            idle_timeout,
            now: 0,
            returned: 0,
            input: Vec::new(),
            has_ended: false,
            replies: Vec::new(),
            released: 0,
            output: Vec::new(),
            sent: 0,
            moved: 0,
            half_closed: None,
            stopped: None,
            ending: None,
        }
    }

    pub fn take(&mut self, step: &Step) {
        let replies_before = self.replies.len();
        let finished_before = self.finished();
        match *step {
            Step::Receive { .. } => self.receive(&step.bytes(self.room())),
            Step::End if self.is_heard() => {}
            Step::End => {
                self.moved = self.now;
                // What arrives while no requests are accepted, including the end, is no request.
                self.has_ended = true;
                if !self.has_last_word() {
                    self.answer();
                }
            }
            Step::Send(count) => self.send(count),
            Step::HalfClose if self.half_close_is_due() => self.half_closed = Some(self.now),
            Step::HalfClose => {}
            Step::Wait(time) => self.now += time,
            Step::Expire => self.expire(),
            Step::ExpireAt(offset) => {
                let at =
                    self.deadline().map_or(0, |deadline| deadline.saturating_add_signed(offset));
                self.now = self.now.max(at);
                self.expire();
            }
            Step::Stop(grace) => {
                let give_up = self.now + grace;
                self.stopped = Some(self.stopped.unwrap_or(give_up).min(give_up));
                self.release(|_| true);
            }
        }
        // If the input has ended and every reply is sent, the conversation is over.
        if self.is_heard() && self.owed() == 0 {
            self.ending.get_or_insert(self.reason());
        }
        self.returned = match step {
            Step::Send(_) => self.finished() - finished_before,
            _ => self.replies.len() - replies_before,
        };
    }

    /// How many bytes are accepted: so many that their replies fit into what may be owed, even if
    /// each byte is a request. Input that is discarded has no limit.
    pub fn room(&self) -> usize {
        if self.is_heard() {
            0
        } else if self.has_last_word() {
            usize::MAX
        } else if self.protocol == Protocol::OneShot {
            REQUEST_MAX
        } else {
            (PENDING_MAX - self.owed_bytes()) / REPLY_MAX
        }
    }

    pub fn interest(&self) -> Interest {
        let readable = if self.is_heard() {
            false
        } else if self.has_last_word() {
            self.owed() == 0
        } else {
            self.owed_bytes() <= PENDING_MAX / 2
        };
        Interest { readable, writable: !self.pending().is_empty() }
    }

    pub fn pending(&self) -> &[u8] {
        &self.output[self.sent..]
    }

    /// How many replies are not sent to their last byte.
    pub fn owed(&self) -> usize {
        self.replies.len() - self.finished()
    }

    /// Delayed replies are owed, too.
    pub fn owed_bytes(&self) -> usize {
        self.replies.iter().map(|(_, text)| text.len()).sum::<usize>() - self.sent
    }

    pub fn half_close_is_due(&self) -> bool {
        let has_said_it = self.has_last_word() && self.owed() == 0;
        has_said_it && !self.is_heard() && self.half_closed.is_none()
    }

    pub fn deadline(&self) -> Option<u64> {
        let next_reply = self.replies.get(self.released).map(|&(due, _)| due);
        let idle = match next_reply {
            None => self.idle_timeout.map(|timeout| self.moved + timeout),
            Some(_) => None,
        };
        let has_lingered = self.half_closed.map(|at| at + LINGER);
        [next_reply, idle, self.stopped, has_lingered].into_iter().flatten().min()
    }

    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    // What follows is for generating steps that reach an edge that chance alone would hardly ever
    // meet.

    /// This many bytes make the unfinished request as long as a request may be.
    pub fn bytes_to_longest(&self) -> usize {
        let unfinished = self.input.iter().rev().take_while(|&&byte| byte != b'\n').count();
        REQUEST_MAX.saturating_sub(unfinished)
    }

    /// The replies to this many requests are half of what may be owed, or little more.
    pub fn requests_to_half(&self) -> usize {
        (PENDING_MAX / 2).saturating_sub(self.owed_bytes()).div_ceil(REPLY_MAX)
    }

    /// When this many bytes are sent, just half of what may be owed is left.
    pub fn bytes_to_half(&self) -> usize {
        self.owed_bytes().saturating_sub(PENDING_MAX / 2)
    }

    pub fn has_nothing_delayed(&self) -> bool {
        self.released == self.replies.len()
    }

    fn receive(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return; // Nothing has moved.
        }
        self.moved = self.now;
        if !self.has_last_word() {
            self.input.extend_from_slice(bytes);
            self.answer();
        }
    }

    fn send(&mut self, count: usize) {
        let count = count.min(self.pending().len());
        if count > 0 {
            self.moved = self.now;
            self.sent += count;
        }
    }

    fn expire(&mut self) {
        let now = self.now;
        self.release(|due| due <= now);
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            let was_said = self.half_closed.is_some() || self.stopped.is_some();
            let ending = if was_said { self.reason() } else { Ending::Idle };
            self.ending.get_or_insert(ending);
        }
    }

    /// Replies to all requests received that have no reply yet.
    fn answer(&mut self) {
        let texts = replies_to(&self.input, self.protocol, self.has_ended);
        for text in &texts[self.replies.len()..] {
            self.replies.push((self.now + self.delay, text));
        }
        if self.delay == 0 {
            self.release(|_| true);
        }
    }

    /// Releases the replies that are due, in their order.
    fn release(&mut self, is_due: impl Fn(u64) -> bool) {
        while let Some(&(due, text)) = self.replies.get(self.released)
            && is_due(due)
        {
            self.released += 1;
            self.output.extend_from_slice(text);
            self.moved = self.now;
        }
    }

    /// Nothing more is read: the input has ended, or the conversation is over.
    fn is_heard(&self) -> bool {
        let has_asked = self.protocol == Protocol::OneShot && !self.input.is_empty();
        self.has_ended || has_asked || self.ending.is_some()
    }

    /// No more requests are accepted.
    fn has_last_word(&self) -> bool {
        self.is_refused() || self.stopped.is_some()
    }

    fn is_refused(&self) -> bool {
        self.replies.last().is_some_and(|(_, text)| text.starts_with(b"Request"))
    }

    /// Why it ends, unless the server gives up.
    fn reason(&self) -> Ending {
        if self.is_refused() {
            Ending::TooLong
        } else if self.stopped.is_some() {
            Ending::Stopped
        } else {
            Ending::Complete
        }
    }

    /// How many replies are sent to their last byte.
    fn finished(&self) -> usize {
        let mut end = 0;
        let ends = self.replies.iter().map(|(_, text)| {
            end += text.len();
            end
        });
        ends.take_while(|&end| end <= self.sent).count()
    }
}

/// The terms: a failing sequence is printed with the reference that it began with.
impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reference { protocol, delay, idle_timeout, .. } = self;
        write!(f, "{protocol}, replies delayed by {delay} ms, time-out in ms: {idle_timeout:?}")
    }
}

/// The replies to everything that a client has sent.
fn replies_to(input: &[u8], protocol: Protocol, has_ended: bool) -> Vec<&'static [u8]> {
    if protocol == Protocol::OneShot {
        return if input.is_empty() { vec![] } else { vec![b"Hello from server!"] };
    }
    let mut replies: Vec<&'static [u8]> = Vec::new();
    for line in input.split_inclusive(|&byte| byte == b'\n') {
        if line.len() > REQUEST_MAX {
            replies.push(b"Request too long!\n");
            break;
        }
        if line.ends_with(b"\n") || has_ended {
            replies.push(b"Hello from server!\n");
        }
    }
    replies
}
