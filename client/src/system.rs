//! The door to what systems do differently.

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
