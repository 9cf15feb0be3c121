//! Any number of clients of every kind, in one thread, and what comes of them.
//!
//! [`flood`] drives the whole crowd the same way as an event-driven server: it never waits for one
//! client, but for all of them at once. So it can hold as many connections as there are
//! descriptors and local ports, which are some 28,000 on Linux.
//!
//! In a *closed loop*, each client sends its next request only after it has got a reply: a slow
//! server gets fewer requests, and so looks better than its users find it (*coordinated
//! omission*). A [rate](Crowd::rate) makes it an *open loop*, whose second clock counts from when a
//! request was due. Each connection still carries one request at a time: beyond what the server
//! can do, requests queue up in the client.
//!
//! Read in this order:
//!
//! | Module | What it is |
//! |---|---|
//! | `kind`, `crowd` | what the clients do: of which kinds they are, how many, in which order, how often |
//! | `phase` | how far a client is |
//! | `expected` | checks each byte that comes from the server |
//! | `flood` | the event loop; its `connection` is one client, `outbox` what it sends, `plan` when, `errors` what the kernel refuses, `watched` its socket and the poller's eye on it, `record` the way into the report |
//! | [`report`] | figures, errors by stage, in words why nothing moves any more, and how far the figures can be trusted |
//! | [`probe`] | one well-behaved client, to be measured beside a flood |
//! | [`Askers`] | many that only keep a server busy, as cheaply as can be |
//! | [`json`] | how times stand in JSON |

mod askers;
mod crowd;
mod expected;
mod flood;
pub mod json;
mod kind;
mod phase;
pub mod probe;
pub mod report;

pub use askers::Askers;
pub use crowd::{Crowd, Order};
pub use expected::Shown;
pub use flood::errors::{START_ONE, cannot_reach};
pub use flood::{Happening, Latency, flood};
pub use kind::{Kind, Mix};
pub use phase::Phase;
pub use probe::Probe;
pub use report::Report;
