//! `cargo run --release -p bench`

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_some_and(|word| word == "serve") {
        let name = arguments.next().unwrap_or_default();
        return match name.to_string_lossy().parse() {
            Ok(model) => bench::serve_for_parent(model, [name].into_iter().chain(arguments)),
            Err(error) => {
                eprintln!("{error}");
                ExitCode::from(2)
            }
        };
    }
    ExitCode::SUCCESS
}
