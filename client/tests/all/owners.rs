//! Which process serves: the one that was started, or another one.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use server_process::{Owner, ServerProcess};

const PROGRAM: &str = env!("CARGO_BIN_EXE_faulty-server");

/// How long to wait for something that must happen. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that this script of a shell starts as `$0`, on port `$1`.
fn started_by(script: &str) -> ServerProcess {
    let words = ["sh", "-c", script, PROGRAM, "127.0.0.1:{port}"].map(str::to_owned);
    ServerProcess::start(&words, PATIENCE).unwrap_or_else(|error| panic!("{}", error.why))
}

fn expect_end(process: u32) {
    let deadline = Instant::now() + PATIENCE;
    // A process that has ended exists until the one that has adopted it has waited for it.
    let runs = || {
        fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
    };
    while runs() {
        assert!(Instant::now() < deadline, "{process} still runs");
        thread::yield_now();
    }
}

#[test]
fn a_server_in_place_of_its_shell_is_the_process_that_was_started() {
    assert_eq!(started_by("exec \"$0\" \"$1\"").owner(), Owner::Child);
}

#[test]
fn a_server_below_a_wrapper_is_in_its_group() {
    let server = started_by("\"$0\" \"$1\"; true");
    let Owner::InGroup { process } = server.owner() else { panic!("{:?}", server.owner()) };
    assert_ne!(process, server.id());
    drop(server);
    expect_end(process);
}

/// It is measured, and ends with the value, although it has left the group.
#[test]
fn a_daemon_is_recognised_by_what_it_has_inherited() {
    let server = started_by("setsid \"$0\" \"$1\" > /dev/null 2>&1 < /dev/null &");
    let Owner::Daemon { process, group } = server.owner() else { panic!("{:?}", server.owner()) };
    assert_eq!(server.id(), group);
    assert!(server.cost().unwrap().resident > 0);
    assert_eq!(server.death(), None);
    drop(server);
    expect_end(process);
}

/// Such a server can be neither measured nor ended.
#[test]
fn a_process_without_the_mark_is_a_stranger() {
    let server = started_by("env -i setsid \"$0\" \"$1\" > /dev/null 2>&1 < /dev/null &");
    let Owner::Stranger { process } = server.owner() else { panic!("{:?}", server.owner()) };
    assert!(server.cost().is_none() && server.descriptors().is_none());
    assert_eq!(server.death(), None);
    drop(server);
    kill(Pid::from_raw(process.cast_signed()), Signal::SIGKILL).unwrap();
}
