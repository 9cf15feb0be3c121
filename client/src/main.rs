//! The program `client`; see the library's documentation.

use std::process::ExitCode;

fn main() -> ExitCode {
    client::cli::run()
}
