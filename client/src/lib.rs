//! A crowd of clients that shows how a server waits for them, measures what that costs, draws
//! it, and judges which promises the server keeps.
//!
//! ```text
//! cargo run -p sync-server                            # in one terminal, and in another one:
//! cargo run -p client                                 # 20 clients at once, as in the article
//! cargo run -p client -- --dribbling 2                # two of them send a byte at a time
//! cargo run -p client -- --rate 2000/s --duration 5s  # by a plan, late or not
//! cargo run -p client -- --timeline slow.svg          # what each of them went through
//! cargo run -p client -- check                        # which promises does the server keep?
//! cargo run -p client -- chaos                        # does it stand a random crowd?
//! cargo run -p client -- --help                       # all that it can do
//! ```
//!
//! [`flood`] drives the whole crowd in one thread, the same way as an event-driven server:
//! it never waits for one client, but for all of them at once. So it can hold as many
//! connections as there are descriptors and local ports, which are some 28,000 on Linux.
//!
//! In a closed loop, each client asks only after it has been answered: a slow server is asked
//! less, and so looks better than its users find it (*coordinated omission*). `--rate` is the
//! open loop, whose second clock counts from when a request was due. Each connection still
//! carries one request at a time: beyond what the server can do, the plan queues in the client.
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
//! | [`timeline`] | what each client went through, as a picture |
//! | [`probe`] | one well-behaved client, to be measured beside a flood |
//! | [`Askers`] | many that only keep a server busy, as cheaply as can be |
//! | [`server`] | the server that is tried, if this program has started it |
//! | [`check`] | which promises a server keeps: `client check` |
//! | [`chaos`] | whether it stands a crowd that nobody has planned: `client chaos` |
//! | [`cli`], `console`, `hdr` | the program: its options, what it prints meanwhile, and the log for other plotters |
//! | `addresses` | whom `HOST:PORT` stands for |
//! | `system` | the door to what systems do differently |
//!
//! The library prints nothing but in [`cli::run`].

mod addresses;
mod askers;
pub mod chaos;
pub mod check;
pub mod cli;
mod console;
mod crowd;
mod expected;
mod flood;
mod hdr;
mod kind;
mod phase;
pub mod probe;
pub mod report;
pub mod server;
mod system;
pub mod timeline;

pub use askers::Askers;
pub use crowd::{Crowd, Order};
pub use flood::{Happening, Latency, flood};
pub use kind::{Kind, Mix};
pub use phase::Phase;
pub use probe::Probe;
pub use report::Report;
