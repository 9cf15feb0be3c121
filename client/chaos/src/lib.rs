//! Does a server stand a crowd that nobody has planned? Waves of clients of every kind, while it
//! is stopped and let go on, and while descriptors are taken from it.
//!
//! ```text
//! cargo run -p client -- chaos -- python3 server.py {port}     # twenty seconds of it
//! cargo run -p client -- chaos --time 10m 'poll-server --address 127.0.0.1:{port}'
//! cargo run -p client -- chaos --seed 4711 --wave 17 -- node server.js {port}
//! ```
//!
//! At the end every request of a well-behaved client was answered exactly once, the server is
//! alive, it has as many descriptors as after the first wave and not much more memory, and Ctrl-C
//! ends it in order, all of it; or it is told what happened instead. Everything random is drawn from one number,
//! the *seed*, so that what was found can be sent again. What happens is the same then; when it
//! happens is up to the machine.
//!
//! `check` names a promise that is not kept and says what most likely is wrong; so try it first.
//! Chaos finds what nobody thought of: two things at the same time, and what adds up.
//!
//! Left out: whatever is slower than a minute, such as idle time-outs; networks, which lose and
//! delay packets; and a server's standard output, which is read as fast as it comes. A descriptor
//! that is lost once and for all in the first wave looks like one that the server needs. Memory may
//! grow by half and some megabytes in a short run, since runtimes do; what leaks a little with
//! each client comes to light in one of several minutes (`--time 10m`).
//!
//! Read in this order:
//!
//! | Module | What it is |
//! |---|---|
//! | `plan` | what is to be done, and for how long |
//! | `wave` | what the seed makes of it: crowds, and what befalls the server meanwhile |
//! | `torment` | stops the server, takes descriptors from it, and undoes both |
//! | `rest` | what the server has when nobody is there, and whether that grows |
//! | `course` | waves and rests until the time is up, and the end |
//! | `outcome` | what came of it, as text and as JSON |

#![forbid(unsafe_code)]

mod course;
mod outcome;
mod plan;
mod rest;
mod torment;
mod wave;

pub use course::{Progress, run};
pub use outcome::{Outcome, typed};
pub use plan::Plan;
pub use rest::Sample;
pub use wave::{Arrival, Mood, Ordeal, Torment, Wave};
