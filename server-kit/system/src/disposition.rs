//! What the system does with a signal: the default action, ignore it, or call a handler.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// The signals with which terminals, shells and users end or suspend a program. Shells and `nohup`
/// ignore some of these for a program that they start.
const FROM_THE_USER: [Signal; 5] =
    [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGHUP, Signal::SIGTERM];

/// Makes every process that this thread starts from now on begin with the default actions for
/// SIGINT, SIGQUIT, SIGTSTP, SIGHUP and SIGTERM, even if this process ignores or blocks them.
///
/// execve(2) keeps ignored signals ignored, but resets handlers to the default action. So each
/// of these signals that is ignored now gets a handler that does nothing: this process still
/// survives the signal, and its children don't inherit that. Call this right before starting a
/// process; it costs a few short system calls.
///
/// Left out: other signals. SIGCHLD matters most: while it is ignored, a program can't wait for
/// its children (wait(2), NOTES).
pub fn defaults_for_children() {
    // This comes before the handlers, which hide that a signal was ignored.
    ignored_at_the_start();
    for signal in FROM_THE_USER.into_iter().filter(|&signal| is_ignored(signal)) {
        // It fails only for a signal that doesn't exist or can't be caught. With SA_RESTART no
        // call of this process notices the handler, as when the signal was ignored.
        handle_by_doing_nothing(signal, SaFlags::SA_RESTART).ok();
    }
    unblock(&FROM_THE_USER);
}

/// Those of SIGINT, SIGQUIT, SIGTSTP, SIGHUP and SIGTERM that were ignored when this function was
/// first called. All code of this package calls it before it installs a handler, so these are the
/// ones that the process has inherited as ignored.
pub(crate) fn ignored_at_the_start() -> &'static [Signal] {
    static IGNORED: OnceLock<Vec<Signal>> = OnceLock::new();
    IGNORED.get_or_init(|| FROM_THE_USER.into_iter().filter(|&it| is_ignored(it)).collect())
}

/// Lets the calling thread receive these signals. A process inherits blocked signals, too
/// (pthread_sigmask(3)); a signal for the whole process goes to any thread that doesn't block it.
pub(crate) fn unblock(signals: &[Signal]) {
    let set: SigSet = signals.iter().copied().collect();
    // It only fails for an operation other than to block, to unblock or to set.
    set.thread_unblock().ok();
}

/// Installs a handler that does nothing. With SA_RESTART in `flags`, most system calls that are
/// interrupted by it start again; otherwise they fail with EINTR.
pub(crate) fn handle_by_doing_nothing(signal: Signal, flags: SaFlags) -> Result<(), Errno> {
    extern "C" fn nothing(_signal: libc::c_int) {}
    let action = SigAction::new(SigHandler::Handler(nothing), flags, SigSet::empty());
    // SAFETY: the handler may run at any point of the program. It does nothing, so it can't touch
    // anything that is in use then. The previous action is not called.
    #[allow(unsafe_code)]
    unsafe { sigaction(signal, &action) }.map(drop)
}

/// Whether the process ignores the signal now.
pub(crate) fn is_ignored(signal: Signal) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action, sigaction(2) changes nothing. It writes the current action to
    // `action`, which has the right size. If it fails, the zeros are an action, too: the default
    // one.
    #[allow(unsafe_code)]
    let action = unsafe {
        libc::sigaction(signal as libc::c_int, ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
}
