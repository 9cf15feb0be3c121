//! A port for a server that can't choose a free one by itself and print which.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::platform;
use system::{advice, is_out_of_descriptors};

/// A port of 127.0.0.1 that was free when it was reserved.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// The UDP port of the same number, which no server here needs. As long as it is bound, other
    /// users of this type avoid the number, although no server listens there yet.
    _udp: UdpSocket,
}

impl Port {
    /// Reserves one that the kernel never assigns by itself: otherwise a client could get it as its
    /// local port before the server does.
    ///
    /// # Errors
    ///
    /// A sentence, if no port is free.
    pub fn take() -> Result<Self, String> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let ports = platform::quiet_ports();
        let count = ports.end - ports.start;
        // Two processes most probably begin far from each other.
        let begin = (process::id() as u16).wrapping_mul(7919);
        for _ in 0..count {
            let step = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
            let number = ports.start + step % count;
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, number));
            match udp.and_then(|udp| is_free(number).map(|()| udp)) {
                Ok(udp) => return Ok(Port { number, _udp: udp }),
                Err(error) if is_out_of_descriptors(&error) => {
                    return Err(format!("can't look for a free port: {error}{}", advice(&error)));
                }
                Err(_) => {} // another program has it
            }
        }
        Err("no port is free".into())
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// Binds a socket to the port, as a server does, but doesn't listen. For a minute after a
/// connection, a port can't be bound without `SO_REUSEADDR` (socket(7)), which some servers don't
/// set; so the first socket here doesn't set it either.
///
/// A process that another thread is starting inherits this socket until exec(2), and would block
/// the port for the server. A second socket checks for that. It sets `SO_REUSEADDR`, so that it
/// disturbs no server that sets it too.
pub(crate) fn is_free(port: u16) -> io::Result<()> {
    for reuse in [false, true] {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(reuse)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    }
    Ok(())
}

/// The address of the server that listens on this port, if there is one.
///
/// On Linux, the server doesn't notice. On other systems, the only way is to connect, so the server
/// sees a client that comes and goes.
pub fn listener_on(port: u16) -> Option<SocketAddr> {
    platform::listener_on(port)
}

/// How long to sleep before the next call of [`listener_on`], for a server that was started this
/// long ago: 5 to 100 ms. A call can take milliseconds of processor time, because the kernel goes
/// through its table of connections, so the calls become less and less frequent.
pub fn until_next_look(waited: Duration) -> Duration {
    (waited / 4).clamp(Duration::from_millis(5), Duration::from_millis(100))
}
