//! The busy server: it never waits for anybody, and so nobody waits for anybody else. It asks
//! the listener and every connection in turn whether there is something, and when all have
//! been asked it begins again.
//!
//! Non-blocking sockets are all it takes: a call that would sleep returns EAGAIN instead, and
//! the loop goes on to the next. One slow client stops no one any more, as it does at
//! `sync-server`, and whoever speaks is heard within a round.
//!
//! The price is a whole core, day and night, whether there is one client or none, and one
//! system call for each connection in each round, nearly all in vain: the counters at the end
//! tell of millions of recv. What others do on the same machine gets slower.
//!
//! `--nap` is what everybody tries next: sleep a little after each round in vain. Then heat is
//! traded for latency, and no nap is right. A short one still asks all clients hundreds of
//! times a second; and each time a client speaks, the rest of a nap stands between it and its
//! answer, half a nap on average, a whole one if it is unlucky. And the cost of a round still
//! grows with the number of clients, however silent they are.
//!
//! What is missing is *one* sleep that any of them can end: that is what `select-server` asks
//! the kernel for. `thread-server` lets everybody have a sleep of their own.
//!
//! Left out: who is not asked tells nothing, so a connection that waits for nothing but a
//! delayed reply is not seen to be reset before that reply is sent.
//!
//! ```text
//! cargo run -p busy-server
//! cargo run -p client -- --dribbling 1     # in a second terminal: nobody waits for the slow one
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

/// What this server takes on its command line besides.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Sleep for so long after each round in vain: less heat, more latency
    ///
    /// 0s does not sleep at all. However long it is, no deadline is missed for it, and
    /// Ctrl-C ends it.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub nap: Duration,
}

impl OwnOptions for Options {
    const EXAMPLES: &'static [&'static str] = &["--nap 20ms", "--nap 1s -v"];
}

/// Serves everybody in turns until `stop` is requested and all connections are closed.
///
/// # Errors
///
/// Those that end the listener. What befalls a connection ends that one only.
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
    /// `None` once the server stops.
    acceptor: Option<Acceptor>,
    connections: Slab<Connection>,
    deadlines: Deadlines,
    /// When somebody was ready for the last time.
    last_event: Instant,
    /// How many rounds were in vain since then.
    in_vain: u64,
    nap: Duration,
    settings: &'a Settings,
    stop: &'a Stop,
    journal: Journal,
}

impl BusyServer<'_> {
    /// One turn of the loop: ask everybody once. `round` is the list of those to ask. Returns
    /// whether there is more to come.
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
        let somebody_knocked = self.accept_ready()?;
        self.expire(Instant::now());
        self.rest(ready, somebody_knocked);
        Ok(true)
    }

    /// What comes between two rounds: nothing after one in which somebody was ready, and else
    /// a nap, which ends at the earliest deadline.
    fn rest(&mut self, ready: usize, somebody_knocked: bool) {
        if ready > 0 || somebody_knocked {
            let (since, in_vain) = (self.last_event, self.in_vain);
            self.last_event = self.journal.asked(since, in_vain, ready, somebody_knocked);
            self.in_vain = 0;
            return;
        }
        if self.in_vain == 0 {
            let asked = Counted(self.connections.len(), "connection");
            self.journal.waits(format_args!("no call, but asking {asked} in turn"));
        }
        self.in_vain += 1;

        let try_again = self.acceptor.as_ref().and_then(|acceptor| acceptor.deadline());
        let deadline = [self.deadlines.next(), try_again].into_iter().flatten().min();
        let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        let nap = left.map_or(self.nap, |left| left.min(self.nap));
        if !nap.is_zero() {
            self.journal.count(Call::Nanosleep);
            // `thread::sleep` would do the same, but nobody could end it to stop the server.
            thread::park_timeout(nap);
        }
    }

    /// Lets in those who wait in the backlog; returns whether there was anybody.
    fn accept_ready(&mut self) -> io::Result<bool> {
        let now = Instant::now();
        let mut somebody_knocked = false;
        for _ in 0..ACCEPTS_PER_TURN {
            // While there are no descriptors, nobody can be let in: no use in asking.
            let open = self.acceptor.as_mut().filter(|acceptor| acceptor.interest().readable);
            let Some(acceptor) = open else {
                break;
            };
            let Some((stream, peer)) = acceptor.accept(now, &mut self.journal)? else {
                break;
            };
            somebody_knocked = true;
            let connection = Connection::new(stream, peer, self.settings, now, &mut self.journal);
            let key = self.connections.insert(connection);
            self.watch(key);
        }
        Ok(somebody_knocked)
    }

    /// Tries to read from a connection, to write to it, or both; returns whether it was ready
    /// for it.
    fn connection_ready(&mut self, key: usize) -> bool {
        let connection = &mut self.connections[key];
        let interest = connection.interest();
        // Not the time of the round: those before may have been a lot of work.
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    #[test]
    fn a_nap_ends_at_a_deadline_and_when_the_server_stops() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // It has asked before the first nap begins: nobody is heard during one.
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"hello\n").unwrap();
        let settings = Settings::parse_from(["server", "-q", "--delay", "200ms"]);
        let options = Options { nap: Duration::from_secs(3600) };
        let stop = Stop::new();
        let asked = stop.clone();
        let server = thread::spawn(move || serve(listener, &settings, &options, &asked));

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
