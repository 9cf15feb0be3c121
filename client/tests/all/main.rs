//! The tests of `client`, in one program: Cargo runs test programs one after another, and these
//! tests mostly wait, so they wait side by side.
//!
//! ```text
//! cargo test -p client --test all            # all of them
//! cargo test -p client --test all check::    # those whose name has this in it
//! ```

mod bad_input;
#[cfg(target_os = "linux")]
mod chaos;
#[cfg(target_os = "linux")]
mod check;
mod complaint;
#[cfg(unix)]
mod ignoring;
#[cfg(target_os = "linux")]
mod owners;
mod real_sockets;
mod timeline;
