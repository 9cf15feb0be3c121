//! The busy server: it never sleeps in a call for one client, so no client has to wait for another.
//! It tries the listener and every connection in turn, and then begins again. This is called *busy
//! waiting*.
//!
//! All it takes is non-blocking sockets: a call that would sleep returns EAGAIN instead, and the
//! loop goes on to the next connection. Unlike in `sync-server`, one slow client doesn't block the
//! others, and a request is received within one round.
//!
//! The price is a whole core, all the time, even without clients, and one system call for each
//! connection in each round, nearly all of them useless: the counters at the end show millions of
//! recv. Other programs on the same machine get slower.
//!
//! `--nap` is the usual next idea: sleep a little after each round that found nothing. That trades
//! processor time for latency, and no length of the nap is right. A short nap still makes a call
//! for each client hundreds of times a second. And a request that arrives during a nap has to wait
//! until the nap is over: half a nap on average, a whole one in the worst case. And the cost of a
//! round still grows with the number of clients, however silent they are.
//!
//! What is missing is *one* sleep that any client can end: `select-server` gets it from the kernel.
//! `thread-server` has one sleep for each client instead.
//!
//! Left out: the server makes no call on a connection that only waits until its delayed reply is
//! due. If its client resets it, the server doesn't notice before it sends that reply.
//!
//! ```text
//! cargo run -p busy-server
//! cargo run -p client -- --dribbling 1     # in a second terminal: no other waits for the slow one
//! cargo run -p busy-server -- --nap 50ms   # press ctrl+c and compare the numbers of calls
//! ```

#![forbid(unsafe_code)]

use std::io;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use server_kit::{
    ACCEPTS_PER_TURN, Acceptor, Call, Connection, Counted, Counters, Deadlines, Journal,
    OwnOptions, STOP_GRACE, Settings, Stop, duration,
};
use slab::Slab;

/// The options of this server only.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Sleep for this long after each round in vain: less processor time, more latency
    ///
    /// 0s doesn't sleep at all. However long a nap is, it ends at the next deadline and on Ctrl-C.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub nap: Duration,
}

impl OwnOptions for Options {
    const EXAMPLES: &'static [&'static str] = &["--nap 20ms", "--nap 1s -v"];
}

/// Serves all clients in turn until `stop` is requested and all connections are closed.
///
/// # Errors
///
/// Errors of the listener. An error on a connection ends only that connection.
pub fn serve(
    listener: TcpListener,
    settings: &Settings,
    options: &Options,
    stop: &Stop,
) -> io::Result<Counters> {
    let napping = thread::current();
    stop.wake_with(move || napping.unpark());
    let mut server = BusyServer {
        acceptor: Some(Acceptor::non_blocking(listener)?),
        connections: Slab::new(),
        deadlines: Deadlines::new(),
        last_event: Instant::now(),
        in_vain: 0,
        nap: options.nap,
        settings,
        stop,
        journal: Journal::new(settings),
    };
    let mut round = Vec::new();
    while server.turn(&mut round)? {}
    Ok(server.journal.into_counters())
}

struct BusyServer<'a> {
    /// `None` once the server is stopping.
    acceptor: Option<Acceptor>,
    connections: Slab<Connection>,
    deadlines: Deadlines,
    /// When something was last ready.
    last_event: Instant,
    /// How many rounds have found nothing since then.
    in_vain: u64,
    nap: Duration,
    settings: &'a Settings,
    stop: &'a Stop,
    journal: Journal,
}

impl BusyServer<'_> {
    /// One turn of the loop: try every connection once. `round` is the list of their keys.
    /// Returns whether the loop goes on.
    fn turn(&mut self, round: &mut Vec<usize>) -> io::Result<bool> {
        if self.stop.is_requested() && self.acceptor.is_some() {
            self.stop_accepting(Instant::now());
        }
        if self.acceptor.is_none() && self.connections.is_empty() {
            return Ok(false);
        }
        round.extend(self.connections.iter().map(|(key, _)| key));
        let mut ready = 0;
        for key in round.drain(..) {
            ready += usize::from(self.connection_ready(key));
        }
        let connection_pending = self.accept_ready()?;
        self.expire(Instant::now());
        self.rest(ready, connection_pending);
        Ok(true)
    }

    /// What comes between two rounds: nothing, if something was ready; otherwise a nap, which
    /// ends at the earliest deadline.
    fn rest(&mut self, ready: usize, connection_pending: bool) {
        if ready > 0 || connection_pending {
            let (since, in_vain) = (self.last_event, self.in_vain);
            self.last_event = self.journal.polled(since, in_vain, ready, connection_pending);
            self.in_vain = 0;
            return;
        }
        if self.in_vain == 0 {
            let connections = Counted(self.connections.len(), "connection");
            self.journal.waits(format_args!("no call, but polling {connections} in turn"));
        }
        self.in_vain += 1;

        let try_again = self.acceptor.as_ref().and_then(|acceptor| acceptor.deadline());
        let deadline = [self.deadlines.next(), try_again].into_iter().flatten().min();
        let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        let nap = left.map_or(self.nap, |left| left.min(self.nap));
        if !nap.is_zero() {
            self.journal.count(Call::Nanosleep);
            // `thread::sleep` would do the same, but can't be ended when the server has to stop.
            thread::park_timeout(nap);
        }
    }

    /// Accepts clients that wait in the backlog; returns whether there was one.
    fn accept_ready(&mut self) -> io::Result<bool> {
        let now = Instant::now();
        let mut connection_pending = false;
        for _ in 0..ACCEPTS_PER_TURN {
            // While there are no descriptors, no client can be accepted: don't try.
            let open = self.acceptor.as_mut().filter(|acceptor| acceptor.interest().readable);
            let Some(acceptor) = open else {
                break;
            };
            let Some((stream, peer)) = acceptor.accept(now, &mut self.journal)? else {
                break;
            };
            connection_pending = true;
            let connection = Connection::new(stream, peer, self.settings, now, &mut self.journal);
            let key = self.connections.insert(connection);
            self.watch(key);
        }
        Ok(connection_pending)
    }

    /// Tries to read from a connection, to write to it, or both; returns whether it was ready.
    fn connection_ready(&mut self, key: usize) -> bool {
        let connection = &mut self.connections[key];
        let interest = connection.interest();
        // Not the time of the round: serving the clients before this one may have taken long.
        let now = Instant::now();
        let mut ready = false;
        if interest.readable {
            ready |= connection.readable(now, &mut self.journal);
        }
        if interest.writable {
            ready |= connection.writable(now, &mut self.journal);
        }
        if ready {
            self.watch(key);
        }
        ready
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    #[test]
    fn a_nap_ends_at_a_deadline_and_when_the_server_stops() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Its request arrives before the first nap begins: during a nap, the server receives
        // nothing.
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"hello\n").unwrap();
        let settings = Settings::parse_from(["server", "-q", "--delay", "200ms"]);
        let options = Options { nap: Duration::from_secs(3600) };
        let stop = Stop::new();
        let stopping = stop.clone();
        let server = thread::spawn(move || serve(listener, &settings, &options, &stopping));

        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut reply = [0; b"Hello from server!\n".len()];
        client.read_exact(&mut reply).unwrap();
        drop(client);
        let began = Instant::now();
        stop.request();
        let counters = server.join().unwrap().unwrap();
        assert!(began.elapsed() < Duration::from_secs(2));
        let naps = counters.calls().find(|(call, _)| *call == Call::Nanosleep);
        assert!(naps.is_some_and(|(_, times)| times < 20), "{counters}");
    }
}
