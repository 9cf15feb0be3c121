//! A server's `main`.

use std::env;
use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::process::ExitCode;

use crate::{Console, Counters, Settings, Stop, Verbosity, listen};

/// What every server is: given a listening socket, it serves until it is told to stop, and
/// returns what it has counted.
pub type Serve = fn(TcpListener, &Settings, &Stop) -> io::Result<Counters>;

/// Runs a server from the command line to its goodbye. Exit status: 0 after Ctrl-C, 1 if it
/// could not serve, 2 if the command line made no sense.
///
/// `name` is the package's, `about` says in a line how it waits.
pub fn run(name: &'static str, about: &'static str, serve: Serve) -> ExitCode {
    run_with_arguments(name, about, env::args_os(), serve)
}

/// Like [`run`], for a program with other arguments than its own: the first of them stands
/// for the program.
pub fn run_with_arguments(
    name: &'static str,
    about: &'static str,
    arguments: impl IntoIterator<Item = OsString>,
    serve: impl FnOnce(TcpListener, &Settings, &Stop) -> io::Result<Counters>,
) -> ExitCode {
    let settings = Settings::from_command_line(name, about, arguments);
    match serve_until_stopped(&settings, serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Console::complain(format_args!("{name}: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn serve_until_stopped(
    settings: &Settings,
    serve: impl FnOnce(TcpListener, &Settings, &Stop) -> io::Result<Counters>,
) -> io::Result<()> {
    // A descriptor for each client: most systems allow far more than they hand out unasked.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        Console::complain(format_args!("can't raise the limit of descriptors: {error}"));
    }
    let listener = listen(settings)?;
    let stop = Stop::on_signals()?;
    let mut console = Console::new(settings.verbosity());
    let address = listener.local_addr()?;
    console.tell(
        Verbosity::Normal,
        format_args!("server is running on {address}, please, press ctrl+c to stop"),
    );
    let counters = serve(listener, settings, &stop)?;
    console.tell(Verbosity::Normal, format_args!("Server stopped! Thank you for using!"));
    console.tell(Verbosity::Normal, format_args!("{counters}"));
    Ok(())
}
