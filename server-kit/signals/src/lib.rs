//! How the programs of this workspace handle signals, for servers and clients alike:
//!
//! - [`on_termination`]: what to do on Ctrl-C, SIGTERM and SIGHUP.
//! - [`defaults_for_children`]: a child process starts with the default actions.
//! - [`Interrupter`] (Unix): ends the blocking call that another thread sleeps in.
//!
//! A process inherits which signals are ignored. `nohup` ignores SIGHUP for the program that it
//! starts, and a shell without job control ignores SIGINT and SIGQUIT for a command that it
//! starts with `&`. The user wants the program to survive these signals, so it must not install
//! handlers of its own for them.
//!
//! Left out: on Windows, a process can inherit that Ctrl-C is ignored, and nothing here looks at
//! that.

#[cfg(unix)]
mod disposition;
#[cfg(unix)]
mod interrupter;
mod termination;
#[cfg(all(test, unix))]
mod tests;

#[cfg(unix)]
pub use disposition::defaults_for_children;
#[cfg(unix)]
pub use interrupter::Interrupter;
pub use termination::on_termination;

/// Does nothing on Windows.
#[cfg(windows)]
pub fn defaults_for_children() {}
