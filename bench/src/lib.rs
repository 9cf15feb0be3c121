//! Compares the ways to wait: the same crowd of clients for every server, in one run. (The
//! criterion suite is in `benches/suite`.)
//!
//! - [`cli`]: the program.
//! - [`compare`]: floods each server of a [`ComparisonPlan`] while probes measure it, and returns a
//!   [`ServerResult`] for each.
//! - [`FirstVisits`]: what a well-behaved client's first visit takes.
//! - [`table`]: the results as a table; [`findings`]: what they show, in sentences.
//! - [`page`]: the table and the timelines of all servers, for a browser.
//! - [`cost`]: what a request costs a server under full load.
//! - [`many`]: as many connections as possible, what they cost, and which servers they slow down.
//! - [`load`]: the clients that load a server while others are measured.
//! - [`report`]: all measurements, as one dated set of charts and tables.
//! - [`colours`]: the colour of each server, the same in every picture.
//! - [`matrix`]: which promises each server keeps, and which it can't keep.
//! - [`chaos`]: which servers survive random crowds, and what those cost them.
//! - [`Model`]: the servers to choose from, including the peers (`peers`), which are servers from
//!   outside this workspace.
//! - [`Meter`]: what a process costs while it runs; [`Interval`]: how certain a figure is.
//! - [`MeasuredServer`]: a server in a process of its own, so that its processor time and memory can
//!   be measured, and so that it can be stopped, starved and watched.

#![forbid(unsafe_code)]

mod bars;
pub mod chaos;
pub mod cli;
pub mod colours;
mod comparison;
pub mod cost;
pub mod findings;
mod interval;
pub mod load;
pub mod many;
pub mod matrix;
mod measured_server;
mod meter;
mod model;
pub mod page;
#[cfg(unix)]
mod peers;
pub mod report;
pub mod table;
mod usage;
mod visits;

pub use comparison::{ComparisonPlan, ServerResult, compare};
pub use interval::Interval;
pub use measured_server::{MeasuredServer, ServerExit, serve_for_parent};
pub use meter::Meter;
pub use model::{LeftOut, Model};
pub use usage::{ProcessUsage, Usage};
pub use visits::{FirstVisits, Wait};
