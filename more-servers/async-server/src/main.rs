//! `cargo run -p async-server`; the server itself is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    server_kit::run_with_options(
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_DESCRIPTION"),
        async_server::serve,
    )
}
