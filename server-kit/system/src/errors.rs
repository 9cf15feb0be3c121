//! What a system error means for a program, and what helps against it.

use std::io::{self, ErrorKind};

use rustix::io::Errno;

/// Whether this process (EMFILE) or the whole system (ENFILE) has no descriptor left for one more
/// file or socket.
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    let full = [
        Errno::MFILE,
        #[cfg(unix)]
        Errno::NFILE,
    ];
    Errno::from_io_error(error).is_some_and(|code| full.contains(&code))
}

/// Whether the system, or this process, has no descriptor or no memory left for a socket, or no
/// room in epoll(7) to watch it (ENOSPC, epoll_ctl(2)). Any of these may pass.
pub fn is_out_of_resources(error: &io::Error) -> bool {
    let others = [
        Errno::NOBUFS,
        #[cfg(unix)]
        Errno::NOMEM,
        #[cfg(unix)]
        Errno::NOSPC,
    ];
    is_out_of_descriptors(error)
        || Errno::from_io_error(error).is_some_and(|code| others.contains(&code))
}

/// Whether no more processes or threads are allowed (EAGAIN of fork(2) and pthread_create(3)).
/// Only for calls that start one: for other calls, EAGAIN means something else.
pub fn is_out_of_threads(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}

/// What helps against this error, as the end of a sentence; empty, if that is not known.
pub fn advice(error: &io::Error) -> &'static str {
    if is_out_of_resources(error) {
        "; allow more descriptors with `ulimit -n`, or free some memory"
    } else if is_out_of_threads(error) {
        "; no more processes or threads are allowed: end some, or allow more with `ulimit -u`"
    } else {
        ""
    }
}
