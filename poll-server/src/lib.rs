//! The server on epoll, kqueue or IOCP: one thread sleeps on all connections at once, and the
//! kernel *remembers* which they are.
//!
//! With select(2) the program passes the whole list in each turn. Here it registers its interest
//! in a connection once, and again when that changes; each wait returns only the connections that
//! are ready. So a turn costs as much as there is to do, however many connections are silent, and
//! only the descriptor limit bounds their number.
//!
//! The crate `polling` is a common interface to epoll(7) (Linux), kqueue(2) (macOS, the BSDs) and
//! IOCP (Windows). Readiness is level-triggered: what is ready and not handled is reported again.
//!
//! ```text
//! cargo run -p poll-server
//! cargo run -p client -- --dribbling 1     # in a second terminal: no other waits for the slow one
//! cargo run -p client -- --connections 5000 --dribbling 1000
//! ```
//!
//! Read `sync-server` and `select-server` before this one. `prefork-server` runs several of these
//! loops, and in `async-server` such a loop is hidden under `async` and `await`.

use std::io;
use std::mem;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;

use polling::{Events, Poller};
use server_kit::{
    ACCEPTS_PER_TURN, Acceptor, Call, Connection, Counted, Counters, Deadlines, Journal,
    STOP_GRACE, Settings, Stop,
};
use slab::Slab;

mod watched;
use watched::{Key, Watched};

/// Serves all clients in turn until `stop` is requested and all connections are closed.
///
/// # Errors
///
/// Errors of the listener and of the wait. An error on a connection ends only that connection.
pub fn serve(listener: TcpListener, settings: &Settings, stop: &Stop) -> io::Result<Counters> {
    let poller = Arc::new(Poller::new()?);
    let waker = Arc::clone(&poller);
    stop.wake_with(move || {
        // It ends `Poller::wait`, and can't fail as long as there is a poller.
        waker.notify().ok();
    });
    let acceptor = Acceptor::non_blocking(listener)?;
    let mut server = PollServer {
        acceptor: Some(Watched::new(&poller, Key::Listener, acceptor)),
        poller,
        connections: Slab::new(),
        unwatched: Vec::new(),
        deadlines: Deadlines::new(),
        settings,
        stop,
        journal: Journal::new(settings),
    };
    let mut events = Events::new();
    while server.turn(&mut events)? {}
    Ok(server.journal.into_counters())
}

struct PollServer<'a> {
    /// `None` once the server is stopping.
    acceptor: Option<Watched<Acceptor>>,
    poller: Arc<Poller>,
    connections: Slab<Watched<Connection>>,
    /// Connections that the kernel has no room to watch yet.
    unwatched: Vec<usize>,
    deadlines: Deadlines,
    settings: &'a Settings,
    stop: &'a Stop,
    journal: Journal,
}

impl PollServer<'_> {
    /// One turn of the loop: sleep until a client is ready, then serve all that are.
    /// Returns whether the loop goes on.
    fn turn(&mut self, events: &mut Events) -> io::Result<bool> {
        if self.stop.is_requested() && self.acceptor.is_some() {
            self.stop_accepting(Instant::now());
        }
        if self.acceptor.is_none() && self.connections.is_empty() {
            return Ok(false);
        }
        let (connection_pending, now) = self.wait(events)?;
        for event in events.iter() {
            if let Key::Connection(key) = Key::of(&event) {
                self.connection_ready(key, event.readable, event.writable);
            }
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
    /// events; returns whether a connection is pending, and the time.
    fn wait(&mut self, events: &mut Events) -> io::Result<(bool, Instant)> {
        if let Some(acceptor) = &mut self.acceptor {
            let interest = acceptor.interest();
            acceptor.watch_for(interest, &mut self.journal)?;
            if interest.readable {
                mem::take(&mut self.unwatched).into_iter().for_each(|key| self.watch(key));
            }
        }
        // `Poller::wait` appends to the events, so the old ones have to go first.
        events.clear();

        let watched = Counted(self.connections.len(), "connection");
        let began = self.journal.waits(format_args!("Poller::wait, on {watched}"));
        let try_again = self.acceptor.as_ref().and_then(|acceptor| acceptor.deadline());
        let deadline = [self.deadlines.next(), try_again].into_iter().flatten().min();
        let time_out = deadline.map(|end| end.saturating_duration_since(began));
        count_wait(&mut self.journal);
        // This is epoll_wait(2), kevent(2) or GetQueuedCompletionStatusEx. A signal (EINTR)
        // doesn't end it: it goes back to sleep until the deadline.
        let count = self.poller.wait(events, time_out)?;

        let is_listener = |event| matches!(Key::of(&event), Key::Listener);
        let connection_pending = events.iter().any(is_listener);
        let connections = count - usize::from(connection_pending);
        Ok((connection_pending, self.journal.woke_up(began, connections, connection_pending)))
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
            let entry = self.connections.vacant_entry();
            let key = entry.key();
            entry.insert(Watched::new(&self.poller, Key::Connection(key), connection));
            self.watch(key);
            if !self.unwatched.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Reads from a connection, writes to it, or both.
    fn connection_ready(&mut self, key: usize, readable: bool, writable: bool) {
        // kqueue reports readable and writable in separate events: the first may have closed it.
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
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
        if let Some(mut acceptor) = self.acceptor.take() {
            acceptor.unwatch(&mut self.journal);
        }
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.connections[key].stop(now, now + STOP_GRACE, &mut self.journal);
            self.watch(key);
        }
    }

    /// Closes a connection that is over, or notes its deadline; registers a changed interest.
    fn watch(&mut self, key: usize) {
        let (connection, journal) = (&mut self.connections[key], &mut self.journal);
        if !connection.is_over() {
            let interest = connection.interest();
            if let Err(error) = connection.watch_for(interest, journal) {
                // The kernel may have no room for one more (ENOMEM, ENOSPC, epoll_ctl(2)), which
                // may pass. Then try again later, and accept no other client before that.
                let acceptor = self.acceptor.as_mut();
                if acceptor
                    .is_some_and(|it| it.is_out_of_resources(&error, Instant::now(), journal))
                {
                    self.unwatched.push(key);
                } else {
                    connection.fail(error);
                }
            }
        }
        if connection.is_over() {
            self.close(key);
        } else {
            self.deadlines.watch(key, connection.deadline());
        }
    }

    /// Closes a connection. Its descriptor is now free for the next client.
    fn close(&mut self, key: usize) {
        self.deadlines.forget(key);
        self.unwatched.retain(|unwatched| *unwatched != key);
        let mut connection = self.connections.remove(key);
        connection.unwatch(&mut self.journal);
        connection.report_end(&mut self.journal);
        if let Some(acceptor) = &mut self.acceptor {
            acceptor.resume();
        }
    }
}

/// Counts the system calls of one `Poller::wait`: on Linux, `polling` 3.11 sets a timer, arms it,
/// waits, clears its notification and arms that again. Left out: the calls on other systems, where
/// a wait counts as one.
fn count_wait(journal: &mut Journal) {
    if cfg!(target_os = "linux") {
        journal.count(Call::TimerfdSettime);
        journal.count(Call::EpollCtl);
        journal.count(Call::Read);
        journal.count(Call::EpollCtl);
    }
    journal.count(Call::EpollWait);
}
