//! Compares the ways to wait: the same crowd for every server, in one run. (The criterion suite
//! is in `benches/suite`.)
//!
//! - [`cli`]: the program.
//! - [`compare`]: floods each server of a [`Plan`], beside a probe that is measured; a
//!   [`Row`] for each comes out.
//! - [`table`] of the rows, and [`findings`]: what is to be seen in them.
//! - [`page`]: the table and the timelines of all servers, for a browser.
//! - [`cost`]: what a request costs a server that has as much to do as it can.
//! - [`many`]: as many connections as there can be, what they cost, and who is slower for them.
//! - [`load`]: who is there in a measurement besides those who are measured.
//! - [`report`]: everything that is measured, as one dated set of charts and tables.
//! - [`colours`]: the same for the same server, in every picture.
//! - [`matrix`]: which promises each server keeps, and which it can't.
//! - [`chaos`]: which servers stand random crowds, and what that does to them.
//! - [`Model`]: the servers to choose from, and the peers (`peers`): servers outside of this
//!   workspace.
//! - [`Meter`] tells what a process costs while it runs, [`Interval`] how sure a figure is.
//! - [`ServerProcess`]: a server in a process of its own, so that its processor time and
//!   its memory are its own, and so that it can be stopped, starved and watched.

#![forbid(unsafe_code)]

pub mod chaos;
pub mod cli;
pub mod colours;
mod comparison;
pub mod cost;
mod figures;
pub mod findings;
mod interval;
pub mod load;
pub mod many;
pub mod matrix;
mod meter;
mod model;
pub mod page;
#[cfg(unix)]
mod peers;
pub mod report;
mod server_process;
pub mod table;

pub use comparison::{Plan, Row, compare};
pub use interval::Interval;
pub use meter::Meter;
pub use model::Model;
pub use server_process::{Outcome, ProcessUsage, ServerProcess, Usage, serve_for_parent};
