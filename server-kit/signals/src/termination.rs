//! What to do when the program is asked to end.

use std::io;

/// Calls `handler`, in a thread of its own, each time the process gets SIGINT (Ctrl-C), SIGTERM
/// or SIGHUP (its terminal was closed).
///
/// SIGINT and SIGHUP stay ignored if they were when the process started; see the
/// [description of this package](crate). No handler is installed for them then, so processes that
/// this one starts inherit that they are ignored. SIGTERM always calls `handler`: it is what asks
/// a program in the background to end, so nothing starts one with SIGTERM ignored on purpose.
///
/// # Errors
///
/// The system's, if there is no thread or descriptor to wait for signals with. Then no handler is
/// installed, and each of the signals ends the process.
#[cfg(unix)]
pub fn on_termination(mut handler: impl FnMut() + Send + 'static) -> io::Result<()> {
    use std::thread;

    use nix::libc::c_int;
    use nix::sys::signal::Signal;
    use signal_hook::iterator::SignalsInfo;
    use signal_hook::iterator::exfiltrator::WithRawSiginfo;

    use crate::disposition::{ignored_at_the_start, unblock};

    let ignored = ignored_at_the_start();
    let handled = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
        .into_iter()
        .filter(|signal| *signal == Signal::SIGTERM || !ignored.contains(signal));
    let handled: Vec<Signal> = handled.collect();
    // Without details (`Signals`), two Ctrl-C in quick succession could arrive as one, and the
    // second may mean something else than the first.
    let mut signals = SignalsInfo::<WithRawSiginfo>::new([0 as c_int; 0])?;
    let handle = signals.handle();
    let to_unblock = handled.clone();
    thread::Builder::new().name("signals".into()).spawn(move || {
        // It is enough if one thread doesn't block them.
        unblock(&to_unblock);
        for _ in signals.forever() {
            handler();
        }
    })?;
    // Only now: without the thread, the handlers would swallow the signals.
    handled.iter().try_for_each(|&signal| handle.add_signal(signal as c_int))
}

/// Calls `handler`, in a thread of its own, each time Ctrl-C is pressed or the console is closed.
///
/// # Errors
///
/// If this was called before in this process, or if the system refuses it.
#[cfg(windows)]
pub fn on_termination(handler: impl FnMut() + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(handler).map_err(|error| match error {
        // In the words of the system; ctrlc's own are "Unexpected system error".
        ctrlc::Error::System(error) => error,
        error => io::Error::other(error),
    })
}
