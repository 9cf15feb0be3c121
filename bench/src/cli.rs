//! The program: `cargo run --release -p bench`.
//!
//! This module has what all of it shares; each thing that the program can do has its own.

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

use crate::load::{Errand, hold};
use crate::{Model, ServerProcess, serve_for_parent};

mod chaos;
mod check;
mod compare;
mod cost;
mod many;
mod report;

/// Compares the ways to wait: floods each server with the same crowd, some of it slow, and
/// measures how long a well-behaved client waits beside it
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    allow_negative_numbers = true, // wrong values, to be told so, and not wrong options
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

Exit status: 0 if every request was answered, 1 if not, 2 if the command line is wrong,
69 if this system has none of the ways to wait that were asked for."
)]
// Not `Options`, as that of the comparison: clap makes a group of each name, and each only once.
struct CommandLine {
    #[command(flatten)]
    comparison: compare::Options,

    #[command(subcommand)]
    other: Option<Other>,
}

/// What else the program can do.
#[derive(Debug, Subcommand)]
enum Other {
    Check(check::Options),
    Chaos(chaos::Options),
    Cost(cost::Options),
    Many(many::Options),
    Report(report::Options),
    /// Hold connections for the program that has started this one
    #[command(hide = true)]
    Hold(Errand),
    /// Run a server for the program that has started this one
    #[command(hide = true)]
    Serve {
        server: Model,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<OsString>,
    },
}

/// The program, from the command line to the exit status.
pub fn run() -> ExitCode {
    let CommandLine { comparison, other } = CommandLine::parse();
    let is_good = match other {
        None => comparison.run(),
        Some(Other::Check(options)) => options.run(),
        Some(Other::Chaos(options)) => options.run(),
        Some(Other::Cost(options)) => options.run(),
        Some(Other::Many(options)) => options.run(),
        Some(Other::Report(options)) => options.run(),
        Some(Other::Hold(errand)) => hold(&errand).map(|()| true),
        Some(Other::Serve { server, options }) => {
            return serve_for_parent(server, [server.name().into()].into_iter().chain(options));
        }
    };
    match is_good {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever read this has seen enough (`| head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            complain(format_args!("{error}{}", system::advice(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Tells what went wrong. If even standard error has gone, nobody is left to be told.
fn complain(why: impl Display) {
    writeln!(io::stderr(), "bench: {why}").ok();
}

fn print(text: impl Display) -> io::Result<()> {
    writeln!(anstream::stdout(), "{text}")
        .map_err(|error| io::Error::new(error.kind(), format!("can't print: {error}")))
}

/// Ends the program, since its command line makes no sense.
fn refuse(why: impl Display) -> ! {
    CommandLine::command().error(ErrorKind::ValueValidation, why).exit()
}

/// The status of a program whose command line makes no sense, as clap has it.
const USAGE: i32 = 2;

/// Which servers it is about.
#[derive(Args, Debug)]
struct Choice {
    /// A server, for example poll-server, or 'poll-server --delay 1ms' with options of its own;
    /// may be given more than once [default: sync-server, select-server, poll-server]
    #[arg(long = "server", value_name = "NAME")]
    servers: Vec<Model>,

    /// Every server, from the simplest to the most modern
    #[arg(long, conflicts_with = "servers")]
    all: bool,

    /// And what somebody would use instead: small servers in Python, JavaScript, Go and C, as
    /// far as their tools are installed
    #[arg(long)]
    peers: bool,
}

impl Choice {
    /// The servers that can run here, and a sentence for each of the others. Ends the process
    /// if nobody is left, or if one does not start with the options that were given for it: to
    /// find that out after a minute's measuring would be a pity.
    fn sort_out(&self, protocol: Protocol) -> (Vec<Model>, Vec<String>) {
        let mut left_out = Vec::new();
        let can_run = |model: &Model| {
            let can_run = match model.speaks(protocol) {
                true => model.available().map_err(|why| why.to_string()),
                false => Err(format!("it does not speak {protocol}")),
            };
            let sentence = |why| left_out.push(format!("{} is left out: {why}.", model.label));
            can_run.map_err(sentence).is_ok()
        };
        let models: Vec<Model> = self.models().into_iter().filter(can_run).collect();
        if models.is_empty() {
            left_out.iter().for_each(complain);
            process::exit(server_kit::UNAVAILABLE.into());
        }
        for model in models.iter().filter(|model| !model.is_listed()) {
            if let Err(error) = try_options(*model) {
                complain(format_args!("{}: {error}", model.label));
                process::exit(USAGE);
            }
        }
        (models, left_out)
    }

    /// Those that were asked for, each once.
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

/// Starts the server once, with its own options.
fn try_options(model: Model) -> io::Result<()> {
    let command = ServerProcess::command(&env::current_exe()?, model, &["--quiet"]);
    ServerProcess::start(command)?.stop().map(drop)
}

/// The path as seen from the current folder, if it lies in there: shorter to read.
fn from_here(path: PathBuf) -> PathBuf {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here).map(Path::to_owned).unwrap_or(path)
}

/// On standard error, and only if that is a terminal.
fn progress_bar(of_what: &str) -> ProgressBar {
    let template = format!("{{elapsed}} {{wide_bar}} {{pos}} of {{len}} {of_what}");
    let style =
        ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let progress = ProgressBar::new(0).with_style(style);
    if !progress.is_hidden() {
        // A blocking server answers nobody for seconds: let the clock go on meanwhile.
        progress.enable_steady_tick(Duration::from_millis(100));
    }
    progress
}
