//! Which promises does a server keep? One named check for each, and what most likely is wrong
//! when it is not kept.
//!
//! ```text
//! cargo run -p client -- check                                     # whoever listens on 8686
//! cargo run -p client -- check -- python3 server.py {port}         # starts it itself
//! cargo run -p client -- check 'node a.js {port}' 'node b.js {port}'
//! cargo run -p client -- check --list
//! ```
//!
//! It grades servers in any language. A server that is given as a command is started anew for
//! each check, so one that dies is blamed on exactly one check, and checks run side by side; its
//! descriptors can be limited, its processor time and memory be seen, and Ctrl-C be sent to
//! it. At an address, the checks run one after the other, and those that need the process are
//! not tried.
//!
//! A check that fails because of what another has found is told as *following* from that: the
//! reader is to see what to mend first.
//!
//! Read in this order:
//!
//! | Module | What it is |
//! |---|---|
//! | `checks` | the list of all checks, and what each of them does |
//! | `visitor`, `guests` | the clients that they send: one, and many that stay |
//! | `scene` | where a check takes place, and what it comes to |
//! | `runner` | runs checks side by side |
//! | `matrix` | all verdicts, as a table and as JSON |

#![forbid(unsafe_code)]

mod chapters;
mod checks;
mod guests;
mod matrix;
mod runner;
mod scene;
mod visitor;

pub use chapters::Chapter;
pub use checks::{ALL, Check};
pub use matrix::{Cell, Column, Matrix, Verdict};
pub use runner::{Plan, Progress, run};
