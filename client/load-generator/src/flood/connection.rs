//! One client of the crowd: its socket, how far it is in its script, and what it is doing.
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
//!                            ├──┤ sends the next request, at once
//!                            ├──┴─ Resting: thinks, or the schedule says later
//!                            v
//!                  AwaitingEnd
//! ```
//!
//! What a client does in which order is in `script`; what it does with its socket, in `socket`.

mod socket;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use polling::Poller;
use protocol::Protocol;
use socket2::{Domain, Socket, Type};

use super::errors::{failure, is_under_way};
use super::outbox::Outbox;
use super::polled_socket::PolledSocket;
use super::record::Record;
use super::schedule::{Schedule, after};
use super::script::{Step, script};
use super::{Client, Event};
use crate::crowd::Crowd;
use crate::expected::Expected;
use crate::phase::Phase;
use crate::report::{Failure, Stage};

/// The receive buffer that a non-reading client asks for, in bytes. The kernel makes it as small
/// as it allows (socket(7), `SO_RCVBUF`).
const SMALL_BUFFER: usize = 4096;

/// The receive buffer of a non-reading client that has begun to read, in bytes: room for several
/// of the largest segments of loopback.
const LARGE_BUFFER: usize = 1 << 20;

/// How much a non-reading client sends at most, in bytes: several times what the kernels keep
/// between client and server, so that only a server that takes everything gets it all.
const MOST_UNREAD: usize = 64 << 20;

/// What becomes of a connection after a step.
pub(super) enum Next {
    /// It has just been established.
    Connected,
    GoOn,
    /// It has done everything that it had to do.
    Close,
}

pub(super) struct Connection<'a> {
    pub(super) client: Client,
    crowd: &'a Crowd,
    pub(super) phase: Phase,
    socket: PolledSocket<'a>,
    script: Vec<Step>,
    /// Where it is in its script.
    at: usize,
    outbox: Outbox,
    /// Requests that are not begun; `None` if it sends them until the time is up.
    pub(super) to_send: Option<usize>,
    pub(super) schedule: Option<Schedule>,
    expected: Expected,
    /// Whether it reads what comes.
    pub(super) reads: bool,
    /// The sending half is closed.
    has_ended: bool,
    /// How many requests it sends isn't known beforehand: each counts when it is sent.
    counts_when_sent: bool,
    /// When it goes on by itself, and [`expire`](Self::expire) has to be called.
    pub(super) wakes_at: Option<Instant>,
    /// When what it now waits for was begun: connecting, or the last byte of a request.
    pub(super) since: Instant,
    /// When it would have had nothing more to wait for, had its last request gone out in time.
    free_since: Instant,
    /// How late that one went out, by the client's own fault.
    sent_late: Duration,
    /// Requests that are begun and have no reply.
    under_way: usize,
    /// When these should have been sent; without a schedule, when they were begun.
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
        let script = script(client.kind, crowd);
        let reads = !script.contains(&Step::WaitForOthers);
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        // Otherwise the kernel would hold single bytes back and send several at once (Nagle's
        // algorithm).
        socket.set_tcp_nodelay(true)?;
        if !reads {
            socket.set_recv_buffer_size(SMALL_BUFFER)?;
        }
        let since = Instant::now();
        match socket.connect(&address.into()) {
            Err(error) if !is_under_way(&error) => return Err(error),
            _ => {}
        }
        let request = format!("hello from client number {}", client.number);
        Ok(Connection {
            client,
            crowd,
            phase: Phase::Connecting,
            // connect(2), EINPROGRESS: the socket becomes writable when it is decided.
            socket: PolledSocket::new(poller, socket, polling::Event::writable(key))?,
            script,
            at: 0,
            outbox: Outbox::new(crowd.protocol.request(&request)),
            to_send: crowd.requests_of(client.kind),
            schedule: None,
            expected: Expected::new(crowd.protocol),
            reads,
            has_ended: false,
            counts_when_sent: false,
            wakes_at: None,
            since,
            free_since: since,
            sent_late: Duration::ZERO,
            under_way: 0,
            planned_at: since,
        })
    }

    /// Registers what this phase waits for.
    pub(super) fn watch(&mut self) -> io::Result<()> {
        match self.phase {
            Phase::Connecting => self.socket.watch_for(false, true),
            // Readable always: what comes unrequested is an error, and so is an early end.
            _ => self.socket.watch_for(self.reads, !self.outbox.ready().is_empty()),
        }
    }

    /// The kernel reports the socket as ready.
    pub(super) fn ready(
        &mut self,
        event: polling::Event,
        record: &mut Record<'_>,
    ) -> Result<Next, Failure> {
        if self.phase == Phase::Connecting {
            return self.finish_connecting(record);
        }
        // Before the start, it is an error or an early end that makes a socket writable.
        if event.writable && self.phase != Phase::Held {
            self.send(record)?;
            if let Next::Close = self.run(Instant::now(), record)? {
                return Ok(Next::Close);
            }
        }
        if event.readable && !self.reads {
            // Nothing was registered for this: it is a reset, or the end of both directions.
            return self.begin_to_read(record);
        }
        if event.readable {
            return self.receive(record);
        }
        Ok(Next::GoOn)
    }

    /// All that had to connect first are connected.
    pub(super) fn start(&mut self, record: &mut Record<'_>) -> Result<Next, Failure> {
        if self.phase != Phase::Held {
            return Ok(Next::GoOn);
        }
        let schedule = |since| Schedule::new(self.crowd, self.client.number, since);
        self.schedule = record.sending_since.and_then(schedule);
        self.run(Instant::now(), record)
    }

    /// The time is there to go on by itself.
    pub(super) fn expire(&mut self, record: &mut Record<'_>) -> Result<Next, Failure> {
        self.wakes_at = None;
        self.run(Instant::now(), record)
    }

    /// A non-reading client reads from now on, and ends after the request that it is sending.
    pub(super) fn begin_to_read(&mut self, record: &mut Record<'_>) -> Result<Next, Failure> {
        self.reads = true;
        // In the small buffer there is often room for less than a segment, and then the server's
        // kernel may hold the next one back until it probes: 200 ms and more for each 2 kB. It
        // fails only if the connection is lost, and then the next read says so.
        self.socket.socket().set_recv_buffer_size(LARGE_BUFFER).ok();
        self.outbox.end_after_this();
        if self.phase == Phase::Held {
            return Ok(Next::GoOn); // what the next read finds is the end
        }
        self.run(Instant::now(), record)
    }

    fn enter(&mut self, phase: Phase, at: Instant, record: &mut Record<'_>) {
        if self.phase != phase {
            self.phase = phase;
            record.notify(&Event::Entered { client: self.client.number, phase, at });
        }
    }

    /// Goes through the script as far as it can without waiting.
    fn run(&mut self, mut now: Instant, record: &mut Record<'_>) -> Result<Next, Failure> {
        // What didn't fit into the socket comes first, and so does a time that isn't over.
        while self.outbox.ready().is_empty() && self.wakes_at.is_none() {
            let Some(&step) = self.script.get(self.at) else {
                return Ok(self.end(now, record));
            };
            self.at += 1;
            match step {
                Step::Request if self.next_request(Duration::ZERO, now, record) => {}
                Step::Again(thinking) if self.next_request(thinking, now, record) => {}
                Step::Request | Step::Again(_) => return Ok(self.end(now, record)),
                Step::AllRequests => self.begin_all(now, record),
                Step::EndlessRequests => self.begin_endless(now, record),
                Step::Fragment => self.begin(1, now, record),
                Step::SendHalf => self.release(self.outbox.length / 2, record)?,
                Step::SendRest => self.release(usize::MAX, record)?,
                Step::SendBytes(every) => {
                    self.release(1, record)?;
                    if !self.outbox.has_released_all() {
                        self.at -= 1;
                        self.wakes_at = Some(after(now, every));
                    }
                }
                Step::Wait(time) => {
                    self.wakes_at = Some(after(now, time));
                    // So that it doesn't go on if the time is zero, but when it is called again.
                    return Ok(Next::GoOn);
                }
                Step::Read => {
                    if self.to_send == Some(0) && self.crowd.protocol == Protocol::Lines {
                        self.end_sending();
                    }
                    if self.phase != Phase::Reading {
                        self.enter(Phase::AwaitingReply, now, record);
                    }
                    if self.expected.owed() > 0 {
                        self.at -= 1;
                        return Ok(Next::GoOn);
                    }
                    // Requests that had to wait behind one that was sent late are late for the
                    // same reason.
                    self.free_since = now - self.sent_late;
                }
                Step::WaitForOthers if self.reads => {}
                Step::WaitForOthers | Step::Stay => {
                    self.at -= 1;
                    self.enter(Phase::Resting, now, record);
                    return Ok(Next::GoOn);
                }
                Step::HalfClose => {
                    self.end_sending();
                    if self.crowd.protocol == Protocol::Lines {
                        self.expected.request_sent(); // the end of the stream is that of the line
                    }
                }
                Step::Reset => {
                    // SO_LINGER with no time: to close is to reset (socket(7), tcp(7)).
                    let reset = self.socket.socket().set_linger(Some(Duration::ZERO));
                    let why = |error| failure(Stage::Send, format!("can't reset: {error}"));
                    return reset.map(|()| Next::Close).map_err(why);
                }
                Step::Close => return Ok(Next::Close),
            }
            now = Instant::now();
        }
        Ok(Next::GoOn)
    }

    /// Begins the next request, or waits until the schedule says so; without a schedule, for so
    /// long. Returns whether there is one.
    fn next_request(&mut self, wait: Duration, now: Instant, record: &mut Record<'_>) -> bool {
        let due = self.schedule.as_ref().map_or_else(|| after(now, wait), |schedule| schedule.next);
        let is_done = match self.to_send {
            Some(requests) => requests == 0,
            None => record.sending_until().is_some_and(|end| due >= end),
        };
        if is_done {
            return false;
        }
        if due > now {
            self.at = 0;
            self.wakes_at = Some(due);
            self.enter(Phase::Resting, now, record);
            return true;
        }
        self.at = 1;
        self.begin(1, now, record);
        if let Some(schedule) = &mut self.schedule {
            self.planned_at = schedule.take();
            self.sent_late = now - self.planned_at.max(self.free_since);
            record.sent_late(self.planned_at, self.sent_late);
        }
        match &mut self.to_send {
            Some(to_send) => *to_send -= 1,
            None => record.requested(self.client),
        }
        self.under_way += 1;
        true
    }

    fn begin_all(&mut self, now: Instant, record: &mut Record<'_>) {
        let requests = self.to_send.replace(0).unwrap_or(1);
        self.begin(requests, now, record);
        if self.crowd.protocol == Protocol::Lines {
            self.outbox.cut_the_end();
        }
        self.under_way += requests;
    }

    fn begin_endless(&mut self, now: Instant, record: &mut Record<'_>) {
        // A one-shot connection carries one request.
        self.counts_when_sent = self.crowd.protocol == Protocol::Lines;
        let requests = if self.counts_when_sent { MOST_UNREAD / self.outbox.length } else { 1 };
        self.to_send = Some(0);
        self.begin(requests, now, record);
    }

    fn begin(&mut self, requests: usize, now: Instant, record: &mut Record<'_>) {
        self.planned_at = now;
        self.outbox.begin(requests);
        self.enter(Phase::Sending, now, record);
    }

    /// The script is over.
    fn end(&mut self, now: Instant, record: &mut Record<'_>) -> Next {
        if self.crowd.protocol == Protocol::OneShot {
            return Next::Close;
        }
        self.end_sending();
        self.enter(Phase::AwaitingEnd, now, record);
        Next::GoOn
    }

    fn is_silent(&self) -> bool {
        self.script[0] == Step::Stay
    }
}
