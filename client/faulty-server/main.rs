//! A server with a fault of your choice, to see how the fault shows from outside, and whether
//! `client check` or `client chaos` finds it.
//!
//! ```text
//! cargo run -p client --bin faulty-server -- --help                  # the faults
//! cargo run -p client --bin faulty-server -- --fault greets-for-ever
//! cargo run -p client -- check -- target/debug/faulty-server --fault no-re-arm 127.0.0.1:{port}
//! cargo run -p client -- chaos -- target/debug/faulty-server --fault leaks-memory 127.0.0.1:{port}
//! ```
//!
//! It is a small event loop on poll(2). With `--fault none` it keeps every promise. Real servers
//! have each of these faults, and each changes the loop in one place: look for its name in
//! `event_loop.rs` and `connection.rs`.
//!
//! Left out: Windows, which has no poll(2).

#[cfg(unix)]
mod connection;
#[cfg(unix)]
mod event_loop;
mod fault;

use std::io::{self, Write};
use std::net::TcpListener;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use fault::Fault;
use protocol::{ADDRESS_VARIABLE, DEFAULT_ADDRESS, listening_address};

/// A server with a fault of your choice
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Listen on HOST:PORT
    #[arg(default_value = DEFAULT_ADDRESS, env = ADDRESS_VARIABLE, hide_env_values = true,
          value_parser = listening_address)]
    address: String,

    /// Have this fault
    #[arg(long, value_name = "FAULT", default_value = "none")]
    fault: Fault,
}

fn main() -> ExitCode {
    let Options { address, fault } = Options::parse();
    match serve(&address, fault) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed too, there is nowhere left to report it.
            writeln!(io::stderr(), "faulty-server: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

fn serve(address: &str, fault: Fault) -> io::Result<()> {
    let listener = TcpListener::bind(address).map_err(|error| {
        io::Error::other(format!(
            "can't listen on {address}: {error}; is it an address of this machine, with a port \
             above 1023 on which no other program listens? `127.0.0.1:0` takes any free port"
        ))
    })?;
    let address = listener.local_addr()?;
    if !address.ip().to_canonical().is_loopback() {
        let warning = format!(
            "any client that can reach this machine at {address} can use this server: it has no \
             authentication and no encryption, but a fault"
        );
        // If standard error is closed, there is nowhere left to warn.
        writeln!(io::stderr(), "{warning}").ok();
    }
    let name = fault.to_possible_value().map_or_else(String::new, |it| it.get_name().to_owned());
    let line = format!(
        "server is running on {address} with the fault {name}, please, press ctrl+c to stop"
    );
    // It doesn't matter to a server whether its output is read.
    writeln!(io::stdout(), "{line}").ok();
    run(listener, fault)
}

#[cfg(unix)]
fn run(listener: TcpListener, fault: Fault) -> io::Result<()> {
    event_loop::EventLoop::new(listener, fault)?.run()
}

#[cfg(not(unix))]
fn run(_: TcpListener, fault: Fault) -> io::Result<()> {
    Err(io::Error::other(format!(
        "this system has no poll(2), so not even the fault {fault:?} is possible"
    )))
}
