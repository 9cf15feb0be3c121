//! A real conversation that takes the same steps as the reference, and is compared with it.

use std::time::{Duration, Instant};

use protocol::{Conversation, Delay, MEMORY_MAX, Terms};

use crate::reference::Reference;
use crate::step::Step;

/// A conversation and the time on its clock.
pub struct Subject {
    conversation: Conversation,
    start: Instant,
    now: Instant,
    /// What the last step's call has returned.
    returned: usize,
}

impl Subject {
    /// On the terms of the reference.
    pub fn new(reference: &Reference) -> Self {
        let terms = Terms {
            protocol: reference.protocol,
            idle_timeout: reference.idle_timeout.map(Duration::from_millis),
            delay: Delay::always(Duration::from_millis(reference.delay)),
        };
        let start = Instant::now();
        Subject { conversation: Conversation::new(terms, 0, start), start, now: start, returned: 0 }
    }

    pub fn take(&mut self, step: &Step) {
        let (conversation, now) = (&mut self.conversation, self.now);
        self.returned = 0;
        match *step {
            Step::Receive { .. } => {
                let bytes = step.bytes(conversation.room());
                self.returned = conversation.receive(&bytes, now);
            }
            Step::End => self.returned = conversation.receive_end(now),
            // What is pending may lie in two pieces.
            Step::Send(mut count) => loop {
                let piece = count.min(conversation.pending().len());
                self.returned += conversation.sent(piece, now);
                count -= piece;
                if count == 0 || conversation.pending().is_empty() {
                    break;
                }
            },
            Step::HalfClose if conversation.half_close_is_due() => conversation.half_closed(now),
            Step::HalfClose => {}
            Step::Wait(time) => self.now += Duration::from_millis(time),
            Step::Expire => conversation.expire(now),
            Step::ExpireAt(offset) => {
                let by = Duration::from_millis(offset.unsigned_abs());
                let at = conversation.deadline().and_then(|deadline| match offset {
                    0.. => deadline.checked_add(by),
                    _ => deadline.checked_sub(by),
                });
                self.now = at.map_or(now, |at| now.max(at));
                conversation.expire(self.now);
            }
            Step::Stop(grace) => conversation.stop(now, now + Duration::from_millis(grace)),
        }
    }

    /// Panics unless the two agree in everything that a server reads from a conversation.
    pub fn compare(&self, reference: &Reference) {
        let conversation = &self.conversation;
        assert_eq!(self.returned, reference.returned, "requests that came, or replies that went");
        assert_eq!(conversation.ending(), reference.ending(), "the ending");
        assert_eq!(conversation.owed(), reference.owed(), "replies owed");
        self.compare_pending(reference.pending());
        assert!(conversation.memory() <= MEMORY_MAX, "{} bytes of memory", conversation.memory());
        if reference.ending().is_some() {
            return; // Nobody asks any more.
        }
        assert_eq!(conversation.interest(), reference.interest(), "the interest");
        assert_eq!(conversation.room(), reference.room(), "the room");
        assert_eq!(
            conversation.half_close_is_due(),
            reference.half_close_is_due(),
            "whether it is time to shut down the sending half"
        );
        assert_eq!(
            conversation.deadline().map(|deadline| deadline - self.start),
            reference.deadline().map(Duration::from_millis),
            "the deadline"
        );
    }

    fn compare_pending(&self, expected: &[u8]) {
        let pending = self.conversation.pending();
        assert!(
            expected.starts_with(pending) && pending.is_empty() == expected.is_empty(),
            "pending is {}, but should begin {}",
            pending.escape_ascii(),
            expected.escape_ascii(),
        );
        let is_whole = pending.len() == expected.len();
        assert_eq!(self.conversation.pending_is_whole(), is_whole, "whether that is all");
    }
}
