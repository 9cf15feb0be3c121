//! The options of this server only, and its listening sockets.

use std::io;
use std::net::TcpListener;
use std::num::NonZero;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;

use server_kit::{OwnOptions, Settings, listen, listen_with, whole_number};

/// More processes than most machines have cores. A mistyped number should be rejected, rather than
/// fill the list of processes.
const WORKERS_MAX: u16 = 1024;

/// How many processes serve, and whether they share one listening socket.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Serve with this many processes [default: one per core]
    #[arg(long, value_name = "N", value_parser = whole_number(1..=WORKERS_MAX))]
    pub workers: Option<u16>,

    /// Give each worker a listening socket of its own; the kernel distributes the clients
    ///
    /// On Linux and FreeBSD only: other systems have the socket option, but don't distribute.
    #[arg(long)]
    pub reuse_port: bool,
}

impl Options {
    pub(crate) fn workers(&self) -> usize {
        // If the system doesn't say how many cores there are, there is at least one.
        let cores = || thread::available_parallelism().map_or(1, NonZero::get);
        self.workers.map_or_else(cores, usize::from)
    }

    /// One listener for all workers, or one for each. `first` is the first of them.
    pub(crate) fn listeners(
        &self,
        first: TcpListener,
        settings: &Settings,
    ) -> io::Result<Vec<TcpListener>> {
        let mut listeners = vec![first];
        if self.reuse_port {
            // The port may have been 0, any free one. The others take that of the first.
            let address = listeners[0].local_addr()?.to_string();
            let settings = Settings { address, ..settings.clone() };
            for _ in 1..self.workers() {
                listeners.push(self.listen(&settings)?);
            }
        }
        Ok(listeners)
    }
}

impl OwnOptions for Options {
    const EXAMPLES: &'static [&'static str] =
        &["--workers 4 --work 50ms", "--workers 4 --reuse-port"];

    fn listen(&self, settings: &Settings) -> io::Result<TcpListener> {
        if self.reuse_port {
            listen_with(settings, |socket| share_port(socket.as_fd()))
        } else {
            listen(settings)
        }
    }
}

/// Lets several sockets listen at one address; the kernel distributes the clients among them:
/// `SO_REUSEPORT` of socket(7).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn share_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_reuseport(socket, true)?)
}

/// On FreeBSD the option that distributes is another one: `SO_REUSEPORT_LB` of setsockopt(2).
#[cfg(target_os = "freebsd")]
fn share_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_reuseport_lb(socket, true)?)
}

/// On other systems the option lets several sockets listen, but doesn't distribute the clients.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn share_port(_: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "`--reuse-port` is for Linux and FreeBSD; this system doesn't distribute clients among \
         several listening sockets, so leave the option out",
    ))
}
