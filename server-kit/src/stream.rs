//! The calls that a connection makes on its socket.

use std::io;
use std::mem::MaybeUninit;
use std::net::{Shutdown, TcpStream};

use rustix::net::{RecvFlags, SendFlags, recv, send};

/// The calls that a [`Connection`](crate::Connection) makes on its socket, and no others.
///
/// Servers have a [`TcpStream`]. This is a trait so that a test can put another type in its place
/// and provoke rare network errors at any call: `tests/faults`.
pub trait Stream {
    /// ioctl(2), `FIONBIO`: from now on, a call that would sleep fails instead
    /// ([`WouldBlock`](io::ErrorKind::WouldBlock)).
    ///
    /// # Errors
    ///
    /// Those of the call.
    fn set_nonblocking(&self, on: bool) -> io::Result<()>;

    /// setsockopt(2), `TCP_NODELAY`.
    ///
    /// # Errors
    ///
    /// Those of the call.
    fn set_nodelay(&self, on: bool) -> io::Result<()>;

    /// recv(2): receives as many bytes as have come and the buffer has room for, and returns them;
    /// none at all means the end of the input.
    ///
    /// # Errors
    ///
    /// Those of the call.
    fn recv<'a>(&'a self, buffer: &'a mut [MaybeUninit<u8>]) -> io::Result<&'a [u8]>;

    /// send(2): returns how many of the bytes the kernel has taken.
    ///
    /// # Errors
    ///
    /// Those of the call.
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;

    /// shutdown(2): closes one half of the connection, here the sending one.
    ///
    /// # Errors
    ///
    /// Those of the call.
    fn shutdown(&self, which: Shutdown) -> io::Result<()>;

    /// getsockopt(2), `SO_ERROR`: an error that was not reported yet.
    ///
    /// # Errors
    ///
    /// Those of the call.
    fn take_error(&self) -> io::Result<Option<io::Error>>;
}

impl Stream for TcpStream {
    fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        TcpStream::set_nonblocking(self, on)
    }

    fn set_nodelay(&self, on: bool) -> io::Result<()> {
        TcpStream::set_nodelay(self, on)
    }

    // On Linux, `rustix` makes the system calls itself. That saves the time to zero the buffer
    // first, and the time in which the C library checks whether another thread cancels this one
    // (pthreads(7), "Cancellation points").

    fn recv<'a>(&'a self, buffer: &'a mut [MaybeUninit<u8>]) -> io::Result<&'a [u8]> {
        let ((bytes, _), _) = recv(self, buffer, RecvFlags::empty())?;
        Ok(bytes)
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(self, bytes, SendFlags::empty())?)
    }

    fn shutdown(&self, which: Shutdown) -> io::Result<()> {
        TcpStream::shutdown(self, which)
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        TcpStream::take_error(self)
    }
}
