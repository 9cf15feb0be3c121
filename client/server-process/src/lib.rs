//! A server that is tried: one that runs already, or one that this program starts, in a group of
//! processes of its own, so that it can be watched, told to end, and never outlives this program.
//!
//! | Module | What it is |
//! |---|---|
//! | [`Target`] | how a server is given: as an address, or as the command that starts it |
//! | `addresses` | what `HOST:PORT` stands for |
//! | [`Port`] | a port for one that is started |
//! | [`ServerProcess`] | the server that was started: what it printed, what it costs, how it ended |
//! | `platform` | the door to what systems call differently |

#![forbid(unsafe_code)]

mod addresses;
mod platform;
mod port;
mod process;
mod target;

pub use addresses::{addresses_of, resolve};
pub use platform::{Cost, Squeezed, with_descriptor_limit};
pub use port::{Port, listener_on, until_next_look};
pub use process::{NotStarted, Paused, START, ServerProcess, kill_all_and_exit, lock, told};
pub use target::{Target, TargetKind};
