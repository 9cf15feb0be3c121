//! The tests of `bench`, in one program: Cargo runs test programs one after another, and these
//! tests mostly wait, so they wait side by side.
//!
//! ```text
//! cargo test -p bench --test all                          # all of them
//! cargo test -p bench --test all survival::poll_server    # those with this in their name
//! ```
//!
//! Two tests are programs of their own: `freed_elsewhere` takes all descriptors of its process,
//! and `stopped_for_a_second` compares times with a calculation.

mod available;
mod bad_input;
mod chaos;
mod colours;
#[cfg(unix)]
#[path = "../../../client/tests/all/ignoring.rs"]
mod ignoring;
#[cfg(target_os = "linux")]
mod injected;
mod load;
mod many;
mod matrix;
#[cfg(unix)]
mod peers;
#[cfg(target_os = "linux")]
mod processes;
mod program;
mod survival;
mod turns;
