//! A non-blocking socket and its conversation.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use protocol::{Conversation, Interest};

use crate::{Call, Journal, Settings, Stream, work};

/// Most bytes that are read in one go: a page, and more than a conversation has room for
/// while it takes requests.
pub const READ_MAX: usize = 4096;

/// A connection as event loops have it: told that its socket is ready, it does what can be
/// done without waiting, and says what it is interested in next.
///
/// It reads *once* and writes *once* each time. What is left over is no loss: readiness is
/// level-triggered here, so the next turn of the loop hears of it again, after everybody
/// else has had a turn. And it writes at once what it has to say, without asking first
/// whether the socket is ready for it: nearly always it is, and then the question would
/// have cost more than the answer.
pub struct Connection<S = TcpStream> {
    stream: S,
    peer: SocketAddr,
    conversation: Conversation,
    work: Duration,
    /// What went wrong with the socket: then it can only be closed.
    failure: Option<io::Error>,
}

impl<S: Stream> Connection<S> {
    /// Takes a client in.
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
            // Without TCP_NODELAY (tcp(7)), a small reply may wait for the client to acknowledge
            // the one before (Nagle's algorithm, RFC 896), and its kernel takes its time.
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

    /// The socket is readable, or may be: reads once, and answers. Returns whether there was
    /// anything: bytes, their end, or an error.
    pub fn readable(&mut self, now: Instant, journal: &mut Journal) -> bool {
        let result = if self.conversation.interest().readable {
            self.read(now, journal)
        } else {
            // Not asked for: a reset is reported all the same (epoll_ctl(2), EPOLLERR; poll(2),
            // POLLERR).
            self.look_for_error(journal)
        };
        self.or_fail(result)
    }

    /// The socket is writable, or may be: sends what is pending. Returns whether anything was
    /// done, or an error was found.
    pub fn writable(&mut self, now: Instant, journal: &mut Journal) -> bool {
        if self.is_over() {
            return false;
        }
        let result = self.write(now, journal);
        self.or_fail(result)
    }

    /// The deadline has passed, or perhaps has: sends the replies whose time has come, or
    /// gives the client up.
    pub fn expire(&mut self, now: Instant, journal: &mut Journal) {
        // What was pending before has met a full socket. There may be a little room by now, less
        // than is reported (a third of the buffer, on Linux): to fill that would be movement, and
        // put the idle time-out off.
        let is_blocked = self.conversation.interest().writable;
        self.conversation.expire(now);
        if !is_blocked {
            self.writable(now, journal);
        }
    }

    /// The server stops: sends the replies owed, until `give_up` at the latest.
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

    /// Whether all is said, or nothing can be said any more.
    pub fn is_over(&self) -> bool {
        self.failure.is_some() || self.conversation.ending().is_some()
    }

    /// Something went wrong with the socket, so the connection ends. Only the first such
    /// error is told: the others come of it.
    pub fn fail(&mut self, error: io::Error) {
        self.failure.get_or_insert(error);
    }

    /// Tells why the connection ends. The socket is closed when the connection is dropped.
    pub fn farewell(&mut self, journal: &mut Journal) {
        journal.count(Call::Close);
        let ending = self.failure.take().map_or(Ok(self.conversation.ending()), Err);
        journal.closing(self.peer, ending, self.conversation.owed());
    }

    pub(crate) fn socket(&self) -> &S {
        &self.stream
    }

    /// What was done; an error ends the connection, and is something, too.
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

/// EAGAIN, reading: the socket was reported ready, and no longer is (select(2), BUGS, knows
/// of such cases); writing: there is no room left in it. EINTR: a signal came first. All
/// mean: go back and wait.
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
        // Should it block after all, it reads the end of input in the end, and that is no error.
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(5));
            drop(client);
        });
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}
