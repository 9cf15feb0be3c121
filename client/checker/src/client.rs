//! One client of a check: it does one thing after another, and reports what the server does wrong.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use protocol::Protocol;
use socket2::{Domain, Socket, Type};

use super::fixture::{CheckResult, Fixture, NOT_THERE, broken, not_found, not_tried};
use load_generator::Shown;
use load_generator::probe::is_time_up;

/// How long a client waits for bytes that must not come, or tries to send what the server may not
/// read.
pub(super) const A_WHILE: Duration = Duration::from_millis(300);

/// How long a client tries to connect if the backlog may be full.
const IF_THERE_IS_ROOM: Duration = Duration::from_millis(250);

/// The smallest buffer for unread bytes that a kernel allows (Linux doubles it, tcp(7) and
/// socket(7)).
const SMALL_RECEIVE_BUFFER: usize = 1024;

/// A buffer for unsent bytes that is small, but large enough for a client to be fast.
const SMALL_SEND_BUFFER: usize = 16 * 1024;

/// A client on a blocking socket. No call takes much longer than the fixture's patience.
///
/// It never reads more bytes than it waits for. So the first reply can be right even if too much
/// comes after it, which is another check's job.
pub(super) struct Client {
    stream: TcpStream,
    protocol: Protocol,
    patience: Duration,
}

impl Client {
    pub(super) fn connect(fixture: &Fixture) -> CheckResult<Self> {
        Client::connect_with(fixture, fixture.patience, |_| Ok(()))
    }

    /// Connects, unless the backlog is full.
    pub(super) fn connect_if_there_is_room(fixture: &Fixture) -> Option<Self> {
        Client::connect_with(fixture, IF_THERE_IS_ROOM, |_| Ok(())).ok()
    }

    /// A client whose kernel buffers little, both of what the server sends and the client doesn't
    /// read, and of what the client sends and the server doesn't read.
    pub(super) fn connect_with_small_buffers(fixture: &Fixture) -> CheckResult<Self> {
        Client::connect_with(fixture, fixture.patience, |socket| {
            socket.set_recv_buffer_size(SMALL_RECEIVE_BUFFER)?;
            socket.set_send_buffer_size(SMALL_SEND_BUFFER)
        })
    }

    fn connect_with(
        fixture: &Fixture,
        at_most: Duration,
        configure: impl FnOnce(&Socket) -> io::Result<()>,
    ) -> CheckResult<Self> {
        let Fixture { address, protocol, patience, .. } = *fixture;
        let connect = || {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
            configure(&socket)?;
            socket.connect_timeout(&address.into(), at_most)?;
            // Without this, the kernel would hold single bytes back and send several at once.
            socket.set_tcp_nodelay(true)?;
            socket.set_write_timeout(Some(patience))?;
            Ok(Client { stream: socket.into(), protocol, patience })
        };
        connect().or_else(cannot_connect)
    }

    /// Checks that a new client is served: it connects, sends a request, gets its reply, and
    /// leaves.
    pub(super) fn visit(fixture: &Fixture) -> CheckResult<()> {
        let mut client = Client::connect(fixture)?;
        client.send_request()?;
        client.replies(1)?;
        client.leave();
        Ok(())
    }

    pub(super) fn send_request(&mut self) -> CheckResult<()> {
        self.send(&self.protocol.request("hello from the checker"))
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> CheckResult<()> {
        self.stream.write_all(bytes).or_else(|error| match error.kind() {
            _ if is_time_up(&error) => {
                broken(format!("the server read no more bytes for {:?}", self.patience))
            }
            _ => lost(&error, "while the client was sending"),
        })
    }

    /// Sends `bytes` again and again until the sockets stay full for a while, or all of it is sent
    /// `times` times. Returns how many bytes were sent.
    pub(super) fn send_until_full(&mut self, bytes: &[u8], times: usize) -> CheckResult<usize> {
        let all = bytes.len() * times;
        let mut sent = 0;
        self.configure(|stream| stream.set_write_timeout(Some(A_WHILE)))?;
        while sent < all {
            match self.stream.write(&bytes[sent % bytes.len()..]) {
                Ok(count) => sent += count,
                Err(error) if is_time_up(&error) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return lost(&error, &format!("after {sent} bytes of requests")),
            }
        }
        self.configure(|stream| stream.set_write_timeout(Some(self.patience)))?;
        Ok(sent)
    }

    /// Lets the kernel hold more of what the server sends, from now on.
    pub(super) fn enlarge_receive_buffer(&self) -> CheckResult<()> {
        self.configure(|stream| socket2::SockRef::from(stream).set_recv_buffer_size(1 << 20))
    }

    /// Closes the sending half.
    pub(super) fn end(&mut self) -> CheckResult<()> {
        let ended = self.stream.shutdown(Shutdown::Write);
        ended.or_else(|error| lost(&error, "before the client ended"))
    }

    /// Reads this many replies, compares them byte by byte, and reads nothing after them.
    pub(super) fn replies(&mut self, count: usize) -> CheckResult<()> {
        self.expect(self.protocol.reply(), count)
    }

    /// Reads `line` this many times, and compares it byte by byte.
    pub(super) fn expect(&mut self, line: &[u8], times: usize) -> CheckResult<()> {
        let due = line.len() * times;
        let mut got = 0;
        let mut buffer = [0; 16 * 1024];
        while got < due {
            let most = buffer.len().min(due - got);
            let (whole, offset) = (got / line.len(), got % line.len());
            let instead = || match times {
                1 => format!("instead of sending {}", Shown(line)),
                _ => format!("after {whole} of {times} replies"),
            };
            let bytes = match self.read(&mut buffer[..most], self.patience) {
                Ok(0) => return broken(format!("the server closed the connection {}", instead())),
                Ok(count) => &buffer[..count],
                Err(error) if is_time_up(&error) => {
                    let patience = self.patience;
                    return broken(match times {
                        1 => format!("{} did not come within {patience:?}", Shown(line)),
                        _ => format!(
                            "{whole} of {times} replies came, and nothing more for {patience:?}"
                        ),
                    });
                }
                Err(error) => return lost(&error, &instead()),
            };
            let due = line.iter().cycle().skip(offset);
            if let Some(wrong) = bytes.iter().zip(due).position(|(got, due)| got != due) {
                let due = Shown(&line[(offset + wrong) % line.len()..]);
                return broken(format!("got {} instead of {due}", Shown(&bytes[wrong..])));
            }
            got += bytes.len();
        }
        Ok(())
    }

    /// Makes sure that nothing comes for this long, not even the end of the stream.
    pub(super) fn expect_silence(&mut self, time: Duration) -> CheckResult<()> {
        expect_none(self.read(&mut [0; 1024], time))
    }

    /// Makes sure that nothing has come up to now, not even the end of the stream.
    pub(super) fn expect_nothing_yet(&mut self) -> CheckResult<()> {
        self.configure(|stream| stream.set_nonblocking(true))?;
        let read = self.stream.read(&mut [0; 1024]);
        self.configure(|stream| stream.set_nonblocking(false))?;
        expect_none(read)
    }

    /// Whether something can be read within this time, bytes or the end of the stream.
    pub(super) fn is_readable_within(&mut self, time: Duration) -> CheckResult<bool> {
        self.configure(|stream| stream.set_read_timeout(Some(time)))?;
        match self.stream.peek(&mut [0]) {
            Ok(_) => Ok(true),
            Err(error) if is_time_up(&error) => Ok(false),
            Err(error) => lost(&error, "before it replied"),
        }
    }

    /// Reads the end of the stream; nothing may come before it.
    pub(super) fn expect_end(&mut self) -> CheckResult<()> {
        let mut buffer = [0; 1024];
        match self.read(&mut buffer, self.patience) {
            Ok(0) => Ok(()),
            Ok(count) => {
                let got = Shown(&buffer[..count]);
                broken(format!("unexpected bytes came before the end of the stream: {got}"))
            }
            Err(error) if is_time_up(&error) => {
                broken(format!("the server didn't close the connection within {:?}", self.patience))
            }
            Err(error) => lost(&error, "instead of closing it"),
        }
    }

    /// Closes the connection in order, and throws away what still comes. Closing it with unread
    /// bytes would reset it, which is another check's job.
    pub(super) fn leave(mut self) {
        let deadline = Instant::now() + A_WHILE;
        // If it fails, the connection is gone, and there is nothing left to close.
        let mut goes_on = self.stream.shutdown(Shutdown::Write).is_ok();
        while goes_on && Instant::now() < deadline {
            goes_on = matches!(self.read(&mut [0; 1024], A_WHILE), Ok(1..));
        }
    }

    /// Closes the connection with a reset (`SO_LINGER` of 0, socket(7)).
    pub(super) fn reset(self) {
        // It fails only if the connection is gone, and then there is nothing to reset.
        Socket::from(self.stream).set_linger(Some(Duration::ZERO)).ok();
    }

    fn read(&mut self, buffer: &mut [u8], at_most: Duration) -> io::Result<usize> {
        let deadline = Instant::now() + at_most;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(buffer) {
                // A signal came first, and nothing was read: try again.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn configure(&self, set: impl Fn(&TcpStream) -> io::Result<()>) -> CheckResult<()> {
        set(&self.stream).or_else(|error| lost(&error, "early"))
    }
}

/// What a client has read while nothing may come.
fn expect_none(read: io::Result<usize>) -> CheckResult<()> {
    match read {
        Err(error) if is_time_up(&error) => Ok(()),
        Err(error) => lost(&error, "while the client was still using it"),
        Ok(0) => broken(
            "the server closed the connection, although the client hadn't closed its sending half",
        ),
        Ok(count) => broken(format!("{count} unexpected bytes came")),
    }
}

fn lost<T>(error: &io::Error, when: &str) -> CheckResult<T> {
    match error.kind() {
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected => broken(format!("the server reset the connection {when}")),
        _ => broken(format!("the connection was lost {when}: {error}")),
    }
}

fn cannot_connect<T>(error: io::Error) -> CheckResult<T> {
    // connect(2), EADDRNOTAVAIL: after thousands of connections this machine has no port left for
    // one more, for a minute. That isn't the server's fault.
    let has_no_port = error.kind() == ErrorKind::AddrNotAvailable;
    match error.kind() {
        _ if has_no_port || system::is_out_of_descriptors(&error) => {
            not_tried(format!("the checker can't connect: {error}{}", system::advice(&error)))
        }
        // The connection was already there, but then the server ended or closed it.
        ErrorKind::ConnectionReset => broken("the server reset the connection before it replied"),
        ErrorKind::TimedOut => {
            broken("can't connect: the server doesn't accept, and its backlog is full")
        }
        ErrorKind::ConnectionRefused => {
            not_found("can't connect: no server listens there", NOT_THERE)
        }
        _ => not_found(format!("can't connect: {error}"), NOT_THERE),
    }
}
