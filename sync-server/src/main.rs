//! `cargo run -p sync-server`; the server itself is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    server_kit::run(
        "sync-server",
        "Waits in accept(2) and read(2): one client at a time",
        sync_server::serve,
    )
}
