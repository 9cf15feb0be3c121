//! A server with a fault of your choice, to see what a fault looks like from outside, and
//! whether `client check` finds it.
//!
//! ```text
//! cargo run -p client --bin faulty-server -- --help                  # the faults
//! cargo run -p client --bin faulty-server -- --fault greets-for-ever
//! cargo run -p client -- check -- target/debug/faulty-server --fault no-re-arm 127.0.0.1:{port}
//! ```
//!
//! It is a small event loop over poll(2). With `--fault none` it keeps every promise. Each
//! fault is one that real servers have, and changes the loop in one place: look for its name in
//! `event_loop.rs` and `connection.rs`.
//!
//! Left out: Windows, which has no poll(2).

#[cfg(unix)]
mod connection;
#[cfg(unix)]
mod event_loop;
mod fault;

use std::process::ExitCode;

use clap::Parser;
use fault::Fault;
use protocol::{ADDRESS_VARIABLE, DEFAULT_ADDRESS};

/// A server with a fault of your choice
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Where to listen, as ADDRESS:PORT
    #[arg(default_value = DEFAULT_ADDRESS, env = ADDRESS_VARIABLE, hide_env_values = true)]
    address: String,

    /// What is to be wrong with it
    #[arg(long, value_name = "FAULT", default_value = "none")]
    fault: Fault,
}

fn main() -> ExitCode {
    let Options { address, fault } = Options::parse();
    match serve(&address, fault) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("faulty-server: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(unix)]
fn serve(address: &str, fault: Fault) -> std::io::Result<()> {
    event_loop::EventLoop::new(std::net::TcpListener::bind(address)?, fault)?.run()
}

#[cfg(not(unix))]
fn serve(_address: &str, fault: Fault) -> std::io::Result<()> {
    Err(std::io::Error::other(format!("there is no poll(2) here, and so not even {fault:?}")))
}
