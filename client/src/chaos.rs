//! `client chaos`: its options, and its course from them to the exit status.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use protocol::Protocol;

use chaos::{Outcome, Plan, Progress, run, typed};
use load_generator::Kind;
use server_process::{Target, kill_all_and_exit};

use crate::console::{INTERRUPTED_STATUS, print};
use crate::values::{count, duration, maybe_negative, positive, wait};

/// Lets random crowds loose on a server, stops it, takes descriptors from it, and tells whether it
/// stands that.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true, mut_args = maybe_negative)]
pub(crate) struct Options {
    /// HOST:PORT of a server that runs, or a command (quoted, as one word) that starts one, with
    /// {port} where the port goes [default: 127.0.0.1:8686]
    #[arg(value_name = "SERVER", value_parser = str::parse::<Target>)]
    server: Option<Target>,

    /// A command that starts a server, unquoted, with {port} where the port goes
    #[arg(last = true, value_name = "COMMAND", conflicts_with = "server")]
    command: Vec<String>,

    /// For how long
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration)]
    time: Duration,

    /// Draw everything from this number, as a run before has done [default: a random one]
    #[arg(long, value_name = "NUMBER", value_parser = count::<u64>)]
    seed: Option<u64>,

    /// Only the wave of this number, again and again
    #[arg(long, value_name = "NUMBER", requires = "seed", value_parser = count::<u64>)]
    wave: Option<u64>,

    /// How many clients there are at most at the same time
    #[arg(short, long, value_name = "COUNT", default_value = "2000", value_parser = positive)]
    connections: usize,

    /// How many of them may connect at the same moment: no more than the server's backlog holds,
    /// since of others the kernel loses some
    #[arg(long, value_name = "COUNT", default_value = "100", value_parser = positive)]
    backlog: usize,

    /// The server serves only so many clients at the same time: let nobody make the others wait
    /// for ever
    #[arg(long, value_name = "COUNT", value_parser = positive)]
    at_once: Option<usize>,

    /// How long the server may take until it listens: more, if it is compiled first
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = wait)]
    start_within: Duration,

    /// Leave out kinds of clients, `stops`, `pressure` (descriptors that run out) or `ctrl-c`
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = left_out)]
    without: Vec<LeftOut>,

    /// `lines`, or `one-shot` as the article's programs speak it
    #[arg(long, default_value_t)]
    protocol: Protocol,

    /// Print one JSON object, and nothing else
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
  client chaos --at-once 1 -- ./server {port}         one that serves one client at a time
  client chaos --without pressure,deaf -- ./server {port}
  client chaos                                        whoever listens on 127.0.0.1:8686

TIME is a number with a unit, such as 20s or 10m. The wave that is under way then is finished.
Exit status: 0 if the server has stood it, 1 if not, 2 if the options are wrong, 130 after
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
        let names: Vec<&str> = LeftOut::all().map(LeftOut::name).collect();
        format!("what can be left out is {}", names.join(", "))
    })
}

impl Options {
    /// What was asked for.
    ///
    /// # Errors
    ///
    /// A sentence, if that makes no sense.
    pub(crate) fn order(self) -> Result<Order, String> {
        let subject = match self.server {
            Some(ref server) => server.clone(),
            None if !self.command.is_empty() => Target::command(self.command.clone())?,
            None => Target::usual()?,
        };
        let same_options = same_options(&self, &subject);
        let is_left = |it: LeftOut| !self.without.contains(&it);
        let plan = Plan {
            time: self.time,
            seed: self.seed.unwrap_or_else(Plan::random_seed),
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
        plan.check()?;
        Ok(Order { subject, plan, json: self.json, quiet: self.quiet, same_options })
    }
}

/// As they were given: what depends on the server, and the server.
fn same_options(options: &Options, subject: &Target) -> String {
    let mut words = String::new();
    let usual = Plan::default();
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
    format!("{words} {}", shell_words::quote(&subject.to_string()))
}

/// What was asked for, and makes sense.
pub(crate) struct Order {
    subject: Target,
    plan: Plan,
    json: bool,
    quiet: bool,
    /// For the command that sends it again.
    same_options: String,
}

impl Order {
    /// Does what was asked for, prints what came of it, and returns the exit status.
    ///
    /// # Errors
    ///
    /// When printing fails.
    pub(crate) fn execute(&self) -> io::Result<ExitCode> {
        // What it has started must not be left behind, be it stopped or not. Should there be no
        // handler, a server still sees the end of its standard input.
        system::on_termination(|| kill_all_and_exit(INTERRUPTED_STATUS.into())).ok();
        let outcome = self.run();
        let mut told = if self.json { outcome.json()? } else { outcome.text() };
        if !self.json {
            told += &self.what_next(&outcome).map_or(String::new(), |it| format!("\n{it}"));
        }
        print(told)?;
        Ok(if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Where something went wrong: a command to type.
    fn what_next(&self, outcome: &Outcome) -> Option<String> {
        if let Some(again) = outcome.again() {
            let what = if outcome.failed_wave.is_some() { "that wave alone" } else { "all of it" };
            return Some(format!(
                "To send {what} again: client chaos {again}{}",
                self.same_options
            ));
        }
        let server = self.subject.to_string();
        let server = shell_words::quote(&server);
        let why = format!("To hear what most likely is wrong: client check {server}");
        (!outcome.is_good()).then_some(why)
    }

    /// With a progress bar, if somebody looks.
    fn run(&self) -> Outcome {
        if self.quiet || !io::stderr().is_terminal() {
            return run(&self.subject, &self.plan, &|_| {});
        }
        let style = ProgressStyle::with_template("{elapsed} {wide_bar} {msg}");
        let length = u64::try_from(self.plan.time.as_millis()).unwrap_or(u64::MAX);
        let bar = ProgressBar::new(length).with_style(style.expect("the template is right"));
        let outcome = run(&self.subject, &self.plan, &|Progress { elapsed, doing }| {
            bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
            bar.set_message(doing);
        });
        bar.finish_and_clear();
        outcome
    }
}
