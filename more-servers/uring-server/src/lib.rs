//! The server on io_uring(7): it does not ask who is ready. It says what is to be done, and
//! sleeps until some of that *has been* done.
//!
//! select(2) and epoll(7) report readiness, and then the program makes a call for each thing
//! that it does. Here two queues lie in memory that program and kernel share. Into one of them
//! go operations: accept whoever comes, receive whatever they say, send this, close that. A
//! single call of io_uring_enter(2) hands over everything that has been queued, and sleeps
//! until completions are in the other. That is a turn, however many clients have spoken.
//!
//! An operation may complete many times: one accept serves for all clients, one receive for
//! all that a client will ever say (*multishot*). So a request that is answered at once costs
//! one new operation, the send, and a share of one call: with 100 busy clients 0.1 to 0.4 of a
//! call, as many as happen to speak at the same time, where `select-server` and `poll-server`
//! need two and more. What TCP itself costs, most of the processor time, stays what it was.
//!
//! The price is paid in care, of which a runtime such as that of `async-server` spares its user
//! much:
//!
//! - The kernel reads and writes the program's memory *later*. Bytes to send have to stay where
//!   they are until it is done, and nothing in flight may be dropped or reused: `ring.rs`.
//! - Who waits to receive must have lent a buffer. Here all share one pool (`buffers.rs`),
//!   and the kernel takes one when bytes have come. An idle connection costs half a kilobyte
//!   in this program, and three quarters in the kernel for the receive that waits (measured on
//!   Linux 6.18).
//! - What has been handed over goes on by itself. To stop reading from a client who does not
//!   read means to cancel a receive that may bring more before it hears of it, and to keep
//!   that; a connection is over only after the last completion has come: `connection.rs`.
//! - A client is told by its descriptor only: its address takes a call, getpeername(2).
//! - Linux only, from 6.0 on, and often switched off, in most containers for one: so large a
//!   door to the kernel has had its share of holes. The server then says so and exits with
//!   status 69. (IOCP on Windows has worked by completion since 1994.)
//!
//! `-v` tells how many operations each call has handed over, and what has been done.
//!
//! Left out: a connection that waits for nothing but a delayed reply is not seen to be reset
//! before that reply is sent, once its client has closed its sending half.
//!
//! ```text
//! cargo run -p uring-server -- -v
//! cargo run -p client -- --connections 100 --requests 100   # in a second terminal: look at the calls
//! ```
//!
//! `sync-server` waits for one, `poll-server` for whoever is ready: this one for what is done.

// The crate `io-uring` knows the kernel's structures on 64-bit machines only.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use std::io;
use std::mem;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use nix::sys::eventfd::{EfdFlags, EventFd};
use server_kit::{
    Admission, Call, Counted, Counters, Deadlines, Journal, OwnOptions, STOP_GRACE, Settings, Stop,
    rest_without_memory,
};
use slab::Slab;
use socket2::SockRef;

mod buffers;
mod connection;
mod ring;

use buffers::Buffer;
use connection::Connection;
use ring::{Completion, OperationId, Ring};

/// Nothing that other servers don't take.
#[derive(Args, Clone, Debug)]
pub struct Options {}

impl OwnOptions for Options {
    fn listen(&self, settings: &Settings) -> io::Result<TcpListener> {
        available()?;
        server_kit::listen(settings)
    }
}

/// Whether this system has what the server waits with: io_uring(7), from Linux 6.0 on.
///
/// # Errors
///
/// Of the kind [`io::ErrorKind::Unsupported`], with a sentence on what is refused, and what to
/// do; or those of a system that has no memory or descriptors left.
pub fn available() -> io::Result<()> {
    Ring::new().map(drop)
}

/// Serves everybody in turns until `stop` is requested and all connections are closed.
///
/// # Errors
///
/// Those that end the listener or the wait. What befalls a connection ends that one only.
pub fn serve(
    listener: TcpListener,
    settings: &Settings,
    _: &Options,
    stop: &Stop,
) -> io::Result<Counters> {
    // Without TCP_NODELAY (tcp(7)), a small reply may wait for the client to acknowledge
    // the one before (Nagle's algorithm, RFC 896), and its kernel takes its time. On Linux,
    // accepted sockets have it from the listener, which saves a call for each.
    SockRef::from(&listener).set_tcp_nodelay(true)?;
    let mut ring = Ring::new()?;
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let wake_up = Arc::new(EventFd::from_value_and_flags(0, flags)?);
    ring.watch(Rc::new(Arc::clone(&wake_up)));
    stop.wake_with(move || {
        // It ends the wait, and can't fail before it has been called 2^64 times (eventfd(2)).
        wake_up.write(1).ok();
    });
    let mut server = UringServer {
        listener: Some(Rc::new(listener)),
        accepting: None,
        admission: Admission::default(),
        ring,
        connections: Slab::new(),
        touched: Vec::new(),
        refusal: None,
        freed: false,
        deadlines: Deadlines::new(),
        settings,
        stop,
        journal: Journal::new(settings),
    };
    let mut done = Vec::new();
    while server.turn(&mut done)? {}
    Ok(server.journal.into_counters())
}

struct UringServer<'a> {
    /// `None` once the server stops.
    listener: Option<Rc<TcpListener>>,
    /// The accept that is in flight; there is none while no descriptor is left.
    accepting: Option<OperationId>,
    admission: Admission,
    ring: Ring,
    connections: Slab<Connection>,
    /// For whom something has been done in this turn.
    touched: Vec<usize>,
    /// Why the accept that was in flight is over.
    refusal: Option<io::Error>,
    /// A connection was closed in this turn, so a descriptor is free.
    freed: bool,
    deadlines: Deadlines,
    settings: &'a Settings,
    stop: &'a Stop,
    journal: Journal,
}

impl UringServer<'_> {
    /// One turn of the loop: hand over what is to be done, sleep until something has been
    /// done, and answer that. Returns whether there is more to come.
    fn turn(&mut self, done: &mut Vec<Completion>) -> io::Result<bool> {
        if self.stop.is_requested() && self.listener.is_some() {
            self.stop_accepting(Instant::now());
        }
        if self.listener.is_none() && self.connections.is_empty() {
            return Ok(false);
        }
        let now = self.wait(done)?;
        for completion in done.drain(..) {
            match completion {
                Completion::Accepted { result, more } => self.accepted(result, more),
                Completion::Received { key, result, more } => self.received(key, result, more),
                Completion::Sent { key, result, when } => self.sent(key, result, when),
                // `stop` is looked at in the next turn.
                Completion::Readable => {}
            }
        }
        self.answer();
        self.look_for_refusal(now)?;
        self.expire(now);
        Ok(true)
    }

    /// Hands over what is queued, and sleeps until something has been done or the earliest
    /// deadline has passed. Fills the list of completions; returns the time.
    fn wait(&mut self, done: &mut Vec<Completion>) -> io::Result<Instant> {
        if let Some(listener) = &self.listener
            && self.accepting.is_none()
            && self.admission.is_open()
        {
            self.accepting = Some(self.ring.accept(Rc::clone(listener)));
        }
        let queued = Counted(self.ring.queued(), "operation");
        let connections = Counted(self.connections.len(), "connection");
        let began =
            self.journal.waits(format_args!("io_uring_enter(2), with {queued}, on {connections}"));
        let try_again = self.listener.as_ref().and_then(|_| self.admission.deadline());
        let deadline = [self.deadlines.next(), try_again].into_iter().flatten().min();
        let calls = self.ring.submit_and_wait(began, deadline, done)?;
        (0..calls).for_each(|_| self.journal.count(Call::IoUringEnter));
        if self.ring.is_without_memory() {
            rest_without_memory(&mut self.journal); // EAGAIN or ENOMEM, which may pass
        }

        let count = |kind: fn(&Completion) -> bool| done.iter().filter(|&c| kind(c)).count();
        let accepted = count(|c| matches!(c, Completion::Accepted { .. }));
        if self.accepting.is_some() && accepted == 0 {
            // It had nothing to tell, neither a client nor an error: it waits for the next.
            self.admission.had_room();
        }
        let received = count(|c| matches!(c, Completion::Received { .. }));
        let sent = count(|c| matches!(c, Completion::Sent { .. }));
        Ok(self.journal.woke_up_to(
            began,
            format_args!("{accepted} accepted, {received} received, {sent} sent"),
        ))
    }

    /// A client was let in, or could not be.
    fn accepted(&mut self, result: io::Result<TcpStream>, more: bool) {
        if !more {
            self.accepting = None;
        }
        if self.listener.is_none() {
            return; // cancelled, or a client who comes too late
        }
        let stream = match result {
            Ok(stream) => stream,
            Err(error) => {
                self.refusal = Some(error);
                return;
            }
        };
        self.admission.succeeded();
        self.journal.count(Call::GetPeerName);
        let Ok(peer) = stream.peer_addr() else {
            // It has gone already (ENOTCONN): accept(2) would call that ECONNABORTED, and tell
            // of nobody either.
            self.ring.close(Rc::new(stream));
            return;
        };
        let now = Instant::now();
        let connection = Connection::new(stream, peer, self.settings, now, &mut self.journal);
        let key = self.connections.insert(connection);
        self.touched.push(key);
    }

    /// A client has said something, or its last.
    fn received(&mut self, key: usize, result: io::Result<Option<Buffer>>, more: bool) {
        // Not the time of waking: those before may have been a lot of work.
        let now = Instant::now();
        self.connections[key].received(result, more, now, &mut self.journal);
        self.touched.push(key);
    }

    /// A client was sent something, at this time.
    fn sent(&mut self, key: usize, result: io::Result<usize>, when: Instant) {
        self.connections[key].sent(result, when, &mut self.journal);
        self.touched.push(key);
    }

    /// Everybody goes on for whom something has been done: once, however much that was, so
    /// that one send takes all replies that are due.
    fn answer(&mut self) {
        let mut touched = mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        // Not the time of waking: those before may have been a lot of work.
        touched.drain(..).for_each(|key| self.watch(key, Instant::now()));
        self.touched = touched;
    }

    /// The kernel could not let a client in. It has done everything in an order of its own: if
    /// a connection was closed in this turn, a descriptor has become free since, and the next
    /// client is asked for as if nothing had happened.
    fn look_for_refusal(&mut self, now: Instant) -> io::Result<()> {
        let freed = mem::take(&mut self.freed);
        match self.refusal.take() {
            Some(error) if !freed => {
                // Whoever is refused, the accept is over, and is queued again when it is time.
                self.admission.failed(error, now, &mut self.journal).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Does what the time asks for: delayed replies, idle clients, another try to accept.
    fn expire(&mut self, now: Instant) {
        while let Some(key) = self.deadlines.take_due(now) {
            self.connections[key].expire(now);
            self.watch(key, now);
        }
        self.admission.expire(now);
    }

    /// Takes no more clients, and no more requests from those who are here.
    fn stop_accepting(&mut self, now: Instant) {
        self.listener = None;
        if let Some(accept) = self.accepting {
            self.ring.cancel(accept);
        }
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.connections[key].stop(now, now + STOP_GRACE);
            self.watch(key, now);
        }
    }

    /// Queues what a connection needs next, and notes until when it waits for it.
    fn watch(&mut self, key: usize, now: Instant) {
        let connection = &mut self.connections[key];
        if !connection.is_over() {
            connection.go_on(key, now, &mut self.ring, &mut self.journal);
        }
        if connection.is_over() {
            self.close(key);
        } else {
            self.deadlines.watch(key, connection.deadline());
        }
    }

    /// Closes a connection, as soon as nothing is in flight for it: its key must not come to
    /// mean another before its last completion has come. Its descriptor is free for the next
    /// client then.
    fn close(&mut self, key: usize) {
        self.deadlines.forget(key);
        if !self.connections[key].let_go(&mut self.ring) {
            return;
        }
        self.connections.remove(key).farewell(&mut self.ring, &mut self.journal);
        self.admission.resume();
        self.freed = true;
    }
}
