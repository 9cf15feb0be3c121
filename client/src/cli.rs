//! The program: its options, and its course from them to the exit status.

use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use protocol::{DEFAULT_ADDRESS, Protocol};

use crate::console::{self, Console};
use crate::crowd::{Crowd, Order};
use crate::flood::flood;
use crate::report::Report;

/// Floods a server with clients, prompt and slow ones, and tells what came of it.
#[derive(Debug, Parser)]
#[command(name = "client", version, after_help = EXAMPLES)]
struct Options {
    /// The server, as HOST:PORT
    #[arg(default_value = DEFAULT_ADDRESS, value_parser = address)]
    address: String,

    /// How many connections to open
    #[arg(short, long, value_name = "COUNT", default_value = "20", value_parser = positive)]
    #[arg(help_heading = "The crowd")]
    connections: usize,

    /// How many requests each asks; the next is sent when a reply has come
    #[arg(short, long, value_name = "COUNT", default_value = "1", value_parser = positive)]
    #[arg(help_heading = "The crowd")]
    requests: usize,

    /// `lines`, or `one-shot` as the article's programs speak it
    #[arg(long, default_value_t, help_heading = "The crowd")]
    protocol: Protocol,

    /// `connect-first` (when all are connected, all send) or `as-connected`
    #[arg(long, default_value_t, help_heading = "The crowd")]
    order: Order,

    /// Give up when nothing has moved on any connection for so long
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    #[arg(help_heading = "The crowd")]
    timeout: Duration,

    /// How many send a byte at a time, like a phone in a tunnel
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count)]
    #[arg(help_heading = "The slow ones among them")]
    dribbling: usize,

    /// How long the dribbling ones wait after each byte
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = duration)]
    #[arg(help_heading = "The slow ones among them")]
    every: Duration,

    /// How many say nothing until the others are done, like a browser's spare ones
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count)]
    #[arg(help_heading = "The slow ones among them")]
    silent: usize,

    /// Print the summary only; otherwise up to 50 connections print each reply
    #[arg(short, long, help_heading = "What is printed")]
    quiet: bool,

    /// Print the summary as one JSON object, and nothing else
    #[arg(long, help_heading = "What is printed")]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  client                                   20 clients against 127.0.0.1:8686
  client --dribbling 2                     two of them are slow: who waits for them?
  client --silent 1 --timeout 3s           one says nothing: a blocking server hangs
  client -c 1000 -r 100 localhost:8686     100,000 requests on 1000 connections
  client --protocol one-shot               speak with the article's Python servers
  client --json | jq .reply_us.p99         one figure, in microseconds

TIME is a number with a unit, such as 250ms, 10s or 1m.
Exit status: 0 if every request was answered, 1 if not, 2 if the options are wrong.";

impl Options {
    fn crowd(&self) -> Crowd {
        Crowd {
            connections: self.connections,
            requests: self.requests,
            protocol: self.protocol,
            order: self.order,
            dribbling: self.dribbling,
            silent: self.silent,
            every: self.every,
            timeout: self.timeout,
        }
    }
}

/// Does what the process's arguments say, and returns its exit status.
///
/// Raises the process's soft limit of descriptors to the hard one.
pub fn run() -> ExitCode {
    let options = Options::parse();
    let crowd = options.crowd();
    if let Err(why) = crowd.check() {
        Options::command().error(ErrorKind::ArgumentConflict, why).exit();
    }
    // Should it fail, there are fewer descriptors, and the flood tells when they are used up.
    rlimit::increase_nofile_limit(u64::MAX).ok();
    match flood_and_tell(&options, &crowd) {
        Ok(report) if report.is_good() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            // Whoever closed the pipe wants to hear no more, so it is not told.
            if error.kind() != io::ErrorKind::BrokenPipe {
                writeln!(io::stderr(), "client: {error}").ok();
            }
            ExitCode::FAILURE
        }
    }
}

fn flood_and_tell(options: &Options, crowd: &Crowd) -> io::Result<Report> {
    let mut console = Console::new(crowd, options.quiet, options.json);
    let report = flood_first_that_listens(&options.address, crowd, &mut console)?;
    console.finish()?;
    console::print(if options.json { report.json()? } else { report.to_string() })?;
    Ok(report)
}

/// A name can stand for several addresses (`localhost` is often `::1` and `127.0.0.1`): the
/// next is tried if not a single client can connect to the one before.
fn flood_first_that_listens(
    address: &str,
    crowd: &Crowd,
    console: &mut Console,
) -> io::Result<Report> {
    let unknown = |why: &str| {
        let what = format!("can't find the host of `{address}`: {why}; is the name right?");
        io::Error::new(io::ErrorKind::NotFound, what)
    };
    let addresses: Vec<SocketAddr> =
        address.to_socket_addrs().map_err(|error| unknown(&error.to_string()))?.collect();
    let mut last = Err(unknown("it has no address"));
    for address in addresses {
        let report = flood(address, crowd, &mut |happening| console.watch(happening))?;
        let goes_on = report.connected == 0 && report.stuck.is_none() && !report.ended_early;
        last = Ok(report);
        if !goes_on {
            break;
        }
    }
    last
}

fn address(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.into()),
        _ => Err(format!("write HOST:PORT, for example `{DEFAULT_ADDRESS}` or `localhost:8686`")),
    }
}

fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "write a whole number, for example `5`".into())
}

fn positive(text: &str) -> Result<usize, String> {
    match count(text)? {
        0 => Err("there must be at least 1".into()),
        count => Ok(count),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "write a number and a unit, for example `250ms`, `10s` or `1m`".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_options_it_is_the_default_crowd() {
        let options = Options::parse_from(["client"]);
        assert_eq!(options.address, DEFAULT_ADDRESS);
        assert_eq!(format!("{:?}", options.crowd()), format!("{:?}", Crowd::default()));
    }

    #[test]
    fn the_options_fit_together() {
        Options::command().debug_assert();
    }
}
