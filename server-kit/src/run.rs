//! A server's `main`.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use crate::settings::{NoOptions, OwnOptions};
use crate::{Console, Counters, Settings, Stop, Verbosity};

/// A server: given a listening socket, it serves until it has to stop, and returns what it has
/// counted.
pub type Serve = fn(TcpListener, &Settings, &Stop) -> io::Result<Counters>;

/// A server that has options of its own.
pub type ServeWith<Own> = fn(TcpListener, &Settings, &Own, &Stop) -> io::Result<Counters>;

/// The exit status of a server whose way to wait doesn't exist on this system, or isn't allowed:
/// `EX_UNAVAILABLE` of sysexits(3head). Nothing else here exits with it.
pub const UNAVAILABLE: u8 = 69;

/// Runs a server, from the command line to its last line. Exit status: 0 after Ctrl-C, 1 if it
/// could not serve, 2 if the command line was wrong, [`UNAVAILABLE`].
///
/// `name` is the name of the package, and `about` says in one line how it waits.
pub fn run(name: &'static str, about: &'static str, serve: Serve) -> ExitCode {
    run_with_arguments(name, about, env::args_os(), |listener, settings, _: &NoOptions, stop| {
        serve(listener, settings, stop)
    })
}

/// Like [`run`], for a server that has options of its own.
pub fn run_with_options<Own: OwnOptions>(
    name: &'static str,
    about: &'static str,
    serve: ServeWith<Own>,
) -> ExitCode {
    run_with_arguments(name, about, env::args_os(), serve)
}

/// Like [`run_with_options`], with arguments from elsewhere than the command line: the first of
/// them stands for the program.
pub fn run_with_arguments<Own: OwnOptions>(
    name: &'static str,
    about: &'static str,
    arguments: impl IntoIterator<Item = OsString>,
    serve: impl FnOnce(TcpListener, &Settings, &Own, &Stop) -> io::Result<Counters>,
) -> ExitCode {
    let (settings, own) = Settings::from_command_line(name, about, arguments);
    match serve_until_stopped(&settings, &own, serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::Unsupported => unavailable(name, error),
        Err(error) => {
            Console::print_error(format_args!("{name}: {error}{}", system::advice(&error)));
            ExitCode::FAILURE
        }
    }
}

/// What a server's `main` does if its way to wait doesn't exist on this system: prints `why`, and
/// returns [`UNAVAILABLE`].
pub fn unavailable(name: &str, why: impl fmt::Display) -> ExitCode {
    Console::print_error(format_args!("{name}: {why}"));
    ExitCode::from(UNAVAILABLE)
}

fn serve_until_stopped<Own: OwnOptions>(
    settings: &Settings,
    own: &Own,
    serve: impl FnOnce(TcpListener, &Settings, &Own, &Stop) -> io::Result<Counters>,
) -> io::Result<()> {
    // Each client needs a descriptor, and most systems allow far more of them than by default.
    if let Err(error) = system::raise_descriptor_limit() {
        Console::print_error(format_args!("can't raise the descriptor limit: {error}"));
    }
    let listener = own.listen(settings)?;
    let stop = Stop::on_signals()?;
    let mut console = Console::new(settings.verbosity());
    let address = listener.local_addr()?;
    if can_be_reached_from_elsewhere(address) {
        // On standard error, so that it is seen even with -q, or if standard output is redirected.
        Console::print_error(format_args!(
            "anybody who can reach this machine at {address} can talk to this server: there is no \
             authentication and no encryption; `--address {}` is for this machine only",
            protocol::DEFAULT_ADDRESS
        ));
    }
    console.print(
        Verbosity::Normal,
        format_args!("server is running on {address}, please, press ctrl+c to stop"),
    );
    let counters = serve(listener, settings, own, &stop)?;
    console.print(Verbosity::Normal, format_args!("Server stopped! Thank you for using!"));
    console.print_at_the_end(&counters);
    Ok(())
}

/// Whether programs on other machines can reach a server that listens there. (An IPv4 address may
/// be written as an IPv6 one: `::ffff:127.0.0.1`.)
fn can_be_reached_from_elsewhere(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_for_this_machine_and_all_else_is_not() {
        for (address, expected) in [
            ("127.0.0.1:1", false),
            ("127.9.9.9:1", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("192.0.2.1:1", true),
            ("[::ffff:192.0.2.1]:1", true),
        ] {
            assert_eq!(
                can_be_reached_from_elsewhere(address.parse().unwrap()),
                expected,
                "{address}"
            );
        }
    }
}
