//! `cargo run -p select-server`; the server itself is in the library.

use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
    server_kit::run(
        "select-server",
        "Waits in select(2): many clients in one thread, up to 1024 descriptors",
        select_server::serve,
    )
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    server_kit::Console::complain(format_args!(
        "select-server: this server is for Unix only; poll-server runs here: cargo run -p poll-server"
    ));
    ExitCode::FAILURE
}
