//! `cargo run -p prefork-server`; the server itself is in the library.

use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
    // The workers are this program, too.
    prefork_server::worker(std::env::args_os()).unwrap_or_else(|| {
        let (name, about) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"));
        server_kit::run_with_options(name, about, prefork_server::serve)
    })
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    server_kit::unavailable(
        env!("CARGO_PKG_NAME"),
        "this server is for Unix only; use poll-server instead: cargo run -p poll-server",
    )
}
