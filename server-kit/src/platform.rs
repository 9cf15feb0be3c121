//! Everything here that differs between operating systems.

use std::io;
use std::net::{TcpListener, TcpStream};

use rustix::io::Errno;
use system::is_out_of_descriptors;

use crate::{Acceptor, Connection};

/// What has run out, in a few words, if the error is one of [`system::is_out_of_resources`].
pub(crate) fn what_is_used_up(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        _ if is_out_of_descriptors(error) => "descriptor",
        #[cfg(unix)]
        Some(Errno::NOSPC) => "room in epoll",
        _ => "memory",
    }
}

/// Whether this error of accept(2) is about one connection, which failed while it was in the queue.
///
/// The list is from accept(2), ERRORS and "Error handling": Linux passes on network errors of the
/// new connection as errors of the call. Other systems add ECONNRESET and ETIMEDOUT.
pub(crate) fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    // Those for which std has no kind. Windows has none of them.
    #[cfg(windows)]
    let others = [];
    #[cfg(unix)]
    let others = [
        Errno::PROTO,
        Errno::NOPROTOOPT,
        Errno::HOSTDOWN,
        Errno::OPNOTSUPP,
        #[cfg(target_os = "linux")]
        Errno::NONET,
    ];
    match error.kind() {
        ConnectionAborted | ConnectionReset | NetworkDown | NetworkUnreachable
        | HostUnreachable | TimedOut | PermissionDenied => true,
        _ => Errno::from_io_error(error).is_some_and(|code| others.contains(&code)),
    }
}

/// Wakes the threads that sleep in accept(2).
///
/// On Linux, shutdown(2) of the listener ends the call in all of them (EINVAL), and resets the
/// clients in its backlog, as closing it does.
#[cfg(target_os = "linux")]
pub(crate) struct AcceptWaker;

#[cfg(target_os = "linux")]
impl AcceptWaker {
    pub(crate) fn new(_listener: &TcpListener) -> io::Result<Self> {
        Ok(AcceptWaker)
    }

    pub(crate) fn wake(&mut self, listener: &TcpListener, _sleeping: usize) {
        // It fails if the listener was shut down before (ENOTCONN).
        socket2::SockRef::from(listener).shutdown(std::net::Shutdown::Read).ok();
    }
}

/// Wakes the threads that sleep in accept(2): the server connects to itself.
///
/// Left out: this fails if the server can't connect to itself, because a firewall forbids it or the
/// loopback interface is down.
#[cfg(not(target_os = "linux"))]
pub(crate) struct AcceptWaker {
    address: std::net::SocketAddr,
    /// Reserved for the connection: a thread that sleeps in accept(2) doesn't free one.
    _descriptor: Option<socket2::Socket>,
}

#[cfg(not(target_os = "linux"))]
impl AcceptWaker {
    pub(crate) fn new(listener: &TcpListener) -> io::Result<Self> {
        use socket2::{Domain, Socket, Type};
        let address = listener.local_addr()?;
        let descriptor = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        Ok(AcceptWaker { address: reachable(address), _descriptor: Some(descriptor) })
    }

    /// Connects once for each thread that sleeps. If a connection isn't made in time, the queue is
    /// full (`--backlog`). Then the clients in the queue wake threads, and the next call of this
    /// wakes those that still sleep after that.
    pub(crate) fn wake(&mut self, _listener: &TcpListener, sleeping: usize) {
        /// A connection is made at once or, if the queue is full, only after a second: TCP waits
        /// that long before it tries again (RFC 6298, 2.1).
        const AT_ONCE: std::time::Duration = std::time::Duration::from_millis(1);
        self._descriptor = None;
        for _ in 0..sleeping {
            TcpStream::connect_timeout(&self.address, AT_ONCE).ok();
        }
    }
}

/// The address at which a server that listens at `address` can connect to itself: if it listens at
/// all addresses, that is the loopback one.
#[cfg(not(target_os = "linux"))]
fn reachable(mut address: std::net::SocketAddr) -> std::net::SocketAddr {
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Does nothing: recv(2) itself sleeps, and a signal to the thread ends it (EINTR).
#[cfg(unix)]
pub(crate) fn sleep_until_readable(
    _stream: &TcpStream,
    _is_interrupted: impl Fn() -> bool,
) -> io::Result<()> {
    Ok(())
}

/// Windows can't interrupt a thread with a signal, and a shutdown doesn't wake a thread that sleeps
/// already (github.com/rust-lang/rust/issues/121594). So this sleeps in naps. Each nap only peeks
/// for bytes and takes none: a `recv` that times out may lose bytes that come at the same moment
/// (`setsockopt`, SO_RCVTIMEO).
///
/// The time-out of the socket is for all naps together.
#[cfg(windows)]
pub(crate) fn sleep_until_readable(
    stream: &TcpStream,
    is_interrupted: impl Fn() -> bool,
) -> io::Result<()> {
    use std::time::{Duration, Instant};
    /// A fifth of the time that a stopping server has to send replies that it owes.
    const NAP: Duration = Duration::from_millis(100);
    let time_out = stream.read_timeout()?;
    // A time-out that is too long for an `Instant` never passes.
    let deadline = time_out.and_then(|time_out| Instant::now().checked_add(time_out));
    let looked = loop {
        let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        let nap = left.map_or(NAP, |left| left.min(NAP)).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(nap))?;
        if is_interrupted() {
            break Err(io::ErrorKind::Interrupted.into());
        }
        match stream.peek(&mut [0]) {
            Err(error)
                if error.kind() == io::ErrorKind::TimedOut && left != Some(Duration::ZERO) => {}
            looked => break looked,
        }
    };
    stream.set_read_timeout(time_out)?;
    looked.map(drop)
}

/// Lets select(2), epoll(7) and the like watch a type by the socket that it owns.
macro_rules! watch_by_its_socket {
    ($owner:ty) => {
        #[cfg(unix)]
        impl std::os::fd::AsFd for $owner {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.socket().as_fd()
            }
        }

        #[cfg(unix)]
        impl std::os::fd::AsRawFd for $owner {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.socket().as_raw_fd()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $owner {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                self.socket().as_socket()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsRawSocket for $owner {
            fn as_raw_socket(&self) -> std::os::windows::io::RawSocket {
                self.socket().as_raw_socket()
            }
        }
    };
}

watch_by_its_socket!(Acceptor);
watch_by_its_socket!(Connection);

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use system::is_out_of_resources;

    /// Most of these errors can't be provoked on one machine, or on Linux at all.
    #[test]
    fn each_error_of_accept_is_about_resources_or_one_connection_or_the_listener() {
        for (errno, out_of_resources, one_connection) in [
            (Errno::MFILE, true, false),
            (Errno::NFILE, true, false),
            (Errno::NOBUFS, true, false),
            (Errno::NOMEM, true, false),
            (Errno::NOSPC, true, false),
            (Errno::CONNABORTED, false, true),
            (Errno::CONNRESET, false, true),
            (Errno::PROTO, false, true),
            (Errno::PERM, false, true),
            (Errno::TIMEDOUT, false, true),
            (Errno::NETDOWN, false, true),
            (Errno::NETUNREACH, false, true),
            (Errno::HOSTDOWN, false, true),
            (Errno::HOSTUNREACH, false, true),
            (Errno::NOPROTOOPT, false, true),
            (Errno::OPNOTSUPP, false, true),
            (Errno::BADF, false, false),
            (Errno::INVAL, false, false),
            (Errno::NOTSOCK, false, false),
        ] {
            let error = io::Error::from(errno);
            assert_eq!(is_out_of_resources(&error), out_of_resources, "{errno}");
            assert_eq!(is_about_one_connection(&error), one_connection, "{errno}");
        }
    }
}
