//! Tests that keep the processors busy take turns. Tests that mostly wait run at the same time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

/// The most turns at the same time. These tests wait, too, although not as much.
const TURNS: usize = 2;

static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

/// A turn, or all turns, until it is dropped.
pub struct Turn(usize);

/// Waits until it is the calling test's turn.
pub fn turn() -> Turn {
    take(1)
}

/// Waits until no other test has a turn, and then takes all turns.
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
