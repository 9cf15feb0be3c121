//! `client chaos`: from its options to the results.

use std::io;
use std::time::Duration;

use clap::Args;
use output::print;

use chaos::{ChaosReport, Progress, Scenario, run, typed};
use load_generator::Kind;
use server_process::Target;
use system::whole_number;

use crate::console::{milliseconds, progress_bar};
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

    #[command(flatten)]
    scenario: Scenario,

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
    without: Vec<&'static str>,

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

/// One of the names of what can be left out.
fn left_out(name: &str) -> Result<&'static str, String> {
    let kinds = Kind::ALL.into_iter().filter(|&kind| kind != Kind::Prompt).map(Kind::name);
    let names: Vec<&str> = kinds.chain(["stops", "pressure", "ctrl-c"]).collect();
    let known = names.iter().find(|known| **known == name);
    known.copied().ok_or_else(|| {
        not_deaf(name).unwrap_or_else(|| format!("you can leave out {}", names.join(", ")))
    })
}

impl Options {
    /// Runs the scenario, prints the results, and returns whether the server survived. The error is
    /// a sentence, if the options make no sense together.
    pub(crate) fn run(self) -> Result<io::Result<bool>, String> {
        let target = match &self.server {
            Some(server) => server.clone(),
            None if !self.command.is_empty() => Target::command(self.command.clone())?,
            None => Target::usual()?,
        };
        let is_left = |name| !self.without.contains(&name);
        let scenario = Scenario {
            backlog: self.backlog,
            at_once: self.at_once,
            start_within: self.start_within,
            kinds: Kind::ALL.into_iter().filter(|kind| is_left(kind.name())).collect(),
            stops: is_left("stops"),
            pressure: is_left("pressure"),
            ctrl_c: is_left("ctrl-c"),
            ..self.scenario.clone()
        };
        scenario.check()?;
        let bar =
            progress_bar("{elapsed} {wide_bar} {msg}", milliseconds(scenario.time), self.quiet);
        let report = run(&target, &scenario, &|Progress { elapsed, doing }| {
            bar.set_position(milliseconds(elapsed));
            bar.set_message(doing);
        });
        bar.finish_and_clear();
        let text = match self.json {
            true => report.json(),
            false => Ok([report.text(), self.next_command(&target, &report)].concat()),
        };
        Ok(text.and_then(print).map(|()| report.is_good()))
    }

    /// If something went wrong: the next command to type, in a line of its own.
    fn next_command(&self, target: &Target, report: &ChaosReport) -> String {
        let server = target.to_string();
        let server = shell_words::quote(&server);
        let Some(again) = report.again() else {
            return match report.is_good() {
                true => String::new(),
                false => {
                    format!("\nTo find out what is most likely wrong: client check {server}")
                }
            };
        };
        let usual = Scenario::default();
        let options = [
            Some(again),
            (self.backlog != usual.backlog).then(|| format!("--backlog {}", self.backlog)),
            (self.start_within != usual.start_within)
                .then(|| format!("--start-within {}", typed(self.start_within))),
            self.at_once.map(|count| format!("--at-once {count}")),
            (!self.without.is_empty()).then(|| format!("--without {}", self.without.join(","))),
            Some(server.into_owned()),
        ];
        let options: Vec<String> = options.into_iter().flatten().collect();
        let what = if report.failed_wave.is_some() { "only that wave" } else { "everything" };
        format!("\nTo repeat {what}: client chaos {}", options.join(" "))
    }
}
