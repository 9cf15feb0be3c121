//! What a process may have, and what it has used.

use std::io;
use std::time::Duration;

/// Raises the soft descriptor limit of this process to the hard one. Its children inherit that.
/// Returns the new limit.
///
/// # Errors
///
/// Those of getrlimit(2) and setrlimit(2).
pub fn raise_descriptor_limit() -> io::Result<u64> {
    rlimit::increase_nofile_limit(u64::MAX)
}

/// How much processor time this thread has used so far, in user and kernel mode together; `None`
/// on Windows.
pub fn thread_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        use rustix::time::{ClockId, clock_gettime};
        clock_gettime(ClockId::ThreadCPUTime).try_into().ok()
    }
    #[cfg(not(unix))]
    None // Left out: GetThreadTimes
}
