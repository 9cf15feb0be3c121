//! Tests that keep the processors busy take turns. Beside them run those that mostly wait.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

/// How many turns there are at the same time, at most. These tests wait, too, if not as much.
const TURNS: usize = 2;

static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

/// A turn, or all of them, until it is dropped.
pub struct Turn(usize);

/// Waits for the turn of the calling test.
pub fn turn() -> Turn {
    take(1)
}

/// Waits until no other test has a turn, and lets none have one.
#[cfg(target_os = "linux")]
pub fn alone() -> Turn {
    take(all())
}

fn all() -> usize {
    available_parallelism().map_or(1, |cores| cores.get().min(TURNS))
}

fn take(turns: usize) -> Turn {
    let mut taken = taken();
    while *taken + turns > all() {
        taken = GIVEN_BACK.wait(taken).unwrap_or_else(PoisonError::into_inner);
    }
    *taken += turns;
    Turn(turns)
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Turn(turns) = self;
        *taken() -= *turns;
        GIVEN_BACK.notify_all();
    }
}

fn taken() -> MutexGuard<'static, usize> {
    // Nothing that panics happens while it is locked.
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}
