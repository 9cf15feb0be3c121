//! What a process inherits can't be tested in the process that runs all tests. So each test here
//! starts itself again, through a shell that ignores some signals.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};

use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use nix::sys::signal::{SigSet, Signal, raise};

use crate::disposition::is_ignored;
use crate::{SAME_REQUEST, defaults_for_children, on_termination};

/// Tells a test that it is the one that was started again.
const INSIDE: &str = "SIGNALS_TEST_INSIDE";

/// Runs the test of this name in a process of its own, in which `ignored` are ignored.
fn where_these_are_ignored(ignored: &str, name: &str, test: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return test();
    }
    // A shell can't reset signals that it inherits as ignored, so all others have to be default.
    defaults_for_children();
    let output = Command::new("sh")
        .args(["-c", &format!("trap '' {ignored}; exec \"$0\" \"$@\"")])
        .arg(env::current_exe().unwrap())
        .args(["--exact", &format!("tests::{name}"), "--nocapture"])
        .env(INSIDE, "yes")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("1 passed"), "{printed}");
}

/// How a child that sends itself this signal ends: by the signal, or with status 7 if it survives.
fn end_of_a_child_with(signal: Signal) -> (Option<i32>, Option<i32>) {
    let name = signal.as_str().trim_start_matches("SIG");
    let script = format!("ulimit -c 0; kill -{name} $$; exit 7");
    let status = Command::new("sh").args(["-c", &script]).status().unwrap();
    (status.signal(), status.code())
}

#[test]
fn a_child_starts_with_the_defaults_though_its_parent_ignores_the_signals() {
    let name = "a_child_starts_with_the_defaults_though_its_parent_ignores_the_signals";
    where_these_are_ignored("INT QUIT HUP TERM", name, || {
        let signals = [SIGINT, SIGQUIT, SIGHUP, SIGTERM];
        for signal in signals {
            assert_eq!(end_of_a_child_with(signal), (None, Some(7)), "{signal}: not ignored");
        }
        defaults_for_children();
        for signal in signals {
            assert_eq!(end_of_a_child_with(signal), (Some(signal as i32), None), "{signal}");
            raise(signal).unwrap(); // this process still survives it
        }
    });
}

#[test]
fn a_child_starts_without_blocked_signals() {
    let name = "a_child_starts_without_blocked_signals";
    where_these_are_ignored("QUIT", name, || {
        [SIGTERM].into_iter().collect::<SigSet>().thread_block().unwrap();
        assert_eq!(end_of_a_child_with(SIGTERM), (None, Some(7)), "not blocked");
        defaults_for_children();
        assert_eq!(end_of_a_child_with(SIGTERM), (Some(SIGTERM as i32), None));
    });
}

#[test]
fn what_was_ignored_at_the_start_stays_ignored_except_sigterm() {
    let name = "what_was_ignored_at_the_start_stays_ignored_except_sigterm";
    where_these_are_ignored("INT HUP TERM", name, || {
        let (sender, reported) = mpsc::channel();
        // In both orders: neither mistakes the other's handlers for the state at the start.
        defaults_for_children();
        let second = sender.clone();
        on_termination(move || sender.send("first").unwrap()).unwrap();
        defaults_for_children();
        on_termination(move || second.send("second").unwrap()).unwrap();
        raise(SIGINT).unwrap();
        raise(SIGHUP).unwrap();
        raise(SIGTERM).unwrap();
        let mut heard = [reported.recv().unwrap(), reported.recv().unwrap()];
        heard.sort_unstable();
        assert_eq!(heard, ["first", "second"]);
    });
}

#[test]
fn what_was_ignored_at_the_start_is_ignored_for_children_too() {
    let name = "what_was_ignored_at_the_start_is_ignored_for_children_too";
    where_these_are_ignored("INT HUP", name, || {
        on_termination(|| {}).unwrap();
        assert!(is_ignored(SIGINT) && is_ignored(SIGHUP) && !is_ignored(SIGTERM));
        for signal in [SIGINT, SIGHUP] {
            assert_eq!(end_of_a_child_with(signal), (None, Some(7)), "{signal}");
        }
    });
}

#[test]
fn a_signal_is_reported_even_if_it_is_blocked_and_others_come_at_once() {
    let name = "a_signal_is_reported_even_if_it_is_blocked_and_others_come_at_once";
    where_these_are_ignored("QUIT", name, || {
        let (sender, reported) = mpsc::channel();
        on_termination(move || sender.send(()).unwrap()).unwrap();
        for signal in [SIGINT, SIGINT, SIGHUP, SIGTERM] {
            raise(signal).unwrap();
        }
        reported.recv().unwrap();
        assert_eq!(reported.recv_timeout(SAME_REQUEST), Err(RecvTimeoutError::Timeout));
        raise(SIGTERM).unwrap(); // half a second later, it is a second request
        reported.recv().unwrap();
        // The thread that waits for signals inherits the blocked signal.
        [SIGTERM].into_iter().collect::<SigSet>().thread_block().unwrap();
        let (sender, reported) = mpsc::channel();
        on_termination(move || sender.send(()).unwrap()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::this(), SIGTERM).unwrap();
        reported.recv().unwrap();
    });
}
