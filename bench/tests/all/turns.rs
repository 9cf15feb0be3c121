//! Tests that keep all processors busy take turns. Beside them run those that mostly wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits for the turn of the calling test, which lasts until the value is dropped.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // A test that has failed leaves nothing behind that another one uses.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
