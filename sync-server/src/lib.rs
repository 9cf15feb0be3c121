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
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use protocol::Conversation;
use server_kit::{Acceptor, Call, Counters, Journal, READ_MAX, STOP_GRACE, Settings, Stop, handle};

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
    /// When the last call returned: the only moments at which time is of interest.
    now: Instant,
}

impl SyncServer<'_> {
    /// One client, from its arrival to its end.
    fn turn(&mut self) -> io::Result<()> {
        let began = self.journal.waits(format_args!("accept(2), for a client"));
        let client = self.acceptor.accept(began, &mut self.journal)?;
        let now = self.journal.woke_up(began, usize::from(client.is_some()));
        let Some((stream, peer)) = client else {
            // No descriptor is left, and this server holds none that it could give back.
            sleep_until(self.acceptor.deadline());
            self.acceptor.resume();
            return Ok(());
        };
        if self.stop.is_requested() {
            return Ok(()); // nobody but our own call to wake up
        }
        let number = self.journal.connected(peer);
        let mut client = Client {
            stream: &self.served.put(stream),
            peer,
            conversation: Conversation::new(self.settings.terms(), number, now),
            time_out: None,
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
        self.journal.count(Call::SetSockOpt);
        client.stream.set_nodelay(true)?;
        self.journal.count(Call::SetSockOpt);
        client.stream.set_write_timeout(self.settings.terms().idle_timeout)?;
        let mut give_up = None;
        while client.conversation.ending().is_none() {
            if self.stop.is_requested() {
                let give_up = *give_up.get_or_insert(client.now + STOP_GRACE);
                client.conversation.stop(client.now, give_up);
            }
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
                sleep_until(client.conversation.deadline());
                client.now = Instant::now();
            }
            client.conversation.expire(client.now);
        }
        Ok(())
    }

    /// Sends what is pending: send(2) sleeps while the client does not read.
    fn speak(&mut self, client: &mut Client) -> io::Result<()> {
        let began = self.journal.waits(format_args!("send(2), for {}", client.peer));
        self.journal.count(Call::Send);
        let result = unless_time_is_up(client.stream.write(client.conversation.pending()))?;
        client.now = self.journal.woke_up(began, usize::from(result.is_some()));
        if let Some(count) = result {
            self.journal.replied(client.conversation.sent(count, client.now));
        }
        Ok(())
    }

    /// Receives what the client says: recv(2) sleeps while it says nothing.
    fn listen(&mut self, client: &mut Client) -> io::Result<()> {
        let deadline = client.conversation.deadline();
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
        client.now = self.journal.woke_up(began, usize::from(result.is_some()));
        if let Some(count) = result {
            let bytes = &buffer[..count];
            let requests = match bytes {
                [] => client.conversation.receive_end(client.now),
                _ => client.conversation.receive(bytes, client.now),
            };
            self.journal.received(bytes, requests);
            handle(requests, self.settings.work, &mut self.journal);
        }
        Ok(())
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

/// Sleeps until the deadline, or until the server is to stop.
fn sleep_until(deadline: Option<Instant>) {
    if let Some(deadline) = deadline {
        thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// The connection that is being served, within reach of the thread that stops the server.
#[derive(Clone, Default)]
struct Served {
    stream: Arc<Mutex<Option<Arc<TcpStream>>>>,
}

impl Served {
    fn put(&self, stream: TcpStream) -> Arc<TcpStream> {
        let stream = Arc::new(stream);
        *self.lock() = Some(Arc::clone(&stream));
        stream
    }

    fn clear(&self) {
        *self.lock() = None;
    }

    fn shut_down(&self, how: Shutdown) {
        if let Some(stream) = self.lock().as_deref() {
            // It fails if the client has gone, and then nobody sleeps on it.
            stream.shutdown(how).ok();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<TcpStream>>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has a thread wake the server wherever it sleeps. Each call needs a means of its own: this
/// is the price of sleeping in many places.
fn wake_when_stopped(stop: &Stop, mut address: SocketAddr, served: Served) {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let server = thread::current();
    stop.wake_with(move || {
        let (served, server) = (served.clone(), server.clone());
        thread::spawn(move || {
            // recv(2) returns 0 once no more input can come.
            served.shut_down(Shutdown::Read);
            server.unpark();
            // accept(2) returns when somebody calls. If the call does not get through,
            // then others are before us in the queue, and it returns for them.
            TcpStream::connect_timeout(&address, STOP_GRACE).ok();
            // send(2) fails once nothing can be sent any more.
            thread::sleep(STOP_GRACE);
            served.shut_down(Shutdown::Both);
        });
    });
}
