//! The calls that a connection makes on its socket.

use std::io;
use std::mem::MaybeUninit;
use std::net::{Shutdown, TcpStream};

use rustix::net::{RecvFlags, SendFlags, recv, send};

/// A socket as [`Connection`](crate::Connection) knows it: these calls, and no other.
///
/// Servers have a [`TcpStream`]. It is a trait so that a test can take its place and have
/// happen at any call what a network does once in a year: `tests/faults`.
pub trait Stream {
    /// ioctl(2), `FIONBIO`: whatever would sleep fails from now on instead
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

    /// recv(2): takes what has come, as much as the buffer has room for, and returns it; no
    /// byte at all is the end of the input.
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

    /// shutdown(2): closes a half, the sending one here.
    ///
    /// # Errors
    ///
    /// Those of the call.
    fn shutdown(&self, which: Shutdown) -> io::Result<()>;

    /// getsockopt(2), `SO_ERROR`: what has gone wrong and was not told yet.
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

    // On Linux, `rustix` makes the system calls itself: no time goes into zeroing the buffer
    // first, nor into seeing whether another thread cancels this one (pthreads(7),
    // "Cancellation points"), which the C library does.

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
