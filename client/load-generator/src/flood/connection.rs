//! One client of the crowd: its socket, how far it is, and what it does next.
//!
//! ```text
//!  Connecting ──> Held ──> Sending <──> Blocked
//!                            │  ^
//!                            v  │
//!                  AwaitingReply│
//!                            │  │
//!                            v  │
//!                      Reading  │
//!                            │  │
//!                            ├──┤ asks again, at once
//!                            ├──┴─ Resting: thinks, or the plan says later
//!                            v
//!                  AwaitingEnd
//! ```
//!
//! A silent client rests from the beginning. A vanishing one is closed instead of sending, a
//! resetting one in the middle of it. A deaf one is blocked, or rests when it has sent
//! everything, until it is told to listen.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use polling::{Event, Poller};
use protocol::Protocol;
use socket2::{Domain, Socket, Type};

use super::errors::{cannot_connect, failure, is_not_now, is_under_way};
use super::outbox::Outbox;
use super::plan::Plan;
use super::record::Record;
use super::watched::Watched;
use super::{Client, Latency};
use crate::crowd::Crowd;
use crate::expected::Expected;
use crate::kind::Kind;
use crate::phase::Phase;
use crate::report::{Failure, Stage};

/// How much is read in one go: some 200 replies, more than most clients here ever ask for
/// before they read.
const READ_SIZE: usize = 4096;

/// The receive buffer that a deaf client asks for, in bytes. The kernel makes it as small as
/// it allows (socket(7), `SO_RCVBUF`).
const DEAF_BUFFER: usize = 4096;

/// The receive buffer of a deaf client that has begun to read, in bytes: room for several of
/// the largest segments of loopback.
const LISTENING_BUFFER: usize = 1 << 20;

/// How much a deaf client sends at most, in bytes: several times what the kernels keep
/// between client and server, so that only a server that takes everything gets it all.
const DEAF_MOST: usize = 64 << 20;

/// After so long without room in the socket, nothing on the way to the server moves any more.
const FULL_AFTER: Duration = Duration::from_millis(200);

/// What becomes of a connection after a step.
pub(super) enum Next {
    /// It has come about just now.
    Connected,
    GoOn,
    /// It has done all that it was to do.
    Close,
}

/// Why a client does not read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Deafness {
    /// It does read.
    None,
    /// It is deaf, and not through with what it has to send.
    Sends,
    /// It is deaf, and can do nothing more before it reads.
    Waits,
}

pub(super) struct Connection<'a> {
    pub(super) client: Client,
    crowd: &'a Crowd,
    phase: Phase,
    watched: Watched<'a>,
    outbox: Outbox,
    /// Requests that are not begun; `None` if it asks until the time is up.
    to_ask: Option<usize>,
    plan: Option<Plan>,
    expected: Expected,
    /// Whether it reads what comes.
    listens: bool,
    /// When it has something to do by itself: let go of more bytes, or ask again.
    wakes_at: Option<Instant>,
    /// When what is now waited for was begun: connecting, or the last byte of a request.
    since: Instant,
    /// When bytes were last sent.
    wrote_at: Instant,
    /// When it would have had nothing more to wait for, had its last request gone out in time.
    free_since: Instant,
    /// How late that one went out, by the client's own fault.
    sent_late: Duration,
    /// Requests that are under way: begun, and not answered.
    under_way: usize,
    /// When these should have been sent; without a plan, when they were begun.
    planned_at: Instant,
}

impl<'a> Connection<'a> {
    /// Begins to connect a client, whose events will have the `key`.
    pub(super) fn open(
        poller: &'a Poller,
        key: usize,
        address: SocketAddr,
        crowd: &'a Crowd,
        client: Client,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        // Otherwise the kernel would hold a dribbling client's bytes back and send several
        // at once (Nagle's algorithm).
        socket.set_tcp_nodelay(true)?;
        if client.kind == Kind::Deaf {
            socket.set_recv_buffer_size(DEAF_BUFFER)?;
        }
        let since = Instant::now();
        match socket.connect(&address.into()) {
            Err(error) if !is_under_way(&error) => return Err(error),
            _ => {}
        }
        let request =
            crowd.protocol.request(&format!("hello from client number {}", client.number));
        let to_ask = match client.kind {
            Kind::Deaf if crowd.protocol == Protocol::Lines => Some(DEAF_MOST / request.len()),
            kind => crowd.requests_of(kind),
        };
        let in_a_row = match client.kind {
            Kind::Deaf | Kind::HalfClosing => to_ask.unwrap_or(1),
            _ => 1,
        };
        Ok(Connection {
            client,
            crowd,
            phase: Phase::Connecting,
            // connect(2), EINPROGRESS: the socket gets writable when it is decided.
            watched: Watched::new(poller, socket, Event::writable(key))?,
            outbox: Outbox::new(&request, in_a_row),
            to_ask,
            plan: None,
            expected: Expected::new(crowd.protocol),
            listens: client.kind != Kind::Deaf,
            wakes_at: None,
            since,
            wrote_at: since,
            free_since: since,
            sent_late: Duration::ZERO,
            under_way: 0,
            planned_at: since,
        })
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// When [`expire`](Self::expire) is to be called.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        self.wakes_at
    }

    /// When what is now waited for was begun.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// What it had still to do: the plan if there is one, and how many requests were left.
    pub(super) fn into_plan(self) -> (Option<Plan>, Option<usize>) {
        (self.plan, self.to_ask)
    }

    pub(super) fn deafness(&self) -> Deafness {
        match self.phase {
            _ if self.listens => Deafness::None,
            Phase::Resting => Deafness::Waits,
            Phase::Blocked if self.wrote_at.elapsed() >= FULL_AFTER => Deafness::Waits,
            _ => Deafness::Sends,
        }
    }

    /// Has the socket watched for what this phase waits for.
    pub(super) fn watch(&mut self) -> io::Result<()> {
        match self.phase {
            Phase::Connecting => self.watched.watch_for(false, true),
            // Readable always: what comes unasked is an error, and so is an early end.
            _ => self.watched.watch_for(self.listens, !self.outbox.ready().is_empty()),
        }
    }

    /// The kernel reports the socket as ready.
    pub(super) fn ready(&mut self, event: Event, record: &mut Record<'_>) -> Result<Next, Failure> {
        if self.phase == Phase::Connecting {
            return self.finish_connecting(record);
        }
        if event.writable {
            self.send(record)?;
        }
        if event.readable && !self.listens {
            // Nobody asked for this: it is a reset, or the end of both directions.
            return self.listen(record);
        }
        if event.readable {
            return self.receive(record);
        }
        Ok(Next::GoOn)
    }

    /// All that were to connect first are connected.
    pub(super) fn start(&mut self, record: &mut Record<'_>) -> Result<Next, Failure> {
        if self.phase != Phase::Held {
            return Ok(Next::GoOn);
        }
        if self.client.kind == Kind::Vanishing {
            return Ok(Next::Close);
        }
        let asks_from = record.asks_from();
        self.plan = asks_from.and_then(|from| Plan::new(self.crowd, self.client.number, from));
        self.ask_after(Duration::ZERO, Instant::now(), record)
    }

    /// Something is due by time.
    pub(super) fn expire(&mut self, record: &mut Record<'_>) -> Result<Next, Failure> {
        let now = Instant::now();
        self.wakes_at = None;
        if self.phase == Phase::Resting {
            return self.ask_after(Duration::ZERO, now, record);
        }
        if self.client.kind == Kind::Resetting {
            // SO_LINGER with no time: to close is to reset (socket(7), tcp(7)).
            let reset = self.watched.socket().set_linger(Some(Duration::ZERO));
            return reset
                .map(|()| Next::Close)
                .map_err(|error| failure(Stage::Send, format!("can't reset: {error}")));
        }
        self.release(now, record)?;
        Ok(Next::GoOn)
    }

    /// A deaf client reads from now on, and ends after the request that it is sending.
    pub(super) fn listen(&mut self, record: &mut Record<'_>) -> Result<Next, Failure> {
        self.listens = true;
        // In the small buffer there is often room for less than a segment, and then the server's
        // kernel may hold the next one back until it probes: 200 ms and more for each 2 kB. It
        // fails only if the connection is lost, and then the next read says so.
        self.watched.socket().set_recv_buffer_size(LISTENING_BUFFER).ok();
        self.outbox.end_after_this();
        if self.outbox.is_sent() {
            self.row_is_sent(Instant::now(), record);
        }
        Ok(Next::GoOn)
    }

    fn enter(&mut self, phase: Phase, at: Instant, record: &mut Record<'_>) {
        if self.phase != phase {
            self.phase = phase;
            record.entered(self.client, phase, at);
        }
    }

    fn finish_connecting(&mut self, record: &mut Record<'_>) -> Result<Next, Failure> {
        let socket = self.watched.socket();
        let decided = match socket.take_error() {
            Ok(None) => socket.peer_addr().map(drop),
            Ok(Some(error)) | Err(error) => Err(error),
        };
        match decided {
            Ok(()) => {}
            // There is no peer yet: the kernel may report readiness without a reason.
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(Next::GoOn),
            Err(error) => return Err(cannot_connect(&error, record.report.address)),
        }
        let now = Instant::now();
        record.connected(self.client, now - self.since, now);
        let phase = match self.client.kind {
            Kind::Silent => Phase::Resting,
            _ => Phase::Held,
        };
        self.enter(phase, now, record);
        self.free_since = now;
        Ok(Next::Connected)
    }

    /// Asks when it has thought for so long, or when the plan says; at once if that is now.
    /// Ends if there is nothing more to ask, or no time for it.
    fn ask_after(
        &mut self,
        thinking: Duration,
        now: Instant,
        record: &mut Record<'_>,
    ) -> Result<Next, Failure> {
        // An instant that can't be told is so far away that it never comes.
        let due = self.plan.as_ref().map(Plan::next).or_else(|| now.checked_add(thinking));
        let is_done = match self.to_ask {
            Some(requests) => requests == 0 && self.client.kind != Kind::Resetting,
            None => record.asks_until().is_some_and(|end| due.is_none_or(|due| due >= end)),
        };
        if is_done {
            return Ok(self.end(now, record));
        }
        if due.is_none_or(|due| due > now) {
            self.enter(Phase::Resting, now, record);
            self.wakes_at = due;
            return Ok(Next::GoOn);
        }
        self.ask(now, record)?;
        Ok(Next::GoOn)
    }

    /// Begins the next request, or all at once.
    fn ask(&mut self, now: Instant, record: &mut Record<'_>) -> Result<(), Failure> {
        let requests = match self.client.kind {
            Kind::Deaf | Kind::HalfClosing => self.to_ask.unwrap_or(1),
            _ => 1,
        };
        self.planned_at = now;
        if let Some(plan) = &mut self.plan {
            self.planned_at = plan.take();
            self.sent_late = now - self.planned_at.max(self.free_since);
            record.sent_late(self.planned_at, self.sent_late);
        }
        match &mut self.to_ask {
            Some(to_ask) => *to_ask = to_ask.saturating_sub(requests),
            None => record.asked(self.client, requests),
        }
        self.outbox.begin(requests);
        if self.client.kind == Kind::HalfClosing && self.crowd.protocol == Protocol::Lines {
            self.outbox.cut_the_end();
        }
        if !matches!(self.client.kind, Kind::Resetting | Kind::Deaf) {
            self.under_way += requests;
        }
        self.enter(Phase::Sending, now, record);
        self.release(now, record)
    }

    /// Lets go of the bytes that may be sent now, and sends them at once: nearly always
    /// there is room in the socket, and asking the poller first would cost two calls more.
    fn release(&mut self, now: Instant, record: &mut Record<'_>) -> Result<(), Failure> {
        let wait = match self.client.kind {
            Kind::Dribbling => {
                self.outbox.release(1);
                self.crowd.every
            }
            Kind::Pausing if !self.outbox.has_released() => {
                self.outbox.release(self.outbox.half());
                self.crowd.pause
            }
            Kind::Resetting => {
                // In one-shot, half of a request would be a whole one.
                if self.crowd.protocol == Protocol::Lines {
                    self.outbox.release(self.outbox.half());
                }
                self.crowd.pause
            }
            _ => {
                self.outbox.release_all();
                Duration::ZERO
            }
        };
        if self.outbox.has_released_all() {
            self.since = now;
        } else {
            // An instant that can't be told is so far away that it never comes.
            self.wakes_at = now.checked_add(wait);
        }
        self.send(record)
    }

    fn send(&mut self, record: &mut Record<'_>) -> Result<(), Failure> {
        let bytes = self.outbox.ready();
        if bytes.is_empty() {
            return Ok(());
        }
        record.report.calls.writes += 1;
        let count = match self.watched.socket().write(bytes) {
            Ok(count) => count,
            Err(error) if is_not_now(&error) => 0,
            Err(error) => {
                let why = format!("{error}, after {}", self.outbox.progress());
                return Err(failure(Stage::Send, why));
            }
        };
        let now = Instant::now();
        if count > 0 {
            self.wrote_at = now;
            record.wrote(now);
        }
        for _ in 0..self.outbox.advance(count) {
            self.expected.asked();
            if self.client.kind == Kind::Deaf && self.crowd.protocol == Protocol::Lines {
                record.asked(self.client, 1);
            }
        }
        // What did not fit is sent when the poller says that there is room.
        let is_blocked = !self.outbox.ready().is_empty();
        self.enter(if is_blocked { Phase::Blocked } else { Phase::Sending }, now, record);
        if self.outbox.is_sent() {
            self.row_is_sent(now, record);
        }
        Ok(())
    }

    /// A request is sent, or all of them that are sent in a row.
    fn row_is_sent(&mut self, now: Instant, record: &mut Record<'_>) {
        if !self.listens {
            self.enter(Phase::Resting, now, record);
            return;
        }
        self.enter(Phase::AwaitingReply, now, record);
        if self.client.kind == Kind::HalfClosing {
            self.end_sending();
            if self.crowd.protocol == Protocol::Lines {
                self.expected.asked(); // the end of the stream ended the last line
            }
        } else if self.client.kind == Kind::Deaf || self.to_ask == Some(0) {
            // In one-shot, servers like the article's may take the end of the sending half
            // for the end of everything, and close without a reply.
            if self.crowd.protocol == Protocol::Lines {
                self.end_sending();
            }
        }
    }

    fn end_sending(&self) {
        // It fails only if the connection is lost, and then the next read says so.
        self.watched.socket().shutdown(Shutdown::Write).ok();
    }

    fn receive(&mut self, record: &mut Record<'_>) -> Result<Next, Failure> {
        let mut buffer = [0; READ_SIZE];
        record.report.calls.reads += 1;
        let count = match self.watched.socket().read(&mut buffer) {
            Ok(count) => count,
            Err(error) if is_not_now(&error) => return Ok(Next::GoOn),
            Err(error) => return self.lost(&error, record),
        };
        if count == 0 {
            return self.receive_end(record);
        }
        let now = Instant::now();
        let mut bytes = &buffer[..count];
        record.received(self.client, bytes, now);
        while !bytes.is_empty() {
            let is_reply = self.expected.take(&mut bytes).map_err(|mut why| {
                if matches!(self.phase, Phase::Sending | Phase::Blocked) {
                    why += &format!(": only {} are sent", self.outbox.progress());
                }
                failure(Stage::Reply, why)
            })?;
            if is_reply {
                record.answered(self.client, self.latency(now, record));
                self.under_way = self.under_way.saturating_sub(1);
            }
        }
        match self.phase {
            Phase::AwaitingReply | Phase::Reading if self.expected.owed() > 0 => {
                self.enter(Phase::Reading, now, record);
                Ok(Next::GoOn)
            }
            Phase::AwaitingReply | Phase::Reading => self.is_answered(now, record),
            _ => Ok(Next::GoOn),
        }
    }

    /// Everything that was asked is answered.
    fn is_answered(&mut self, now: Instant, record: &mut Record<'_>) -> Result<Next, Failure> {
        // Those who had to wait behind a request that was sent late are late for the same reason.
        self.free_since = now - self.sent_late;
        match self.client.kind {
            Kind::Deaf => Ok(self.end(now, record)),
            Kind::Chatty => self.ask_after(self.crowd.think, now, record),
            _ => self.ask_after(Duration::ZERO, now, record),
        }
    }

    fn end(&mut self, now: Instant, record: &mut Record<'_>) -> Next {
        if self.crowd.protocol == Protocol::OneShot {
            return Next::Close;
        }
        if self.to_ask.is_none() {
            self.end_sending(); // who knew which request was its last one has done it then
        }
        self.enter(Phase::AwaitingEnd, now, record);
        Next::GoOn
    }

    /// How long the requests that are under way have taken until `now`; `None` if that is
    /// not to be counted, because nobody waits for it or it belongs to the warm-up.
    fn latency(&self, now: Instant, record: &Record<'_>) -> Option<Latency> {
        let counts = self.client.kind != Kind::Deaf && record.is_measured(self.planned_at);
        counts.then(|| Latency {
            since_sent: now - self.since,
            since_due: now - if self.plan.is_some() { self.planned_at } else { self.since },
        })
    }

    /// Has the requests counted that will never be answered.
    pub(super) fn give_up(&self, now: Instant, record: &mut Record<'_>) {
        // What is not sent because the client itself is slow has not waited for the server.
        if self.outbox.has_released_all() {
            let latency = self.latency(now, record);
            let since_sent = latency.map(|latency| latency.since_sent);
            let since_due = latency.map(|latency| latency.since_due);
            for _ in 0..self.under_way {
                record.unanswered(self.client, since_sent, since_due);
            }
        }
    }

    fn receive_end(&mut self, record: &mut Record<'_>) -> Result<Next, Failure> {
        match self.phase {
            Phase::AwaitingEnd => Ok(Next::Close),
            _ if self.client.kind == Kind::Silent => {
                record.report.silent_closed += 1;
                Ok(Next::Close)
            }
            _ => Err(self.closed_early("the server closed the connection")),
        }
    }

    fn lost(&mut self, error: &io::Error, record: &mut Record<'_>) -> Result<Next, Failure> {
        match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => match self.client.kind {
                Kind::Silent => self.receive_end(record),
                _ => Err(self.closed_early("the server reset the connection")),
            },
            _ => Err(failure(Stage::Reply, error.to_string())),
        }
    }

    fn closed_early(&self, what: &str) -> Failure {
        let when = match self.phase {
            Phase::Connecting | Phase::Held => "before the first request",
            Phase::Resting => "while the client had more to ask",
            Phase::Sending | Phase::Blocked => "before the request was complete",
            Phase::AwaitingReply | Phase::Reading => "before the whole reply had come",
            Phase::AwaitingEnd => "after the last reply, instead of closing it",
        };
        failure(Stage::ClosedEarly, format!("{what} {when}"))
    }
}
