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
/// println!("connected in {:?}", probe.connected_after());
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
    connected_after: Duration,
}

impl Probe {
    /// Connects. Neither this nor any later call takes longer than `timeout`.
    pub fn connect(address: SocketAddr, protocol: Protocol, timeout: Duration) -> io::Result<Self> {
        Probe::connect_with(|| TcpStream::connect_timeout(&address, timeout), protocol, timeout)
    }

    /// Connects in the given way. No later call takes longer than `timeout`.
    pub fn connect_with(
        connect: impl FnOnce() -> io::Result<TcpStream>,
        protocol: Protocol,
        timeout: Duration,
    ) -> io::Result<Self> {
        let start = Instant::now();
        let stream = connect()?;
        let connected_after = start.elapsed();
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Probe {
            stream,
            request: protocol.request("hello from the probe"),
            expected: Expected::new(protocol),
            timeout,
            connected_after,
        })
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// How long it took to connect.
    pub fn connected_after(&self) -> Duration {
        self.connected_after
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
        self.expected.asked();
        Ok(())
    }

    /// Reads exactly the replies to all that was sent.
    pub fn receive(&mut self) -> io::Result<()> {
        self.receive_since(Instant::now())
    }

    fn receive_since(&mut self, start: Instant) -> io::Result<()> {
        while self.expected.owed() > 0 {
            if self.read_some(start)? == 0 {
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
        while self.read_some(start)? > 0 {}
        Ok(())
    }

    /// Reads once and checks what came; 0 is the end of the stream.
    fn read_some(&mut self, start: Instant) -> io::Result<usize> {
        let left = self.timeout.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut buffer = [0; 1024];
        let count = match self.stream.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => return self.read_some(start),
            Err(error) => return Err(same_on_all_systems(error)),
        };
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
