//! A server with a fault of your choice, to see what a fault looks like from outside, and
//! whether `client check` or `client chaos` finds it.
//!
//! ```text
//! cargo run -p client --bin faulty-server -- --help                  # the faults
//! cargo run -p client --bin faulty-server -- --fault greets-for-ever
//! cargo run -p client -- check -- target/debug/faulty-server --fault no-re-arm 127.0.0.1:{port}
//! cargo run -p client -- chaos -- target/debug/faulty-server --fault leaks-memory 127.0.0.1:{port}
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
    /// Where to listen, as HOST:PORT
    #[arg(default_value = DEFAULT_ADDRESS, env = ADDRESS_VARIABLE, hide_env_values = true,
          value_parser = listening_address)]
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
            // If even standard error has gone, nobody is left to be told.
            writeln!(io::stderr(), "faulty-server: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

fn serve(address: &str, fault: Fault) -> io::Result<()> {
    let listener = TcpListener::bind(address).map_err(|error| {
        io::Error::other(format!(
            "can't listen on {address}: {error}; is it an address of this machine, above port \
             1023, and does nobody else listen there? `127.0.0.1:0` takes any free port"
        ))
    })?;
    let address = listener.local_addr()?;
    if !address.ip().to_canonical().is_loopback() {
        let warning = format!(
            "anybody who can reach this machine at {address} can talk to this server: there is no \
             authentication and no encryption, but a fault"
        );
        // If standard error has gone, nobody is left to be warned.
        writeln!(io::stderr(), "{warning}").ok();
    }
    let name = fault.to_possible_value().map_or_else(String::new, |it| it.get_name().to_owned());
    let line = format!(
        "server is running on {address} with the fault {name}, please, press ctrl+c to stop"
    );
    // Whether anybody reads it makes no difference to a server.
    writeln!(io::stdout(), "{line}").ok();
    run(listener, fault)
}

#[cfg(unix)]
fn run(listener: TcpListener, fault: Fault) -> io::Result<()> {
    event_loop::EventLoop::new(listener, fault)?.run()
}

#[cfg(not(unix))]
fn run(_: TcpListener, fault: Fault) -> io::Result<()> {
    Err(io::Error::other(format!("there is no poll(2) here, and so not even {fault:?}")))
}
