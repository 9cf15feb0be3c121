//! The work that a request causes, besides the protocol.

use std::thread;
use std::time::Duration;

use crate::{Call, Journal};

/// Blocks the thread for this long for each request, as a database query would, or a file on a
/// slow disk. Every way to wait suffers from it: while the thread works on a request, its loop
/// doesn't turn. Requests that arrived together are all handled before the first reply is sent.
///
/// Returns whether time has passed.
pub fn work(requests: usize, for_each: Duration, journal: &mut Journal) -> bool {
    if requests == 0 || for_each.is_zero() {
        return false;
    }
    for _ in 0..requests {
        journal.count(Call::Nanosleep);
        thread::sleep(for_each);
    }
    true
}
