//! The loop: waits for all sockets at once, and serves those that are ready.

use std::io::{self, ErrorKind, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::select::{FdSet, select};
use protocol::Interest;

use crate::connection::Connection;
use crate::fault::Fault;

/// How long it waits for a descriptor before it tries to accept again, in milliseconds.
const TRY_AGAIN: u16 = 500;

const READABLE: Interest = Interest { readable: true, writable: false };

/// The server.
pub(crate) struct EventLoop {
    listener: TcpListener,
    /// Whether there may be a descriptor for one more client.
    accepts: bool,
    connections: Vec<Connection>,
    /// Becomes readable on Ctrl-C.
    stop: UnixStream,
    /// Fault `leaks-descriptors`: descriptors of lost connections.
    forgotten: Vec<OwnedFd>,
    /// Fault `leaks-memory`: a page for each client that was connected.
    leaked: Vec<[u8; PAGE]>,
    fault: Fault,
}

/// How many bytes fault `leaks-memory` leaks for each client: as much as many servers read at once,
/// because buffers are what is leaked most often.
const PAGE: usize = 16 * 1024;

/// What is ready: the stop, the listener, and the connections in order.
struct Ready {
    stop: bool,
    listener: bool,
    connections: Vec<Interest>,
}

impl EventLoop {
    pub(crate) fn new(listener: TcpListener, fault: Fault) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let (stop, mut wake) = UnixStream::pair()?;
        system::on_termination(move || {
            // Fault `ignores-ctrl-c`: poll(2) goes on sleeping, because the signal is handled in
            // another thread, and nothing becomes readable.
            if fault != Fault::IgnoresCtrlC {
                // It fails only if the loop has already ended.
                wake.write_all(b"!").ok();
            }
        })?;
        Ok(EventLoop {
            listener,
            accepts: true,
            connections: Vec::new(),
            stop,
            forgotten: Vec::new(),
            leaked: Vec::new(),
            fault,
        })
    }

    /// Serves until Ctrl-C.
    pub(crate) fn run(mut self) -> io::Result<()> {
        loop {
            let ready = self.wait()?;
            if ready.stop {
                return Ok(());
            }
            self.serve_connections(&ready.connections)?;
            if ready.listener {
                self.accept_ready()?;
            }
        }
    }

    /// What to watch, in the order of [`Ready`].
    fn watched(&self) -> Vec<(BorrowedFd<'_>, Interest)> {
        // Fault `one-at-a-time`: while a client is connected, no other is accepted.
        let accepts = match self.fault {
            Fault::OneAtATime => self.connections.is_empty(),
            _ => self.accepts,
        };
        let listener = if accepts { READABLE } else { Interest::default() };
        let connections = self.connections.iter().map(|it| (it.socket(), it.interest()));
        let first = [(self.stop.as_fd(), READABLE), (self.listener.as_fd(), listener)];
        first.into_iter().chain(connections).collect()
    }

    fn wait(&mut self) -> io::Result<Ready> {
        let watched = self.watched();
        let ready = match self.fault {
            // Fault `select-beyond-1023`: it ignores the limit. `FdSet::insert` panics then. In C,
            // FD_SET writes past the end of the set instead.
            Fault::SelectBeyond1023 => wait_in_select(&watched)?,
            // Fault `busy-wait`: it doesn't wait, but polls again and again.
            Fault::BusyWait => wait_in_poll(&watched, PollTimeout::ZERO)?,
            _ if self.accepts => wait_in_poll(&watched, PollTimeout::NONE)?,
            _ => wait_in_poll(&watched, TRY_AGAIN.into())?,
        };
        // Perhaps there are descriptors again, even if this server hasn't closed one.
        self.accepts |= ready.iter().all(|ready| *ready == Interest::default());
        Ok(Ready {
            stop: ready[0].readable,
            listener: ready[1].readable,
            connections: ready[2..].to_vec(),
        })
    }

    fn serve_connections(&mut self, ready: &[Interest]) -> io::Result<()> {
        for (connection, ready) in self.connections.iter_mut().zip(ready) {
            match connection.ready(*ready) {
                Ok(()) => {}
                // Fault `dies-on-reset`: the error is passed all the way up.
                Err(error) if self.fault == Fault::DiesOnReset => return Err(error),
                Err(_) => {
                    if self.fault == Fault::LeaksDescriptors {
                        // Fault `leaks-descriptors`: one is left open.
                        self.forgotten.extend(connection.socket().try_clone_to_owned());
                    }
                    connection.fail(); // only this connection is lost
                }
            }
        }
        let before = self.connections.len();
        self.connections.retain(|connection| !connection.is_over());
        if self.fault == Fault::LeaksMemory {
            // Fault `leaks-memory`: a page for each client, which is never read.
            self.leaked.resize(self.leaked.len() + before - self.connections.len(), [1; PAGE]);
        }
        // A client that has gone has left a descriptor for another one.
        self.accepts |= self.connections.len() < before;
        Ok(())
    }

    fn accept_ready(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    self.connections.push(Connection::new(stream, self.fault)?);
                    if self.fault == Fault::OneAtATime {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // accept(2), ERRORS: the client has already gone, or a signal came.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
                    ) => {}
                Err(error) if error.raw_os_error() == Some(Errno::EMFILE as i32) => {
                    return match self.fault {
                        // Fault `spins-without-descriptors`: the client is still in the backlog, so
                        // the listener is readable again at once.
                        Fault::SpinsWithoutDescriptors => Ok(()),
                        // Fault `dies-without-descriptors`.
                        Fault::DiesWithoutDescriptors => Err(error),
                        _ => {
                            self.accepts = false;
                            Ok(())
                        }
                    };
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn wait_in_poll(
    watched: &[(BorrowedFd<'_>, Interest)],
    time_out: PollTimeout,
) -> io::Result<Vec<Interest>> {
    let mut polled: Vec<PollFd<'_>> = watched
        .iter()
        .map(|&(socket, interest)| {
            let mut events = PollFlags::empty();
            events.set(PollFlags::POLLIN, interest.readable);
            events.set(PollFlags::POLLOUT, interest.writable);
            PollFd::new(socket, events)
        })
        .collect();
    match poll(&mut polled, time_out) {
        // A signal ends the wait early, and then nothing is ready.
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    // poll(2): a lost connection (POLLERR, POLLHUP) is always reported. Reading returns the reason.
    let lost = PollFlags::POLLERR | PollFlags::POLLHUP;
    let ready = polled.iter().map(|polled| {
        let events = polled.revents().unwrap_or(PollFlags::empty());
        Interest {
            readable: events.intersects(PollFlags::POLLIN | lost),
            writable: events.contains(PollFlags::POLLOUT),
        }
    });
    Ok(ready.collect())
}

fn wait_in_select(watched: &[(BorrowedFd<'_>, Interest)]) -> io::Result<Vec<Interest>> {
    let (mut readable, mut writable) = (FdSet::new(), FdSet::new());
    for &(socket, interest) in watched {
        if interest.readable {
            readable.insert(socket);
        }
        if interest.writable {
            writable.insert(socket);
        }
    }
    match select(None, &mut readable, &mut writable, None, None) {
        Ok(_) => {}
        // After a signal, the sets are unchanged, which means nothing.
        Err(Errno::EINTR) => return Ok(vec![Interest::default(); watched.len()]),
        Err(error) => return Err(error.into()),
    }
    let ready = watched.iter().map(|&(socket, _)| Interest {
        readable: readable.contains(socket),
        writable: writable.contains(socket),
    });
    Ok(ready.collect())
}
