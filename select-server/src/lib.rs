//! The select(2) server: one thread sleeps on all connections at once, and the kernel reports
//! which of them are ready.
//!
//! The program passes two sets of descriptors: those it wants to read from, and those it wants to
//! write to. select(2) sleeps until one of them is ready, and leaves only the ready ones in the
//! sets. So in each turn the program builds the sets anew, the kernel looks at every member, and
//! the program looks through them again: the cost of a turn grows with the number of connections,
//! however few are ready. And a set only has room for descriptors below `FD_SETSIZE` (1024). This
//! wall can't be moved, because the size of a set is part of the binary interface.
//!
//! Left out: select(2) reports nothing about descriptors that aren't in the sets. A connection
//! that only waits until its delayed reply is due is in neither set, so if its client resets it,
//! the server doesn't notice before it sends that reply.
//!
//! ```text
//! cargo run -p select-server
//! cargo run -p client -- --dribbling 1     # in a second terminal: no other waits for the slow one
//! ```
//!
//! Read `sync-server` before this one and `poll-server` after it. In between comes `poll2-server`,
//! which has no wall, but scans as many entries.

#![forbid(unsafe_code)]
#![cfg(unix)]

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::select::{FD_SETSIZE, FdSet, select};
use nix::sys::time::{TimeVal, TimeValLike};
use server_kit::{
    ACCEPTS_PER_TURN, Acceptor, Call, Connection, Counted, Counters, Deadlines, Journal,
    STOP_GRACE, Settings, Stop, rest_without_memory,
};
use slab::Slab;

/// Serves all clients in turn until `stop` is requested and all connections are closed.
///
/// Lowers the descriptor limit of the process to what select(2) can watch.
///
/// # Errors
///
/// Errors of the listener and of the wait. An error on a connection ends only that connection.
pub fn serve(listener: TcpListener, settings: &Settings, stop: &Stop) -> io::Result<Counters> {
    limit_descriptors()?;
    can_be_watched(&listener)?;
    let (wake_up, waker) = UnixStream::pair()?;
    stop.wake_with(move || {
        // One byte ends select(2). More of them do no harm: the socket has room for a few.
        (&waker).write_all(&[0]).ok();
    });
    let mut server = SelectServer {
        acceptor: Some(Acceptor::non_blocking(listener)?),
        wake_up,
        connections: Slab::new(),
        beyond_the_wall: None,
        deadlines: Deadlines::new(),
        settings,
        stop,
        journal: Journal::new(settings),
    };
    let mut ready = Vec::new();
    while server.turn(&mut ready)? {}
    Ok(server.journal.into_counters())
}

/// A connection that select(2) has found ready, and for what.
struct Ready {
    key: usize,
    readable: bool,
    writable: bool,
}

struct SelectServer<'a> {
    /// `None` once the server is stopping.
    acceptor: Option<Acceptor>,
    /// Readable once the server has to stop: select(2) can wait for descriptors only.
    wake_up: UnixStream,
    connections: Slab<Connection>,
    /// A client that was accepted, but whose descriptor doesn't fit into a set.
    beyond_the_wall: Option<(TcpStream, SocketAddr)>,
    deadlines: Deadlines,
    settings: &'a Settings,
    stop: &'a Stop,
    journal: Journal,
}

impl SelectServer<'_> {
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
        if self.beyond_the_wall.is_some() {
            self.accept_ready()?;
        }
        Ok(true)
    }

    /// Sleeps until something is ready or the earliest deadline has passed. Fills the list of
    /// ready connections; returns whether a connection is pending, and the time.
    fn wait(&mut self, ready: &mut Vec<Ready>) -> io::Result<(bool, Instant)> {
        // The sets borrow the descriptors, so they are built, used and dropped in this function.
        let (mut to_read, mut to_write) = (FdSet::new(), FdSet::new());
        let mut highest = self.wake_up.as_raw_fd();
        let listening = self.acceptor.as_ref().filter(|acceptor| acceptor.interest().readable);
        if self.acceptor.is_some() {
            to_read.insert(self.wake_up.as_fd());
        }
        if let Some(acceptor) = listening {
            to_read.insert(acceptor.as_fd());
            highest = highest.max(acceptor.as_raw_fd());
        }
        for (_, connection) in &self.connections {
            let interest = connection.interest();
            if interest.readable {
                to_read.insert(connection.as_fd());
            }
            if interest.writable {
                to_write.insert(connection.as_fd());
            }
            highest = highest.max(connection.as_raw_fd());
        }

        let watched = Counted(self.connections.len(), "connection");
        let began = self.journal.waits(format_args!("select(2), on {watched}"));
        let try_again = self.acceptor.as_ref().and_then(|acceptor| acceptor.deadline());
        let deadline = [self.deadlines.next(), try_again].into_iter().flatten().min();
        let mut time_out = deadline.map(|end| time_val(end.saturating_duration_since(began)));
        self.journal.count(Call::Select);
        // How many bits in the sets are set and not found yet.
        let mut left = match select(highest + 1, &mut to_read, &mut to_write, None, &mut time_out) {
            Ok(count) => count,
            // A signal came first (select(2), ERRORS). The sets are unchanged and say nothing
            // about readiness, so the loop goes round again.
            Err(Errno::EINTR) => return Ok((false, self.journal.woke_up(began, 0, false))),
            // The kernel has no memory for the call (ENOMEM), which may pass.
            Err(Errno::ENOMEM) => {
                rest_without_memory(&mut self.journal);
                return Ok((false, self.journal.woke_up(began, 0, false)));
            }
            Err(error) => return Err(error.into()),
        };

        let connection_pending =
            listening.is_some_and(|acceptor| to_read.contains(acceptor.as_fd()));
        left -= i32::from(connection_pending);
        for (key, connection) in &self.connections {
            if left == 0 {
                break;
            }
            let readable = to_read.contains(connection.as_fd());
            let writable = to_write.contains(connection.as_fd());
            left -= i32::from(readable) + i32::from(writable);
            if readable || writable {
                ready.push(Ready { key, readable, writable });
            }
        }
        Ok((connection_pending, self.journal.woke_up(began, ready.len(), connection_pending)))
    }

    /// Accepts clients that wait in the backlog.
    fn accept_ready(&mut self) -> io::Result<()> {
        let now = Instant::now();
        for _ in 0..ACCEPTS_PER_TURN {
            let Some((stream, peer)) = self.next_client(now)? else {
                break;
            };
            let connection = Connection::new(stream, peer, self.settings, now, &mut self.journal);
            let key = self.connections.insert(connection);
            self.watch(key);
        }
        Ok(())
    }

    /// The next client in the backlog, unless the server can't accept one now.
    fn next_client(&mut self, now: Instant) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        let Some(acceptor) = self.acceptor.as_mut().filter(|it| it.interest().readable) else {
            return Ok(None);
        };
        let client = match self.beyond_the_wall.take() {
            None => acceptor.accept(now, &mut self.journal)?,
            client => client,
        };
        let Some((stream, peer)) = client else {
            return Ok(None);
        };
        if can_be_watched(&stream).is_ok() {
            return Ok(Some((stream, peer)));
        }
        // The limit was raised meanwhile (prlimit(2)). Once it is lowered again, a duplicate of
        // the descriptor (dup(2)) gets a number below the wall, or fails until one is free.
        limit_descriptors()?;
        match stream.try_clone() {
            Ok(below) => Ok(Some((below, peer))),
            Err(error) if acceptor.is_out_of_resources(&error, now, &mut self.journal) => {
                self.beyond_the_wall = Some((stream, peer));
                Ok(None)
            }
            Err(error) => Err(error),
        }
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

/// Makes sure that no descriptor gets a number that select(2) can't watch, `FD_SETSIZE` or
/// more: accept(2) then fails as it does when descriptors run out (EMFILE), and the clients
/// wait in the backlog.
fn limit_descriptors() -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, soft.min(FD_SETSIZE as rlim_t), hard)?)
}

/// Rejects a descriptor that doesn't fit into a set: `FdSet::insert` would panic.
fn can_be_watched(socket: &impl AsRawFd) -> io::Result<()> {
    let descriptor = socket.as_raw_fd();
    if descriptor < FD_SETSIZE as RawFd {
        return Ok(());
    }
    let why =
        format!("select(2) can't watch descriptor {descriptor}, only those below {FD_SETSIZE}");
    Err(io::Error::other(why))
}

/// The time to sleep as select(2) takes it: in microseconds, rounded up, because a wait that
/// ends before its deadline would be followed by another, and another. At most a day, because
/// some systems refuse to sleep for years; the next turn sleeps the rest.
fn time_val(sleep: Duration) -> TimeVal {
    const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
    TimeVal::microseconds(sleep.min(A_DAY).as_nanos().div_ceil(1000) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_does_not_end_before_its_deadline_nor_later_than_after_a_day() {
        let microseconds =
            |nanoseconds| time_val(Duration::from_nanos(nanoseconds)).num_microseconds();
        assert_eq!([0, 1, 1000, 1001, 1_999_999].map(microseconds), [0, 1, 1, 2, 2000]);
        assert_eq!(time_val(Duration::MAX).num_seconds(), 24 * 60 * 60);
    }
}
