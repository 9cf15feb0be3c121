//! One client of the crowd: its socket, how far it is, and what it does next.
//!
//! ```text
//!                                          ┌───────── asks again ─────────┐
//!                                          v                              │
//!  Connecting ───> Held ── may start ──> Sending ── to the last byte ──> AwaitingReply
//!      │                                                                  │
//!      └── is silent ──> Resting                    all have come ─────────┘
//!                                                        v
//!                                                   AwaitingEnd
//! ```

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Instant;

use polling::{Event, Poller};
use protocol::Protocol;
use socket2::{Domain, Socket, Type};

use super::record::Record;
use super::watched::Watched;
use crate::crowd::{Crowd, Kind};
use crate::expected::Expected;
use crate::phase::Phase;
use crate::report::{Failure, Stage};

/// How much is read in one go: some 200 replies, more than a client here ever asks for
/// before it reads.
const READ_SIZE: usize = 4096;

/// What becomes of a connection after a step.
pub(super) enum Next {
    /// It has come about just now.
    Connected,
    GoOn,
    /// It has done all that it was to do.
    Close,
}

pub(super) struct Connection<'a> {
    pub(super) number: usize,
    pub(super) kind: Kind,
    crowd: &'a Crowd,
    phase: Phase,
    watched: Watched<'a>,
    request: Vec<u8>,
    /// How many bytes of the request may be sent by now. What lies between this and `sent`
    /// did not fit into the socket.
    released: usize,
    sent: usize,
    /// Requests that are not sent to their last byte.
    to_ask: usize,
    expected: Expected,
    /// When the next byte is released, if the client dribbles.
    due: Option<Instant>,
    /// When what is now waited for was begun: connecting, or the last byte of a request.
    since: Instant,
}

impl<'a> Connection<'a> {
    /// Begins to connect client `number`, whose events will have the `key`.
    pub(super) fn open(
        poller: &'a Poller,
        key: usize,
        address: SocketAddr,
        crowd: &'a Crowd,
        number: usize,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        // Otherwise the kernel would hold a dribbling client's bytes back and send several
        // at once (Nagle's algorithm).
        socket.set_tcp_nodelay(true)?;
        let since = Instant::now();
        match socket.connect(&address.into()) {
            Err(error) if !is_under_way(&error) => return Err(error),
            _ => {}
        }
        let text = format!("hello from client number {number}");
        Ok(Connection {
            number,
            kind: crowd.kind(number),
            crowd,
            phase: Phase::Connecting,
            // connect(2), EINPROGRESS: the socket gets writable when it is decided.
            watched: Watched::new(poller, socket, Event::writable(key))?,
            request: crowd.protocol.request(&text),
            released: 0,
            sent: 0,
            to_ask: crowd.requests,
            expected: Expected::new(crowd.protocol),
            due: None,
            since,
        })
    }

    pub(super) fn since(&self) -> Instant {
        self.since
    }

    fn enter(&mut self, phase: Phase, at: Instant, record: &mut Record<'_>) {
        self.phase = phase;
        record.entered(self.number, phase, at);
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// When [`expire`](Self::expire) is to be called.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Has the socket watched for what this phase waits for.
    pub(super) fn watch(&mut self) -> io::Result<()> {
        match self.phase {
            Phase::Connecting => self.watched.watch_for(false, true),
            // Readable always: what comes unasked is an error, and so is an early end.
            _ => self.watched.watch_for(true, self.sent < self.released),
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
        if event.readable {
            return self.receive(record);
        }
        Ok(Next::GoOn)
    }

    /// The first request is due.
    pub(super) fn start(&mut self, record: &mut Record<'_>) -> Result<Next, Failure> {
        if self.phase == Phase::Held {
            self.ask(Instant::now(), record)?;
        }
        Ok(Next::GoOn)
    }

    /// The next byte is due.
    pub(super) fn expire(
        &mut self,
        now: Instant,
        record: &mut Record<'_>,
    ) -> Result<Next, Failure> {
        self.release(now, record)?;
        Ok(Next::GoOn)
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
            Err(error) => return Err(cannot_connect(&error)),
        }
        let now = Instant::now();
        record.connected(self.number, now - self.since, now);
        let phase = match self.kind {
            Kind::Silent => Phase::Resting,
            Kind::Prompt | Kind::Dribbling => Phase::Held,
        };
        self.enter(phase, now, record);
        Ok(Next::Connected)
    }

    fn ask(&mut self, now: Instant, record: &mut Record<'_>) -> Result<(), Failure> {
        self.enter(Phase::Sending, now, record);
        self.sent = 0;
        self.released = 0;
        self.release(now, record)
    }

    /// Lets go of the bytes that may be sent now, and sends them at once: nearly always
    /// there is room in the socket, and asking the poller first would cost two calls more.
    fn release(&mut self, now: Instant, record: &mut Record<'_>) -> Result<(), Failure> {
        let all = self.request.len();
        self.released = match self.kind {
            Kind::Dribbling => self.released + 1,
            Kind::Prompt | Kind::Silent => all,
        };
        if self.released < all {
            // An instant that can't be told is so far away that it never comes.
            self.due = now.checked_add(self.crowd.every);
        } else {
            self.due = None;
            self.since = now;
        }
        self.send(record)
    }

    fn send(&mut self, record: &mut Record<'_>) -> Result<(), Failure> {
        if self.sent == self.released {
            return Ok(());
        }
        record.report.calls.writes += 1;
        let released = &self.request[self.sent..self.released];
        match self.watched.socket().write(released) {
            Ok(count) => self.sent += count,
            Err(error) if is_not_now(&error) => {
                if self.phase == Phase::Sending {
                    self.enter(Phase::Blocked, Instant::now(), record);
                }
                return Ok(());
            }
            Err(error) => {
                let (sent, all) = (self.sent, self.request.len());
                let why = format!("{error}, after {sent} of {all} bytes of the request");
                return Err(failure(Stage::Send, why));
            }
        }
        let now = Instant::now();
        record.wrote(now);
        if self.phase == Phase::Blocked {
            self.enter(Phase::Sending, now, record);
        }
        if self.sent == self.request.len() {
            self.request_is_sent(now, record);
        }
        Ok(())
    }

    fn request_is_sent(&mut self, now: Instant, record: &mut Record<'_>) {
        self.enter(Phase::AwaitingReply, now, record);
        self.expected.asked();
        self.to_ask -= 1;
        // In one-shot, servers like the article's may take the end of the sending half for
        // the end of everything, and close without a reply.
        if self.to_ask == 0 && self.crowd.protocol == Protocol::Lines {
            // It fails only if the connection is lost, and then the next read says so.
            self.watched.socket().shutdown(Shutdown::Write).ok();
        }
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
        record.received(self.number, bytes, now);
        while !bytes.is_empty() {
            let is_reply = self.expected.take(&mut bytes).map_err(|mut why| {
                if matches!(self.phase, Phase::Sending | Phase::Blocked) {
                    let (sent, all) = (self.sent, self.request.len());
                    why += &format!(": only {sent} of {all} bytes of the request are sent");
                }
                failure(Stage::Reply, why)
            })?;
            if is_reply {
                record.answered(self.number, now - self.since);
            }
        }
        if self.phase == Phase::AwaitingReply && self.expected.owed() > 0 {
            self.enter(Phase::Reading, now, record);
        }
        if matches!(self.phase, Phase::AwaitingReply | Phase::Reading) && self.expected.owed() == 0
        {
            if self.to_ask > 0 {
                self.ask(now, record)?;
            } else if self.crowd.protocol == Protocol::OneShot {
                return Ok(Next::Close);
            } else {
                self.enter(Phase::AwaitingEnd, now, record);
            }
        }
        Ok(Next::GoOn)
    }

    fn receive_end(&mut self, record: &mut Record<'_>) -> Result<Next, Failure> {
        match self.phase {
            Phase::AwaitingEnd => Ok(Next::Close),
            Phase::Resting => {
                record.report.silent_closed += 1;
                Ok(Next::Close)
            }
            _ => Err(self.closed_early("the server closed the connection")),
        }
    }

    fn lost(&mut self, error: &io::Error, record: &mut Record<'_>) -> Result<Next, Failure> {
        match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => match self.phase {
                Phase::Resting => self.receive_end(record),
                _ => Err(self.closed_early("the server reset the connection")),
            },
            _ => Err(failure(Stage::Reply, error.to_string())),
        }
    }

    fn closed_early(&self, what: &str) -> Failure {
        let when = match self.phase {
            Phase::Connecting | Phase::Held | Phase::Resting => "before the first request",
            Phase::Sending | Phase::Blocked => "before the request was complete",
            Phase::AwaitingReply | Phase::Reading => "before the whole reply had come",
            Phase::AwaitingEnd => "after the last reply, instead of closing it",
        };
        failure(Stage::ClosedEarly, format!("{what} {when}"))
    }
}

/// The failure of a client that can't even begin to connect, while `open` others are open.
pub(super) fn cannot_open(error: &io::Error, open: usize) -> Failure {
    let advice = if is_out_of_descriptors(error) {
        "the limit of descriptors allows no more; raise it with `ulimit -n`, or try fewer \
         `--connections`"
    } else if error.kind() == ErrorKind::AddrNotAvailable {
        "this machine has no port left for one more to the same server; try fewer \
         `--connections`, or again in a minute"
    } else {
        return cannot_connect(error);
    };
    let why = format!("{error}: {open} connections are open, and {advice}");
    failure(Stage::Connect, why)
}

fn cannot_connect(error: &io::Error) -> Failure {
    let advice = match error.kind() {
        ErrorKind::ConnectionRefused => {
            ": is the server running? Start one with `cargo run -p sync-server`"
        }
        _ => "",
    };
    failure(Stage::Connect, format!("{error}{advice}"))
}

fn failure(stage: Stage, why: String) -> Failure {
    Failure { stage, why }
}

/// Nothing is wrong, it just can't be done now: the kernel may report readiness without a
/// reason (select(2), BUGS), and a signal may come before the first byte.
fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Whether a non-blocking connect(2) has merely not ended yet. std has no stable name for
/// EINPROGRESS; Windows says that the call would block.
fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(nix::errno::Errno::EINPROGRESS as i32);
    #[cfg(not(unix))]
    return error.kind() == ErrorKind::WouldBlock;
}

/// EMFILE, the process's limit, or ENFILE, the system's; std has no names for them.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use nix::errno::Errno;
        let number = error.raw_os_error();
        number == Some(Errno::EMFILE as i32) || number == Some(Errno::ENFILE as i32)
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false // Windows has no such limit
    }
}
