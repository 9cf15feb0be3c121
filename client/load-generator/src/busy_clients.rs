//! Clients that send the next request as soon as they have a reply, to keep a server busy.
//!
//! [`flood`](crate::flood) reports what each client goes through. This only sends requests, as
//! cheaply as possible: with two system calls for each, recv(2) and send(2), and none to wait. One
//! thread tries each socket in turn, sometimes in vain, and never sleeps. So it costs less than any
//! server, which also has to wait. And a server's reply never has to wake it up, which would count
//! as the server's processor time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use protocol::Protocol;

use crate::expected::Expected;

/// Clients that each keep one connection, with one request in flight.
///
/// ```no_run
/// use load_generator::BusyClients;
/// use protocol::DEFAULT_ADDRESS;
/// use std::time::Duration;
///
/// let address = DEFAULT_ADDRESS.parse().unwrap();
/// let mut clients = BusyClients::connect(address, 100, Duration::from_secs(5))?;
/// clients.request(1000)?; // 100,000 requests
/// # std::io::Result::Ok(())
/// ```
pub struct BusyClients {
    clients: Vec<BusyClient>,
    request: Vec<u8>,
    patience: Duration,
}

struct BusyClient {
    stream: TcpStream,
    expected: Expected,
    /// How many requests it still has to send.
    to_ask: u64,
}

impl BusyClients {
    /// Connects this many clients, one after the other. No client ever waits longer than `patience`
    /// for the server.
    ///
    /// # Errors
    ///
    /// Those of connect(2), and of preparing the sockets.
    pub fn connect(address: SocketAddr, count: usize, patience: Duration) -> io::Result<Self> {
        let connect = |_| {
            let stream = TcpStream::connect_timeout(&address, patience)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok(BusyClient { stream, expected: Expected::new(Protocol::Lines), to_ask: 0 })
        };
        Ok(BusyClients {
            clients: (0..count).map(connect).collect::<io::Result<_>>()?,
            request: Protocol::Lines.request("hello from somebody who asks"),
            patience,
        })
    }

    /// How many clients there are.
    pub fn count(&self) -> usize {
        self.clients.len()
    }

    /// Lets each client send this many requests, and returns when all replies have come.
    ///
    /// # Errors
    ///
    /// Those of [`Probe`](crate::Probe), and [`WouldBlock`](ErrorKind::WouldBlock) if a socket has
    /// no room for a request, which can't happen after the reply to the previous one.
    pub fn request(&mut self, times: u64) -> io::Result<()> {
        if times == 0 {
            return Ok(());
        }
        for client in &mut self.clients {
            client.to_ask = times;
            client.send(&self.request)?;
        }
        let mut asking = self.clients.len();
        let mut last_moved = Instant::now();
        while asking > 0 {
            let mut has_moved = false;
            for client in self.clients.iter_mut().filter(|client| client.is_waiting()) {
                has_moved |= client.read()?;
                if !client.is_waiting() {
                    match client.to_ask {
                        0 => asking -= 1,
                        _ => client.send(&self.request)?,
                    }
                }
            }
            if has_moved {
                last_moved = Instant::now();
            } else if last_moved.elapsed() > self.patience {
                return Err(ErrorKind::TimedOut.into());
            } else {
                // If the server has to share this core, let it run.
                thread::yield_now();
            }
        }
        Ok(())
    }
}

impl BusyClient {
    fn is_waiting(&self) -> bool {
        self.expected.owed() > 0
    }

    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.to_ask -= 1;
        self.expected.asked();
        self.stream.write_all(request)
    }

    /// Reads what is there. Returns whether there was anything.
    fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 64]; // more than a reply is long
        let count = match self.stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            // Nothing there yet: on to the next client.
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        self.expected.take_all(&buffer[..count])?;
        Ok(true)
    }
}
