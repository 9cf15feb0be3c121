//! Errors of system calls, and what they mean for a client.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use crate::report::{Failure, Stage};
use system::is_out_of_descriptors;

/// The failure of a client that can't even begin to connect, while `open` others are open.
pub(super) fn cannot_open(error: &io::Error, address: SocketAddr, open: usize) -> Failure {
    let advice = if is_out_of_descriptors(error) {
        "the descriptor limit allows no more; raise it with `ulimit -n`, or try fewer \
         `--connections`"
    } else if error.kind() == ErrorKind::AddrNotAvailable {
        "this machine has no port left for another one to the same server; try fewer \
         `--connections`, or wait until ports are free again: over loopback on Linux after a \
         second, otherwise after a minute or so"
    } else {
        return cannot_connect(error, address);
    };
    let why = format!("{error}: {open} connections are open, and {advice}");
    Failure { is_ours: true, ..failure(Stage::Connect, why) }
}

/// The end of what [`cannot_reach`] returns if no server is running.
pub const START_ONE: &str = ": is the server running? Start one with `cargo run -p sync-server`";

pub(super) fn cannot_connect(error: &io::Error, address: SocketAddr) -> Failure {
    failure(Stage::Connect, cannot_reach(error, &address))
}

/// Why the server at this address can't be reached, and what to do, as a sentence without its full
/// stop.
pub fn cannot_reach(error: &io::Error, address: &dyn Display) -> String {
    let advice = match error.kind() {
        ErrorKind::ConnectionRefused => START_ONE,
        ErrorKind::TimedOut => ": is the address right, and does a firewall block the connection?",
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => {
            ": there is no route to it; is the address right, and is the network up?"
        }
        // Linux reports these for routes of the kinds `prohibit` and `blackhole` (ip-route(8)), and
        // for addresses to which no client can connect.
        ErrorKind::PermissionDenied | ErrorKind::InvalidInput => {
            ": this machine can't send packets there; is the address right? On Linux, `ip route \
             get` shows its route"
        }
        _ => system::advice(error),
    };
    format!("can't connect to {address}: {error}{advice}")
}

pub(super) fn failure(stage: Stage, why: impl Into<String>) -> Failure {
    Failure { stage, why: why.into(), is_ours: false }
}

/// Whether this isn't an error, but means "try again later": the kernel may report readiness
/// without a reason (select(2), BUGS), and a signal may come before the first byte.
pub(super) fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Whether a non-blocking connect(2) simply hasn't finished yet. std has no stable name for
/// EINPROGRESS; Windows reports that the call would block.
pub(super) fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(nix::errno::Errno::EINPROGRESS as i32);
    #[cfg(not(unix))]
    return error.kind() == ErrorKind::WouldBlock;
}
