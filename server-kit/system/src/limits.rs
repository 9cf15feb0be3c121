//! What a process may have, and what it has used.

use std::io;
use std::time::Duration;

/// Raises this process's soft limit of descriptors to the hard one, which its children inherit.
/// Returns how many it may have now.
///
/// # Errors
///
/// Those of getrlimit(2) and setrlimit(2).
pub fn raise_descriptor_limit() -> io::Result<u64> {
    rlimit::increase_nofile_limit(u64::MAX)
}

/// How much processor time this thread has used so far, in user and kernel mode together;
/// `None` where this program doesn't know how to ask (Windows).
pub fn thread_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        use rustix::time::{ClockId, clock_gettime};
        clock_gettime(ClockId::ThreadCPUTime).try_into().ok()
    }
    #[cfg(not(unix))]
    None // Left out: GetThreadTimes
}
