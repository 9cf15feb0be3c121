//! What a loop does when the kernel has no memory for its wait.

use std::thread;
use std::time::Duration;

use crate::{Call, Journal};

/// Long enough that a loop which finds no memory again and again costs next to nothing, short
/// enough that hardly a client notices.
const A_REST: Duration = Duration::from_millis(10);

/// Rests for a moment, before the loop goes round again.
///
/// A call that waits may need memory in the kernel for itself, and find none (ENOMEM in
/// select(2) and poll(2), EAGAIN in io_uring_enter(2)). Nobody has suffered from it yet: to end
/// the server would cost everybody the connection. But to go round at once would be to spin.
pub fn rest_without_memory(journal: &mut Journal) {
    journal.count(Call::Nanosleep);
    thread::sleep(A_REST);
}
