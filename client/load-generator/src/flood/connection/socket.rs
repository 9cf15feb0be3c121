//! What a client does with its socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Instant;

use super::{Connection, Next};
use crate::flood::errors::{cannot_connect, failure, is_not_now};
use crate::flood::record::{Latency, Record};
use crate::flood::script::Step;
use crate::phase::Phase;
use crate::report::{Failure, Stage};

/// How much is read in one go: some 200 replies, more than most clients here send requests for
/// before they read.
const READ_SIZE: usize = 4096;

impl Connection<'_> {
    pub(super) fn finish_connecting(&mut self, record: &mut Record<'_>) -> Result<Next, Failure> {
        let socket = self.socket.socket();
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
        let phase = if self.is_silent() { Phase::Resting } else { Phase::Held };
        self.enter(phase, now, record);
        self.free_since = now;
        Ok(Next::Connected)
    }

    /// Lets go of so many bytes more, and sends them at once: nearly always there is room in the
    /// socket, and asking the poller first would cost two calls more.
    pub(super) fn release(&mut self, bytes: usize, record: &mut Record<'_>) -> Result<(), Failure> {
        self.outbox.release(bytes);
        if self.outbox.has_released_all() {
            self.since = Instant::now();
        }
        self.send(record)
    }

    pub(super) fn send(&mut self, record: &mut Record<'_>) -> Result<(), Failure> {
        let bytes = self.outbox.ready();
        if bytes.is_empty() {
            return Ok(());
        }
        record.report.calls.writes += 1;
        let count = match self.socket.socket().write(bytes) {
            Ok(count) => count,
            Err(error) if is_not_now(&error) => 0,
            Err(error) => {
                let why = format!("{error}, after {}", self.outbox.progress());
                return Err(failure(Stage::Send, why));
            }
        };
        let now = Instant::now();
        if count > 0 {
            record.last_moved = now;
        }
        for _ in 0..self.outbox.advance(count) {
            self.expected.request_sent();
            if self.counts_when_sent {
                record.requested(self.client);
            }
        }
        // What didn't fit is sent when the poller reports that there is room.
        let is_blocked = !self.outbox.ready().is_empty();
        self.enter(if is_blocked { Phase::Blocked } else { Phase::Sending }, now, record);
        Ok(())
    }

    pub(super) fn end_sending(&mut self) {
        if !self.has_ended {
            self.has_ended = true;
            // It fails only if the connection is lost, and then the next read says so.
            self.socket.socket().shutdown(Shutdown::Write).ok();
        }
    }

    pub(super) fn receive(&mut self, record: &mut Record<'_>) -> Result<Next, Failure> {
        let mut buffer = [0; READ_SIZE];
        record.report.calls.reads += 1;
        let count = match self.socket.socket().read(&mut buffer) {
            Ok(count) => count,
            Err(error) if is_not_now(&error) => return Ok(Next::GoOn),
            Err(error) if is_reset(&error) => return self.receive_end("reset", record),
            Err(error) => return Err(failure(Stage::Reply, error.to_string())),
        };
        if count == 0 {
            return self.receive_end("closed", record);
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
            Phase::AwaitingReply | Phase::Reading => self.run(now, record),
            _ => Ok(Next::GoOn),
        }
    }

    /// How long the requests that are under way have taken until `now`; `None` if that doesn't
    /// count, because the client didn't read, or because it belongs to the warm-up.
    pub(super) fn latency(&self, now: Instant, record: &Record<'_>) -> Option<Latency> {
        let reads_at_once = !self.script.contains(&Step::WaitForOthers);
        let counts = reads_at_once && record.is_measured(self.planned_at);
        counts.then(|| Latency {
            since_sent: now - self.since,
            since_due: now - if self.schedule.is_some() { self.planned_at } else { self.since },
        })
    }

    /// Counts the requests that will never get a reply.
    pub(in crate::flood) fn give_up(&self, now: Instant, record: &mut Record<'_>) {
        // What isn't sent because the client itself is slow has not waited for the server.
        if self.outbox.has_released_all() {
            let latency = self.latency(now, record);
            let since_sent = latency.map(|latency| latency.since_sent);
            let since_due = latency.map(|latency| latency.since_due);
            for _ in 0..self.under_way {
                record.unanswered(self.client, since_sent, since_due);
            }
        }
    }

    /// The server has `closed` or `reset` the connection.
    fn receive_end(&self, how: &str, record: &mut Record<'_>) -> Result<Next, Failure> {
        let when = match self.phase {
            _ if self.is_silent() => {
                record.report.silent_closed += 1;
                return Ok(Next::Close);
            }
            Phase::AwaitingEnd if how == "closed" => return Ok(Next::Close),
            Phase::AwaitingEnd => "after the last reply, instead of closing it",
            Phase::Connecting | Phase::Held => "before the first request",
            Phase::Resting => "while the client had more requests to send",
            Phase::Sending | Phase::Blocked => "before the request was complete",
            Phase::AwaitingReply | Phase::Reading => "before the whole reply had come",
        };
        Err(failure(Stage::ClosedEarly, format!("the server {how} the connection {when}")))
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
}
