//! `cargo run -p sync-server`; the server itself is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    server_kit::run(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_DESCRIPTION"), sync_server::serve)
}
