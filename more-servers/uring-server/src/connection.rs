//! A socket that the kernel serves, and its conversation.

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

/// A connection as a loop of completions has it: told what has been done, it answers, and
/// queues what is to be done next.
///
/// `server_kit::Connection` makes its calls itself when it is told that its socket is ready.
/// This one makes none but shutdown(2): a receive is always on its way, as long as there is
/// room for what it brings, and a send as long as something is pending.
pub(crate) struct Connection {
    socket: Rc<TcpStream>,
    peer: SocketAddr,
    conversation: Conversation,
    work: Duration,
    receiving: Option<OperationId>,
    sending: Option<OperationId>,
    /// How many bytes the last send was given.
    given: usize,
    /// The socket had no room for all of them, as far as is known.
    is_full: bool,
    /// What has been received when the conversation had no room for it. The receive is
    /// cancelled then, but may have filled every buffer that there is before the kernel hears
    /// of it, and once more those that were given back meanwhile: a megabyte at the very most.
    kept: Vec<u8>,
    /// When something last came from the client.
    heard_at: Instant,
    /// When the kernel last took something for the client.
    sent_at: Instant,
    /// The client has sent its last byte.
    has_ended: bool,
    /// What went wrong with the socket: then it can only be closed.
    failure: Option<io::Error>,
}

impl Connection {
    /// Takes a client in.
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
            heard_at: now,
            sent_at: now,
            has_ended: false,
            failure: None,
        }
    }

    /// Something has been received, or the end, or nothing more will be by this operation.
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
                self.heard_at = now;
                let taken =
                    if self.kept.is_empty() { self.listen(&bytes, &mut now, journal) } else { 0 };
                self.kept.extend(&bytes[taken..]);
            }
            Ok(None) => {
                self.heard_at = now;
                self.has_ended = true;
            }
            Err(error) if is_not_now(&error) => {}
            Err(error) => self.fail(error),
        }
    }

    /// What was pending has been sent, or a part of it.
    pub(crate) fn sent(&mut self, result: io::Result<usize>, when: Instant, journal: &mut Journal) {
        self.sending = None;
        match result {
            Ok(count) => {
                journal.replied(self.conversation.sent(count, when));
                self.sent_at = self.sent_at.max(when);
                // More may be pending, which has come about since.
                self.is_full = count < self.given;
            }
            // EAGAIN: there is no room in the socket.
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_full = true,
            Err(error) if is_not_now(&error) => {}
            Err(error) => self.fail(error),
        }
    }

    /// The deadline has passed, or perhaps has: releases the replies whose time has come, or
    /// gives the client up.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.conversation.expire(now);
    }

    /// The server stops: sends the replies owed, until `give_up` at the latest.
    pub(crate) fn stop(&mut self, now: Instant, give_up: Instant) {
        self.conversation.stop(now, give_up);
    }

    /// Queues what is to be done next.
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
            // More has come since.
            Some(_) => ring.hurry(),
            None => {}
        }
        if self.conversation.half_close_is_due() {
            // A call of its own: the kernel leaves a shutdown that comes through a ring to
            // another thread, which it creates for that.
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
            // Not before something has come that there was no room for: most clients send
            // nothing more when they are owed much.
            Some(receive) if !self.kept.is_empty() => ring.cancel(receive),
            _ => {}
        }
    }

    /// When to call [`expire`](Self::expire) at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.conversation.deadline()
    }

    /// Whether all is said, or nothing can be said any more.
    pub(crate) fn is_over(&self) -> bool {
        self.failure.is_some() || self.conversation.ending().is_some()
    }

    /// Cancels what is in flight; returns whether nothing is.
    pub(crate) fn let_go(&mut self, ring: &mut Ring) -> bool {
        let in_flight = [self.receiving, self.sending];
        if self.sending.is_some() {
            ring.hurry();
        }
        in_flight.into_iter().flatten().for_each(|operation| ring.cancel(operation));
        in_flight == [None, None]
    }

    /// Tells why the connection ends, and closes it.
    pub(crate) fn farewell(self, ring: &mut Ring, journal: &mut Journal) {
        let ending = self.failure.map_or(Ok(self.conversation.ending()), Err);
        journal.closing(self.peer, ending, self.conversation.owed());
        ring.close(self.socket);
    }

    /// Something went wrong with the socket, so the connection ends. Only the first such
    /// error is told: the others come of it.
    fn fail(&mut self, error: io::Error) {
        self.failure.get_or_insert(error);
    }

    /// Whether there is nothing to do, once what is pending is sent, until the client speaks.
    fn waits_for_its_client(&self) -> bool {
        let interest = self.conversation.interest();
        interest.readable
            && self.conversation.pending_is_whole()
            && self.kept.is_empty()
            && !self.has_ended
    }

    /// Tells the conversation what the client says, as far as there is room for it. Returns
    /// how many bytes that was; the time goes on if they were work.
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
        // A send may be reported late, and only then is it known that there is room. What was kept
        // counts from when there was.
        let mut at = self.heard_at.max(self.sent_at);
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

/// ECANCELED: we have asked for it. ENOBUFS: no buffer was left; all of them are back when
/// this turn is over. ENOMEM: the kernel had no memory for the operation, and the loop rests
/// (`Ring::is_without_memory`). EINTR: a signal came first. All mean: queue it again when it is
/// time.
fn is_not_now(error: &io::Error) -> bool {
    let again = [Errno::ECANCELED, Errno::ENOBUFS, Errno::ENOMEM, Errno::EINTR];
    error.raw_os_error().is_some_and(|code| again.contains(&Errno::from_raw(code)))
}
