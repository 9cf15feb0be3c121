//! The blocking server: it waits in accept(2) for a client, then in recv(2) for what this
//! client says, and serves it to the end before it looks at the next.
//!
//! Everything reads from top to bottom, and that is the beauty of it. What it cannot do is
//! serve anybody else meanwhile: one client that is slow, or silent, stops everyone, while
//! the processor has nothing to do.
//!
//! ```text
//! cargo run -p sync-server
//! cargo run -p client -- --dribbling 1     # in a second terminal: nineteen wait for one
//! ```
//!
//! `busy-server` and `thread-server` are the first two answers that come to mind: one waits for
//! nobody, the other is this server many times. `select-server` comes next: put it beside this
//! one, and `diff` shows what changes when one call waits for all connections.

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
/// Those that end the listener, and those of [`BlockingCalls::new`]. What befalls a connection
/// ends that one only.
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
    /// accept(2), recv(2) and send(2), in which the thread sleeps.
    calls: BlockingCalls,
    settings: &'a Settings,
    stop: &'a Stop,
    journal: Journal,
}

impl SyncServer<'_> {
    /// One turn of the loop: sleep until a client comes, then serve it to its end.
    /// Returns whether there is more to come.
    fn turn(&mut self) -> io::Result<bool> {
        if let Some((stream, peer)) = self.calls.accept(&mut self.journal)? {
            self.calls.had_room();
            serve_client(stream, peer, &self.calls, self.settings, &mut self.journal);
        }
        Ok(!self.stop.is_requested())
    }
}

/// Serves one client to its end, in blocking calls of this thread. What goes wrong ends this
/// connection only.
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
    /// When the last call that may sleep returned.
    now: Instant,
    calls: &'a BlockingCalls,
    settings: &'a Settings,
    journal: &'a mut Journal,
}

impl Connection<'_> {
    /// Receives and sends in turns until all is said.
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
                // Nothing to send yet, and nothing to receive: only a reply that is delayed.
                self.calls.sleep_until(self.conversation.deadline(), self.journal);
                self.now = Instant::now();
            }
            self.conversation.expire(self.now);
        }
        Ok(())
    }

    /// Sends what is pending: send(2) sleeps while the client doesn't read.
    fn send(&mut self) -> io::Result<()> {
        let sent = self.stream.send(self.conversation.pending(), self.journal)?;
        self.now = Instant::now();
        if let Some(count) = sent {
            self.journal.replied(self.conversation.sent(count, self.now));
        }
        Ok(())
    }

    /// Receives what the client says: recv(2) sleeps while it says nothing.
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
