//! Clients that send the next request as soon as they have a reply, to keep a server busy.
//!
//! [`flood`](crate::flood) reports what each client goes through. This only sends requests, as
//! cheaply as possible: with two system calls for each, recv(2) and send(2), and none to wait. One
//! thread tries each socket in turn, sometimes in vain, and never sleeps. So it costs less than any
//! server, which also has to wait. And a server's reply never has to wake it up, which would count
//! as the server's processor time.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use protocol::Protocol;

use crate::probe::{Probe, is_time_up};

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
    /// Each with the number of requests that it still has to send.
    clients: Vec<(Probe, u64)>,
    patience: Duration,
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
            let client = Probe::connect(address, Protocol::Lines, patience)?;
            client.stream().set_nonblocking(true)?;
            Ok((client, 0))
        };
        Ok(BusyClients { clients: (0..count).map(connect).collect::<io::Result<_>>()?, patience })
    }

    /// How many clients there are.
    pub fn count(&self) -> usize {
        self.clients.len()
    }

    /// Lets each client send this many requests, and returns when all replies have come.
    ///
    /// # Errors
    ///
    /// Those of [`Probe`]. It also counts as a time-out if a socket has no room for a request, which
    /// can't happen after the reply to the previous one.
    pub fn request(&mut self, times: u64) -> io::Result<()> {
        for (client, to_send) in self.clients.iter_mut().filter(|_| times > 0) {
            *to_send = times - 1;
            client.send()?;
        }
        let mut last_moved = Instant::now();
        loop {
            let (mut is_waiting, mut has_moved) = (false, false);
            for (client, to_send) in &mut self.clients {
                if client.owed() == 0 {
                    continue; // it is done
                }
                is_waiting = true;
                match client.read() {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(_) => has_moved = true,
                    Err(error) if is_time_up(&error) => {} // nothing there yet
                    Err(error) => return Err(error),
                }
                if client.owed() == 0 && *to_send > 0 {
                    *to_send -= 1;
                    client.send()?;
                }
            }
            if !is_waiting {
                return Ok(());
            } else if has_moved {
                last_moved = Instant::now();
            } else if last_moved.elapsed() > self.patience {
                return Err(ErrorKind::TimedOut.into());
            } else {
                // If the server has to share this core, let it run.
                thread::yield_now();
            }
        }
    }
}
