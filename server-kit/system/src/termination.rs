//! What to do when the program has to end.

use std::io;

/// Calls `handler`, in a thread of its own, each time the process gets SIGINT (Ctrl-C), SIGTERM
/// or SIGHUP (its terminal was closed).
///
/// A SIGHUP in addition to one of the others is not reported, because it isn't a second request: a
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
    use std::mem;
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
        let (mut is_first, mut was_asked, mut byte) = (true, false, [0]);
        // It can't fail, because the handlers keep the other end open.
        while signals.read_exact(&mut byte).is_ok() {
            let asks = byte != [Signal::SIGHUP as u8];
            if mem::take(&mut is_first) || asks && was_asked {
                handler();
            }
            was_asked |= asks;
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

/// Calls `handler`, in a thread of its own, each time Ctrl-C is pressed or the console is closed.
///
/// # Errors
///
/// If this was called before in this process, or if the system refuses it.
#[cfg(windows)]
pub fn on_termination(handler: impl FnMut() + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(handler).map_err(|error| match error {
        // The system's error says more: ctrlc's own says "Unexpected system error".
        ctrlc::Error::System(error) => error,
        error => io::Error::other(error),
    })
}
