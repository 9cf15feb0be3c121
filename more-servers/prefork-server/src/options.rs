//! What this server takes on its command line besides, and its listening sockets.

use std::io;
use std::net::TcpListener;
use std::num::NonZero;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;

use server_kit::{OwnOptions, Settings, listen, listen_with, whole_number};

/// More processes than most machines have cores. A slip of the finger is to be refused, and not to
/// fill the list of processes.
const WORKERS_MAX: u16 = 1024;

/// How many processes serve, and whether they share one listening socket.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// How many processes serve [default: one per core]
    #[arg(long, value_name = "N", value_parser = whole_number(1..=WORKERS_MAX))]
    pub workers: Option<u16>,

    /// Give each worker a listening socket of its own; the kernel deals the clients out
    ///
    /// On Linux and FreeBSD; other systems know the option, but don't deal out.
    #[arg(long)]
    pub reuse_port: bool,
}

impl Options {
    pub(crate) fn workers(&self) -> usize {
        // A system that does not tell how many cores there are has one at least.
        let cores = || thread::available_parallelism().map_or(1, NonZero::get);
        self.workers.map_or_else(cores, usize::from)
    }

    /// The first listener for all workers, or one like it for each.
    pub(crate) fn listeners(
        &self,
        first: TcpListener,
        settings: &Settings,
    ) -> io::Result<Vec<TcpListener>> {
        let mut listeners = vec![first];
        if self.reuse_port {
            // The port may have been any free one; now it is that of the first.
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

/// Lets several sockets listen at one address, among which the kernel deals the clients out:
/// `SO_REUSEPORT` of socket(7).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn share_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_reuseport(socket, true)?)
}

/// On FreeBSD the dealing out has a name of its own: `SO_REUSEPORT_LB` of setsockopt(2) there.
#[cfg(target_os = "freebsd")]
fn share_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_reuseport_lb(socket, true)?)
}

/// Elsewhere the option lets several sockets listen, but nobody deals out.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn share_port(_: BorrowedFd<'_>) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "`--reuse-port` is for Linux and FreeBSD; this system would not deal clients out among \
         several listening sockets",
    ))
}
