//! How a server learns that it has to stop, and how it is woken up for that.

use std::io;
use std::mem;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::Console;

/// How long a stopping server goes on sending replies that it owes: half of the second within
/// which it has to end.
///
/// Left out: a server that is blocked by work (`--work`) only stops when the work is done.
pub const STOP_GRACE: Duration = Duration::from_millis(500);

/// The status of a process that was ended by Ctrl-C: 128 + SIGINT, as in shells.
const ENDED_BY_CTRL_C: i32 = 130;

/// A flag, and a way to wake the server if it sleeps.
///
/// The flag alone isn't enough: std's `accept`, like most blocking calls, goes back to sleep after
/// a signal. So each server says, with [`wake_with`](Self::wake_with), what ends *its* way of
/// waiting.
#[derive(Clone, Default)]
pub struct Stop {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    requested: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

type Waker = Box<dyn Fn() + Send>;

impl Stop {
    /// A stop that is not requested yet.
    pub fn new() -> Self {
        Stop::default()
    }

    /// A stop that is requested by Ctrl-C, SIGTERM or SIGHUP (the terminal is closed). A second
    /// Ctrl-C or SIGTERM ends the process at once. Ctrl-C and SIGHUP do nothing if they were
    /// ignored when the process started ([`system::on_termination`]).
    ///
    /// # Errors
    ///
    /// A sentence, if there is no thread or no descriptor to wait for signals.
    pub fn on_signals() -> io::Result<Self> {
        let stop = Stop::new();
        let asked = stop.clone();
        let mut before = false;
        system::on_termination(move || {
            if mem::replace(&mut before, true) {
                process::exit(ENDED_BY_CTRL_C);
            }
            Console::expect_the_end();
            asked.request();
        })
        .map_err(|error| {
            let advice = system::advice(&error);
            io::Error::other(format!("can't wait for Ctrl-C: {error}{advice}"))
        })?;
        Ok(stop)
    }

    /// Requests that the server stops, from any thread.
    pub fn request(&self) {
        self.shared.requested.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Whether a stop was requested.
    pub fn is_requested(&self) -> bool {
        self.shared.requested.load(Ordering::SeqCst)
    }

    /// Calls `wake` when the server has to stop, or at once if it already has to. `wake` is
    /// called in another thread than the server's, and must not block for long.
    pub fn wake_with(&self, wake: impl Fn() + Send + 'static) {
        self.lock().push(Box::new(wake));
        // If the request came before the waker, nothing else will call it.
        if self.is_requested() {
            self.wake();
        }
    }

    fn wake(&self) {
        for wake in self.lock().iter() {
            wake();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waker>> {
        // A waker that panicked leaves the list as it was.
        self.shared.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn who_waits_is_woken_whether_it_comes_before_or_after_the_request() {
        let stop = Stop::new();
        let (sender, woken) = mpsc::channel();
        let early = sender.clone();
        stop.wake_with(move || early.send("early").unwrap());
        assert!(woken.try_recv().is_err());
        stop.request();
        assert!(stop.is_requested());
        assert_eq!(woken.try_recv(), Ok("early"));
        stop.wake_with(move || sender.send("late").unwrap());
        assert!(woken.try_iter().any(|who| who == "late"));
    }
}
