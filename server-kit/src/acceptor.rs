//! The listening socket, and what each error of accept(2) means for it.

use std::fmt::Display;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::Interest;
use socket2::{Domain, Protocol, Socket, Type};

use crate::{Call, Journal, Settings, platform};

/// Listens at the address and with the backlog of the settings.
///
/// `TcpListener::bind` chooses the backlog itself (128, or whatever the system allows), so
/// the socket is made step by step: socket(2), bind(2), listen(2).
///
/// # Errors
///
/// A sentence for the user who typed the address: its host is unknown, or the system doesn't
/// let this process listen there.
pub fn listen(settings: &Settings) -> io::Result<TcpListener> {
    listen_with(settings, |_| Ok(()))
}

/// Like [`listen`], for a socket with more options: `prepare` sets them before bind(2).
///
/// # Errors
///
/// Those of [`listen`], and of `prepare`.
pub fn listen_with(
    settings: &Settings,
    prepare: impl Fn(&Socket) -> io::Result<()>,
) -> io::Result<TcpListener> {
    let address = &settings.address;
    let unknown = |why: &dyn Display| {
        let what = format!("can't find the host of `{address}`: {why}; is the name right?");
        io::Error::new(io::ErrorKind::NotFound, what)
    };
    let candidates = address.to_socket_addrs().map_err(|error| unknown(&error))?;
    let mut failure = unknown(&"it has no address");
    for candidate in candidates {
        match listen_on(candidate, settings.backlog, &prepare) {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                let advice = way_out(candidate, &error);
                let what = format!("can't listen on {candidate}: {error}{advice}");
                failure = io::Error::new(error.kind(), what);
            }
        }
    }
    Err(failure)
}

/// What to do if the server can't listen on this address, as the end of a sentence.
fn way_out(address: SocketAddr, error: &io::Error) -> String {
    let ip = address.ip();
    let at = |port| SocketAddr::new(ip, port);
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "; is another server running there? Stop it, or choose another port: `--address {}` \
             takes any free one",
            at(0)
        ),
        io::ErrorKind::PermissionDenied if address.port() < 1024 => format!(
            "; ports below 1024 are reserved for system services, so choose a higher one, for \
             example `--address {}`",
            at(8686)
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "; this machine doesn't have that address: try `--address {}`, for clients on this \
             machine",
            protocol::DEFAULT_ADDRESS
        ),
        _ => system::advice(error).into(),
    }
}

fn listen_on(
    address: SocketAddr,
    backlog: i32,
    prepare: impl Fn(&Socket) -> io::Result<()>,
) -> io::Result<TcpListener> {
    let is_of_many = match address.ip() {
        IpAddr::V4(ip) => ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_multicast(),
    };
    if is_of_many {
        // Linux lets a server listen there, but no client can connect, and neither can the server
        // itself, to wake its own thread at the end.
        return Err(io::ErrorKind::AddrNotAvailable.into());
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Unix, this lets a server take the port of one that has just ended, although the last
    // connections of that one are still in TIME-WAIT. On Windows, the same option would let two
    // servers share one port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    prepare(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// How many clients an event loop accepts in one turn at most, so that many new clients don't delay
/// those that are already connected. Listeners are level-triggered, so the next turn accepts the
/// rest.
///
/// The number lies between those of nginx, which accepts one unless `multi_accept` is on, and of
/// redis, which accepts a thousand (`MAX_ACCEPTS_PER_CALL`).
pub const ACCEPTS_PER_TURN: usize = 64;

/// How many clients in a row may have gone while they were in the queue: as many as are accepted in
/// one turn.
const LOST_IN_A_ROW: usize = ACCEPTS_PER_TURN;

/// How long a server without descriptors (or threads) waits before it tries again, in case another
/// process has freed one. Half a second is nginx's `accept_mutex_delay`, which serves the same
/// purpose.
pub const TRY_AGAIN: Duration = Duration::from_millis(500);

/// A listener that knows what to do after each error of accept(2).
pub struct Acceptor {
    listener: Arc<TcpListener>,
    admission: Admission,
}

impl Acceptor {
    /// An acceptor that sleeps in accept(2) until a client comes. Several threads may have one
    /// each for the same listener.
    pub fn blocking(listener: impl Into<Arc<TcpListener>>) -> Self {
        Acceptor { listener: listener.into(), admission: Admission::default() }
    }

    /// An acceptor that never sleeps, for loops that call it when a connection is pending: between
    /// the report and the call, the client may have gone.
    ///
    /// # Errors
    ///
    /// Those of making the socket non-blocking.
    pub fn non_blocking(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Acceptor::blocking(listener))
    }

    /// The next client in the queue; `None` if the queue is empty, or no client can be accepted
    /// now.
    ///
    /// # Errors
    ///
    /// Only those after which this listener will never accept again.
    pub fn accept(
        &mut self,
        now: Instant,
        journal: &mut Journal,
    ) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        loop {
            journal.count(Call::Accept);
            match self.listener.accept() {
                Ok(client) => {
                    self.admission.succeeded();
                    return Ok(Some(client));
                }
                Err(error) => match self.admission.failed(error, now, journal)? {
                    Refusal::ThisOne => {}
                    Refusal::All => return Ok(None),
                },
            }
        }
    }

    /// [`Admission::is_out_of_resources`], for a client that was accepted and can't be served yet.
    pub fn is_out_of_resources(
        &mut self,
        error: &io::Error,
        now: Instant,
        journal: &mut Journal,
    ) -> bool {
        self.admission.is_out_of_resources(error, now, journal)
    }

    /// There was room for a client again: if descriptors run out once more, that is reported once
    /// more. For servers that sleep in accept(2) and don't see the end of the queue.
    pub fn had_room(&mut self) {
        self.admission.had_room();
    }

    /// What the listener should be watched for: nothing while there are no descriptors.
    pub fn interest(&self) -> Interest {
        Interest { readable: self.admission.is_open(), writable: false }
    }

    /// A connection was closed, so a descriptor is free again.
    pub fn resume(&mut self) {
        self.admission.resume();
    }

    /// Lets [`accept`](Self::accept) try again, if it is time to.
    pub fn expire(&mut self, now: Instant) {
        self.admission.expire(now);
    }

    /// When to call [`expire`](Self::expire), while there are no descriptors.
    pub fn deadline(&self) -> Option<Instant> {
        self.admission.deadline()
    }

    pub(crate) fn socket(&self) -> &TcpListener {
        &self.listener
    }
}

/// Whether clients can be accepted: what each error of accept(2) means for the clients that wait.
///
/// It is a part of [`Acceptor`]. On its own, it is for servers that don't call accept(2)
/// themselves, because a runtime or the kernel does.
#[derive(Default)]
pub struct Admission {
    /// No client can be accepted: until then, leave clients in the backlog.
    paused_until: Option<Instant>,
    /// The lack of descriptors has been reported. Once is enough for as long as it lasts.
    is_reported: bool,
    lost_in_a_row: usize,
}

/// Which clients can't be accepted after accept(2) has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Only the one that the error is about, if any: call accept(2) again at once, because the next
    /// client may be fine.
    ThisOne,
    /// All of them, for now: the queue is empty, or no client can be accepted.
    All,
}

impl Admission {
    /// A client was accepted.
    pub fn succeeded(&mut self) {
        self.lost_in_a_row = 0;
    }

    /// accept(2) has failed: whether to try the next client at once.
    ///
    /// # Errors
    ///
    /// Only those after which this listener will never accept again.
    pub fn failed(
        &mut self,
        error: io::Error,
        now: Instant,
        journal: &mut Journal,
    ) -> io::Result<Refusal> {
        if error.kind() == io::ErrorKind::Interrupted {
            // A signal came before the call did anything, so call again. (std does that by itself,
            // but a runtime or the kernel may pass the error on.)
            return Ok(Refusal::ThisOne);
        }
        // This client has gone or can't be reached any more (ECONNABORTED and the like); the next
        // one may be fine.
        if platform::is_about_one_connection(&error) {
            self.lost_in_a_row += 1;
            if self.lost_in_a_row < LOST_IN_A_ROW {
                return Ok(Refusal::ThisOne);
            }
            // So many clients can't have gone by chance: something else is wrong, which may pass.
            self.pause(now);
        } else if error.kind() == io::ErrorKind::WouldBlock {
            // This isn't an error: the queue is empty (EAGAIN).
            self.had_room();
        } else if !self.is_out_of_resources(&error, now, journal) {
            return Err(error);
        }
        self.lost_in_a_row = 0;
        Ok(Refusal::All)
    }

    /// Whether this error means that there is no descriptor, memory or watch for one more client
    /// (EMFILE, ENFILE, ENOMEM, ENOSPC). Then no client is accepted until that may have changed.
    ///
    /// Clients that wait stay in the queue, so the listener stays readable, and a loop that went on
    /// calling accept(2) would spin. (Linux takes a descriptor before it looks into the queue, so
    /// perhaps no client waits.)
    pub fn is_out_of_resources(
        &mut self,
        error: &io::Error,
        now: Instant,
        journal: &mut Journal,
    ) -> bool {
        let is_out = system::is_out_of_resources(error);
        if is_out {
            self.pause(now);
            if !mem::replace(&mut self.is_reported, true) {
                journal.out_of_resources(error);
            }
        }
        is_out
    }

    /// The lack of descriptors is over: the next lack is reported again.
    pub fn had_room(&mut self) {
        self.is_reported = false;
    }

    fn pause(&mut self, now: Instant) {
        self.paused_until = Some(now + TRY_AGAIN);
    }

    /// Whether to call accept(2) at all.
    pub fn is_open(&self) -> bool {
        self.paused_until.is_none()
    }

    /// A connection was closed, so a descriptor is free again.
    pub fn resume(&mut self) {
        self.paused_until = None;
    }

    /// Opens again, if it is time to.
    pub fn expire(&mut self, now: Instant) {
        self.paused_until = self.paused_until.filter(|end| *end > now);
    }

    /// When to call [`expire`](Self::expire), while it is not open.
    pub fn deadline(&self) -> Option<Instant> {
        self.paused_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    /// Tests often run as root, for which no port is forbidden.
    #[test]
    fn a_port_below_1024_is_refused_with_one_above() {
        let forbidden = io::ErrorKind::PermissionDenied.into();
        let advice = way_out("[::1]:80".parse().unwrap(), &forbidden);
        assert!(advice.contains("`--address [::1]:8686`"), "{advice}");
        // Here the reason must be another one.
        assert_eq!(way_out("[::1]:8080".parse().unwrap(), &forbidden), "");
    }

    #[test]
    fn a_signal_ends_neither_the_server_nor_its_patience() {
        let settings = Settings::try_parse_from(["server", "-q"]).unwrap();
        let (mut admission, mut journal) = (Admission::default(), Journal::new(&settings));
        for _ in 0..2 * LOST_IN_A_ROW {
            let interrupted = io::ErrorKind::Interrupted.into();
            let refusal = admission.failed(interrupted, Instant::now(), &mut journal).unwrap();
            assert_eq!(refusal, Refusal::ThisOne);
        }
        assert!(admission.is_open());
    }

    #[test]
    fn no_more_clients_wait_than_the_backlog_holds() {
        let arguments = ["server", "--address", "127.0.0.1:0", "--backlog", "4"];
        let listener = listen(&Settings::try_parse_from(arguments).unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let patience = Duration::from_millis(300);
        let waiting: Vec<_> =
            (0..100).map_while(|_| TcpStream::connect_timeout(&address, patience).ok()).collect();
        // Systems don't take the number literally: on Linux, one more fits.
        assert!((4..=20).contains(&waiting.len()), "{} clients wait", waiting.len());
    }
}
