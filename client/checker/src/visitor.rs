//! One client of a check: it does one thing after the other, and tells what happened instead.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use protocol::Protocol;
use socket2::{Domain, Socket, Type};

use super::scene::{Attempt, NOT_THERE, Scene, Trouble, broken};
use load_generator::Shown;
use load_generator::probe::is_time_up;

/// How long a client listens for what must not come, or tries to send what nobody may take.
const A_WHILE: Duration = Duration::from_millis(300);

/// As little as a kernel keeps of what is not read (Linux doubles it, tcp(7) and socket(7)).
const SMALL_RECEIVE_BUFFER: usize = 1024;

/// As little as a kernel keeps of what is not sent and yet allows a client to be quick.
const SMALL_SEND_BUFFER: usize = 16 * 1024;

/// A client on a blocking socket. No call takes much longer than the scene's patience.
///
/// It reads not a byte more than it waits for. So the first reply can be found good even if
/// too much comes after it, which is another check's business.
pub(super) struct Visitor {
    stream: TcpStream,
    protocol: Protocol,
    patience: Duration,
}

impl Visitor {
    pub(super) fn connect(scene: &Scene) -> Attempt<Self> {
        Visitor::connect_within(scene, scene.patience)
    }

    /// The same, for one who may find the backlog full and does not want to wait long.
    pub(super) fn connect_within(scene: &Scene, at_most: Duration) -> Attempt<Self> {
        let socket = Socket::new(Domain::for_address(scene.address), Type::STREAM, None);
        socket.and_then(|socket| Visitor::over(socket, scene, at_most)).or_else(cannot_connect)
    }

    /// A client whose kernel holds little: what the server sends to it, but it does not read,
    /// and what it sends, but the server does not read.
    pub(super) fn connect_with_small_buffers(scene: &Scene) -> Attempt<Self> {
        let connect = || {
            let socket = Socket::new(Domain::for_address(scene.address), Type::STREAM, None)?;
            socket.set_recv_buffer_size(SMALL_RECEIVE_BUFFER)?;
            socket.set_send_buffer_size(SMALL_SEND_BUFFER)?;
            Visitor::over(socket, scene, scene.patience)
        };
        connect().or_else(cannot_connect)
    }

    fn over(socket: Socket, scene: &Scene, at_most: Duration) -> io::Result<Self> {
        socket.connect_timeout(&scene.address.into(), at_most)?;
        // Otherwise the kernel would hold single bytes back and send several at once.
        socket.set_tcp_nodelay(true)?;
        socket.set_write_timeout(Some(scene.patience))?;
        Ok(Visitor { stream: socket.into(), protocol: scene.protocol, patience: scene.patience })
    }

    /// Sends one request.
    pub(super) fn ask(&mut self) -> Attempt<()> {
        self.send(&self.protocol.request("hello from the checker"))
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Attempt<()> {
        self.stream.write_all(bytes).or_else(|error| match error.kind() {
            _ if is_time_up(&error) => {
                broken(format!("the server took no more bytes for {:?}", self.patience))
            }
            _ => self.lost(&error, "while the client was sending"),
        })
    }

    /// Sends `bytes` again and again until nobody takes any more for a while, or until it was
    /// all sent `times` times. Returns how many bytes that is.
    pub(super) fn send_until_full(&mut self, bytes: &[u8], times: usize) -> Attempt<usize> {
        let all = bytes.len() * times;
        let mut sent = 0;
        self.configure(|stream| stream.set_write_timeout(Some(A_WHILE)))?;
        while sent < all {
            match self.stream.write(&bytes[sent % bytes.len()..]) {
                Ok(count) => sent += count,
                Err(error) if is_time_up(&error) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.lost(&error, &format!("after {sent} bytes of requests")),
            }
        }
        self.configure(|stream| stream.set_write_timeout(Some(self.patience)))?;
        Ok(sent)
    }

    /// From now on the kernel may hold more of what the server sends.
    pub(super) fn open_ears(&self) -> Attempt<()> {
        self.configure(|stream| socket2::SockRef::from(stream).set_recv_buffer_size(1 << 20))
    }

    /// Closes the sending half.
    pub(super) fn end(&mut self) -> Attempt<()> {
        self.stream
            .shutdown(Shutdown::Write)
            .or_else(|error| self.lost(&error, "before the client ended"))
    }

    /// Reads so many replies, to the byte, and nothing that comes after them.
    pub(super) fn replies(&mut self, count: usize) -> Attempt<()> {
        self.expect(self.protocol.reply(), count)
    }

    /// Reads `line` so many times, to the byte.
    pub(super) fn expect(&mut self, line: &[u8], times: usize) -> Attempt<()> {
        let due = line.len() * times;
        let mut got = 0;
        let mut buffer = [0; 16 * 1024];
        while got < due {
            let most = buffer.len().min(due - got);
            let whole = got / line.len();
            match self.read(&mut buffer[..most], self.patience) {
                Ok(0) if times == 1 => {
                    return broken(format!("the connection was closed instead of {}", Shown(line)));
                }
                Ok(0) => {
                    return broken(format!(
                        "the connection was closed after {whole} of {times} replies"
                    ));
                }
                Ok(count) => {
                    self.compare(&buffer[..count], line, got % line.len())?;
                    got += count;
                }
                Err(error) if is_time_up(&error) => {
                    let patience = self.patience;
                    return broken(match times {
                        1 => format!("{} did not come within {patience:?}", Shown(line)),
                        _ => format!(
                            "{whole} of {times} replies came, and nothing more for {patience:?}"
                        ),
                    });
                }
                Err(error) if times == 1 => {
                    return self.lost(&error, &format!("instead of {}", Shown(line)));
                }
                Err(error) => {
                    return self.lost(&error, &format!("after {whole} of {times} replies"));
                }
            }
        }
        Ok(())
    }

    fn compare(&self, bytes: &[u8], line: &[u8], offset: usize) -> Attempt<()> {
        let due = line.iter().cycle().skip(offset);
        match bytes.iter().zip(due).position(|(got, due)| got != due) {
            None => Ok(()),
            Some(position) => {
                let due = &line[(offset + position) % line.len()..];
                let got = Shown(&bytes[position..]);
                broken(format!("got {got} where {} was due", Shown(due)))
            }
        }
    }

    /// Makes sure that nothing comes for a while, not even the end.
    pub(super) fn hears_nothing(&mut self) -> Attempt<()> {
        self.hears_nothing_for(A_WHILE)
    }

    /// Makes sure that nothing comes for so long, not even the end.
    pub(super) fn hears_nothing_for(&mut self, time: Duration) -> Attempt<()> {
        let heard = self.read(&mut [0; 1024], time);
        self.nothing(heard)
    }

    fn nothing(&self, heard: io::Result<usize>) -> Attempt<()> {
        match heard {
            Err(error) if is_time_up(&error) => Ok(()),
            Err(error) => self.lost(&error, "though the client went on"),
            Ok(0) => broken("the server closed the connection, though the client had not ended"),
            Ok(count) => broken(format!("{count} bytes came that nobody asked for")),
        }
    }

    /// Whether something can be read, be it bytes or the end, within so long.
    pub(super) fn hears_something_within(&mut self, time: Duration) -> Attempt<bool> {
        self.configure(|stream| stream.set_read_timeout(Some(time)))?;
        match self.stream.peek(&mut [0]) {
            Ok(_) => Ok(true),
            Err(error) if is_time_up(&error) => Ok(false),
            Err(error) => self.lost(&error, "before it had answered"),
        }
    }

    /// Makes sure that nothing has come up to now, not even the end.
    pub(super) fn is_left_alone(&mut self) -> Attempt<()> {
        self.configure(|stream| stream.set_nonblocking(true))?;
        let heard = self.stream.read(&mut [0; 1024]);
        self.configure(|stream| stream.set_nonblocking(false))?;
        self.nothing(heard)
    }

    /// Reads the end, before which nothing more may come.
    pub(super) fn hears_the_end(&mut self) -> Attempt<()> {
        let mut buffer = [0; 1024];
        match self.read(&mut buffer, self.patience) {
            Ok(0) => Ok(()),
            Ok(count) => {
                let got = Shown(&buffer[..count]);
                broken(format!("got {got} that nobody asked for, before the end"))
            }
            Err(error) if is_time_up(&error) => broken(format!(
                "the server did not close the connection within {:?}",
                self.patience
            )),
            Err(error) => self.lost(&error, "instead of closing it"),
        }
    }

    /// Ends the connection in order, and throws away what still comes: a kernel resets the
    /// connection of one who goes while bytes are unread, which is another check's business.
    pub(super) fn leave(mut self) {
        let deadline = Instant::now() + A_WHILE;
        // Should it fail, the connection is gone, and so is the client.
        let mut goes_on = self.stream.shutdown(Shutdown::Write).is_ok();
        while goes_on && Instant::now() < deadline {
            goes_on = matches!(self.read(&mut [0; 1024], A_WHILE), Ok(1..));
        }
    }

    /// Ends the connection with a reset (`SO_LINGER` of 0, socket(7)).
    pub(super) fn reset(self) {
        // It fails only for a connection that is gone, and then there is nothing to reset.
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
                // A signal: nothing was read, so it is tried again.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn configure(&self, set: impl Fn(&TcpStream) -> io::Result<()>) -> Attempt<()> {
        set(&self.stream).or_else(|error| self.lost(&error, "early"))
    }

    fn lost<T>(&self, error: &io::Error, when: &str) -> Attempt<T> {
        match error.kind() {
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected => broken(format!("the server reset the connection {when}")),
            _ => broken(format!("the connection was lost {when}: {error}")),
        }
    }
}

fn cannot_connect<T>(error: io::Error) -> Attempt<T> {
    match error.kind() {
        // connect(2), EADDRNOTAVAIL: after thousands of connections this machine has no port
        // left for one more, for a minute. That is no fault of the server.
        ErrorKind::AddrNotAvailable => {
            Err(Trouble::NotTried(format!("the checker can't connect: {error}")))
        }
        ErrorKind::ConnectionRefused => {
            Err(Trouble::Unmet("can't connect: nobody listens there".into(), NOT_THERE))
        }
        // It was there already, and then the server ended, or threw it out.
        ErrorKind::ConnectionReset => {
            broken("the server reset the connection before it had answered")
        }
        ErrorKind::TimedOut => {
            broken("can't connect: nobody accepts, and the queue of those who wait is full")
        }
        _ if system::is_out_of_descriptors(&error) => Err(Trouble::NotTried(format!(
            "the checker can't connect: {error}{}",
            system::advice(&error)
        ))),
        _ => Err(Trouble::Unmet(format!("can't connect: {error}"), NOT_THERE)),
    }
}
