//! The program `client` floods a server with prompt and slow clients, measures how long they wait,
//! draws what happens, and checks the server's promises.
//!
//! ```text
//! cargo run -p sync-server            # in one terminal, and in another one:
//! cargo run -p client                 # 20 clients at once, as in the article
//! cargo run -p client -- --help       # what else it can do, with examples
//! ```
//!
//! Each job has its own package, which `bench` uses too:
//!
//! | Package | What it does |
//! |---|---|
//! | `load-generator` | runs any number of clients of every kind in one thread, and reports the results |
//! | `timeline` | draws what each client went through |
//! | `drawing` | has what all pictures share: the canvas, text, lines, scales, and colours |
//! | `server-process` | reaches a server at its address, or starts and ends its process |
//! | `checker` | checks which promises a server keeps |
//! | `chaos` | finds out whether it survives random crowds |
//! | `output` | prints figures and tables, no wider than the terminal |
//!
//! This package has the command line and the output:
//!
//! | Module | What it is |
//! |---|---|
//! | [`cli`] | from the command line to the exit status |
//! | `options`, `values` | the options of a flood besides its crowd, and how values are read |
//! | `check`, `chaos`, `talk` | the subcommands |
//! | `console` | what is printed while a flood goes on |
//! | `hdr` | latencies as a log for other plotters |

#![forbid(unsafe_code)]

mod chaos;
mod check;
pub mod cli;
mod console;
mod hdr;
mod options;
mod talk;
mod values;
