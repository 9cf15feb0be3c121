//! What happens in a server, printed and counted.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use protocol::Ending;

use crate::console::Printable;
use crate::{Call, Console, Counters, Settings, Verbosity, platform};

/// A server's journal: every event is reported here once, and becomes a line on the [`Console`]
/// and a number in the [`Counters`].
pub struct Journal {
    console: Console,
    counters: Counters,
    /// Connections that all threads of the server have accepted.
    accepted: Arc<AtomicU64>,
}

impl Journal {
    /// An empty journal that prints as much as the settings say.
    pub fn new(settings: &Settings) -> Self {
        Journal {
            console: Console::new(settings.verbosity()),
            counters: Counters::default(),
            accepted: Arc::default(),
        }
    }

    /// An empty journal for another thread of the same server: it prints to the same console and
    /// never gives a number twice, but counts separately.
    pub fn for_another_thread(&self) -> Self {
        Journal {
            console: self.console.clone(),
            counters: Counters::default(),
            accepted: Arc::clone(&self.accepted),
        }
    }

    /// Counts one system call.
    pub fn count(&mut self, call: Call) {
        self.counters.count(call);
    }

    /// Something else (a runtime, a library) makes system calls for this server: which ones, for
    /// the summary at the end.
    pub fn cannot_count(&mut self, what: &'static str) {
        self.counters.not_counted = Some(what);
    }

    /// A client was accepted. Returns its number, from 1, which is unique in this server.
    pub fn connected(&mut self, peer: SocketAddr) -> u64 {
        self.counters.connections += 1;
        self.print(Verbosity::Normal, format_args!("new connection from {peer}"));
        1 + self.accepted.fetch_add(1, Ordering::Relaxed)
    }

    /// Bytes were received, and completed this many requests.
    pub fn received(&mut self, bytes: &[u8], requests: usize) {
        self.counters.requests += requests as u64;
        if !bytes.is_empty() {
            self.print(Verbosity::Normal, format_args!("getting data: {}", Printable(bytes)));
        }
    }

    /// This many replies were sent.
    pub fn replied(&mut self, replies: usize) {
        self.counters.replies += replies as u64;
    }

    /// A connection is closed: why, and how many replies the client was still owed.
    pub fn closing(&mut self, peer: SocketAddr, why: io::Result<Option<Ending>>, owed: usize) {
        let why = match why {
            Ok(None | Some(Ending::Complete)) => String::new(),
            Ok(Some(Ending::TooLong)) => ": its request was too long".into(),
            Ok(Some(Ending::Idle)) => ": nothing moved for too long".into(),
            Ok(Some(Ending::Stopped)) => ": the server is stopping".into(),
            Err(error) => format!(": {error}"),
        };
        let loss = match owed {
            0 => String::new(),
            1 => " (1 reply could not be sent)".into(),
            _ => format!(" ({owed} replies could not be sent)"),
        };
        self.print(Verbosity::Normal, format_args!("closing connection {peer}{why}{loss}"));
    }

    /// There is no descriptor for the next client, or no memory, or no room in epoll(7).
    pub fn out_of_resources(&mut self, error: &io::Error) {
        self.count(Call::Write);
        let what = platform::what_is_used_up(error);
        Console::print_error(format_args!(
            "no {what} is left ({error}): new clients wait in the backlog until a connection is \
             closed"
        ));
    }

    /// There is no thread for the next client, because of the server's own limit or of an error of
    /// the system.
    pub fn out_of_threads(&mut self, why: impl fmt::Display) {
        self.count(Call::Write);
        Console::print_error(format_args!(
            "no thread is left ({why}): new clients wait in the backlog until a connection is \
             closed"
        ));
    }

    /// The server is about to sleep: in which call, and waiting for what. Returns the time.
    pub fn waits(&mut self, in_what: fmt::Arguments<'_>) -> Instant {
        self.print(Verbosity::Verbose, format_args!("waiting in {in_what}"));
        Instant::now()
    }

    /// The server woke up: when it had gone to sleep, how many connections are ready now, and
    /// whether a connection is pending. Returns the time.
    pub fn woke_up(
        &mut self,
        began: Instant,
        connections: usize,
        connection_pending: bool,
    ) -> Instant {
        let pending = if connection_pending { ", a connection is pending" } else { "" };
        let ready = Counted(connections, "connection");
        self.woke_up_to(began, format_args!("{ready} ready{pending}"))
    }

    /// The server woke up: when it had gone to sleep, and what has happened. Returns the time.
    pub fn woke_up_to(&mut self, began: Instant, what: fmt::Arguments<'_>) -> Instant {
        let now = Instant::now();
        let slept = now - began;
        self.print(Verbosity::Verbose, format_args!("woke up after {slept:.1?}: {what}"));
        now
    }

    /// A server that never sleeps, but tries its sockets again and again, has found something: for
    /// how long and how many times it had found nothing, how many connections were ready then, and
    /// whether a connection was pending. Returns the time.
    pub fn polled(
        &mut self,
        began: Instant,
        in_vain: u64,
        connections: usize,
        connection_pending: bool,
    ) -> Instant {
        let now = Instant::now();
        let lasted = now - began;
        let pending = if connection_pending { ", a connection was pending" } else { "" };
        let were = if connections == 1 { "was" } else { "were" };
        let ready = Counted(connections, "connection");
        self.print(
            Verbosity::Verbose,
            format_args!(
                "polled in vain {in_vain} times in {lasted:.1?}: then {ready} {were} ready{pending}"
            ),
        );
        now
    }

    /// The counters, at the end.
    pub fn into_counters(self) -> Counters {
        self.counters
    }

    fn print(&mut self, verbosity: Verbosity, line: fmt::Arguments<'_>) {
        if self.console.print(verbosity, line) {
            self.counters.count(Call::Write);
        }
    }
}

/// A number of things, in words: `1 connection`, `2 connections`.
#[derive(Clone, Copy, Debug)]
pub struct Counted(pub usize, pub &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counted(count, one) = self;
        write!(f, "{count} {one}{}", if *count == 1 { "" } else { "s" })
    }
}
