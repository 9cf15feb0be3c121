//! `cargo run -p poll2-server`; the server itself is in the library.

use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
    server_kit::run(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"), poll2_server::serve)
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    server_kit::unavailable(
        env!("CARGO_PKG_NAME"),
        "this server is for Unix only; use poll-server instead: cargo run -p poll-server",
    )
}
