//! Compares the ways to wait: the same crowd for every server, in one run.
//!
//! - [`Model`]: the servers to choose from.
//! - [`ServerProcess`]: a server in a process of its own, so that its processor time and
//!   its memory are its own, and so that it can be stopped, starved and watched.

#![forbid(unsafe_code)]

mod model;
mod server_process;

pub use model::Model;
pub use server_process::{Outcome, ServerProcess, Usage, serve_for_parent};
