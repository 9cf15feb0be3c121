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
//! What comes to mind first against that is tried in `busy-server`, which waits for nobody,
//! and in `thread-server`, which is this one many times. `select-server` is the same song in
//! its second verse.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::Conversation;
use server_kit::{
    Acceptor, Call, Counters, Journal, READ_MAX, STOP_GRACE, Served, Settings, Sleeper, Sleepers,
    Stop, TRY_AGAIN, work,
};

/// How many sends sleep one after the other in an idle time-out. A send that times out after it
/// has sent a part doesn't say when that was. With eight of them, the time is known to an eighth.
const SENDS_PER_TIME_OUT: u32 = 8;

/// The shortest time-out of a send: `struct timeval` counts in microseconds, and 0 would mean
/// that there is no time-out (socket(7), `SO_SNDTIMEO`).
const SHORTEST_SLEEP: Duration = Duration::from_micros(1);

/// Serves one client after the other until `stop` is requested.
///
/// # Errors
///
/// Those that end the listener, or that leave nobody to wake the server. What befalls a
/// connection ends that connection only.
pub fn serve(listener: TcpListener, settings: &Settings, stop: &Stop) -> io::Result<Counters> {
    let listener = Arc::new(listener);
    let sleepers = Sleepers::woken_by(stop, &listener)?;
    serve_as(sleepers.join(), listener, settings, stop, Journal::new(settings))
}

/// Like [`serve`], as the `sleeper`: one of several threads that all accept from the same
/// socket, each with a journal of its own.
///
/// # Errors
///
/// Those that end the listener.
pub fn serve_as(
    sleeper: Sleeper,
    listener: Arc<TcpListener>,
    settings: &Settings,
    stop: &Stop,
    journal: Journal,
) -> io::Result<Counters> {
    let mut server =
        SyncServer { acceptor: Acceptor::blocking(listener), sleeper, settings, stop, journal };
    while !stop.is_requested() {
        server.turn()?;
    }
    Ok(server.journal.into_counters())
}

struct SyncServer<'a> {
    acceptor: Acceptor,
    sleeper: Sleeper,
    settings: &'a Settings,
    stop: &'a Stop,
    journal: Journal,
}

impl SyncServer<'_> {
    /// One client, from its arrival to its end.
    fn turn(&mut self) -> io::Result<()> {
        let began = self.journal.waits(format_args!("accept(2), for a client"));
        let client = self.acceptor.accept(began, &mut self.journal);
        self.journal.woke_up(began, 0, matches!(client, Ok(Some(_))));
        if self.stop.is_requested() {
            return Ok(()); // what has ended the sleep, or a client that comes too late
        }
        let Some((stream, peer)) = client? else {
            // No descriptor is left, and this server holds none that it could give back. (Or the
            // call did not sleep: somebody else has made the listener non-blocking, EAGAIN.)
            let try_again = self.acceptor.deadline().unwrap_or(began + TRY_AGAIN);
            self.sleeper.sleep_until(Some(try_again), &mut self.journal);
            self.acceptor.resume();
            return Ok(());
        };
        self.acceptor.had_room();
        let number = self.journal.connected(peer);
        let client = Client { stream, peer, number };
        client.serve(&self.sleeper, self.settings, self.stop, &mut self.journal);
        Ok(())
    }
}

/// A client that has been accepted.
pub struct Client {
    /// The connection to it.
    pub stream: TcpStream,
    /// Its address.
    pub peer: SocketAddr,
    /// Its number, from 1.
    pub number: u64,
}

impl Client {
    /// Serves it to the end, in blocking calls of the thread that is the `sleeper`. What goes
    /// wrong meanwhile is told, and ends this connection only.
    pub fn serve(self, sleeper: &Sleeper, settings: &Settings, stop: &Stop, journal: &mut Journal) {
        let Client { stream, peer, number } = self;
        let now = Instant::now();
        let mut talk = Talk {
            stream: &sleeper.serve(stream),
            peer,
            conversation: Conversation::new(settings.terms(), number, now),
            time_out: None,
            give_up: None,
            now,
            sleeper,
            settings,
            stop,
            journal,
        };
        let result = talk.converse();
        let Talk { conversation, journal, .. } = talk;
        let ending = result.map(|()| conversation.ending());
        journal.count(Call::Close);
        journal.closing(peer, ending, conversation.owed());
    }
}

/// A client that is being served.
struct Talk<'a> {
    stream: &'a Served<'a>,
    peer: SocketAddr,
    conversation: Conversation,
    /// The time-out that the socket has for reading.
    time_out: Option<Duration>,
    /// When to leave it, whatever is owed: set once the server stops.
    give_up: Option<Instant>,
    /// When the last call that may sleep returned.
    now: Instant,
    sleeper: &'a Sleeper,
    settings: &'a Settings,
    stop: &'a Stop,
    journal: &'a mut Journal,
}

impl Talk<'_> {
    /// Speaks and listens in turns until all is said.
    fn converse(&mut self) -> io::Result<()> {
        // Without TCP_NODELAY (tcp(7)), a small reply may wait for the client to acknowledge
        // the one before (Nagle's algorithm, RFC 896), and its kernel takes its time.
        self.journal.count(Call::SetSockOpt);
        self.stream.set_nodelay(true)?;
        // Time-outs of the socket, SO_SNDTIMEO here and SO_RCVTIMEO in `listen` (socket(7)),
        // end the sleep for a client that does nothing for too long.
        self.journal.count(Call::SetSockOpt);
        let idle_timeout = self.settings.terms().idle_timeout;
        let sleep = idle_timeout.map(|time| (time / SENDS_PER_TIME_OUT).max(SHORTEST_SLEEP));
        self.stream.set_write_timeout(sleep)?;

        while self.conversation.ending().is_none() {
            self.look_for_stop();
            let interest = self.conversation.interest();
            if interest.writable {
                self.speak()?;
            } else if self.conversation.half_close_is_due() {
                self.journal.count(Call::Shutdown);
                self.stream.shutdown(Shutdown::Write)?;
                self.conversation.half_closed(self.now);
            } else if interest.readable {
                self.listen()?;
            } else {
                // Nothing to say yet, and nothing to hear: only a reply that is delayed.
                self.sleeper.sleep_until(self.conversation.deadline(), self.journal);
                self.now = Instant::now();
            }
            self.conversation.expire(self.now);
        }
        Ok(())
    }

    fn look_for_stop(&mut self) {
        if self.stop.is_requested() {
            self.sleeper.has_noticed();
            let give_up = *self.give_up.get_or_insert(self.now + STOP_GRACE);
            self.conversation.stop(self.now, give_up);
        }
    }

    /// Sends what is pending: send(2) sleeps while the client does not read.
    fn speak(&mut self) -> io::Result<()> {
        let began = self.journal.waits(format_args!("send(2), for {}", self.peer));
        self.journal.count(Call::Send);
        let result = unless_time_is_up(self.stream.write(self.conversation.pending()))?;
        self.now = self.journal.woke_up(began, usize::from(result.is_some()), false);
        if let Some(count) = result {
            self.journal.replied(self.conversation.sent(count, self.now));
        }
        Ok(())
    }

    /// Receives what the client says: recv(2) sleeps while it says nothing.
    fn listen(&mut self) -> io::Result<()> {
        let deadline = self.conversation.deadline();
        // Never 0, which would not do for a time-out: `expire` has ended whatever was due.
        let time_out = deadline.map(|deadline| deadline - self.now);
        if self.time_out != time_out {
            self.time_out = time_out;
            self.journal.count(Call::SetSockOpt);
            self.stream.set_read_timeout(time_out)?;
        }
        let mut buffer = [0; READ_MAX];
        let room = self.conversation.room().min(READ_MAX);
        let began = self.journal.waits(format_args!("recv(2), for {}", self.peer));
        self.journal.count(Call::Recv);
        let result = unless_time_is_up(self.stream.read(&mut buffer[..room]))?;
        self.now = self.journal.woke_up(began, usize::from(result.is_some()), false);
        if let Some(count) = result {
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

/// What a call on a socket with a time-out has done; `None` if time was up before (EAGAIN,
/// or `WSAETIMEDOUT` on Windows), or a signal came (EINTR): then the deadlines are looked at,
/// and it sleeps again. (Elsewhere, ETIMEDOUT is a client who can't be reached any more: tcp(7).)
fn unless_time_is_up(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(None),
            ErrorKind::TimedOut if cfg!(windows) => Ok(None),
            _ => Err(error),
        },
    }
}
