//! The server under test: one that is already running, or one that this program starts. It starts
//! it in a separate process group, so that it can watch and end it, and so that the server never
//! outlives this program.
//!
//! | Module | What it is |
//! |---|---|
//! | [`Target`] | how to specify a server: by its address, or by the command that starts it |
//! | `addresses` | what `HOST:PORT` means |
//! | [`Port`] | a port for a server that is started |
//! | [`ServerProcess`] | a server that was started: its address, what it costs, how it ended |
//! | `output` | what it has printed |
//! | `platform` | everything that depends on the operating system |

#![forbid(unsafe_code)]

mod addresses;
mod output;
mod platform;
mod port;
mod process;
mod target;

pub use addresses::{addresses_of, resolve};
pub use platform::{Cost, Owner, Squeezed, with_descriptor_limit};
pub use port::{Port, listener_on, until_next_look};
pub use process::{NotStarted, Paused, START, ServerProcess, kill_all_and_exit, lock};
pub use target::{Target, TargetKind};
