//! Clients that ask again as soon as they are answered, to keep a server busy.
//!
//! [`flood`](crate::flood) tells what each client goes through; this only asks, as cheaply as
//! it can be done: two system calls for each request, recv(2) and send(2), and none to wait.
//! One thread looks at each socket in turn, sometimes in vain, and never sleeps. So it costs less than any server
//! does, which has to wait besides; and a server's reply never has to wake it up, which would
//! be on the server's account.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use protocol::Protocol;

use crate::expected::Expected;

/// Clients that each keep one connection, and one request under way on it.
///
/// ```no_run
/// use load_generator::Askers;
/// use protocol::DEFAULT_ADDRESS;
/// use std::time::Duration;
///
/// let address = DEFAULT_ADDRESS.parse().unwrap();
/// let mut askers = Askers::connect(address, 100, Duration::from_secs(5))?;
/// askers.ask(1000)?; // 100,000 requests
/// # std::io::Result::Ok(())
/// ```
pub struct Askers {
    askers: Vec<Asker>,
    request: Vec<u8>,
    patience: Duration,
}

struct Asker {
    stream: TcpStream,
    expected: Expected,
    /// How many requests it has still to ask.
    to_ask: u64,
}

impl Askers {
    /// Connects so many, one after the other. Nobody ever waits longer than `patience` for the
    /// server to move.
    ///
    /// # Errors
    ///
    /// Those of connect(2), and of preparing the sockets.
    pub fn connect(address: SocketAddr, count: usize, patience: Duration) -> io::Result<Self> {
        let connect = |_| {
            let stream = TcpStream::connect_timeout(&address, patience)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok(Asker { stream, expected: Expected::new(Protocol::Lines), to_ask: 0 })
        };
        Ok(Askers {
            askers: (0..count).map(connect).collect::<io::Result<_>>()?,
            request: Protocol::Lines.request("hello from somebody who asks"),
            patience,
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.askers.len()
    }

    /// Lets each ask so many `times`, and returns when all have been answered.
    ///
    /// # Errors
    ///
    /// As [`Probe`](crate::Probe)'s; and [`WouldBlock`](ErrorKind::WouldBlock) if a socket has no
    /// room for a request, which can't be where the one before was answered.
    pub fn ask(&mut self, times: u64) -> io::Result<()> {
        if times == 0 {
            return Ok(());
        }
        for asker in &mut self.askers {
            asker.to_ask = times;
            asker.ask(&self.request)?;
        }
        let mut asking = self.askers.len();
        let mut last_moved = Instant::now();
        while asking > 0 {
            let mut has_moved = false;
            for asker in self.askers.iter_mut().filter(|asker| asker.is_waiting()) {
                has_moved |= asker.read()?;
                if !asker.is_waiting() {
                    match asker.to_ask {
                        0 => asking -= 1,
                        _ => asker.ask(&self.request)?,
                    }
                }
            }
            if has_moved {
                last_moved = Instant::now();
            } else if last_moved.elapsed() > self.patience {
                return Err(ErrorKind::TimedOut.into());
            } else {
                // If the server has to share this core, let it have it.
                thread::yield_now();
            }
        }
        Ok(())
    }
}

impl Asker {
    fn is_waiting(&self) -> bool {
        self.expected.owed() > 0
    }

    fn ask(&mut self, request: &[u8]) -> io::Result<()> {
        self.to_ask -= 1;
        self.expected.asked();
        self.stream.write_all(request)
    }

    /// Reads what there is; returns whether there was anything.
    fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 64]; // more than a reply is long
        let count = match self.stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            // Nothing there yet: the others' turn.
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut bytes = &buffer[..count];
        while !bytes.is_empty() {
            self.expected
                .take(&mut bytes)
                .map_err(|why| io::Error::new(ErrorKind::InvalidData, why))?;
        }
        Ok(true)
    }
}
