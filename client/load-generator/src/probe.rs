//! The prompt client that is measured: one blocking socket, nothing clever.
//!
//! It connects, sends a request, reads exactly the reply, and may repeat that. During a flood, it
//! shows what the crowd costs a client that does nothing wrong.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use protocol::Protocol;

use crate::expected::Expected;

/// One client on one connection.
///
/// ```no_run
/// use load_generator::Probe;
/// use protocol::Protocol;
/// use std::time::Duration;
///
/// let address = protocol::DEFAULT_ADDRESS.parse().unwrap();
/// let mut probe = Probe::connect(address, Protocol::Lines, Duration::from_secs(5))?;
/// for _ in 0..10 {
///     println!("answered in {:?}", probe.request()?);
/// }
/// probe.end()?;
/// # std::io::Result::Ok(())
/// ```
///
/// The errors are those of the socket, and [`TimedOut`](ErrorKind::TimedOut) when the time is up,
/// [`UnexpectedEof`](ErrorKind::UnexpectedEof) when the server closes the connection before it has
/// replied, [`InvalidData`](ErrorKind::InvalidData) when it sends anything but the expected
/// replies.
pub struct Probe {
    stream: TcpStream,
    request: Vec<u8>,
    expected: Expected,
    timeout: Duration,
}

impl Probe {
    /// Connects. Neither this nor any later call takes longer than `timeout`.
    pub fn connect(address: SocketAddr, protocol: Protocol, timeout: Duration) -> io::Result<Self> {
        Probe::over(TcpStream::connect_timeout(&address, timeout)?, protocol, timeout)
    }

    /// Uses this connection. No call takes longer than `timeout`.
    pub fn over(stream: TcpStream, protocol: Protocol, timeout: Duration) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(timeout))?;
        let request = protocol.request("hello from the probe");
        Ok(Probe { stream, request, expected: Expected::new(protocol), timeout })
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends a request and reads exactly the reply. Returns how long it took, from before the first
    /// byte was sent until the last one had come.
    pub fn request(&mut self) -> io::Result<Duration> {
        let start = Instant::now();
        self.send()?;
        self.receive_since(start)?;
        Ok(start.elapsed())
    }

    /// Sends a request, and doesn't wait for the reply.
    pub fn send(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.request).map_err(same_on_all_systems)?;
        self.expected.request_sent();
        Ok(())
    }

    /// How many replies still have to come.
    pub(crate) fn owed(&self) -> usize {
        self.expected.owed()
    }

    /// Reads exactly the replies to all that was sent.
    pub fn receive(&mut self) -> io::Result<()> {
        self.receive_since(Instant::now())
    }

    fn receive_since(&mut self, start: Instant) -> io::Result<()> {
        while self.owed() > 0 {
            if self.read_since(start)? == 0 {
                let why = "the server closed the connection before the whole reply had come";
                return Err(io::Error::new(ErrorKind::UnexpectedEof, why));
            }
        }
        Ok(())
    }

    /// Closes the sending half and reads to the end of the stream, before which nothing more may
    /// come.
    pub fn end(mut self) -> io::Result<()> {
        let start = Instant::now();
        self.stream.shutdown(Shutdown::Write)?;
        while self.read_since(start)? > 0 {}
        Ok(())
    }

    fn read_since(&mut self, start: Instant) -> io::Result<usize> {
        loop {
            let left = self.timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.read() {
                Err(error) if error.kind() == ErrorKind::Interrupted => {} // read(2): a signal
                read => return read.map_err(same_on_all_systems),
            }
        }
    }

    /// Reads once and checks what came; 0 is the end of the stream.
    pub(crate) fn read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 64]; // more than a reply is long
        let count = self.stream.read(&mut buffer)?;
        self.expected.take_all(&buffer[..count])?;
        Ok(count)
    }
}

/// Whether a socket's time-out has passed: `WouldBlock` on Unix, `TimedOut` on Windows.
pub fn is_time_up(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn same_on_all_systems(error: io::Error) -> io::Error {
    if is_time_up(&error) { ErrorKind::TimedOut.into() } else { error }
}
