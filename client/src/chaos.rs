//! `client chaos`: from its options to the exit status.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use output::print;
use protocol::Protocol;

use chaos::{ChaosReport, Progress, Scenario, run, typed};
use load_generator::{Kind, MOST_CONNECTIONS};
use server_process::{Target, kill_all_and_exit};
use system::{duration, whole_number};

use crate::console::INTERRUPTED_STATUS;
use crate::values::{maybe_negative, not_deaf, wait};

/// Floods a server with random crowds, stops it, takes descriptors from it, and reports whether it
/// survives.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true, mut_args = maybe_negative)]
pub(crate) struct Options {
    /// Try this server: HOST:PORT of one that is running, or a command (quoted, as one word) that
    /// starts one, with {port} where the port goes [default: 127.0.0.1:8686]
    #[arg(value_name = "SERVER", value_parser = str::parse::<Target>)]
    server: Option<Target>,

    /// Try the server that this command starts (unquoted, with {port} where the port goes)
    #[arg(last = true, value_name = "COMMAND", conflicts_with = "server")]
    command: Vec<String>,

    /// Send waves of clients for this long
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration)]
    time: Duration,

    /// Derive everything random from this number, to repeat an earlier run [default: a random one]
    #[arg(long, value_name = "NUMBER", value_parser = whole_number(0..=u64::MAX))]
    seed: Option<u64>,

    /// Send only the wave with this number, again and again
    #[arg(long, value_name = "NUMBER", requires = "seed",
          value_parser = whole_number(0..=u64::MAX))]
    wave: Option<u64>,

    /// Have at most this many clients at the same time
    #[arg(short, long, value_name = "COUNT", default_value = "2000",
          value_parser = whole_number(1..=MOST_CONNECTIONS))]
    connections: usize,

    /// Let at most this many clients connect at the same moment: no more than fit into the server's
    /// backlog, since the kernel drops some of the rest
    #[arg(long, value_name = "COUNT", default_value = "100",
          value_parser = whole_number(1..=i32::MAX as usize))]
    backlog: usize,

    /// Expect a server that serves only this many clients at the same time: send it no client that
    /// would make the others wait for ever
    #[arg(long, value_name = "COUNT", value_parser = whole_number(1..=i32::MAX as usize))]
    at_once: Option<usize>,

    /// Wait this long for the server to start listening; longer if it is compiled first
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = wait)]
    start_within: Duration,

    /// Leave out kinds of clients, `stops`, `pressure` (running out of descriptors) or `ctrl-c`
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = left_out)]
    without: Vec<LeftOut>,

    /// Speak `lines`, or `one-shot` like the article's programs
    #[arg(long, default_value_t)]
    protocol: Protocol,

    /// Print only one JSON object
    #[arg(long)]
    json: bool,

    /// Draw no progress bar
    #[arg(short, long)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  client chaos -- python3 server.py {port}            twenty seconds of chaos
  client chaos --time 10m -- node server.js {port}    ten minutes
  client chaos --seed 4711 'poll-server --address 127.0.0.1:{port}'
  client chaos --seed 4711 --wave 17 -- ./server {port}    one wave again and again
  client chaos --at-once 1 -- ./server {port}         a server that serves one client at a time
  client chaos --without pressure,non-reading -- ./server {port}
  client chaos                                        the server on 127.0.0.1:8686

TIME is a number with a unit, such as 20s or 10m. When it is over, the current wave still finishes.
Exit status: 0 if the server survived, 1 if not, 2 if the options are wrong, 130 after
Ctrl-C.";

/// What can be left out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum LeftOut {
    Kind(Kind),
    Stops,
    Pressure,
    CtrlC,
}

impl LeftOut {
    fn all() -> impl Iterator<Item = LeftOut> {
        let kinds = Kind::ALL.into_iter().filter(|&kind| kind != Kind::Prompt);
        kinds.map(LeftOut::Kind).chain([LeftOut::Stops, LeftOut::Pressure, LeftOut::CtrlC])
    }

    fn name(self) -> &'static str {
        match self {
            LeftOut::Kind(kind) => kind.name(),
            LeftOut::Stops => "stops",
            LeftOut::Pressure => "pressure",
            LeftOut::CtrlC => "ctrl-c",
        }
    }
}

fn left_out(name: &str) -> Result<LeftOut, String> {
    LeftOut::all().find(|it| it.name() == name).ok_or_else(|| {
        if let Some(renamed) = not_deaf(name) {
            return renamed;
        }
        let names: Vec<&str> = LeftOut::all().map(LeftOut::name).collect();
        format!("you can leave out {}", names.join(", "))
    })
}

impl Options {
    /// The job that these options describe.
    ///
    /// # Errors
    ///
    /// A sentence, if they make no sense together.
    pub(crate) fn job(self) -> Result<Job, String> {
        let target = match self.server {
            Some(ref server) => server.clone(),
            None if !self.command.is_empty() => Target::command(self.command.clone())?,
            None => Target::usual()?,
        };
        let same_options = same_options(&self, &target);
        let is_left = |it: LeftOut| !self.without.contains(&it);
        let scenario = Scenario {
            time: self.time,
            seed: self.seed.unwrap_or_else(Scenario::random_seed),
            wave: self.wave,
            connections: self.connections,
            backlog: self.backlog,
            at_once: self.at_once,
            start_within: self.start_within,
            kinds: Kind::ALL.into_iter().filter(|&kind| is_left(LeftOut::Kind(kind))).collect(),
            stops: is_left(LeftOut::Stops),
            pressure: is_left(LeftOut::Pressure),
            ctrl_c: is_left(LeftOut::CtrlC),
            protocol: self.protocol,
        };
        scenario.check()?;
        Ok(Job { target, scenario, json: self.json, quiet: self.quiet, same_options })
    }
}

/// The options that depend on the server, as they were given, and the server.
fn same_options(options: &Options, target: &Target) -> String {
    let mut words = String::new();
    let usual = Scenario::default();
    if options.backlog != usual.backlog {
        words += &format!(" --backlog {}", options.backlog);
    }
    if options.start_within != usual.start_within {
        words += &format!(" --start-within {}", typed(options.start_within));
    }
    if let Some(count) = options.at_once {
        words += &format!(" --at-once {count}");
    }
    if !options.without.is_empty() {
        let names: Vec<&str> = options.without.iter().map(|it| it.name()).collect();
        words += &format!(" --without {}", names.join(","));
    }
    format!("{words} {}", shell_words::quote(&target.to_string()))
}

/// What to send to which server, and how to print the results.
pub(crate) struct Job {
    target: Target,
    scenario: Scenario,
    json: bool,
    quiet: bool,
    /// For the command that repeats the run.
    same_options: String,
}

impl Job {
    /// Runs the scenario, prints the results, and returns the exit status.
    ///
    /// # Errors
    ///
    /// If printing fails.
    pub(crate) fn execute(&self) -> io::Result<ExitCode> {
        // A server that it has started must not be left running, nor stopped. If there is no
        // handler, the server still sees the end of its standard input.
        system::on_termination(|| kill_all_and_exit(INTERRUPTED_STATUS.into())).ok();
        let report = self.run();
        let mut text = if self.json { report.json()? } else { report.text() };
        if !self.json {
            text += &self.next_command(&report).map_or(String::new(), |it| format!("\n{it}"));
        }
        print(text)?;
        Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// If something went wrong: the next command to type.
    fn next_command(&self, report: &ChaosReport) -> Option<String> {
        if let Some(again) = report.again() {
            let what = if report.failed_wave.is_some() { "only that wave" } else { "everything" };
            return Some(format!("To repeat {what}: client chaos {again}{}", self.same_options));
        }
        let server = self.target.to_string();
        let server = shell_words::quote(&server);
        let why = format!("To find out what is most likely wrong: client check {server}");
        (!report.is_good()).then_some(why)
    }

    /// Draws a progress bar if standard error is a terminal.
    fn run(&self) -> ChaosReport {
        if self.quiet || !io::stderr().is_terminal() {
            return run(&self.target, &self.scenario, &|_| {});
        }
        let style = ProgressStyle::with_template("{elapsed} {wide_bar} {msg}");
        let length = u64::try_from(self.scenario.time.as_millis()).unwrap_or(u64::MAX);
        let bar = ProgressBar::new(length).with_style(style.expect("the template is right"));
        let report = run(&self.target, &self.scenario, &|Progress { elapsed, doing }| {
            bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
            bar.set_message(doing);
        });
        bar.finish_and_clear();
        report
    }
}
