//! What handling a request costs, besides the protocol.

use std::thread;
use std::time::Duration;

use crate::{Call, Journal};

/// Blocks the thread for so long for each request, as a query to a database would, or a file
/// on a slow disk. Every way to wait suffers from it: while a request is being worked on, no
/// loop turns. Requests that arrived together are all worked on before the first reply goes
/// out.
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
