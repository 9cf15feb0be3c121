//! The listening socket, and how this server accepts.
//!
//! tokio's own `TcpListener::accept` does two things at once: it accepts a client, and registers
//! the new socket with epoll(7). If there is no room for that (ENOSPC, ENOMEM, epoll_ctl(2)), it
//! fails, and the client that it has accepted is lost. So on Unix these are two steps here, and a
//! client that can't be registered yet is kept until there is room for it.

use std::io;
#[cfg(unix)]
use std::io::ErrorKind;
use std::net::SocketAddr;
#[cfg(unix)]
use std::task::ready;
use std::task::{Context, Poll};

#[cfg(unix)]
use tokio::io::Interest;
use tokio::net::TcpStream;

/// A listening socket that the runtime watches.
#[cfg(unix)]
pub(crate) struct Listener {
    socket: std::net::TcpListener,
    /// A duplicate of the socket, as a stream. For epoll(7), a listener is a socket like any other,
    /// but tokio's listener can't wait for a pending connection without accepting it. A stream can
    /// wait until it is readable.
    readiness: TcpStream,
    /// A client that was accepted, but could not be registered.
    unwatched: Option<(std::net::TcpStream, SocketAddr)>,
}

#[cfg(unix)]
impl Listener {
    /// Registers this socket, which must be non-blocking, with the runtime.
    ///
    /// # Errors
    ///
    /// Those of registering it.
    pub(crate) fn new(socket: std::net::TcpListener) -> io::Result<Self> {
        let same = std::os::fd::OwnedFd::from(socket.try_clone()?);
        let readiness = TcpStream::from_std(same.into())?;
        Ok(Listener { socket, readiness, unwatched: None })
    }

    /// The next client, if one is pending.
    ///
    /// # Errors
    ///
    /// Those of accept(2), and of registering the new socket. In the second case, the next call
    /// returns the same client, unless there is still no room for it.
    pub(crate) fn poll_accept(
        &mut self,
        task: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (stream, peer) = match self.unwatched.take() {
            Some(client) => client,
            None => loop {
                ready!(self.readiness.poll_read_ready(task))?;
                match self.readiness.try_io(Interest::READABLE, || self.socket.accept()) {
                    // This isn't an error (EAGAIN): tokio marks the socket as not ready, so the
                    // next round waits.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    result => break result?,
                }
            },
        };
        Poll::Ready(match watched(&stream) {
            Ok(watched) => Ok((watched, peer)),
            Err(error) => {
                self.unwatched = Some((stream, peer));
                Err(error)
            }
        })
    }
}

/// The same socket, non-blocking and registered with the runtime. tokio closes the descriptor if
/// it can't register it, so it gets a duplicate (dup(2)): a client takes two descriptors for a
/// moment.
#[cfg(unix)]
fn watched(stream: &std::net::TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream.try_clone()?)
}

/// On Windows, the number of watched sockets isn't limited.
#[cfg(windows)]
pub(crate) struct Listener(tokio::net::TcpListener);

#[cfg(windows)]
impl Listener {
    pub(crate) fn new(listener: std::net::TcpListener) -> io::Result<Self> {
        tokio::net::TcpListener::from_std(listener).map(Listener)
    }

    pub(crate) fn poll_accept(
        &mut self,
        task: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.0.poll_accept(task)
    }
}
