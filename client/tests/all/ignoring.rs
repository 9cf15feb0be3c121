//! Starts a program with signals ignored, as `nohup` and a script's background do.
//!
//! The tests of the servers, of `bench` and of `docs` have this file, too (`#[path]`).

use std::process::Command;

/// The same command, started while these signals (`"INT HUP"`) are ignored, and no other.
pub fn ignoring(signals: &str, command: &Command) -> Command {
    // The shell can't take back what it inherits, and this test may have been started so itself.
    system::defaults_for_children();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("trap '' {signals}; exec \"$0\" \"$@\"")]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    command.get_current_dir().map(|folder| shell.current_dir(folder));
    shell
}
