//! Finds out whether a server survives random crowds: waves of clients of every kind, while the
//! server is stopped and resumed, and while descriptors are taken from it.
//!
//! ```text
//! cargo run -p client -- chaos -- python3 server.py {port}     # twenty seconds of it
//! cargo run -p client -- chaos --time 10m 'poll-server --address 127.0.0.1:{port}'
//! cargo run -p client -- chaos --seed 4711 --wave 17 -- node server.js {port}
//! ```
//!
//! The server survives if it answers every request of the clients that behave well exactly once, is
//! alive at the end, has as many descriptors as after the first wave and not much more memory, and
//! ends in order, with all its processes, after Ctrl-C. Otherwise the report says what happened
//! instead. Everything random is derived from one number, the *seed*, so that a run can be
//! repeated. The same things happen then, but when they happen depends on the machine.
//!
//! Try `check` first, because it names the promise that is broken and says what is most likely
//! wrong. Chaos finds what no check was written for: two things that happen at the same time, and
//! effects that add up.
//!
//! Left out: whatever takes longer than a minute, such as idle time-outs; networks that lose and
//! delay packets; and a standard output that isn't read (here it is read as fast as it comes). A
//! descriptor that is leaked only once, in the first wave, looks like one that the server needs.
//! Memory may grow by half and some megabytes in a short run, because runtimes do that; a small
//! leak with each client shows up in a run of several minutes (`--time 10m`).
//!
//! Read in this order:
//!
//! | Module | What it is |
//! |---|---|
//! | `scenario` | what to do to the server, and for how long |
//! | `wave` | what the seed makes of it: crowds, and the faults that are injected meanwhile |
//! | `faults` | stops the server, takes descriptors from it, and undoes both |
//! | `rest` | what the server uses when no client is connected, and whether that grows |
//! | `run` | waves and rests until the time is up, and the end |
//! | `report` | the results, as text and as JSON |

#![forbid(unsafe_code)]

mod faults;
mod report;
mod rest;
mod run;
mod scenario;
mod wave;

pub use report::{ChaosReport, typed};
pub use rest::Sample;
pub use run::{Progress, run};
pub use scenario::Scenario;
pub use wave::{Arrival, Fault, FaultKind, Shape, Wave};
