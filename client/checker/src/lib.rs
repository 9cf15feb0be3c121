//! Checks which promises a server keeps: one named check for each promise, and what is most likely
//! wrong if it isn't kept.
//!
//! ```text
//! cargo run -p client -- check                                     # the server on port 8686
//! cargo run -p client -- check -- python3 server.py {port}         # starts the server itself
//! cargo run -p client -- check 'node a.js {port}' 'node b.js {port}'
//! cargo run -p client -- check --list
//! ```
//!
//! It works with servers in any language. If a server is given as a command, each check starts a
//! new one. So the checks can run side by side, and if the server dies, it is clear which check
//! killed it. The checker can also limit the server's descriptors, see its processor time and
//! memory, and send it Ctrl-C. If a server is given as an address, the checks run one after the
//! other, and those that need its process are not tried.
//!
//! A check that fails because of a fault that another check has found is reported as *following*
//! from that one, so that you see what to fix first.
//!
//! Read in this order:
//!
//! | Module | What it is |
//! |---|---|
//! | `checks` | the list of all checks, and what each of them does |
//! | `client`, `clients` | their clients: a single one, and many that stay connected |
//! | `fixture` | the server that a check works with, and the result of a check |
//! | `runner` | runs the checks side by side |
//! | `matrix` | all verdicts, as a table and as JSON |

#![forbid(unsafe_code)]

mod chapters;
mod checks;
mod client;
mod clients;
mod fixture;
mod matrix;
mod runner;

pub use chapters::Chapter;
pub use checks::{ALL, Check};
pub use matrix::{Cell, Column, Matrix, Verdict};
pub use runner::{CheckOptions, Progress, run};
