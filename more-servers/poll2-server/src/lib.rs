//! The poll(2) server: one thread sleeps on all connections at once, in a call without the
//! wall of select(2).
//!
//! Instead of two sets of bits, where the position of a bit names a descriptor, the program
//! passes one list whose entries contain the numbers of descriptors. So 1024 is a number like
//! any other. And the interest (`events`) and the kernel's report (`revents`) are separate
//! fields, so the one doesn't overwrite the other. Nothing else has improved: a bit has become
//! eight bytes, the program still passes the whole list in each turn, the kernel still looks at
//! every entry, and the program looks through them again: the cost of a turn grows with the
//! number of connections, however few are ready.
//!
//! Unlike select(2), poll(2) reports errors even where there is no interest. So a connection that
//! only waits until its delayed reply is due is in the list, too, and if its client resets it, it
//! is closed at once. (And the clock is coarser: poll(2) sleeps for whole milliseconds.)
//!
//! Left out: the list is built anew in each turn, because its entries borrow the sockets. With
//! bare descriptor numbers the program could keep it, and update one entry when one interest
//! changes; but then only care, and no longer the compiler, would prevent it from using a
//! descriptor that was closed and reused. The kernel's part of the work, by far the larger one,
//! would stay.
//!
//! ```text
//! cargo run -p poll2-server -- -q
//! cargo run -p client -- --connections 5000 --dribbling 1000   # in a second terminal: all at once
//! diff select-server/src/lib.rs more-servers/poll2-server/src/lib.rs
//! ```
//!
//! It comes between `select-server`, which can't hold that many connections, and `poll-server`,
//! where the kernel remembers the list. (That one is named after the crate `polling`, the common
//! interface to epoll, kqueue and IOCP; this one after its manual page, poll(2).)

#![forbid(unsafe_code)]
#![cfg(unix)]

use std::io::{self, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use protocol::Interest;
use server_kit::{
    ACCEPTS_PER_TURN, Acceptor, Call, Connection, Counted, Counters, Deadlines, Journal,
    STOP_GRACE, Settings, Stop, rest_without_memory,
};
use slab::Slab;

/// Serves all clients in turn until `stop` is requested and all connections are closed.
///
/// # Errors
///
/// Errors of the listener and of the wait. An error on a connection ends only that connection.
pub fn serve(listener: TcpListener, settings: &Settings, stop: &Stop) -> io::Result<Counters> {
    let (wake_up, waker) = UnixStream::pair()?;
    stop.wake_with(move || {
        // One byte ends poll(2). More of them do no harm: the socket has room for a few.
        (&waker).write_all(&[0]).ok();
    });
    let mut server = Poll2Server {
        acceptor: Some(Acceptor::non_blocking(listener)?),
        wake_up,
        connections: Slab::new(),
        deadlines: Deadlines::new(),
        settings,
        stop,
        journal: Journal::new(settings),
    };
    let mut ready = Vec::new();
    while server.turn(&mut ready)? {}
    Ok(server.journal.into_counters())
}

/// A connection that poll(2) has found ready, and for what.
struct Ready {
    key: usize,
    readable: bool,
    writable: bool,
}

struct Poll2Server<'a> {
    /// `None` once the server is stopping.
    acceptor: Option<Acceptor>,
    /// Readable once the server has to stop: poll(2) can wait for descriptors only.
    wake_up: UnixStream,
    connections: Slab<Connection>,
    deadlines: Deadlines,
    settings: &'a Settings,
    stop: &'a Stop,
    journal: Journal,
}

impl Poll2Server<'_> {
    /// One turn of the loop: sleep until a client is ready, then serve all that are.
    /// Returns whether the loop goes on.
    fn turn(&mut self, ready: &mut Vec<Ready>) -> io::Result<bool> {
        if self.stop.is_requested() && self.acceptor.is_some() {
            self.stop_accepting(Instant::now());
        }
        if self.acceptor.is_none() && self.connections.is_empty() {
            return Ok(false);
        }
        let (connection_pending, now) = self.wait(ready)?;
        for Ready { key, readable, writable } in ready.drain(..) {
            self.connection_ready(key, readable, writable);
        }
        // Accept last: a new client may get the key of a connection that was closed in this
        // turn, and must not get the events of that connection.
        if connection_pending {
            self.accept_ready()?;
        }
        self.expire(now);
        Ok(true)
    }

    /// Sleeps until something is ready or the earliest deadline has passed. Fills the list of
    /// ready connections; returns whether a connection is pending, and the time.
    fn wait(&mut self, ready: &mut Vec<Ready>) -> io::Result<(bool, Instant)> {
        // The list borrows the descriptors, so it is built, used and dropped in this function.
        let mut list = Vec::with_capacity(2 + self.connections.len());
        if let Some(acceptor) = &self.acceptor {
            list.push(PollFd::new(self.wake_up.as_fd(), PollFlags::POLLIN));
            list.push(PollFd::new(acceptor.as_fd(), events(acceptor.interest())));
        }
        let before_connections = list.len();
        for (_, connection) in &self.connections {
            // Even if it has no interest: see `events`.
            list.push(PollFd::new(connection.as_fd(), events(connection.interest())));
        }

        let watched = Counted(self.connections.len(), "connection");
        let began = self.journal.waits(format_args!("poll(2), on {watched}"));
        let try_again = self.acceptor.as_ref().and_then(|acceptor| acceptor.deadline());
        let deadline = [self.deadlines.next(), try_again].into_iter().flatten().min();
        let time_out = deadline.map(|end| poll_timeout(end.saturating_duration_since(began)));
        self.journal.count(Call::Poll);
        // How many entries have something to report and are not found yet.
        let mut left = match poll(&mut list, time_out) {
            Ok(count) => count,
            // A signal came first (poll(2), ERRORS). Nothing is known about readiness, so the
            // loop goes round again.
            Err(Errno::EINTR) => return Ok((false, self.journal.woke_up(began, 0, false))),
            // The kernel has no memory for the call (ENOMEM), which may pass.
            Err(Errno::ENOMEM) => {
                rest_without_memory(&mut self.journal);
                return Ok((false, self.journal.woke_up(began, 0, false)));
            }
            Err(error) => return Err(error.into()),
        };

        let (own, of_connections) = list.split_at(before_connections);
        let connection_pending = own.last().is_some_and(|listener| !revents(listener).is_empty());
        left -= i32::from(connection_pending);
        for ((key, _), entry) in self.connections.iter().zip(of_connections) {
            if left == 0 {
                break;
            }
            let revents = revents(entry);
            if !revents.is_empty() {
                left -= 1;
                // Errors count as readable: the next read reports them.
                let readable = revents != PollFlags::POLLOUT;
                let writable = revents.contains(PollFlags::POLLOUT);
                ready.push(Ready { key, readable, writable });
            }
        }
        Ok((connection_pending, self.journal.woke_up(began, ready.len(), connection_pending)))
    }

    /// Accepts clients that wait in the backlog.
    fn accept_ready(&mut self) -> io::Result<()> {
        let now = Instant::now();
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(acceptor) = &mut self.acceptor else {
                break;
            };
            let Some((stream, peer)) = acceptor.accept(now, &mut self.journal)? else {
                break;
            };
            let connection = Connection::new(stream, peer, self.settings, now, &mut self.journal);
            let key = self.connections.insert(connection);
            self.watch(key);
        }
        Ok(())
    }

    /// Reads from a connection, writes to it, or both.
    fn connection_ready(&mut self, key: usize, readable: bool, writable: bool) {
        let connection = &mut self.connections[key];
        // Not the time of the wake-up: serving the clients before this one may have taken long.
        let now = Instant::now();
        if readable {
            connection.readable(now, &mut self.journal);
        }
        if writable {
            connection.writable(now, &mut self.journal);
        }
        self.watch(key);
    }

    /// Handles what is due: sends delayed replies, closes idle connections, tries again to accept.
    fn expire(&mut self, now: Instant) {
        while let Some(key) = self.deadlines.take_due(now) {
            self.connections[key].expire(now, &mut self.journal);
            self.watch(key);
        }
        if let Some(acceptor) = &mut self.acceptor {
            acceptor.expire(now);
        }
    }

    /// Accepts no more clients, and takes no more requests from those that are connected.
    fn stop_accepting(&mut self, now: Instant) {
        self.acceptor = None;
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.connections[key].stop(now, now + STOP_GRACE, &mut self.journal);
            self.watch(key);
        }
    }

    /// Closes a connection that is over, or notes its deadline; the next turn reads its interest.
    fn watch(&mut self, key: usize) {
        let connection = &self.connections[key];
        if connection.is_over() {
            self.close(key);
        } else {
            self.deadlines.watch(key, connection.deadline());
        }
    }

    /// Closes a connection. Its descriptor is now free for the next client.
    fn close(&mut self, key: usize) {
        self.deadlines.forget(key);
        self.connections.remove(key).report_end(&mut self.journal);
        if let Some(acceptor) = &mut self.acceptor {
            acceptor.resume();
        }
    }
}

/// The interest as poll(2) takes it. In addition, poll(2) always reports what ends a connection:
/// `POLLERR`, for example for a reset, and `POLLHUP`, when nothing can be received or sent any
/// more. A program that didn't close the connection then would get the same report in each turn.
fn events(interest: Interest) -> PollFlags {
    let mut events = PollFlags::empty();
    events.set(PollFlags::POLLIN, interest.readable);
    events.set(PollFlags::POLLOUT, interest.writable);
    events
}

/// What poll(2) reports about an entry. `nix` returns `None` for flags that it doesn't know;
/// those count as an error, so that the server looks at the socket to see what they mean.
fn revents(entry: &PollFd) -> PollFlags {
    entry.revents().unwrap_or(PollFlags::POLLERR)
}

/// The time to sleep as poll(2) takes it: in milliseconds, rounded up, because a wait that
/// ends before its deadline would be followed by another, and another. At most what fits, some
/// 25 days; the next turn sleeps the rest.
fn poll_timeout(sleep: Duration) -> PollTimeout {
    PollTimeout::try_from(sleep.as_nanos().div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_does_not_end_before_its_deadline_nor_never() {
        let milliseconds =
            |nanoseconds| poll_timeout(Duration::from_nanos(nanoseconds)).as_millis();
        let waits = [0, 1, 1_000_000, 1_000_001, 1_999_999].map(milliseconds);
        assert_eq!(waits, [0, 1, 1, 2, 2].map(Some));
        assert_eq!(poll_timeout(Duration::MAX), PollTimeout::MAX);
    }
}
