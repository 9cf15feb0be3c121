//! The blocking server: it sleeps in accept(2) until a client comes, then in recv(2) until this
//! client sends something, and serves it to the end before it accepts the next.
//!
//! The code reads from top to bottom. But it can't serve another client meanwhile: one client
//! that is slow, or silent, makes all others wait, while the processor has nothing to do. This
//! is called *head-of-line blocking*.
//!
//! ```text
//! cargo run -p sync-server
//! cargo run -p client -- --dribbling 1     # in a second terminal: nineteen wait for one
//! ```
//!
//! `busy-server` and `thread-server` are the first two fixes that come to mind: one never sleeps,
//! the other is this server many times over. `select-server` comes next: `diff` it against this
//! one to see what changes when a single call waits for all connections.

#![forbid(unsafe_code)]

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use protocol::Conversation;
use server_kit::{
    BlockingCalls, BlockingStream, Call, Counters, Journal, READ_MAX, STOP_GRACE, Settings, Stop,
    work,
};

/// Serves one client after the other until `stop` is requested.
///
/// # Errors
///
/// Errors of the listener, and those of [`BlockingCalls::new`]. An error on a connection ends only
/// that connection.
pub fn serve(listener: TcpListener, settings: &Settings, stop: &Stop) -> io::Result<Counters> {
    let mut server = SyncServer {
        calls: BlockingCalls::new(listener, stop)?,
        settings,
        stop,
        journal: Journal::new(settings),
    };
    while server.turn()? {}
    Ok(server.journal.into_counters())
}

struct SyncServer<'a> {
    /// The calls in which the thread sleeps: accept(2), recv(2) and send(2).
    calls: BlockingCalls,
    settings: &'a Settings,
    stop: &'a Stop,
    journal: Journal,
}

impl SyncServer<'_> {
    /// One turn of the loop: sleep until a client comes, then serve it to the end.
    /// Returns whether the loop goes on.
    fn turn(&mut self) -> io::Result<bool> {
        if let Some((stream, peer)) = self.calls.accept(&mut self.journal)? {
            self.calls.had_room();
            serve_client(stream, peer, &self.calls, self.settings, &mut self.journal);
        }
        Ok(!self.stop.is_requested())
    }
}

/// Serves one client to the end, in blocking calls of this thread. An error ends only this
/// connection.
pub fn serve_client(
    stream: TcpStream,
    peer: SocketAddr,
    calls: &BlockingCalls,
    settings: &Settings,
    journal: &mut Journal,
) {
    let (number, now) = (journal.connected(peer), Instant::now());
    let stream = calls.stream(stream, peer);
    let conversation = Conversation::new(settings.terms(), number, now);
    let mut connection = Connection { stream, conversation, now, calls, settings, journal };
    let result = connection.converse();
    let Connection { conversation, journal, .. } = connection;
    let ending = result.map(|()| conversation.ending());
    journal.count(Call::Close);
    journal.closing(peer, ending, conversation.owed());
}

struct Connection<'a> {
    stream: BlockingStream<'a>,
    conversation: Conversation,
    /// When the last call that can sleep returned.
    now: Instant,
    calls: &'a BlockingCalls,
    settings: &'a Settings,
    journal: &'a mut Journal,
}

impl Connection<'_> {
    /// Receives requests and sends replies until the conversation is over.
    fn converse(&mut self) -> io::Result<()> {
        self.stream.prepare(self.settings.terms().idle_timeout, self.journal)?;
        while self.conversation.ending().is_none() {
            if self.calls.notices_stop() {
                self.conversation.stop(self.now, self.now + STOP_GRACE);
            }
            let interest = self.conversation.interest();
            if interest.writable {
                self.send()?;
            } else if self.conversation.half_close_is_due() {
                self.stream.half_close(self.journal)?;
                self.conversation.half_closed(self.now);
            } else if interest.readable {
                self.receive()?;
            } else {
                // There is nothing to send or to receive until a delayed reply is due.
                self.calls.sleep_until(self.conversation.deadline(), self.journal);
                self.now = Instant::now();
            }
            self.conversation.expire(self.now);
        }
        Ok(())
    }

    /// Sends pending bytes. send(2) sleeps while the client doesn't read.
    fn send(&mut self) -> io::Result<()> {
        let sent = self.stream.send(self.conversation.pending(), self.journal)?;
        self.now = Instant::now();
        if let Some(count) = sent {
            self.journal.replied(self.conversation.sent(count, self.now));
        }
        Ok(())
    }

    /// Receives from the client. recv(2) sleeps while the client sends nothing.
    fn receive(&mut self) -> io::Result<()> {
        let mut buffer = [0; READ_MAX];
        let room = self.conversation.room().min(READ_MAX);
        let time_out = self.conversation.deadline().map(|deadline| deadline - self.now);
        let received = self.stream.recv(&mut buffer[..room], time_out, self.journal)?;
        self.now = Instant::now();
        if let Some(count) = received {
            let bytes = &buffer[..count];
            let requests = match bytes {
                [] => self.conversation.receive_end(self.now),
                _ => self.conversation.receive(bytes, self.now),
            };
            self.journal.received(bytes, requests);
            work(requests, self.settings.work, self.journal);
        }
        Ok(())
    }
}
