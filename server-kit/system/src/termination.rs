//! What to do when the program has to end.

use std::io;
use std::time::{Duration, Instant};

/// A signal that comes within this time after another one is part of the same request to end. One
/// Ctrl-C can cause two signals: `timeout 10 client`, for example, sends one to the client and
/// another to the client's process group.
pub const SAME_REQUEST: Duration = Duration::from_millis(500);

/// Which signals are new requests to end.
#[derive(Default)]
struct Requests {
    /// When the last request came.
    last: Option<Instant>,
    /// Whether a signal other than a hangup has come.
    is_by_signal: bool,
}

impl Requests {
    /// Whether a signal that comes now is a new request.
    fn is_new(&mut self, is_hangup: bool, now: Instant) -> bool {
        let is_new = match self.last {
            None => true,
            Some(last) => !is_hangup && self.is_by_signal && now - last >= SAME_REQUEST,
        };
        self.is_by_signal |= !is_hangup;
        if is_new {
            self.last = Some(now);
        }
        is_new
    }
}

/// Calls `handler`, in a thread of its own, each time the process gets SIGINT (Ctrl-C), SIGTERM
/// or SIGHUP (its terminal was closed), unless the signal is part of the request before: it comes
/// within [`SAME_REQUEST`], or is a SIGHUP.
///
/// A SIGHUP in addition to one of the others isn't a second request, however late it comes: a
/// shell that is ended by the same Ctrl-C causes it, if it leads the session of the terminal
/// (setsid(2)). It may even come first, because the kernel delivers the lower number of two pending
/// signals first.
///
/// SIGINT and SIGHUP stay ignored if they were when the process started; see the
/// [description of this package](crate). No handler is installed for them then, so processes that
/// this one starts inherit that they are ignored. SIGTERM always calls `handler`: it is the way to
/// end a program in the background, so nothing starts one with SIGTERM ignored on purpose.
///
/// # Errors
///
/// Those of the system, if there is no thread or no descriptor to wait for signals. Then no handler
/// is installed, and each of the signals ends the process.
#[cfg(unix)]
pub fn on_termination(mut handler: impl FnMut() + Send + 'static) -> io::Result<()> {
    use std::io::Read;
    use std::sync::Arc;
    use std::thread;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use nix::libc::c_int;
    use nix::sys::signal::Signal;
    use nix::unistd::write;

    use crate::disposition::{ignored_at_the_start, unblock};

    let ignored = ignored_at_the_start();
    let handled = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
        .into_iter()
        .filter(|signal| *signal == Signal::SIGTERM || !ignored.contains(signal));
    let handled: Vec<Signal> = handled.collect();
    // A signal handler may do hardly anything (signal-safety(7)). But it may write to a pipe, and
    // so wake up a thread that may do everything. It writes a byte for each signal, because a
    // second Ctrl-C may mean something else than the first. (The crate `signal-hook` has a pipe,
    // too, but writes to it with send(2), and the tests of the servers make send(2) fail.)
    let (mut signals, pipe) = io::pipe()?;
    // The handler must not wait if the pipe is full. Then the thread has enough to do anyway.
    fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let pipe = Arc::new(pipe);
    let to_unblock = handled.clone();
    thread::Builder::new().name("signals".into()).spawn(move || {
        // One thread that doesn't block them is enough.
        unblock(&to_unblock);
        let (mut requests, mut byte) = (Requests::default(), [0]);
        // It can't fail, because the handlers keep the other end open.
        while signals.read_exact(&mut byte).is_ok() {
            if requests.is_new(byte == [Signal::SIGHUP as u8], Instant::now()) {
                handler();
            }
        }
    })?;
    // Not earlier: without the thread, the handlers would swallow the signals.
    for signal in handled {
        let pipe = Arc::clone(&pipe);
        let wake = move || {
            write(&*pipe, &[signal as u8]).ok();
        };
        // SAFETY: a handler may only do what is safe at any point of the program. It calls
        // write(2), which is safe, and neither allocates nor locks; the pipe is never dropped,
        // because no handler is ever removed. The crate preserves `errno`.
        #[allow(unsafe_code)]
        unsafe {
            signal_hook_registry::register(signal as c_int, wake)?;
        }
    }
    Ok(())
}

/// Calls `handler`, in a thread of its own, each time Ctrl-C is pressed or the console is closed,
/// unless that happens within [`SAME_REQUEST`] after the time before.
///
/// # Errors
///
/// If this was called before in this process, or if the system refuses it.
#[cfg(windows)]
pub fn on_termination(mut handler: impl FnMut() + Send + 'static) -> io::Result<()> {
    let mut requests = Requests::default();
    let handle = move || {
        if requests.is_new(false, Instant::now()) {
            handler();
        }
    };
    ctrlc::set_handler(handle).map_err(|error| match error {
        // The system's error says more: ctrlc's own says "Unexpected system error".
        ctrlc::Error::System(error) => error,
        error => io::Error::other(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERRUPT: bool = false;
    const HANGUP: bool = true;

    /// The times after the first signal, in milliseconds, at which a new request comes.
    fn new_ones(signals: &[(u64, bool)]) -> Vec<u64> {
        let start = Instant::now();
        let mut requests = Requests::default();
        let mut is_new =
            |at, is_hangup| requests.is_new(is_hangup, start + Duration::from_millis(at));
        signals.iter().filter(|&&(at, kind)| is_new(at, kind)).map(|&(at, _)| at).collect()
    }

    #[test]
    fn signals_within_half_a_second_are_one_request() {
        let signals = [0, 1, 499, 500, 501, 999, 1000].map(|at| (at, INTERRUPT));
        assert_eq!(new_ones(&signals), [0, 500, 1000]);
    }

    #[test]
    fn a_hangup_beside_ctrl_c_is_no_second_request() {
        assert_eq!(new_ones(&[(0, INTERRUPT), (1, HANGUP), (2000, HANGUP)]), [0]);
        assert_eq!(new_ones(&[(0, HANGUP), (600, INTERRUPT), (1200, INTERRUPT)]), [0, 1200]);
    }
}
