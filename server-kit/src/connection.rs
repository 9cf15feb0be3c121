//! A non-blocking socket and its conversation.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use protocol::{Conversation, Interest};

use crate::{Call, Journal, Settings, Stream, work};

/// How many bytes are read at most in one call: a page, and more than a conversation has room for
/// while it takes requests.
pub const READ_MAX: usize = 4096;

/// A connection of an event loop: when its socket is ready, it does what can be done without
/// blocking, and says what it is interested in next.
///
/// It reads *once* and writes *once* each time. Nothing that is left over gets lost: readiness is
/// level-triggered here, so the next turn of the loop reports it again, after all other clients
/// have had their turn. And it sends a reply at once, without waiting for the socket to be reported
/// writable: nearly always the socket is, and then the extra wait would cost more than the send.
pub struct Connection<S = TcpStream> {
    stream: S,
    peer: SocketAddr,
    conversation: Conversation,
    work: Duration,
    /// The error of the socket, which then can only be closed.
    failure: Option<io::Error>,
}

impl<S: Stream> Connection<S> {
    /// Prepares the socket of a client that was accepted.
    pub fn new(
        stream: S,
        peer: SocketAddr,
        settings: &Settings,
        now: Instant,
        journal: &mut Journal,
    ) -> Self {
        let number = journal.connected(peer);
        journal.count(Call::Ioctl);
        let prepared = stream.set_nonblocking(true).and_then(|()| {
            // Without TCP_NODELAY (tcp(7)), a small reply may wait until the client's kernel
            // acknowledges the one before (Nagle's algorithm, RFC 896), which it may delay.
            journal.count(Call::SetSockOpt);
            stream.set_nodelay(true)
        });
        Connection {
            stream,
            peer,
            conversation: Conversation::new(settings.terms(), number, now),
            work: settings.work,
            failure: prepared.err(),
        }
    }

    /// The socket is readable, or may be: reads once, and replies. Returns whether there was
    /// anything to read: bytes, the end of the input, or an error.
    pub fn readable(&mut self, now: Instant, journal: &mut Journal) -> bool {
        let result = if self.conversation.interest().readable {
            self.read(now, journal)
        } else {
            // There was no interest in reading. But a reset is reported anyway (epoll_ctl(2),
            // EPOLLERR; poll(2), POLLERR).
            self.look_for_error(journal)
        };
        self.or_fail(result)
    }

    /// The socket is writable, or may be: sends pending bytes. Returns whether anything was
    /// done, or an error was found.
    pub fn writable(&mut self, now: Instant, journal: &mut Journal) -> bool {
        if self.is_over() {
            return false;
        }
        let result = self.write(now, journal);
        self.or_fail(result)
    }

    /// The deadline has passed, or may have: sends the replies that are due, or ends the connection
    /// of an idle client.
    pub fn expire(&mut self, now: Instant, journal: &mut Journal) {
        // What was pending before did not fit into the socket. By now the socket may have a little
        // room, less than is reported (on Linux a third of the buffer). Filling that would count as
        // movement, and postpone the idle time-out.
        let is_blocked = self.conversation.interest().writable;
        self.conversation.expire(now);
        if !is_blocked {
            self.writable(now, journal);
        }
    }

    /// The server is stopping: sends the replies that it owes, until `give_up` at the latest.
    pub fn stop(&mut self, now: Instant, give_up: Instant, journal: &mut Journal) {
        self.conversation.stop(now, give_up);
        self.writable(now, journal);
    }

    /// What the socket should be watched for.
    pub fn interest(&self) -> Interest {
        self.conversation.interest()
    }

    /// When to call [`expire`](Self::expire) at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.conversation.deadline()
    }

    /// Whether the conversation is over, or the socket has failed.
    pub fn is_over(&self) -> bool {
        self.failure.is_some() || self.conversation.ending().is_some()
    }

    /// The socket has failed, so the connection ends. Only the first error is reported: it causes
    /// the others.
    pub fn fail(&mut self, error: io::Error) {
        self.failure.get_or_insert(error);
    }

    /// Reports why the connection ends. The socket is closed when the connection is dropped.
    pub fn report_end(&mut self, journal: &mut Journal) {
        journal.count(Call::Close);
        let ending = self.failure.take().map_or(Ok(self.conversation.ending()), Err);
        journal.closing(self.peer, ending, self.conversation.owed());
    }

    pub(crate) fn socket(&self) -> &S {
        &self.stream
    }

    /// Whether something was done. An error ends the connection, and counts as something.
    fn or_fail(&mut self, result: io::Result<bool>) -> bool {
        result.unwrap_or_else(|error| {
            self.fail(error);
            true
        })
    }

    fn read(&mut self, now: Instant, journal: &mut Journal) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); READ_MAX];
        let room = self.conversation.room().min(READ_MAX);
        journal.count(Call::Recv);
        let bytes = match self.stream.recv(&mut buffer[..room]) {
            Ok(bytes) => bytes,
            Err(error) if is_not_now(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        let requests = match bytes {
            [] => self.conversation.receive_end(now),
            _ => self.conversation.receive(bytes, now),
        };
        journal.received(bytes, requests);
        let worked = work(requests, self.work, journal);
        self.write(if worked { Instant::now() } else { now }, journal)?;
        Ok(true)
    }

    fn write(&mut self, now: Instant, journal: &mut Journal) -> io::Result<bool> {
        let mut done = false;
        if self.conversation.interest().writable {
            journal.count(Call::Send);
            match self.stream.send(self.conversation.pending()) {
                Ok(count) => {
                    done = true;
                    journal.replied(self.conversation.sent(count, now));
                }
                Err(error) if is_not_now(&error) => {}
                Err(error) => return Err(error),
            }
        }
        if self.conversation.half_close_is_due() {
            journal.count(Call::Shutdown);
            self.stream.shutdown(Shutdown::Write)?;
            self.conversation.half_closed(now);
            done = true;
        }
        Ok(done)
    }

    fn look_for_error(&self, journal: &mut Journal) -> io::Result<bool> {
        journal.count(Call::GetSockOpt);
        self.stream.take_error()?.map_or(Ok(false), Err)
    }
}

/// Whether this isn't an error, but means "not now": go back and wait. EAGAIN from a read: the
/// socket was reported ready and no longer is (select(2), BUGS, describes such cases). EAGAIN from
/// a write: the socket has no room left. EINTR: a signal came first.
fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::io::Read;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn a_connection_neither_blocks_nor_holds_small_replies_back() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, peer) = listener.accept().unwrap();
        let settings = Settings::try_parse_from(["server", "-q"]).unwrap();
        let mut journal = Journal::new(&settings);
        let connection = Connection::new(stream, peer, &settings, Instant::now(), &mut journal);
        assert!(!connection.is_over());
        let mut stream = connection.socket();
        assert!(stream.nodelay().unwrap());
        // If it blocks after all, it finally reads the end of the input, which isn't an error.
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(5));
            drop(client);
        });
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}
