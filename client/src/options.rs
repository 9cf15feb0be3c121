//! The command line's options.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use protocol::{ADDRESS_VARIABLE, DEFAULT_ADDRESS, server_address};

use load_generator::Crowd;

use crate::chaos::Options as ChaosOptions;
use crate::check::Options as CheckOptions;
use crate::values::{maybe_negative, percentile, renamed};

/// Floods a server with prompt and slow clients, and reports how long they waited.
#[derive(Debug, Parser)]
#[command(name = "client", version, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(allow_negative_numbers = true, mut_args = |option| maybe_negative(option).long_help(None))]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) server: Server,

    #[command(flatten)]
    pub(crate) crowd: Crowd,

    /// The old name of `--non-reading`
    #[arg(long = "deaf", hide = true, value_parser = renamed("--non-reading"))]
    _deaf: Option<String>,

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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn without_options_it_is_the_default_crowd() {
        let options = Options::parse_from(["client"]);
        assert_eq!(options.server.address, DEFAULT_ADDRESS);
        assert_eq!(format!("{:?}", options.crowd), format!("{:?}", Crowd::default()));
    }

    #[test]
    fn the_options_fit_together() {
        Options::command().debug_assert();
    }
}
