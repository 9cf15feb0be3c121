//! Interrupts the blocking call that another thread sleeps in.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::pthread::{Pthread, pthread_kill, pthread_self};
use nix::sys::signal::{SaFlags, Signal};

use crate::disposition::{handle_by_doing_nothing, unblock};

/// The signal that interrupts. It is ignored by default, so a stray one doesn't end the program.
/// The kernel only sends it for sockets that have an owner set (F_SETOWN, fcntl(2)), and here none
/// has one.
const SIGNAL: Signal = Signal::SIGURG;

thread_local! {
    static THIS_THREAD: Registered = Registered::new();
}

/// Interrupts one thread. Clones, which may be in other threads, interrupt the same one.
#[derive(Clone, Debug)]
pub struct Interrupter {
    thread: Arc<Slot>,
}

impl Interrupter {
    /// An interrupter of the thread that calls this.
    ///
    /// # Errors
    ///
    /// If the system rejects the handler for SIGURG, or if this thread is already ending.
    pub fn of_this_thread() -> io::Result<Self> {
        let thread = THIS_THREAD
            .try_with(|registered| Arc::clone(&registered.0))
            .map_err(io::Error::other)?;
        // Without SA_RESTART, so that a call fails instead of going back to sleep. Installing the
        // same handler again changes nothing.
        handle_by_doing_nothing(SIGNAL, SaFlags::empty())?;
        unblock(&[SIGNAL]);
        Ok(Interrupter { thread })
    }

    /// Makes a call in which the thread sleeps (`recv`, `send`, `poll`) fail with
    /// [`ErrorKind::Interrupted`](io::ErrorKind::Interrupted). Returns whether the thread still
    /// exists; if it doesn't, nothing happens.
    ///
    /// A thread that is not asleep doesn't notice the interruption, even if it goes to sleep right
    /// afterwards. So first set a flag that the thread checks before it sleeps, and then call this
    /// every few milliseconds until the thread has seen the flag.
    ///
    /// This can't end calls that std repeats after an interruption: `accept`, `connect`,
    /// `write_all`, [`thread::sleep`](std::thread::sleep).
    pub fn interrupt(&self) -> bool {
        // Locked until the signal is sent, so that the thread can't end meanwhile.
        let thread = self.thread.lock();
        // It only fails for a number that is not a signal.
        thread.map(|thread| pthread_kill(thread as Pthread, SIGNAL)).is_some()
    }
}

/// A thread, or `None` once it has ended: sending a signal to it would be undefined behaviour
/// then (pthread_kill(3)). It is a number here, because a `Pthread` is a pointer on some systems.
#[derive(Debug)]
struct Slot(Mutex<Option<usize>>);

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<usize>> {
        // Nothing that panics happens while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that owns this value. The value is thread-local, so it is dropped while the thread is
/// ending and still exists.
struct Registered(Arc<Slot>);

impl Registered {
    fn new() -> Self {
        Registered(Arc::new(Slot(Mutex::new(Some(pthread_self() as usize)))))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

#[cfg(test)]
mod tests;
