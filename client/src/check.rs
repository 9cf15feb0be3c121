//! `client check`: its options, and its course from them to the exit status.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anstream::ColorChoice;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use protocol::Protocol;

use checker::{ALL, Check, Matrix, Plan, Progress, run};
use server_process::{Target, kill_all_and_exit};

use crate::console::{INTERRUPTED_STATUS, cannot_print};
use crate::values::{maybe_negative, wait};

/// Checks which promises a server keeps, in any language, and tells what most likely is wrong.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, mut_args = maybe_negative)]
pub(crate) struct Options {
    /// Servers: HOST:PORT of one that runs, or a command (quoted, as one word) that starts one,
    /// with {port} where the port goes [default: 127.0.0.1:8686]
    #[arg(value_name = "SERVER", value_parser = str::parse::<Target>)]
    servers: Vec<Target>,

    /// A command that starts a server, unquoted, with {port} where the port goes
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,

    /// Only this check; may be given more than once
    #[arg(long, value_name = "NAME", value_parser = check)]
    only: Vec<&'static Check>,

    /// `lines`, or `one-shot` as the article's programs speak it
    #[arg(long, default_value_t)]
    protocol: Protocol,

    /// How long an answer may take before it is taken as not coming
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = wait)]
    patience: Duration,

    /// How long a server may take until it listens: more, if it is compiled first
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = wait)]
    start_within: Duration,

    /// Name the checks, say what each of them tries, and check nothing
    #[arg(long)]
    list: bool,

    /// Print one JSON object, and nothing else
    #[arg(long)]
    json: bool,

    /// When to print in colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,
}

const EXAMPLES: &str = "\
Examples:
  client check                                        whoever listens on 127.0.0.1:8686
  client check -- python3 server.py {port}            starts the server itself
  client check --start-within 5m -- cargo run -p poll-server -- --address 127.0.0.1:{port}
  client check 'python3 server.py {port}' 'node server.js {port}'    side by side
  client check --only pipelined --only resets -- node server.js {port}
  client check --json -- ./server {port} | jq .good   for graders

A command is started once for each check, several at the same time, each on a port of its own.
Nothing of a shell is there in a quoted command but its quotes; write sh -c '...' for more.

TIME is a number with a unit, such as 500ms or 5s.
Exit status: 0 if every promise that could be tried is kept, and there is one, 1 if not, 2 if the
options are wrong.";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    /// If standard output is a terminal, and NO_COLOR is not set
    Auto,
    Always,
    Never,
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
    }
}

impl Options {
    /// What was asked for.
    ///
    /// # Errors
    ///
    /// A sentence, if that makes no sense.
    pub(crate) fn order(self) -> Result<Order, String> {
        let mut subjects = self.servers;
        if !self.command.is_empty() {
            subjects.push(Target::command(self.command)?);
        }
        if subjects.is_empty() {
            subjects.push(Target::usual()?);
        }
        let Options { patience, start_within, .. } = self;
        let mut plan = Plan { patience, start_within, ..Plan::all(self.protocol) };
        if patience < Duration::from_millis(10) {
            return Err("with `--patience` below 10ms no server could answer in time".into());
        }
        if let Some(check) = self.only.iter().find(|check| !check.is_for(self.protocol)) {
            let Check { name, .. } = check;
            return Err(format!("`{name}` makes no sense in `--protocol {}`", self.protocol));
        }
        if !self.only.is_empty() {
            plan.checks.retain(|check| self.only.iter().any(|only| only.name == check.name));
        }
        Ok(Order { subjects, plan, list: self.list, json: self.json, color: self.color })
    }
}

/// What was asked for, and makes sense.
pub(crate) struct Order {
    subjects: Vec<Target>,
    plan: Plan,
    list: bool,
    json: bool,
    color: Color,
}

impl Order {
    /// Does what was asked for, prints what came of it, and returns the exit status.
    ///
    /// # Errors
    ///
    /// When printing fails.
    pub(crate) fn execute(&self) -> io::Result<ExitCode> {
        ColorChoice::from(self.color).write_global();
        if self.list {
            print(&list(&self.plan))?;
            return Ok(ExitCode::SUCCESS);
        }
        // What it has started must not be left behind. Should there be no handler, a server
        // still sees the end of its standard input.
        system::on_termination(|| kill_all_and_exit(INTERRUPTED_STATUS.into())).ok();
        let matrix = self.run();
        print(&if self.json { matrix.json()? } else { matrix.text() })?;
        Ok(if matrix.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// With a progress bar, if somebody looks.
    fn run(&self) -> Matrix {
        if !io::stderr().is_terminal() {
            return run(&self.subjects, &self.plan, &|_| {});
        }
        let style = ProgressStyle::with_template("{elapsed} {wide_bar} {pos} of {len} {msg}");
        let bar = ProgressBar::new(0).with_style(style.expect("the template is right"));
        let matrix = run(&self.subjects, &self.plan, &|Progress { done, all, check }| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
            bar.set_message(check.name);
        });
        bar.finish_and_clear();
        matrix
    }
}

fn list(plan: &Plan) -> String {
    let width = plan.checks.iter().map(|check| check.name.len()).max().unwrap_or(0) + 2;
    let indent = " ".repeat(width);
    let lines = plan.checks.iter().map(|check| {
        let name = format!("{:width$}", check.name);
        let options = textwrap::Options::new(90).initial_indent(&name).subsequent_indent(&indent);
        textwrap::fill(check.tries, options)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn print(text: &str) -> io::Result<()> {
    writeln!(anstream::stdout(), "{text}").map_err(|error| cannot_print(&error))
}

fn check(name: &str) -> Result<&'static Check, String> {
    Check::named(name).ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|check| check.name).collect();
        format!("there is no such check; there are {}", names.join(", "))
    })
}
