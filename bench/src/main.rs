//! `cargo run --release -p bench`; the code is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    bench::cli::run()
}
