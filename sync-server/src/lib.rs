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
//! `select-server` is the same song in its second verse.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use protocol::Conversation;
use server_kit::{Acceptor, Call, Counters, Journal, READ_MAX, STOP_GRACE, Settings, Stop, work};

mod wake;
use wake::{Served, wake_when_stopped};

/// Serves one client after the other until `stop` is requested.
///
/// # Errors
///
/// Those that end the listener. What befalls a connection ends that connection only.
pub fn serve(listener: TcpListener, settings: &Settings, stop: &Stop) -> io::Result<Counters> {
    let served = Served::default();
    wake_when_stopped(stop, listener.local_addr()?, served.clone());
    let mut server = SyncServer {
        acceptor: Acceptor::blocking(listener),
        served,
        settings,
        stop,
        journal: Journal::new(settings),
    };
    while !stop.is_requested() {
        server.turn()?;
    }
    Ok(server.journal.into_counters())
}

struct SyncServer<'a> {
    acceptor: Acceptor,
    served: Served,
    settings: &'a Settings,
    stop: &'a Stop,
    journal: Journal,
}

/// The client that is being served.
struct Client<'a> {
    stream: &'a TcpStream,
    peer: SocketAddr,
    conversation: Conversation,
    /// The time-out that the socket has for reading.
    time_out: Option<Duration>,
    /// When to leave it, whatever is owed: set once the server stops.
    give_up: Option<Instant>,
    /// When the last call that may sleep returned.
    now: Instant,
}

impl SyncServer<'_> {
    /// One client, from its arrival to its end.
    fn turn(&mut self) -> io::Result<()> {
        let began = self.journal.waits(format_args!("accept(2), for a client"));
        let client = self.acceptor.accept(began, &mut self.journal)?;
        let now = self.journal.woke_up(began, 0, client.is_some());
        let Some((stream, peer)) = client else {
            // No descriptor is left, and this server holds none that it could give back.
            self.sleep_until(self.acceptor.deadline());
            self.acceptor.resume();
            return Ok(());
        };
        if self.stop.is_requested() {
            return Ok(()); // our own call to wake up, or a client who comes too late
        }
        let number = self.journal.connected(peer);
        let mut client = Client {
            stream: &self.served.put(stream),
            peer,
            conversation: Conversation::new(self.settings.terms(), number, now),
            time_out: None,
            give_up: None,
            now,
        };
        let result = self.converse(&mut client);
        let Client { conversation, .. } = client;
        let ending = result.map(|()| conversation.ending());
        self.journal.closing(peer, ending, conversation.owed());
        self.served.clear();
        Ok(())
    }

    /// Speaks and listens in turns until all is said.
    fn converse(&mut self, client: &mut Client) -> io::Result<()> {
        // Without TCP_NODELAY (tcp(7)), a small reply may wait for the client to acknowledge
        // the one before (Nagle's algorithm, RFC 896), and its kernel takes its time.
        self.journal.count(Call::SetSockOpt);
        client.stream.set_nodelay(true)?;
        // Time-outs of the socket, SO_SNDTIMEO here and SO_RCVTIMEO in `listen` (socket(7)),
        // end the sleep for a client who does nothing for too long.
        self.journal.count(Call::SetSockOpt);
        client.stream.set_write_timeout(self.settings.terms().idle_timeout)?;

        while client.conversation.ending().is_none() {
            self.look_for_stop(client);
            let interest = client.conversation.interest();
            if interest.writable {
                self.speak(client)?;
            } else if client.conversation.half_close_is_due() {
                self.journal.count(Call::Shutdown);
                client.stream.shutdown(Shutdown::Write)?;
                client.conversation.half_closed(client.now);
            } else if interest.readable {
                self.listen(client)?;
            } else {
                // Nothing to say yet, and nothing to hear: only a reply that is delayed.
                self.sleep_until(client.conversation.deadline());
                client.now = Instant::now();
            }
            client.conversation.expire(client.now);
        }
        Ok(())
    }

    fn look_for_stop(&self, client: &mut Client) {
        if self.stop.is_requested() {
            let give_up = *client.give_up.get_or_insert(client.now + STOP_GRACE);
            client.conversation.stop(client.now, give_up);
        }
    }

    /// Sends what is pending: send(2) sleeps while the client does not read.
    fn speak(&mut self, client: &mut Client) -> io::Result<()> {
        let began = self.journal.waits(format_args!("send(2), for {}", client.peer));
        self.journal.count(Call::Send);
        let result = unless_time_is_up(client.stream.write(client.conversation.pending()))?;
        client.now = self.journal.woke_up(began, usize::from(result.is_some()), false);
        if let Some(count) = result {
            self.journal.replied(client.conversation.sent(count, client.now));
        }
        Ok(())
    }

    /// Receives what the client says: recv(2) sleeps while it says nothing.
    fn listen(&mut self, client: &mut Client) -> io::Result<()> {
        let deadline = client.conversation.deadline();
        // Never 0, which would not do for a time-out: `expire` has ended whatever was due.
        let time_out = deadline.map(|deadline| deadline - client.now);
        if client.time_out != time_out {
            client.time_out = time_out;
            self.journal.count(Call::SetSockOpt);
            client.stream.set_read_timeout(time_out)?;
        }
        let mut buffer = [0; READ_MAX];
        let room = client.conversation.room().min(READ_MAX);
        let began = self.journal.waits(format_args!("recv(2), for {}", client.peer));
        self.journal.count(Call::Recv);
        let result = unless_time_is_up(client.stream.read(&mut buffer[..room]))?;
        client.now = self.journal.woke_up(began, usize::from(result.is_some()), false);
        if let Some(count) = result {
            // An end of input may be our own doing, to wake this thread: what the client has
            // not finished is no request then.
            self.look_for_stop(client);
            let bytes = &buffer[..count];
            let requests = match bytes {
                [] => client.conversation.receive_end(client.now),
                _ => client.conversation.receive(bytes, client.now),
            };
            self.journal.received(bytes, requests);
            work(requests, self.settings.work, &mut self.journal);
        }
        Ok(())
    }

    /// Sleeps until the deadline, or until the server is to stop.
    fn sleep_until(&mut self, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.journal.count(Call::Nanosleep);
            thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

/// What a call on a socket with a time-out has done; `None` if time was up before (EAGAIN,
/// or `WSAETIMEDOUT` on Windows), or a signal came (EINTR): then the deadlines are looked at,
/// and it sleeps again.
fn unless_time_is_up(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(None),
            _ => Err(error),
        },
    }
}
