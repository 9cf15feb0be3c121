//! A socket whose operations the kernel does, and its conversation.

use std::io::{self, ErrorKind};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use protocol::Conversation;
use server_kit::{Call, Journal, Settings, work};

use crate::buffers::Buffer;
use crate::ring::{OperationId, Ring};

/// A connection of an event loop with completions: when an operation is done, it handles the
/// result, and queues the next operations.
///
/// `server_kit::Connection` makes its calls itself when its socket is ready. This one makes no
/// call but shutdown(2): a receive is always in flight, as long as there is room for its bytes,
/// and a send as long as bytes are pending.
pub(crate) struct Connection {
    socket: Rc<TcpStream>,
    peer: SocketAddr,
    conversation: Conversation,
    work: Duration,
    receiving: Option<OperationId>,
    sending: Option<OperationId>,
    /// How many bytes the last send had.
    given: usize,
    /// Whether the socket had no room for all of them, as far as we know.
    is_full: bool,
    /// Bytes that were received while the conversation had no room for them. The receive is
    /// cancelled then, but before the kernel does that, it may fill all buffers of the pool, and
    /// once more those that were given back meanwhile: a megabyte at most.
    kept: Vec<u8>,
    /// When something last came from the client.
    received_at: Instant,
    /// When the kernel last took bytes for the client.
    sent_at: Instant,
    /// The client has closed its sending half.
    has_ended: bool,
    /// The error of the socket, which then can only be closed.
    failure: Option<io::Error>,
}

impl Connection {
    /// The connection of a client that was accepted.
    pub(crate) fn new(
        stream: TcpStream,
        peer: SocketAddr,
        settings: &Settings,
        now: Instant,
        journal: &mut Journal,
    ) -> Self {
        let number = journal.connected(peer);
        Connection {
            socket: Rc::new(stream),
            peer,
            conversation: Conversation::new(settings.terms(), number, now),
            work: settings.work,
            receiving: None,
            sending: None,
            given: 0,
            is_full: false,
            kept: Vec::new(),
            received_at: now,
            sent_at: now,
            has_ended: false,
            failure: None,
        }
    }

    /// A receive has completed: with bytes, with the end of the input, or with an error.
    pub(crate) fn received(
        &mut self,
        result: io::Result<Option<Buffer>>,
        more: bool,
        mut now: Instant,
        journal: &mut Journal,
    ) {
        if !more {
            self.receiving = None;
        }
        match result {
            Ok(Some(bytes)) => {
                self.received_at = now;
                let taken =
                    if self.kept.is_empty() { self.listen(&bytes, &mut now, journal) } else { 0 };
                self.kept.extend(&bytes[taken..]);
            }
            Ok(None) => {
                self.received_at = now;
                self.has_ended = true;
            }
            Err(error) if is_not_now(&error) => {}
            Err(error) => self.fail(error),
        }
    }

    /// A send has completed: pending bytes have been sent, or a part of them.
    pub(crate) fn sent(&mut self, result: io::Result<usize>, when: Instant, journal: &mut Journal) {
        self.sending = None;
        match result {
            Ok(count) => {
                journal.replied(self.conversation.sent(count, when));
                self.sent_at = self.sent_at.max(when);
                // Not compared with the pending bytes, because more may be pending by now.
                self.is_full = count < self.given;
            }
            // EAGAIN: there is no room in the socket.
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_full = true,
            Err(error) if is_not_now(&error) => {}
            Err(error) => self.fail(error),
        }
    }

    /// The deadline has passed, or may have: releases the replies that are due, or ends the
    /// connection of an idle client.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.conversation.expire(now);
    }

    /// The server is stopping: sends the replies that it owes, until `give_up` at the latest.
    pub(crate) fn stop(&mut self, now: Instant, give_up: Instant) {
        self.conversation.stop(now, give_up);
    }

    /// Queues the next operations.
    pub(crate) fn go_on(
        &mut self,
        key: usize,
        mut now: Instant,
        ring: &mut Ring,
        journal: &mut Journal,
    ) {
        self.listen_to_what_was_kept(&mut now, journal);
        match self.sending {
            None if self.conversation.interest().writable => {
                let (socket, pending) = (Rc::clone(&self.socket), self.conversation.pending());
                self.given = pending.len();
                let send = if self.is_full { Ring::send } else { Ring::send_at_once };
                self.sending = Some(send(ring, key, socket, pending));
                if !self.waits_for_its_client() {
                    ring.hurry();
                }
            }
            // Something else has happened since this send was queued.
            Some(_) => ring.hurry(),
            None => {}
        }
        if self.conversation.half_close_is_due() {
            // This is a call, because for a shutdown that comes through a ring, the kernel creates
            // a thread.
            journal.count(Call::Shutdown);
            match self.socket.shutdown(Shutdown::Write) {
                Ok(()) => self.conversation.half_closed(now),
                Err(error) => self.fail(error),
            }
        }
        let has_room = self.kept.is_empty() && self.conversation.interest().readable;
        match self.receiving {
            None if has_room && !self.has_ended => {
                self.receiving = Some(ring.receive(key, Rc::clone(&self.socket)));
            }
            // Not before bytes have come for which there was no room: most clients send nothing
            // more while they are owed many replies.
            Some(receive) if !self.kept.is_empty() => ring.cancel(receive),
            _ => {}
        }
    }

    /// When to call [`expire`](Self::expire) at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.conversation.deadline()
    }

    /// Whether the conversation is over, or the socket has failed.
    pub(crate) fn is_over(&self) -> bool {
        self.failure.is_some() || self.conversation.ending().is_some()
    }

    /// Cancels the operations in flight; returns whether there are none.
    pub(crate) fn let_go(&mut self, ring: &mut Ring) -> bool {
        let in_flight = [self.receiving, self.sending];
        if self.sending.is_some() {
            ring.hurry();
        }
        in_flight.into_iter().flatten().for_each(|operation| ring.cancel(operation));
        in_flight == [None, None]
    }

    /// Reports why the connection ends, and closes it.
    pub(crate) fn close(self, ring: &mut Ring, journal: &mut Journal) {
        let ending = self.failure.map_or(Ok(self.conversation.ending()), Err);
        journal.closing(self.peer, ending, self.conversation.owed());
        ring.close(self.socket);
    }

    /// The socket has failed, so the connection ends. Only the first error is reported: it causes
    /// the others.
    fn fail(&mut self, error: io::Error) {
        self.failure.get_or_insert(error);
    }

    /// Whether, once the pending bytes are sent, there is nothing to do until the client sends
    /// something.
    fn waits_for_its_client(&self) -> bool {
        let interest = self.conversation.interest();
        interest.readable
            && self.conversation.pending_is_whole()
            && self.kept.is_empty()
            && !self.has_ended
    }

    /// Passes received bytes to the conversation, as many as it has room for. Returns how many, and
    /// advances the time if they caused work.
    fn listen(&mut self, bytes: &[u8], now: &mut Instant, journal: &mut Journal) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && self.conversation.interest().readable {
            let room = self.conversation.room().min(bytes.len() - taken);
            let piece = &bytes[taken..][..room];
            let requests = self.conversation.receive(piece, *now);
            journal.received(piece, requests);
            if work(requests, self.work, journal) {
                *now = Instant::now();
            }
            taken += room;
        }
        taken
    }

    fn listen_to_what_was_kept(&mut self, now: &mut Instant, journal: &mut Journal) {
        // A send may be reported late, and only then we know that there is room. The kept bytes
        // count as received when there was room.
        let mut at = self.received_at.max(self.sent_at);
        let mut kept = mem::take(&mut self.kept);
        if !kept.is_empty() {
            let taken = self.listen(&kept, &mut at, journal);
            if taken < kept.len() {
                kept.drain(..taken);
                self.kept = kept;
            }
        }
        let is_last = self.has_ended && self.kept.is_empty();
        if is_last && self.conversation.interest().readable {
            let requests = self.conversation.receive_end(at);
            journal.received(&[], requests);
            if work(requests, self.work, journal) {
                at = Instant::now();
            }
        }
        *now = at.max(*now);
    }
}

/// Whether this isn't an error, but means "not now": queue the operation again when it is time.
/// ECANCELED: we have cancelled it. ENOBUFS: no buffer was left; all of them are back when this
/// turn is over. ENOMEM: the kernel had no memory for the operation, and the loop rests
/// (`Ring::is_without_memory`). EINTR: a signal came first.
fn is_not_now(error: &io::Error) -> bool {
    let again = [Errno::ECANCELED, Errno::ENOBUFS, Errno::ENOMEM, Errno::EINTR];
    error.raw_os_error().is_some_and(|code| again.contains(&Errno::from_raw(code)))
}
