//! What a program says about bad input: a text for people, on standard error, with the right
//! status; and it never panics.
//!
//! The tests of `bench` and `docs` have this file, too (`#[path]`): a package of its own for two
//! functions would be more to read, and what tests share is nothing to publish.

use std::process::{Command, Output, Stdio};

/// The program, with no input and no server's address in its environment.
pub fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).env_remove("WAYS_TO_WAIT_ADDRESS");
    command
}

/// Runs it to its end, and returns what it says on standard error.
pub fn complaint(command: &mut Command, status: i32) -> String {
    let Output { status: ended, stdout, stderr } = command.output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(ended.code(), Some(status), "{command:?}: {stderr}");
    for word in ["panicked", "RUST_BACKTRACE", "Os {"] {
        assert!(!stderr.contains(word), "{command:?}: {stderr}");
    }
    if status == 2 {
        assert!(stdout.is_empty(), "{command:?} did something before it failed");
    }
    stderr
}
