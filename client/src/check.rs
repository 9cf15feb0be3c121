//! `client check`: from its options to the exit status.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use anstream::ColorChoice;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use output::{Format, FormatOptions, print};
use protocol::Protocol;

use checker::{ALL, Check, CheckOptions, Matrix, Progress, run};
use server_process::{Target, kill_all_and_exit};

use crate::console::INTERRUPTED_STATUS;
use crate::values::{maybe_negative, not_deaf, wait};

/// Checks which promises a server in any language keeps, and says what is most likely wrong.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, mut_args = maybe_negative)]
pub(crate) struct Options {
    /// Check these servers: HOST:PORT of one that is running, or a command (quoted, as one word)
    /// that starts one, with {port} where the port goes [default: 127.0.0.1:8686]
    #[arg(value_name = "SERVER", value_parser = str::parse::<Target>)]
    servers: Vec<Target>,

    /// Check the server that this command starts (unquoted, with {port} where the port goes)
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,

    /// Run only this check; can be given more than once
    #[arg(long, value_name = "NAME", value_parser = check)]
    only: Vec<&'static Check>,

    /// Speak `lines`, or `one-shot` like the article's programs
    #[arg(long, default_value_t)]
    protocol: Protocol,

    /// Wait this long for a reply before it counts as missing
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = wait)]
    patience: Duration,

    /// Wait this long for a server to start listening; longer if it is compiled first
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = wait)]
    start_within: Duration,

    /// List the checks and what each of them tries, and run none
    #[arg(long)]
    list: bool,

    #[command(flatten)]
    format: FormatOptions,

    /// Print in colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,
}

const EXAMPLES: &str = "\
Examples:
  client check                                        the server on 127.0.0.1:8686
  client check -- python3 server.py {port}            starts the server itself
  client check --start-within 5m -- cargo run -p poll-server -- --address 127.0.0.1:{port}
  client check 'python3 server.py {port}' 'node server.js {port}'    side by side
  client check --only pipelined --only resets -- node server.js {port}
  client check --json -- ./server {port} | jq .good   for graders

A command is started once for each check, several at the same time, each on a port of its own.
A quoted command is split into words as a shell does, but isn't run by one; if you need a shell,
write sh -c '...'.

TIME is a number with a unit, such as 500ms or 5s.
Exit status: 0 if every promise that could be checked is kept, and there is at least one; 1 if not;
2 if the options are wrong.";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    /// If standard output is a terminal, and NO_COLOR isn't set
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
    /// The job that these options describe.
    ///
    /// # Errors
    ///
    /// A sentence, if they make no sense together.
    pub(crate) fn job(self) -> Result<Job, String> {
        let mut targets = self.servers;
        if !self.command.is_empty() {
            targets.push(Target::command(self.command)?);
        }
        if targets.is_empty() {
            targets.push(Target::usual()?);
        }
        let Options { patience, start_within, .. } = self;
        let mut options =
            CheckOptions { patience, start_within, ..CheckOptions::all(self.protocol) };
        if patience < Duration::from_millis(10) {
            return Err(
                "with `--patience` below 10ms no server can reply in time; try `--patience 2s`"
                    .into(),
            );
        }
        if let Some(check) = self.only.iter().find(|check| !check.is_for(self.protocol)) {
            let Check { name, .. } = check;
            return Err(format!(
                "the check `{name}` makes no sense in `--protocol {}`",
                self.protocol
            ));
        }
        if !self.only.is_empty() {
            options.checks.retain(|check| self.only.iter().any(|only| only.name == check.name));
        }
        Ok(Job {
            targets,
            options,
            list: self.list,
            format: self.format.format(),
            color: self.color,
        })
    }
}

/// What to check, and how to print the results.
pub(crate) struct Job {
    targets: Vec<Target>,
    options: CheckOptions,
    list: bool,
    format: Format,
    color: Color,
}

impl Job {
    /// Runs the checks, prints the results, and returns the exit status.
    ///
    /// # Errors
    ///
    /// If printing fails.
    pub(crate) fn execute(&self) -> io::Result<ExitCode> {
        ColorChoice::from(self.color).write_global();
        if self.list {
            print(list(&self.options))?;
            return Ok(ExitCode::SUCCESS);
        }
        // No server that it has started may be left running. If there is no handler, a server still
        // sees the end of its standard input.
        system::on_termination(|| kill_all_and_exit(INTERRUPTED_STATUS.into())).ok();
        let matrix = self.run();
        print(matrix.formatted(self.format, &[])?)?;
        Ok(if matrix.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Draws a progress bar if standard error is a terminal.
    fn run(&self) -> Matrix {
        if !io::stderr().is_terminal() {
            return run(&self.targets, &self.options, &|_| {});
        }
        let style = ProgressStyle::with_template("{elapsed} {wide_bar} {pos} of {len} {msg}");
        let bar = ProgressBar::new(0).with_style(style.expect("the template is right"));
        let matrix = run(&self.targets, &self.options, &|Progress { done, all, check }| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
            bar.set_message(check.name);
        });
        bar.finish_and_clear();
        matrix
    }
}

fn list(options: &CheckOptions) -> String {
    let width = options.checks.iter().map(|check| check.name.len()).max().unwrap_or(0) + 2;
    let indent = " ".repeat(width);
    let columns = output::width().map_or(90, |columns| columns.min(90));
    let lines = options.checks.iter().map(|check| {
        let name = format!("{:width$}", check.name);
        let paragraph =
            textwrap::Options::new(columns).initial_indent(&name).subsequent_indent(&indent);
        textwrap::fill(check.tries, paragraph)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn check(name: &str) -> Result<&'static Check, String> {
    Check::named(name).ok_or_else(|| {
        if let Some(renamed) = not_deaf(name) {
            return renamed;
        }
        let names: Vec<&str> = ALL.iter().map(|check| check.name).collect();
        format!("there is no such check; the checks are {}", names.join(", "))
    })
}
