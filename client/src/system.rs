//! The door to what systems do differently.

use std::io;
use std::time::Duration;

/// How much processor time this thread has used so far, in user and kernel mode together;
/// `None` where this program does not know how to ask (Windows).
pub(crate) fn thread_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        use nix::time::{ClockId, clock_gettime};
        // clock_gettime(2): it fails only for a clock that the system has not.
        clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).ok().map(Duration::from)
    }
    #[cfg(not(unix))]
    None // Left out: GetThreadTimes
}

/// What helps when the system refuses something for which more than one call may ask, as the end
/// of a sentence; nothing, if that is not known.
pub(crate) fn advice(error: &io::Error) -> &'static str {
    if is_out_of_descriptors(error) {
        "; allow this program more descriptors with `ulimit -n`"
    } else if error.kind() == io::ErrorKind::WouldBlock {
        // EAGAIN of fork(2) and pthread_create(3).
        "; no process or thread may be added: end some, or allow more with `ulimit -u`"
    } else {
        ""
    }
}

/// Whether this machine or this process had not enough of something, whatever it was asked for.
pub(crate) fn is_lack(error: &io::Error) -> bool {
    let is_full = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory);
    is_full || is_out_of_descriptors(error)
}

/// EMFILE, the process's limit, or ENFILE, the system's; std has no names for them.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
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
