//! The listening socket.

use std::fmt::Display;
use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::Interest;
use socket2::{Domain, Protocol, Socket, Type};

use crate::{Call, Journal, Settings, platform};

/// Listens where the settings say, with the backlog that they ask for.
///
/// `TcpListener::bind` chooses the backlog itself (128, or whatever the system allows), so
/// the socket is made step by step: socket(2), bind(2), listen(2).
///
/// # Errors
///
/// A sentence for the user who typed the address: its host is not known, or the system does not
/// let this process listen there.
pub fn listen(settings: &Settings) -> io::Result<TcpListener> {
    listen_with(settings, |_| Ok(()))
}

/// Like [`listen`], for a socket that needs options of its own: `prepare` sets them before
/// bind(2).
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

/// What to do where nobody may listen on this address, as the end of a sentence.
fn way_out(address: SocketAddr, error: &io::Error) -> String {
    let ip = address.ip();
    let at = |port| SocketAddr::new(ip, port);
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "; does another server run there? Stop it, or take another port: `--address {}` takes \
             any that is free",
            at(0)
        ),
        io::ErrorKind::PermissionDenied if address.port() < 1024 => format!(
            "; ports below 1024 are for the system's own services, so take one above, for example \
             `--address {}`",
            at(8686)
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "; it is no address of this machine: `--address {}` is one for programs on it",
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
        // Linux lets a server listen there; but nobody can connect, not even to wake it at the end.
        return Err(io::ErrorKind::AddrNotAvailable.into());
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // On Unix, the port of a server that has just ended may be taken again although its last
    // connections are still in TIME-WAIT. On Windows, the same option would let two servers
    // share one port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    prepare(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// Most clients that an event loop accepts in one turn, so that a crowd at the door does not
/// keep those waiting who are in. Listeners are level-triggered: the rest come next turn.
///
/// A number between nginx's, which is one unless `multi_accept` is on, and the thousand of
/// redis (`MAX_ACCEPTS_PER_CALL`).
pub const ACCEPTS_PER_TURN: usize = 64;

/// How many clients in a row may have gone while they waited in the queue: as many as come
/// in.
const LOST_IN_A_ROW: usize = ACCEPTS_PER_TURN;

/// How long a server without descriptors (or threads) waits before it tries again, in case
/// that somebody else has freed one. Half a second is nginx's `accept_mutex_delay`, used for the
/// same purpose there.
pub const TRY_AGAIN: Duration = Duration::from_millis(500);

/// A listener that knows what to do with each error of accept(2).
pub struct Acceptor {
    listener: Arc<TcpListener>,
    admission: Admission,
}

impl Acceptor {
    /// An acceptor that sleeps in accept(2) until somebody comes. Several threads may have one
    /// for the same listener.
    pub fn blocking(listener: impl Into<Arc<TcpListener>>) -> Self {
        Acceptor { listener: listener.into(), admission: Admission::default() }
    }

    /// An acceptor that never sleeps, for loops that are told when a client waits: between
    /// the report and the call, that client may have gone.
    ///
    /// # Errors
    ///
    /// Those of making the socket non-blocking.
    pub fn non_blocking(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Acceptor::blocking(listener))
    }

    /// The next client in the queue; `None` if nobody waits, or nobody can be let in.
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
                    Refusal::Everybody => return Ok(None),
                },
            }
        }
    }

    /// For a client that was accepted and can't be served yet:
    /// [`Admission::is_out_of_resources`].
    pub fn is_out_of_resources(
        &mut self,
        error: &io::Error,
        now: Instant,
        journal: &mut Journal,
    ) -> bool {
        self.admission.is_out_of_resources(error, now, journal)
    }

    /// There was room again: if descriptors run out once more, that is told once more. For
    /// servers that sleep in accept(2) and don't see the end of the queue.
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

    /// Tries again if it is time to.
    pub fn expire(&mut self, now: Instant) {
        self.admission.expire(now);
    }

    /// Until when to wait at most, while there are no descriptors.
    pub fn deadline(&self) -> Option<Instant> {
        self.admission.deadline()
    }

    pub(crate) fn socket(&self) -> &TcpListener {
        &self.listener
    }
}

/// Whether clients can be let in: what each error of accept(2) means for those who wait.
///
/// It is a part of [`Acceptor`], and of its own for servers whose calls are made by somebody
/// else: a runtime, or the kernel.
#[derive(Default)]
pub struct Admission {
    /// The next client can't be let in: until then, leave it in the backlog.
    paused_until: Option<Instant>,
    /// The lack of descriptors has been told. Once is enough for as long as it lasts.
    told: bool,
    lost_in_a_row: usize,
}

/// Who is not let in after accept(2) has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Only the client that it was about, if any: the next one may be well, so ask at once.
    ThisOne,
    /// Nobody for now: nobody waits, or nobody can be let in.
    Everybody,
}

impl Admission {
    /// A client was let in.
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
            // A signal came first, before anything was done: ask again. (std does so by itself,
            // a runtime or the kernel may hand it on.)
            return Ok(Refusal::ThisOne);
        }
        // This client is gone or can't be reached any more; the next one may be well
        // (ECONNABORTED and its like).
        if platform::is_about_one_connection(&error) {
            self.lost_in_a_row += 1;
            if self.lost_in_a_row < LOST_IN_A_ROW {
                return Ok(Refusal::ThisOne);
            }
            // So many can't have died in the queue: something is wrong that may pass.
            self.pause(now);
        } else if error.kind() == io::ErrorKind::WouldBlock {
            // Everybody is in: not an error, but the end of the queue (EAGAIN).
            self.had_room();
        } else if !self.is_out_of_resources(&error, now, journal) {
            return Err(error);
        }
        self.lost_in_a_row = 0;
        Ok(Refusal::Everybody)
    }

    /// Whether this error means that there is no descriptor, memory or watch for one more client
    /// (EMFILE, ENFILE, ENOMEM, ENOSPC). Then no client is let in until that may have changed.
    ///
    /// Clients that wait stay in the queue, and so the listener stays readable: to go on asking
    /// for them would spin. (Linux takes the descriptor before it looks into the queue, so perhaps
    /// no client waits.)
    pub fn is_out_of_resources(
        &mut self,
        error: &io::Error,
        now: Instant,
        journal: &mut Journal,
    ) -> bool {
        let is_out = system::is_out_of_resources(error);
        if is_out {
            self.pause(now);
            if !mem::replace(&mut self.told, true) {
                journal.out_of_resources(error);
            }
        }
        is_out
    }

    /// The lack of descriptors is over: the next one is reported again.
    pub fn had_room(&mut self) {
        self.told = false;
    }

    fn pause(&mut self, now: Instant) {
        self.paused_until = Some(now + TRY_AGAIN);
    }

    /// Whether to ask for the next client at all.
    pub fn is_open(&self) -> bool {
        self.paused_until.is_none()
    }

    /// A connection was closed, so a descriptor is free again.
    pub fn resume(&mut self) {
        self.paused_until = None;
    }

    /// Opens again if it is time to.
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

    /// As root, which tests often run as, no port is forbidden.
    #[test]
    fn a_port_below_1024_is_refused_with_one_above() {
        let forbidden = io::ErrorKind::PermissionDenied.into();
        let told = way_out("[::1]:80".parse().unwrap(), &forbidden);
        assert!(told.contains("`--address [::1]:8686`"), "{told}");
        // Then it is something else that forbids it.
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
        // Systems take the number not to the letter: Linux lets in one more.
        assert!((4..=20).contains(&waiting.len()), "{} clients wait", waiting.len());
    }
}
