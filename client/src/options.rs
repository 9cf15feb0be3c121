//! What can be said on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use protocol::{ADDRESS_VARIABLE, DEFAULT_ADDRESS, Protocol, server_address};

use load_generator::{Crowd, Kind, Order};

use crate::chaos::Options as ChaosOptions;
use crate::check::Options as CheckOptions;
use crate::values::{count, duration, maybe_negative, percentile, positive, rate};

/// Floods a server with clients, prompt and slow ones, and tells what came of it.
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

/// Whom to talk to.
#[derive(Debug, clap::Args)]
pub(crate) struct Server {
    /// The server, as HOST:PORT
    #[arg(default_value = DEFAULT_ADDRESS, env = ADDRESS_VARIABLE, hide_env_values = true,
          value_parser = server_address)]
    pub(crate) address: String,
}

/// What else the program can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Other {
    Check(CheckOptions),
    Chaos(ChaosOptions),
    /// Joins this terminal with a connection, as `nc -N` does: a line typed is a request, and
    /// the end of the input (Ctrl-D) ends the conversation
    Talk(Server),
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The crowd")]
struct CrowdOptions {
    /// How many connections to open
    #[arg(short, long, value_name = "COUNT", default_value = "20", value_parser = positive)]
    connections: usize,

    /// How many requests each asks; the next is sent when a reply has come
    #[arg(short, long, value_name = "COUNT", default_value = "1", value_parser = positive)]
    #[arg(conflicts_with = "duration")]
    requests: usize,

    /// Ask for so long, instead of a number of requests (half-closing and deaf ones ask once);
    /// what was due by then is still asked
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,

    /// Send by a plan, so many a second in all (open loop), and count latency from when a
    /// request was due, whether the server kept up or not
    #[arg(long, value_name = "COUNT/s", value_parser = rate)]
    rate: Option<f64>,

    /// Ask for so long before latencies count
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    warm_up: Duration,

    /// `lines`, or `one-shot` as the article's programs speak it
    #[arg(long, default_value_t)]
    protocol: Protocol,

    /// `connect-first` (when all are connected, all send) or `as-connected`
    #[arg(long, default_value_t)]
    order: Order,

    /// Give up when nothing has moved on any connection for so long
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    timeout: Duration,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The zoo: how many of the connections are of which kind")]
struct ZooOptions {
    /// Send a byte at a time, like a phone in a tunnel
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    dribbling: usize,

    /// Send half of a request, wait, send the rest: an upload that stalls
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    pausing: usize,

    /// Keep the connection, think, and ask again, at least five times: a person who types
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    chatty: usize,

    /// Send everything and close the sending half, before any reply: a file piped into `nc`
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    half_closing: usize,

    /// Send until nothing more fits and read nothing until the others are done: a laptop
    /// that sleeps in the middle of a download
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    deaf: usize,

    /// Say nothing until the others are done, like a browser's spare connections
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    silent: usize,

    /// Send half of a request, wait, and reset the connection: an app that is killed
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    resetting: usize,

    /// Connect and close without a word: a health check, a scanner of ports
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = count::<usize>)]
    #[arg(hide_default_value = true)]
    vanishing: usize,

    /// How long a dribbling client waits after each byte
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = duration)]
    every: Duration,

    /// How long pausing and resetting clients wait in the middle of a request
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pause: Duration,

    /// How long a chatty client thinks between a reply and its next request
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = duration)]
    think: Duration,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is told")]
pub(crate) struct OutputOptions {
    /// Print the summary only; otherwise up to 50 connections print each reply, unless they
    /// ask by time
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Print the summary as one JSON object, and nothing else
    #[arg(long)]
    pub(crate) json: bool,

    /// The percentiles of the summary, such as 50,99,99.9
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = percentile)]
    pub(crate) percentiles: Vec<f64>,

    /// Write the latencies of each second into FILE, as an HdrHistogram log
    #[arg(long, value_name = "FILE")]
    pub(crate) hdr: Option<PathBuf>,

    /// Draw what each client went through into FILE, as SVG
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) timeline: Option<PathBuf>,

    /// Let the picture draw itself, as it came about
    #[arg(long, requires = "timeline")]
    pub(crate) replay: bool,

    /// What the picture calls the server, for example poll-server [default: its address]
    #[arg(long, value_name = "NAME", requires = "timeline")]
    pub(crate) name: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  client                                   20 clients against 127.0.0.1:8686
  client --dribbling 2                     two of them are slow: who waits for them?
  client --silent 1 --timeout 3s           one says nothing: a blocking server hangs
  client -c 1000 -r 100 localhost:8686     100,000 requests on 1000 connections
  client --rate 2000/s --duration 10s      2000 requests a second, late or not
  client --deaf 1 --resetting 3 --chatty 5 a mixed crowd, the other 11 prompt
  client --dribbling 5 --timeline slow.svg what each of them went through, as a picture
  client --protocol one-shot               speak with the article's Python servers
  client --json | jq .reply_us.p99         one figure, in microseconds
  client talk                              by hand: type a line, read its reply
  client check --help                      which promises does a server keep?
  client chaos --help                      does it stand a random crowd?

TIME is a number with a unit, such as 250ms, 10s or 1m.
Ctrl-C ends it and prints the summary so far.
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
                (Kind::Deaf, self.zoo.deaf),
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
