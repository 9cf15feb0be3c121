//! `cargo run -p poll-server`; the server itself is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    server_kit::run(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"), poll_server::serve)
}
