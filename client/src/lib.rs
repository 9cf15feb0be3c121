//! The program `client`: floods a server with clients, prompt and slow ones, measures what that
//! costs them, draws it, and checks what the server promises.
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
//! What it does is in packages of their own, one job each, which `bench` uses, too:
//!
//! | Package | What it does |
//! |---|---|
//! | `load-generator` | any number of clients of every kind in one thread, and a report of them |
//! | `timeline` | what each client went through, as a picture |
//! | `server-process` | a server that is tried: an address, or a process that is started and ended |
//! | `checker` | which promises does a server keep? |
//! | `chaos` | does it stand a crowd that nobody has planned? |
//!
//! Here are the command line and what is printed:
//!
//! | Module | What it is |
//! |---|---|
//! | [`cli`] | from the command line to the exit status |
//! | `options`, `values` | the options of a flood, and how values are read |
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
