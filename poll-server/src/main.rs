//! `cargo run -p poll-server`; the server itself is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    server_kit::run(
        "poll-server",
        "Waits in epoll, kqueue or IOCP: as many clients as there are descriptors",
        poll_server::serve,
    )
}
