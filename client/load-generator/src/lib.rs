//! Any number of clients of every kind in one thread, and a report of what happened to them.
//!
//! [`flood`] works like an event-driven server: it never waits for one client, but for all of them
//! at once. So it can hold as many connections as there are descriptors and local ports (some
//! 28,000 on Linux).
//!
//! In a *closed loop*, each client sends its next request only after it has got a reply: a slow
//! server gets fewer requests, and so looks better than it feels to its users (*coordinated
//! omission*). A [rate](Crowd::rate) makes it an *open loop*, with a second clock that starts when
//! a request is due. Each connection still carries one request at a time: if the server can't keep
//! up, requests queue up in the client.
//!
//! Read in this order:
//!
//! | Module | What it is |
//! |---|---|
//! | `kind`, `crowd` | what the clients do: of which kind they are, how many, in which order, how often; and the options for that |
//! | `phase` | how far a client is |
//! | `expected` | checks each byte that comes from the server |
//! | `flood` | the event loop; its `connection` is one client, `script` what the client does next, `outbox` what it sends, `schedule` when, `errors` what failed system calls mean, `polled_socket` its socket at the poller, `record` the way into the report |
//! | [`report`] | figures, errors by stage, an explanation of why nothing moves any more, and how far the figures can be trusted |
//! | [`probe`] | one prompt client, which is measured during a flood |
//! | [`BusyClients`] | many clients that only keep a server busy, as cheaply as possible |
//! | [`json`] | how times are written in JSON |

mod busy_clients;
mod crowd;
mod expected;
mod flood;
pub mod json;
mod kind;
mod phase;
pub mod probe;
pub mod report;

pub use busy_clients::BusyClients;
pub use crowd::{Crowd, MOST_CONNECTIONS, Order};
pub use expected::Shown;
pub use flood::errors::{START_ONE, cannot_reach};
pub use flood::{Event, flood};
pub use kind::{Kind, Mix};
pub use phase::Phase;
pub use probe::Probe;
pub use report::Report;
