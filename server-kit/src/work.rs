//! What handling a request costs, besides the protocol.

use std::thread;
use std::time::Duration;

use crate::{Call, Journal};

/// Blocks the thread for `work` for each request, as a query to a database would, or a file
/// on a slow disk. Every way to wait suffers from it: while a request is being handled, no
/// loop turns.
///
/// Returns whether time has passed.
pub fn handle(requests: usize, work: Duration, journal: &mut Journal) -> bool {
    if requests == 0 || work.is_zero() {
        return false;
    }
    for _ in 0..requests {
        journal.count(Call::Nanosleep);
        thread::sleep(work);
    }
    true
}
