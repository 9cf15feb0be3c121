//! The server on io_uring(7): it doesn't wait until sockets are ready. It queues operations, and
//! sleeps until some of them *are done*.
//!
//! select(2) and epoll(7) report readiness, and then the program makes a call for each operation.
//! Here, the program and the kernel share two queues in memory. The program puts operations into
//! one of them: accept clients, receive from this client, send these bytes, close that socket. A
//! single call of io_uring_enter(2) hands over everything that is queued, and sleeps until there
//! are completions in the other queue. That is one turn, however many clients have sent something.
//!
//! An operation can complete many times: one accept is enough for all clients, and one receive for
//! everything that a client will ever send (*multishot*). So a request that gets its reply at once
//! costs one new operation, the send, and a share of one call: with 100 busy clients 0.1 to 0.4
//! calls, depending on how many clients send at the same time, where `select-server` and
//! `poll-server` need two or more. TCP itself, which takes most of the processor time, costs as
//! much as before.
//!
//! The price is that the server has to take care of a lot, much of which a runtime such as that of
//! `async-server` would handle:
//!
//! - The kernel reads and writes the program's memory *later*. Bytes to send have to stay where
//!   they are until the kernel is done with them, and nothing in flight may be dropped or reused:
//!   `ring.rs`.
//! - A receive needs a buffer, even while it waits. Here all connections share one pool
//!   (`buffers.rs`), and the kernel takes a buffer when bytes have come. An idle connection costs
//!   half a kilobyte in this program, and three quarters in the kernel for the receive that waits
//!   (measured on Linux 6.18).
//! - An operation goes on by itself once it is submitted. To stop reading from a non-reading
//!   client, the server has to cancel its receive, and to keep what that still receives before it
//!   is cancelled. And a connection is only over after its last completion: `connection.rs`.
//! - The accept only returns a descriptor: the client's address takes a call, getpeername(2).
//! - It only works on Linux, from 6.0 on, and it is often switched off, for example in most
//!   containers, because such a large interface to the kernel has had many security holes. The
//!   server then says so and exits with status 69. (IOCP on Windows has reported completions since
//!   1994.)
//!
//! `-v` prints how many operations each call hands over, and what has been done.
//!
//! Left out: a connection whose client has closed its sending half, and that only waits until its
//! delayed reply is due, has no operation in flight. If its client resets it, the server doesn't
//! notice before it sends that reply.
//!
//! ```text
//! cargo run -p uring-server -- -v
//! cargo run -p client -- --connections 100 --requests 100  # in a second terminal: see the calls
//! ```
//!
//! `sync-server` waits for one client, `poll-server` for all clients that are ready, and this one
//! for all operations that are done.

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

/// No options besides those that all servers have.
#[derive(Args, Clone, Debug)]
pub struct Options {}

impl OwnOptions for Options {
    fn listen(&self, settings: &Settings) -> io::Result<TcpListener> {
        available()?;
        server_kit::listen(settings)
    }
}

/// Whether this system has the server's way to wait: io_uring(7), from Linux 6.0 on.
///
/// # Errors
///
/// One of the kind [`io::ErrorKind::Unsupported`], with a sentence that says why, and what to do;
/// or those of a system that has no memory or descriptors left.
pub fn available() -> io::Result<()> {
    Ring::new().map(drop)
}

/// Serves all clients in turn until `stop` is requested and all connections are closed.
///
/// # Errors
///
/// Errors of the listener and of the wait. An error on a connection ends only that connection.
pub fn serve(
    listener: TcpListener,
    settings: &Settings,
    _: &Options,
    stop: &Stop,
) -> io::Result<Counters> {
    // Without TCP_NODELAY (tcp(7)), a small reply may wait until the client's kernel
    // acknowledges the one before (Nagle's algorithm, RFC 896), which it may delay. On Linux,
    // accepted sockets inherit the option from the listener, which saves a call for each.
    SockRef::from(&listener).set_tcp_nodelay(true)?;
    let mut ring = Ring::new()?;
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let wake_up = Arc::new(EventFd::from_value_and_flags(0, flags)?);
    ring.watch(Rc::new(Arc::clone(&wake_up)));
    stop.wake_with(move || {
        // It ends the wait, and can't fail before it is called 2^64 times (eventfd(2)).
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
    /// `None` once the server is stopping.
    listener: Option<Rc<TcpListener>>,
    /// The accept that is in flight; `None` while no descriptor is left.
    accepting: Option<OperationId>,
    admission: Admission,
    ring: Ring,
    connections: Slab<Connection>,
    /// The connections for which an operation has completed in this turn.
    touched: Vec<usize>,
    /// Why the accept that was in flight has failed.
    refusal: Option<io::Error>,
    /// A connection was closed in this turn, so a descriptor is free.
    freed: bool,
    deadlines: Deadlines,
    settings: &'a Settings,
    stop: &'a Stop,
    journal: Journal,
}

impl UringServer<'_> {
    /// One turn of the loop: hand over operations, sleep until some are done, then handle what
    /// they have done. Returns whether the loop goes on.
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
                // The next turn checks `stop`.
                Completion::Readable => {}
            }
        }
        self.answer();
        self.look_for_refusal(now)?;
        self.expire(now);
        Ok(true)
    }

    /// Hands over what is queued, and sleeps until something is done or the earliest deadline has
    /// passed. Fills the list of completions; returns the time.
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
            // The kernel has no memory for the call or an operation (EAGAIN, ENOMEM), which may
            // pass.
            rest_without_memory(&mut self.journal);
        }

        let count = |kind: fn(&Completion) -> bool| done.iter().filter(|&c| kind(c)).count();
        let accepted = count(|c| matches!(c, Completion::Accepted { .. }));
        if self.accepting.is_some() && accepted == 0 {
            // It has reported neither a client nor an error, so the queue is empty.
            self.admission.had_room();
        }
        let received = count(|c| matches!(c, Completion::Received { .. }));
        let sent = count(|c| matches!(c, Completion::Sent { .. }));
        Ok(self.journal.woke_up_to(
            began,
            format_args!("{accepted} accepted, {received} received, {sent} sent"),
        ))
    }

    /// The accept has completed: with a client, or with an error.
    fn accepted(&mut self, result: io::Result<TcpStream>, more: bool) {
        if !more {
            self.accepting = None;
        }
        if self.listener.is_none() {
            return; // cancelled, or a client that comes too late
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
            // The client has already gone (ENOTCONN). accept(2) would have failed with
            // ECONNABORTED, and reported no client either.
            self.ring.close(Rc::new(stream));
            return;
        };
        let now = Instant::now();
        let connection = Connection::new(stream, peer, self.settings, now, &mut self.journal);
        let key = self.connections.insert(connection);
        self.touched.push(key);
    }

    /// A receive has completed: with bytes, with the end of the input, or with an error.
    fn received(&mut self, key: usize, result: io::Result<Option<Buffer>>, more: bool) {
        // Not the time of the wake-up: serving the clients before this one may have taken long.
        let now = Instant::now();
        self.connections[key].received(result, more, now, &mut self.journal);
        self.touched.push(key);
    }

    /// A send has completed, at this time.
    fn sent(&mut self, key: usize, result: io::Result<usize>, when: Instant) {
        self.connections[key].sent(result, when, &mut self.journal);
        self.touched.push(key);
    }

    /// Goes on with each connection for which an operation has completed: once, however many there
    /// were, so that one send takes all replies that are due.
    fn answer(&mut self) {
        let mut touched = mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        // Not the time of the wake-up: serving the clients before this one may have taken long.
        touched.drain(..).for_each(|key| self.watch(key, Instant::now()));
        self.touched = touched;
    }

    /// Handles a failed accept. The kernel completes operations in its own order. So if a
    /// connection was closed in this turn, a descriptor may have become free after the failure:
    /// then the error is ignored, and the next turn accepts again.
    fn look_for_refusal(&mut self, now: Instant) -> io::Result<()> {
        let freed = mem::take(&mut self.freed);
        match self.refusal.take() {
            Some(error) if !freed => {
                // In any case the accept is over, and is queued again when it is time.
                self.admission.failed(error, now, &mut self.journal).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Handles what is due: sends delayed replies, closes idle connections, tries again to accept.
    fn expire(&mut self, now: Instant) {
        while let Some(key) = self.deadlines.take_due(now) {
            self.connections[key].expire(now);
            self.watch(key, now);
        }
        self.admission.expire(now);
    }

    /// Accepts no more clients, and takes no more requests from those that are connected.
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

    /// Closes a connection that is over, or queues its next operations and notes its deadline.
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

    /// Closes a connection, as soon as none of its operations is in flight: its key must not be
    /// reused before its last completion has come. Its descriptor is then free for the next
    /// client.
    fn close(&mut self, key: usize) {
        self.deadlines.forget(key);
        if !self.connections[key].let_go(&mut self.ring) {
            return;
        }
        self.connections.remove(key).close(&mut self.ring, &mut self.journal);
        self.admission.resume();
        self.freed = true;
    }
}
