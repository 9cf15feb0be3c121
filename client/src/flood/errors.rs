//! What the kernel refuses, and what that means for a client.

use std::io::{self, ErrorKind};

use crate::report::{Failure, Stage};

/// The failure of a client that can't even begin to connect, while `open` others are open.
pub(super) fn cannot_open(error: &io::Error, open: usize) -> Failure {
    let advice = if is_out_of_descriptors(error) {
        "the limit of descriptors allows no more; raise it with `ulimit -n`, or try fewer \
         `--connections`"
    } else if error.kind() == ErrorKind::AddrNotAvailable {
        "this machine has no port left for one more to the same server; try fewer \
         `--connections`, or again in a minute"
    } else {
        return cannot_connect(error);
    };
    let why = format!("{error}: {open} connections are open, and {advice}");
    failure(Stage::Connect, why)
}

pub(super) fn cannot_connect(error: &io::Error) -> Failure {
    let advice = match error.kind() {
        ErrorKind::ConnectionRefused => {
            ": is the server running? Start one with `cargo run -p sync-server`"
        }
        _ => "",
    };
    failure(Stage::Connect, format!("{error}{advice}"))
}

pub(super) fn failure(stage: Stage, why: impl Into<String>) -> Failure {
    Failure { stage, why: why.into() }
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

/// EMFILE, the process's limit, or ENFILE, the system's; std has no names for them.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use nix::errno::Errno;
        let number = error.raw_os_error();
        number == Some(Errno::EMFILE as i32) || number == Some(Errno::ENFILE as i32)
    }
    #[cfg(not(unix))]
    {
        let _ = error;
        false // Windows has no such limit
    }
}
