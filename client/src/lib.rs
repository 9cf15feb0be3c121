//! A crowd of clients that shows how a server waits for them, and tells what came of it.
//!
//! [`flood`] drives the whole crowd in one thread, the same way as an event-driven server:
//! it never waits for one client, but for all of them at once. So it can hold as many
//! connections as there are descriptors and local ports, which are some 28,000 on Linux. It
//! is no instrument for finding the most that a server can do: each client asks only after
//! it has been answered, so a slow server is asked less.
//!
//! Read in this order:
//!
//! | Module | What it is |
//! |---|---|
//! | `crowd` | what the clients do: how many, of which kinds, in which order |
//! | `expected` | checks each byte that comes from the server |
//! | `flood` | the event loop; its `connection` is one client, `watched` its socket and the poller's eye on it, `record` the way into the report |
//! | [`report`] | figures, errors by stage, and in words why nothing moves any more |
//! | [`probe`] | one well-behaved client, to be measured beside a flood |
//!
//! The library prints nothing.

mod crowd;
mod expected;
mod flood;
pub mod probe;
pub mod report;

pub use crowd::{Crowd, Kind, Order};
pub use flood::{Happening, flood};
pub use probe::Probe;
pub use report::Report;
