//! What a loop does when the kernel has no memory to let it wait.

use std::thread;
use std::time::Duration;

use crate::{Call, Journal};

/// Long enough that a loop that finds no memory again and again costs hardly anything, and short
/// enough that clients hardly notice.
const A_REST: Duration = Duration::from_millis(10);

/// Sleeps for a moment before the loop's next iteration.
///
/// A call that waits needs memory in the kernel, and may find none (ENOMEM from select(2) and
/// poll(2), EAGAIN from io_uring_enter(2)). That doesn't harm the clients yet, while ending the
/// server would cost all of them their connections. But calling again at once would spin.
pub fn rest_without_memory(journal: &mut Journal) {
    journal.count(Call::Nanosleep);
    thread::sleep(A_REST);
}
