//! The command line's options.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use protocol::{ADDRESS_VARIABLE, DEFAULT_ADDRESS, Protocol, server_address};

use load_generator::{Crowd, Kind, Order};

use crate::chaos::Options as ChaosOptions;
use crate::check::Options as CheckOptions;
use crate::values::{count, duration, maybe_negative, percentile, positive, rate, renamed};

/// Floods a server with prompt and slow clients, and reports how long they waited.
#[derive(Debug, Parser)]
#[command(name = "client", version, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(allow_negative_numbers = true, mut_args = maybe_negative)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) server: Server,

    #[command(flatten)]
    crowd: CrowdOptions,

    #[command(flatten)]
    zoo: ZooOptions,

    #[command(flatten)]
    pub(crate) output: OutputOptions,

    #[command(subcommand)]
    pub(crate) other: Option<Other>,
}

/// Which server to connect to.
#[derive(Debug, clap::Args)]
pub(crate) struct Server {
    /// Connect to the server at HOST:PORT
    #[arg(default_value = DEFAULT_ADDRESS, env = ADDRESS_VARIABLE, hide_env_values = true,
          value_parser = server_address)]
    pub(crate) address: String,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Other {
    Check(CheckOptions),
    Chaos(ChaosOptions),
    /// Connects this terminal to a server, as `nc -N` does: each line you type is a request, and
    /// the end of the input (Ctrl-D) ends the conversation
    Talk(Server),
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The crowd")]
struct CrowdOptions {
    /// Open this many connections
    #[arg(short, long, value_name = "COUNT", default_value = "20", value_parser = positive)]
    connections: usize,

    /// Send this many requests on each connection, the next one when a reply has arrived
    #[arg(short, long, value_name = "COUNT", default_value = "1", value_parser = positive)]
    #[arg(conflicts_with = "duration")]
    requests: usize,

    /// Send requests for this long instead of a fixed number; those due by then are still sent
    /// (half-closing and non-reading clients send only once)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,

    /// Send this many requests a second in total, on a schedule that doesn't wait for the server
    /// (an open loop), and measure latency from when each was due
    #[arg(long, value_name = "COUNT/s", value_parser = rate)]
    rate: Option<f64>,

    /// Send requests for this long before latencies are measured
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    warm_up: Duration,

    /// Speak `lines`, or `one-shot` like the article's programs
    #[arg(long, default_value_t)]
    protocol: Protocol,

    /// Send when all clients are connected (`connect-first`), or each as soon as it is
    /// (`as-connected`)
    #[arg(long, default_value_t)]
    order: Order,

    /// Give up when nothing has moved on any connection for this long
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    timeout: Duration,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The zoo: how many clients of each kind")]
struct ZooOptions {
    /// Send a byte at a time, like a phone in a tunnel
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    dribbling: usize,

    /// Send half of a request, wait, and send the rest, like an upload that stalls
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    pausing: usize,

    /// Send at least five requests and think in between, like a person who types
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    chatty: usize,

    /// Send everything and close the sending half before any reply, like a file piped into `nc`
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    half_closing: usize,

    /// Send until the sockets are full, and read nothing until the others are done, like a laptop
    /// that falls asleep during a download
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    non_reading: usize,

    /// The old name of `--non-reading`
    #[arg(long = "deaf", hide = true, value_parser = renamed("--non-reading"))]
    _deaf: Option<String>,

    /// Send nothing until the others are done, like a browser's spare connections
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    silent: usize,

    /// Send half of a request, wait, and reset the connection, like an app that is killed
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    resetting: usize,

    /// Connect, and close without sending anything, like a health check or a port scanner
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    vanishing: usize,

    /// Let a dribbling client wait this long after each byte
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = duration)]
    every: Duration,

    /// Let pausing and resetting clients wait this long in the middle of a request
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pause: Duration,

    /// Let a chatty client think this long between a reply and its next request
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = duration)]
    think: Duration,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// Print only the summary; otherwise up to 50 clients also print each reply, unless
    /// `--duration` is given
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Print only the summary, as one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Show these percentiles, such as 50,99,99.9 [default: 50,90,99]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = percentile)]
    pub(crate) percentiles: Vec<f64>,

    /// Write the latencies of each second to FILE, as an HdrHistogram log
    #[arg(long, value_name = "FILE")]
    pub(crate) hdr: Option<PathBuf>,

    /// Draw what each client went through, as an SVG picture in FILE
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) timeline: Option<PathBuf>,

    /// Animate the picture: it draws itself as the run went on
    #[arg(long, requires = "timeline")]
    pub(crate) replay: bool,

    /// Call the server NAME in the picture, for example poll-server [default: its address]
    #[arg(long, value_name = "NAME", requires = "timeline")]
    pub(crate) name: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  client                                   20 clients against 127.0.0.1:8686
  client --dribbling 2                     two of them are slow: which of the others have to wait?
  client --silent 1 --timeout 3s           one sends nothing: a blocking server hangs
  client -c 1000 -r 100 localhost:8686     100,000 requests on 1000 connections
  client --rate 2000/s --duration 10s      2000 requests a second, even if the server can't keep up
  client --non-reading 1 --chatty 5        a mixed crowd, in which the other 14 are prompt
  client --dribbling 5 --timeline slow.svg what each of them went through, as a picture
  client --protocol one-shot               against the article's Python servers
  client --json | jq .reply_us.p99         one figure, in microseconds
  client talk                              by hand: type a line, read its reply
  client check --help                      which promises does a server keep?
  client chaos --help                      does it survive a random crowd?

TIME is a number with a unit, such as 250ms, 10s or 1m.
Ctrl-C ends the run and prints the summary so far.
Exit status: 0 if every request was answered, 1 if not, 2 if the options are wrong, 130 after
Ctrl-C.";

impl Options {
    pub(crate) fn crowd(&self) -> Crowd {
        let CrowdOptions { connections, requests, duration, rate, warm_up, .. } = self.crowd;
        let CrowdOptions { protocol, order, timeout, .. } = self.crowd;
        let ZooOptions { every, pause, think, .. } = self.zoo;
        Crowd {
            connections,
            mix: [
                (Kind::Dribbling, self.zoo.dribbling),
                (Kind::Pausing, self.zoo.pausing),
                (Kind::Chatty, self.zoo.chatty),
                (Kind::HalfClosing, self.zoo.half_closing),
                (Kind::NonReading, self.zoo.non_reading),
                (Kind::Silent, self.zoo.silent),
                (Kind::Resetting, self.zoo.resetting),
                (Kind::Vanishing, self.zoo.vanishing),
            ]
            .into(),
            requests,
            duration,
            rate,
            warm_up,
            protocol,
            order,
            every,
            pause,
            think,
            timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn without_options_it_is_the_default_crowd() {
        let options = Options::parse_from(["client"]);
        assert_eq!(options.server.address, DEFAULT_ADDRESS);
        assert_eq!(format!("{:?}", options.crowd()), format!("{:?}", Crowd::default()));
    }

    #[test]
    fn the_options_fit_together() {
        Options::command().debug_assert();
    }
}
