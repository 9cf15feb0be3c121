//! The poll(2) server: one thread sleeps on all connections at once, in a call without the
//! wall of select(2).
//!
//! Two sets of bits, which name descriptors by their place, have become one list, whose
//! entries name them by their number: 1024 is a number like any other, and what the program
//! asks for (`events`) and what the kernel answers (`revents`) stand side by side, so that no
//! answer overwrites its question. That is all. A bit has become eight bytes, the program
//! still brings the whole list each time, the kernel still looks at every entry, and the
//! program looks through them again: the cost of a turn grows with the number of connections,
//! however few are ready.
//!
//! What select(2) does not do: errors are reported unasked. So a connection that waits for
//! nothing but a delayed reply is in the list, too, and a client that resets it meanwhile
//! is gone at once. (And its clock is coarser: a sleep is counted in milliseconds.)
//!
//! Left out: the list is built anew in each turn, because its entries borrow the sockets.
//! With bare numbers for descriptors it could be kept, and one entry changed where one
//! interest changes; a descriptor that is closed and reused would be found by care alone, no
//! longer by the compiler. The kernel's part of the work, by far the greater, stays.
//!
//! ```text
//! cargo run -p poll2-server -- -q
//! cargo run -p client -- --connections 5000 --dribbling 1000   # in a second terminal: all at once
//! diff select-server/src/lib.rs more-servers/poll2-server/src/lib.rs
//! ```
//!
//! It stands between `select-server`, which can't hold so many, and `poll-server`, where the
//! kernel remembers the list. (That one is named after the crate `polling`, which puts one
//! face on epoll and its kin; this one after its manual page, poll(2).)

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

/// Serves everybody in turns until `stop` is requested and all connections are closed.
///
/// # Errors
///
/// Those that end the listener or the wait. What befalls a connection ends that one only.
pub fn serve(listener: TcpListener, settings: &Settings, stop: &Stop) -> io::Result<Counters> {
    let (wake_up, waker) = UnixStream::pair()?;
    stop.wake_with(move || {
        // A byte is enough to end poll(2), and a few do no harm: there is room for them.
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

/// What poll(2) has found ready of one connection.
struct Ready {
    key: usize,
    readable: bool,
    writable: bool,
}

struct Poll2Server<'a> {
    /// `None` once the server stops.
    acceptor: Option<Acceptor>,
    /// Readable once the server shall stop: poll(2) can wait for nothing but descriptors.
    wake_up: UnixStream,
    connections: Slab<Connection>,
    deadlines: Deadlines,
    settings: &'a Settings,
    stop: &'a Stop,
    journal: Journal,
}

impl Poll2Server<'_> {
    /// One turn of the loop: sleep until somebody is ready, then serve everybody who is.
    /// Returns whether there is more to come.
    fn turn(&mut self, ready: &mut Vec<Ready>) -> io::Result<bool> {
        if self.stop.is_requested() && self.acceptor.is_some() {
            self.stop_accepting(Instant::now());
        }
        if self.acceptor.is_none() && self.connections.is_empty() {
            return Ok(false);
        }
        let (somebody_knocks, now) = self.wait(ready)?;
        for Ready { key, readable, writable } in ready.drain(..) {
            self.connection_ready(key, readable, writable);
        }
        // New clients come last: one of them may get the key of a connection that was closed
        // in this turn, and must not get its events, too.
        if somebody_knocks {
            self.accept_ready()?;
        }
        self.expire(now);
        Ok(true)
    }

    /// Sleeps until something is ready or the earliest deadline has passed. Fills the list of
    /// ready connections; returns whether a client waits to be accepted, and the time.
    fn wait(&mut self, ready: &mut Vec<Ready>) -> io::Result<(bool, Instant)> {
        // The list borrows the descriptors, so it is built, used and dropped in here.
        let mut list = Vec::with_capacity(2 + self.connections.len());
        if let Some(acceptor) = &self.acceptor {
            list.push(PollFd::new(self.wake_up.as_fd(), PollFlags::POLLIN));
            list.push(PollFd::new(acceptor.as_fd(), events(acceptor.interest())));
        }
        let before_connections = list.len();
        for (_, connection) in &self.connections {
            // Even if it is interested in nothing: see `events`.
            list.push(PollFd::new(connection.as_fd(), events(connection.interest())));
        }

        let watched = Counted(self.connections.len(), "connection");
        let began = self.journal.waits(format_args!("poll(2), on {watched}"));
        let try_again = self.acceptor.as_ref().and_then(|acceptor| acceptor.deadline());
        let deadline = [self.deadlines.next(), try_again].into_iter().flatten().min();
        let time_out = deadline.map(|end| poll_timeout(end.saturating_duration_since(began)));
        self.journal.count(Call::Poll);
        // How many entries have something to report, of which some are still to be found.
        let mut left = match poll(&mut list, time_out) {
            Ok(count) => count,
            // A signal came first (poll(2), ERRORS), and nothing is known of readiness: the
            // loop goes round again.
            Err(Errno::EINTR) => return Ok((false, self.journal.woke_up(began, 0, false))),
            // The kernel has no memory for the call (ENOMEM): that may pass.
            Err(Errno::ENOMEM) => {
                rest_without_memory(&mut self.journal);
                return Ok((false, self.journal.woke_up(began, 0, false)));
            }
            Err(error) => return Err(error.into()),
        };

        let (own, of_connections) = list.split_at(before_connections);
        let somebody_knocks = own.last().is_some_and(|listener| !revents(listener).is_empty());
        left -= i32::from(somebody_knocks);
        for ((key, _), entry) in self.connections.iter().zip(of_connections) {
            if left == 0 {
                break;
            }
            let revents = revents(entry);
            if !revents.is_empty() {
                left -= 1;
                // Errors count as something to read: who reads finds them.
                let readable = revents != PollFlags::POLLOUT;
                let writable = revents.contains(PollFlags::POLLOUT);
                ready.push(Ready { key, readable, writable });
            }
        }
        Ok((somebody_knocks, self.journal.woke_up(began, ready.len(), somebody_knocks)))
    }

    /// Lets in those who wait in the backlog.
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
        // Not the time of waking: those before may have been a lot of work.
        let now = Instant::now();
        if readable {
            connection.readable(now, &mut self.journal);
        }
        if writable {
            connection.writable(now, &mut self.journal);
        }
        self.watch(key);
    }

    /// Does what the time asks for: delayed replies, idle clients, another try to accept.
    fn expire(&mut self, now: Instant) {
        while let Some(key) = self.deadlines.take_due(now) {
            self.connections[key].expire(now, &mut self.journal);
            self.watch(key);
        }
        if let Some(acceptor) = &mut self.acceptor {
            acceptor.expire(now);
        }
    }

    /// Takes no more clients, and no more requests from those who are here.
    fn stop_accepting(&mut self, now: Instant) {
        self.acceptor = None;
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.connections[key].stop(now, now + STOP_GRACE, &mut self.journal);
            self.watch(key);
        }
    }

    /// Notes what a connection waits for now; its interest is asked for in the next turn.
    fn watch(&mut self, key: usize) {
        let connection = &self.connections[key];
        if connection.is_over() {
            self.close(key);
        } else {
            self.deadlines.watch(key, connection.deadline());
        }
    }

    /// Closes a connection. Its descriptor is free for the next client now.
    fn close(&mut self, key: usize) {
        self.deadlines.forget(key);
        self.connections.remove(key).farewell(&mut self.journal);
        if let Some(acceptor) = &mut self.acceptor {
            acceptor.resume();
        }
    }
}

/// The interest as poll(2) takes it. Besides, it reports unasked what ends a connection:
/// `POLLERR`, a reset for example, and `POLLHUP`, when nothing can come or go any more. Who
/// would not close it then would be told again and again.
fn events(interest: Interest) -> PollFlags {
    let mut events = PollFlags::empty();
    events.set(PollFlags::POLLIN, interest.readable);
    events.set(PollFlags::POLLOUT, interest.writable);
    events
}

/// What poll(2) reports of an entry: `nix` returns `None` for flags that it does not know,
/// and whatever those mean, a look at the socket tells.
fn revents(entry: &PollFd) -> PollFlags {
    entry.revents().unwrap_or(PollFlags::POLLERR)
}

/// The time to sleep as poll(2) takes it: in milliseconds, rounded up, because a wait that
/// ends before its deadline would be followed by another, and another. Not more than fits,
/// some 25 days; what is left is slept in the next turn.
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
