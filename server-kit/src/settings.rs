//! The command line that all servers share, and the options that only one of them has.

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser};
use protocol::{ADDRESS_VARIABLE, DEFAULT_ADDRESS, Delay, Protocol, Terms, listening_address};
use system::{duration, whole_number};

use crate::{Verbosity, listen};

/// The options of a server, the same for every way to wait.
#[derive(Clone, Debug, Parser)]
// If an option is given twice, the last one counts, as in most programs.
#[command(version, allow_negative_numbers = true, args_override_self = true)]
pub struct Settings {
    /// Listen here; a host name works, and port 0 takes any free port
    #[arg(long, value_name = "HOST:PORT", default_value = DEFAULT_ADDRESS, env = ADDRESS_VARIABLE,
          hide_env_values = true, value_parser = listening_address)]
    pub address: String,

    /// Let at most this many clients wait in the kernel to be accepted
    ///
    /// This doesn't limit connections: those that are accepted don't count. The system may
    /// reduce the number (on Linux to /proc/sys/net/core/somaxconn).
    #[arg(long, value_name = "CLIENTS", default_value_t = 1024,
          value_parser = whole_number(0..=i32::MAX))]
    pub backlog: i32,

    /// Choose what a request is: each line, or whatever the first read returns
    #[arg(long, value_name = "NAME", default_value_t, value_parser = protocol())]
    pub protocol: Protocol,

    /// Close a connection on which nothing has moved for this long; `never` keeps it open
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = idle_timeout)]
    pub idle_timeout: Duration,

    /// Block the thread for this long on each request, as a slow disk would
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub work: Duration,

    /// Delay each reply by this long, without blocking; a range such as 0s..2s is random
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = delay)]
    pub delay: Delay,

    /// Print nothing but errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print each turn of the loop: what it waited for, how long, and what was ready
    #[arg(short, long)]
    pub verbose: bool,
}

/// What `--idle-timeout never` means.
const NEVER: Duration = Duration::MAX;

impl Settings {
    /// Reads the command line of the server called `name`; the first of the `arguments` is the
    /// program. For `--help`, `--version` or an error, prints the text and ends the process.
    pub fn from_command_line<Own: OwnOptions>(
        name: &'static str,
        about: &'static str,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> (Self, Own) {
        let mut examples = vec![
            "",
            " -- --address localhost:9000 --idle-timeout 5s",
            " -- --delay 0s..2s -v",
            " -- --protocol one-shot --backlog 10",
        ];
        let own = Own::EXAMPLES.iter().map(|example| format!(" -- {example}"));
        let own: Vec<String> = own.collect();
        examples.extend(own.iter().map(String::as_str));
        let examples: Vec<_> =
            examples.iter().map(|options| format!("\n  cargo run -p {name}{options}")).collect();
        let command = Settings::command().name(name).after_help(format!(
            "Write a time with its unit: 250ms, 2s, 1m 30s.\n\n\
             Examples, to try with `cargo run -p client` in a second terminal:{}",
            examples.concat()
        ));
        let command = command.next_help_heading("Options of this server only");
        // `about` comes last, because the docs of these options would replace it.
        let command = Own::augment_args(command).about(about).long_about(None);
        let mut command = command.mut_args(maybe_negative);
        command
            .try_get_matches_from_mut(arguments)
            .and_then(|matches| {
                Ok((Settings::from_arg_matches(&matches)?, Own::from_arg_matches(&matches)?))
            })
            .unwrap_or_else(|error| error.format(&mut command).exit())
    }

    /// The terms that the server offers to every client.
    pub fn terms(&self) -> Terms {
        Terms {
            protocol: self.protocol,
            idle_timeout: (self.idle_timeout != NEVER).then_some(self.idle_timeout),
            delay: self.delay,
        }
    }

    /// How much the console prints.
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

/// The options that only one server has.
pub trait OwnOptions: Args {
    /// Command lines to try, for `--help`: what comes after `cargo run -p NAME -- `.
    const EXAMPLES: &'static [&'static str] = &[];

    /// Makes the listening socket.
    ///
    /// # Errors
    ///
    /// A sentence for the user. The kind [`io::ErrorKind::Unsupported`] means that this system
    /// doesn't have the server's way to wait.
    fn listen(&self, settings: &Settings) -> io::Result<TcpListener> {
        listen(settings)
    }
}

/// No options besides those that all servers have.
#[derive(Args, Clone, Debug, Default)]
pub struct NoOptions {}

impl OwnOptions for NoOptions {}

/// Lets clap treat a time such as `-1s` as a wrong value of its option, and not as an unknown
/// option.
fn maybe_negative(option: Arg) -> Arg {
    let is_time = option.get_value_names().is_some_and(|names| *names == ["TIME"]);
    if is_time { option.allow_hyphen_values(true) } else { option }
}

fn protocol() -> impl TypedValueParser<Value = Protocol> {
    PossibleValuesParser::new(Protocol::ALL.map(Protocol::name))
        .try_map(|name| name.parse::<Protocol>())
}

fn idle_timeout(text: &str) -> Result<Duration, String> {
    match text {
        "never" => Ok(NEVER),
        _ => match duration(text)? {
            Duration::ZERO => Err("no client is that fast; `never` turns the time-out off".into()),
            timeout => Ok(timeout),
        },
    }
}

fn delay(text: &str) -> Result<Delay, String> {
    let Some((shortest, longest)) = text.split_once("..") else {
        return duration(text).map(Delay::always);
    };
    Delay::between(duration(shortest)?, duration(longest)?)
        .ok_or_else(|| "write the shorter time of a range first, as in 0s..2s".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Settings, String> {
        Settings::try_parse_from([&["server"], arguments].concat()).map_err(|e| e.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_the_design() {
        let settings = parse(&[]).unwrap();
        assert_eq!(settings.address, "127.0.0.1:8686");
        assert_eq!(settings.backlog, 1024);
        let terms = settings.terms();
        assert_eq!(terms.protocol, Protocol::Lines);
        assert_eq!(terms.idle_timeout, Some(Duration::from_secs(60)));
        assert_eq!(terms.delay, Delay::default());
        assert_eq!(settings.work, Duration::ZERO);
        assert_eq!(settings.verbosity(), Verbosity::Normal);
    }

    #[test]
    fn times_are_written_as_people_write_them() {
        let settings = parse(&["--work", "250ms", "--idle-timeout", "1m 30s"]).unwrap();
        assert_eq!(settings.work, Duration::from_millis(250));
        assert_eq!(settings.terms().idle_timeout, Some(Duration::from_secs(90)));
        let settings = parse(&["--delay", "0s..2s", "--idle-timeout", "never"]).unwrap();
        let range = Delay::between(Duration::ZERO, Duration::from_secs(2));
        assert_eq!(Some(settings.delay), range);
        assert_eq!(settings.terms().idle_timeout, None);
    }

    #[test]
    fn a_bad_value_is_refused_with_a_sentence_that_says_what_is_right() {
        for (arguments, advice) in [
            (["--work", "5"], "250ms, 2s or 1m 30s"),
            (["--work", "soon"], "250ms, 2s or 1m 30s"),
            (["--delay", "2s..1s"], "0s..2s"),
            (["--idle-timeout", "0s"], "`never`"),
            (["--protocol", "http"], "possible values: lines, one-shot"),
            (["--work", "99999999999999999999s"], "too long"),
            (["--backlog", "-1"], "a whole number from 0 to 2147483647"),
            (["--backlog", "1e3"], "a whole number from 0 to 2147483647"),
            (["--address", "localhost"], "the port is missing; write HOST:PORT"),
            (["--address", "127.0.0.1:99999"], "`99999` is not a port"),
        ] {
            let error = parse(&arguments).unwrap_err();
            assert!(error.contains(advice), "{error}");
        }
    }
}
