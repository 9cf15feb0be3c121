//! What the kernel refuses, and what that means for a client.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use crate::report::{Failure, Stage};
use system::is_out_of_descriptors;

/// The failure of a client that can't even begin to connect, while `open` others are open.
pub(super) fn cannot_open(error: &io::Error, address: SocketAddr, open: usize) -> Failure {
    let advice = if is_out_of_descriptors(error) {
        "the limit of descriptors allows no more; raise it with `ulimit -n`, or try fewer \
         `--connections`"
    } else if error.kind() == ErrorKind::AddrNotAvailable {
        "this machine has no port left for one more to the same server; try fewer \
         `--connections`, or again when ports are free: over loopback after a second on Linux, \
         otherwise after a minute or so"
    } else {
        return cannot_connect(error, address);
    };
    let why = format!("{error}: {open} connections are open, and {advice}");
    Failure { is_ours: true, ..failure(Stage::Connect, why) }
}

/// What [`cannot_reach`] ends with where no server runs.
pub const START_ONE: &str = ": is the server running? Start one with `cargo run -p sync-server`";

pub(super) fn cannot_connect(error: &io::Error, address: SocketAddr) -> Failure {
    failure(Stage::Connect, cannot_reach(error, &address))
}

/// Why nobody can be reached at this address, and what to do, as a sentence without its full stop.
pub fn cannot_reach(error: &io::Error, address: &dyn Display) -> String {
    let advice = match error.kind() {
        ErrorKind::ConnectionRefused => START_ONE,
        ErrorKind::TimedOut => ": is it the right address, and does a firewall let you through?",
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => {
            ": no way leads there; is it the right address, and is the network up?"
        }
        // Linux tells so of routes of the kinds `prohibit` and `blackhole` (ip-route(8)), and of
        // addresses to which nobody can connect.
        ErrorKind::PermissionDenied | ErrorKind::InvalidInput => {
            ": this machine sends nothing there; is it the right address? On Linux `ip route get` \
             tells what becomes of it"
        }
        _ => system::advice(error),
    };
    format!("can't connect to {address}: {error}{advice}")
}

pub(super) fn failure(stage: Stage, why: impl Into<String>) -> Failure {
    Failure { stage, why: why.into(), is_ours: false }
}

/// Nothing is wrong, it just can't be done now: the kernel may report readiness without a
/// reason (select(2), BUGS), and a signal may come before the first byte.
pub(super) fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Whether a non-blocking connect(2) has merely not ended yet. std has no stable name for
/// EINPROGRESS; Windows says that the call would block.
pub(super) fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(nix::errno::Errno::EINPROGRESS as i32);
    #[cfg(not(unix))]
    return error.kind() == ErrorKind::WouldBlock;
}
