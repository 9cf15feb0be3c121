//! What the programs of this workspace share, servers and clients alike, mostly because they need
//! it from the system:
//!
//! - [`on_termination`]: what to do on Ctrl-C, SIGTERM and SIGHUP.
//! - [`defaults_for_children`]: child processes start with the default actions.
//! - [`Interrupter`] (Unix): ends the blocking call that another thread sleeps in.
//! - [`raise_descriptor_limit`], [`thread_time`]: what a process may have, and what it has used.
//! - [`advice`]: what helps after a system error.
//! - [`duration`], [`whole_number`]: how the values of options are read.
//!
//! A process inherits which signals are ignored. `nohup` ignores SIGHUP for the program that it
//! starts, and a shell without job control ignores SIGINT and SIGQUIT for a command that it
//! starts with `&`. The user wants the program to survive these signals, so it must not install
//! handlers of its own for them.
//!
//! Left out: on Windows, a process can inherit that Ctrl-C is ignored, and nothing here checks
//! that.

#[cfg(unix)]
mod disposition;
mod errors;
#[cfg(unix)]
mod interrupter;
mod limits;
mod termination;
#[cfg(all(test, unix))]
mod tests;
mod values;

#[cfg(unix)]
pub use disposition::defaults_for_children;
pub use errors::{advice, is_out_of_descriptors, is_out_of_resources, is_out_of_threads};
#[cfg(unix)]
pub use interrupter::Interrupter;
pub use limits::{raise_descriptor_limit, thread_time};
pub use termination::on_termination;
pub use values::{duration, whole_number};

/// Does nothing on Windows.
#[cfg(windows)]
pub fn defaults_for_children() {}
