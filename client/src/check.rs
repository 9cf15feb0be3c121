//! `client check`: from its options to the results.

use std::io;
use std::time::Duration;

use clap::{Args, ColorChoice};
use output::{FormatOptions, paragraph, print};
use protocol::Protocol;

use checker::{ALL, Check, CheckOptions, Progress, run};
use server_process::Target;

use crate::console::progress_bar;
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

    /// Print in colour: `auto` if standard output is a terminal and NO_COLOR isn't set, `always`,
    /// or `never`
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    color: ColorChoice,
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

impl Options {
    /// Runs the checks, prints the results, and returns whether every promise is kept. The error is
    /// a sentence, if the options make no sense together.
    pub(crate) fn run(self) -> Result<io::Result<bool>, String> {
        let Options { mut servers, command, only, protocol, patience, start_within, .. } = self;
        if !command.is_empty() {
            servers.push(Target::command(command)?);
        }
        if servers.is_empty() {
            servers.push(Target::usual()?);
        }
        if patience < Duration::from_millis(10) {
            return Err(
                "with `--patience` below 10ms no server can reply in time; try `--patience 2s`"
                    .into(),
            );
        }
        if let Some(Check { name, .. }) = only.iter().find(|check| !check.is_for(protocol)) {
            return Err(format!("the check `{name}` makes no sense in `--protocol {protocol}`"));
        }
        let mut options = CheckOptions { patience, start_within, ..CheckOptions::all(protocol) };
        if !only.is_empty() {
            options.checks.retain(|check| only.iter().any(|only| only.name == check.name));
        }
        let color = match self.color {
            ColorChoice::Auto => anstream::ColorChoice::Auto,
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
        };
        color.write_global();
        if self.list {
            return Ok(print(list(&options)).map(|()| true));
        }
        let bar = progress_bar("{elapsed} {wide_bar} {pos} of {len} {msg}", 0, false);
        let matrix = run(&servers, &options, &|Progress { done, all, check }| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
            bar.set_message(check.name);
        });
        bar.finish_and_clear();
        let text = matrix.formatted(self.format.format(), &[]);
        Ok(text.and_then(print).map(|()| matrix.is_good()))
    }
}

fn list(options: &CheckOptions) -> String {
    let width = options.checks.iter().map(|check| check.name.len()).max().unwrap_or(0) + 2;
    let lines = options.checks.iter().map(|Check { name, tries, .. }| {
        paragraph(&format!("{name:width$}"), tries, output::width())
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn check(name: &str) -> Result<&'static Check, String> {
    Check::named(name).ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|check| check.name).collect();
        not_deaf(name).unwrap_or_else(|| {
            format!("there is no such check; the checks are {}", names.join(", "))
        })
    })
}
