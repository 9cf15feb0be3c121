//! A port for a server that can't be asked to take any free one and tell which.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::platform;
use system::{advice, is_out_of_descriptors};

/// A port of 127.0.0.1 that was free when it was taken.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// The port of the same number in UDP, which no server here needs. As long as it is bound,
    /// others who take ports in this way leave the number alone, though nobody listens there
    /// yet.
    _udp: UdpSocket,
}

impl Port {
    /// Takes one that the kernel would give to nobody: otherwise a client could get it as its
    /// own before the server does.
    ///
    /// # Errors
    ///
    /// A sentence, if no port is free.
    pub fn take() -> Result<Self, String> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let ports = platform::quiet_ports();
        let count = ports.end - ports.start;
        // Two processes at the same time begin far from each other, most probably.
        let begin = (process::id() as u16).wrapping_mul(7919);
        for _ in 0..count {
            let step = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
            let number = ports.start + step % count;
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, number));
            match udp.and_then(|udp| is_free(number).map(|()| udp)) {
                Ok(udp) => return Ok(Port { number, _udp: udp }),
                Err(error) if is_out_of_descriptors(&error) => {
                    return Err(format!("no port can be tried: {error}{}", advice(&error)));
                }
                Err(_) => {} // it is somebody else's
            }
        }
        Err("no port is free".into())
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// Binds a socket to the port, as a server does, but does not listen. Connections that are over
/// keep a port for a minute from servers that don't ask for it all the same (`SO_REUSEADDR`,
/// socket(7)); so does this one not ask.
///
/// A process that another thread is starting has this socket, too, until it has been executed, and
/// would keep the port from the server. So a second one looks whether that is so. It does ask for
/// `SO_REUSEADDR`, so that it disturbs no server that does the same.
fn is_free(port: u16) -> io::Result<()> {
    for reuse in [false, true] {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(reuse)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    }
    Ok(())
}

/// Where to reach the server that listens on the port of this number, if there is one.
///
/// On Linux, it is not disturbed; elsewhere there is no other way than to connect, which it sees:
/// a client that comes and goes.
pub fn listener_on(port: u16) -> Option<SocketAddr> {
    platform::listener_on(port)
}

/// How long to sleep before [`listener_on`] is called again for a server that has been started so
/// long ago: 5 to 100 ms. A call can take milliseconds of processor time, since the kernel goes
/// through its table of connections. So it is made less and less often.
pub fn until_next_look(waited: Duration) -> Duration {
    (waited / 4).clamp(Duration::from_millis(5), Duration::from_millis(100))
}
