//! `cargo run -p uring-server`; the server itself is in the library.

use std::process::ExitCode;

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn main() -> ExitCode {
    server_kit::run_with_options(
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_DESCRIPTION"),
        uring_server::serve,
    )
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn main() -> ExitCode {
    server_kit::unavailable(
        env!("CARGO_PKG_NAME"),
        "this server is for 64-bit Linux only; use poll-server instead: cargo run -p poll-server",
    )
}
