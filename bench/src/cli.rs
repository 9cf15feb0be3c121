//! The program: `cargo run --release -p bench`.
//!
//! This module has what the subcommands share; each subcommand has a module of its own.

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use protocol::Protocol;

use crate::load::{HoldTask, hold};
use crate::{LeftOut, MeasuredServer, Model, serve_for_parent};

mod chaos;
mod check;
mod compare;
mod cost;
mod many;
mod report;

/// Compare the ways to wait: flood each server with the same crowd of clients, some of them slow,
/// and measure how long a well-behaved client waits meanwhile
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    allow_negative_numbers = true, // `-1` is reported as a wrong value, not as an unknown option
    after_help = "\
Examples:
  cargo run --release -p bench
  cargo run --release -p bench -- --all
  cargo run --release -p bench -- --peers
  cargo run --release -p bench -- --slow 0
  cargo run --release -p bench -- --server select-server --server poll-server --connections 1000
  cargo run --release -p bench -- --server 'busy-server --nap 1ms' --server busy-server
  cargo run --release -p bench -- --open --replay
  cargo run --release -p bench -- --json
  cargo run --release -p bench -- check --all
  cargo run --release -p bench -- chaos --all
  cargo run --release -p bench -- cost --all
  cargo run --release -p bench -- many --all
  cargo run --release -p bench -- report

Exit status: 0 if every request got its reply, 1 if not, 2 if the command line is wrong,
69 if none of the chosen servers can run on this system."
)]
// Not called `Options`, like the comparison's: clap makes a group for each name, and a name may
// occur only once.
struct CommandLine {
    #[command(flatten)]
    comparison: compare::Options,

    #[command(subcommand)]
    other: Option<Other>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
enum Other {
    Check(check::Options),
    Chaos(chaos::Options),
    Cost(cost::Options),
    Many(many::Options),
    Report(report::Options),
    /// Hold connections for the parent process
    #[command(hide = true)]
    Hold(HoldTask),
    /// Run a server for the parent process
    #[command(hide = true)]
    Serve {
        server: Model,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<OsString>,
    },
}

/// Runs the program, from the command line to the exit status.
pub fn run() -> ExitCode {
    let CommandLine { comparison, other } = CommandLine::parse();
    let is_good = match other {
        None => comparison.run(),
        Some(Other::Check(options)) => options.run(),
        Some(Other::Chaos(options)) => options.run(),
        Some(Other::Cost(options)) => options.run(),
        Some(Other::Many(options)) => options.run(),
        Some(Other::Report(options)) => options.run(),
        Some(Other::Hold(task)) => hold(&task).map(|()| true),
        Some(Other::Serve { server, options }) => {
            return serve_for_parent(server, [server.name().into()].into_iter().chain(options));
        }
    };
    match is_good {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // The reader has closed the pipe (`| head`), so there is no one to print an error for.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            print_error(format_args!("{error}{}", system::advice(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Prints an error. If even standard error is closed, there is nowhere left to print it.
fn print_error(why: impl Display) {
    writeln!(io::stderr(), "bench: {why}").ok();
}

/// Ends the program, because its command line is wrong.
fn refuse(why: impl Display) -> ! {
    CommandLine::command().error(ErrorKind::ValueValidation, why).exit()
}

/// The exit status for a wrong command line, the same as clap's.
const USAGE: i32 = 2;

/// Which servers to run.
#[derive(Args, Debug)]
struct Choice {
    /// Use this server, for example poll-server, or 'poll-server --delay 1ms' with its own options;
    /// can be given more than once [default: sync-server, select-server, poll-server]
    #[arg(long = "server", value_name = "NAME")]
    servers: Vec<Model>,

    /// Use every server, from the simplest to the most modern
    #[arg(long, conflicts_with = "servers")]
    all: bool,

    /// Add the peers: small servers in Python, JavaScript, Go and C, as far as their tools are
    /// installed
    #[arg(long)]
    peers: bool,
}

impl Choice {
    /// Returns the servers that can run here, and a sentence for each of the others. Ends the
    /// process if no server is left, or if one doesn't start with the options given for it, so that
    /// such a mistake is reported before a minute of measuring.
    fn sort_out(&self, protocol: Protocol) -> (Vec<Model>, Vec<String>) {
        let mut models = self.models();
        let left_out = LeftOut::take_out(&mut models, |model| {
            if model.is_peer && protocol != Protocol::Lines {
                return Some(format!("it does not speak {protocol}"));
            }
            model.available().err().map(|why| why.to_string())
        });
        if models.is_empty() {
            left_out.iter().for_each(print_error);
            process::exit(server_kit::UNAVAILABLE.into());
        }
        for model in models.iter().filter(|model| !model.is_listed()) {
            if let Err(error) = try_options(*model) {
                print_error(format_args!("{}: {error}", model.label));
                process::exit(USAGE);
            }
        }
        (models, left_out.iter().map(LeftOut::to_string).collect())
    }

    /// Whether no server was chosen.
    fn is_default(&self) -> bool {
        self.servers.is_empty() && !self.all && !self.peers
    }

    /// The chosen servers, each once.
    fn models(&self) -> Vec<Model> {
        let models = match &self.servers[..] {
            [] if self.all => Model::ALL,
            [] => Model::MAIN,
            chosen => chosen,
        };
        let is_new = |peer: &&Model| models.iter().all(|model| model.label != peer.label);
        let peers = if self.peers { Model::PEERS } else { &[] };
        models.iter().chain(peers.iter().filter(is_new)).copied().collect()
    }
}

/// An error if all servers are left out.
fn expect_any(models: &[Model], left_out: &[String]) -> io::Result<()> {
    match models {
        [] => Err(io::Error::other(left_out.join("\nbench: "))),
        _ => Ok(()),
    }
}

/// Starts the server once with its own options, and stops it.
fn try_options(model: Model) -> io::Result<()> {
    MeasuredServer::start(&env::current_exe()?, model, &["--quiet"])?.stop().map(drop)
}

/// The path relative to the current folder, which is shorter, if the file is in that folder.
fn from_here(path: PathBuf) -> PathBuf {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here).map(Path::to_owned).unwrap_or(path)
}

/// A progress bar on standard error, if that is a terminal, until it is dropped.
fn progress_bar(of_what: &str) -> ProgressBar {
    let template = format!("{{elapsed}} {{wide_bar}} {{pos}} of {{len}} {of_what}");
    let style =
        ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let progress = ProgressBar::new(0).with_style(style);
    if !progress.is_hidden() {
        // A blocking server may send no reply for seconds: the clock keeps running meanwhile.
        progress.enable_steady_tick(Duration::from_millis(100));
    }
    progress
}
