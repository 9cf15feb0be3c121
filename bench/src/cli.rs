//! The program: `cargo run --release -p bench`.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
use client::check::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use protocol::Protocol;
use serde::Serialize;

use crate::cost::{self, Cost, CostPlan};
use crate::findings::findings;
use crate::matrix::{limits, matrix, surprises};
use crate::page::page;
use crate::report::{self, Report};
use crate::table::table;
use crate::{Model, Plan, Row, compare, serve_for_parent};

/// Compares the ways to wait: floods each server with the same crowd, some of it slow, and
/// measures how long a well-behaved client waits beside it
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  cargo run --release -p bench
  cargo run --release -p bench -- --all
  cargo run --release -p bench -- --slow 0
  cargo run --release -p bench -- --server select-server --server poll-server --connections 1000
  cargo run --release -p bench -- --server 'busy-server --nap 1ms' --server busy-server
  cargo run --release -p bench -- --open --replay
  cargo run --release -p bench -- --json
  cargo run --release -p bench -- check --all
  cargo run --release -p bench -- report

Exit status: 0 if every request was answered, 1 if not, 2 if the command line is wrong,
69 if this system has none of the ways to wait that were asked for."
)]
struct Options {
    /// How many connections the crowd has
    #[arg(long, value_name = "N", default_value_t = 100)]
    connections: u32,

    /// How many of them are slow: they ask twice, sending a byte every 10 ms
    #[arg(long, value_name = "N", default_value_t = 10)]
    slow: u32,

    /// How many requests each of the others asks, one after the other
    #[arg(long, value_name = "N", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,

    /// How many times each server is flooded
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    #[command(flatten)]
    choice: Choice,

    /// Print one JSON object instead of the table
    #[arg(long)]
    json: bool,

    /// Where to write the page with the timelines [default: ways-to-wait.html, in the folder
    /// of this program]
    #[arg(long, value_name = "FILE.html")]
    page: Option<PathBuf>,

    /// Open the page in a browser
    #[arg(long)]
    open: bool,

    /// Let the timelines draw themselves, as they came about
    #[arg(long)]
    replay: bool,

    #[command(subcommand)]
    other: Option<Other>,
}

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
}

impl Choice {
    /// The servers that can run here, and a sentence for each of the others. Ends the process
    /// if nobody is left.
    fn sort_out(&self) -> (Vec<Model>, Vec<String>) {
        let models = match &self.servers[..] {
            [] if self.all => Model::ALL,
            [] => Model::MAIN,
            chosen => chosen,
        };
        let mut left_out = Vec::new();
        let can_run = |model: &Model| match model.available() {
            Ok(()) => true,
            Err(why) => {
                left_out.push(format!("{} is left out: {why}.", model.label));
                false
            }
        };
        let models: Vec<Model> = models.iter().copied().filter(can_run).collect();
        if models.is_empty() {
            left_out.iter().for_each(|sentence| eprintln!("bench: {sentence}"));
            process::exit(server_kit::UNAVAILABLE.into());
        }
        (models, left_out)
    }
}

/// As many as can call one server from one address at least, on every system.
const CONNECTIONS: i64 = 16_000;

/// What else the program can do.
#[derive(Debug, Subcommand)]
enum Other {
    /// Check which promises each server keeps, as `client check` does: the survival matrix
    #[command(after_help = "\
Exit status: 0 if each server keeps all that its way to wait allows, and nothing else; 1 if not.")]
    Check {
        #[command(flatten)]
        choice: Choice,
        /// `lines`, or `one-shot` as the article's programs speak it
        #[arg(long, default_value_t)]
        protocol: Protocol,
        /// Print one JSON object instead of the table
        #[arg(long)]
        json: bool,
    },
    /// Measure what a request costs each server when it has as much to do as it can
    #[command(after_help = "\
Examples:
  cargo run --release -p bench -- cost --all
  cargo run --release -p bench -- cost --active 1000 --idle 9000
  cargo run --release -p bench -- cost --server select-server --server poll-server --active 900

Exit status: 0 if every server could be measured, 1 if not.")]
    Cost {
        #[command(flatten)]
        choice: Choice,
        /// How many connections ask, each again as soon as it is answered
        #[arg(long, value_name = "N", default_value_t = 100,
              value_parser = clap::value_parser!(u16).range(1..=CONNECTIONS))]
        active: u16,
        /// How many connections are there besides and say nothing
        #[arg(long, value_name = "N", default_value_t = 0,
              value_parser = clap::value_parser!(u16).range(0..=CONNECTIONS))]
        idle: u16,
        /// How many times each server is measured, for half a second, in turns
        #[arg(long, value_name = "N", default_value_t = 10,
              value_parser = clap::value_parser!(u16).range(1..))]
        rounds: u16,
        /// Print one JSON object instead of the table
        #[arg(long)]
        json: bool,
    },
    /// Measure everything and write it down: charts, tables, raw figures, and where they are from
    #[command(after_help = "\
Examples:
  cargo run --release -p bench -- report
  cargo run --release -p bench -- report --quick --into /tmp/figures
  cargo run --release -p bench -- report --from target/criterion

Let nothing else run meanwhile.

Exit status: 0 if the set is whole, 1 if something is missing or went wrong.")]
    Report {
        /// Where to write it [default: docs/figures/DATE, with today's date]
        #[arg(long, value_name = "FOLDER")]
        into: Option<PathBuf>,
        /// Take the figures of the suite from here, where criterion has left them, instead of
        /// running it
        #[arg(long, value_name = "FOLDER")]
        from: Option<PathBuf>,
        /// Few samples, for a first look; the set says so
        #[arg(long)]
        quick: bool,
    },
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
    let options = Options::parse();
    match options.other {
        Some(Other::Serve { server, options }) => {
            return serve_for_parent(server, [server.name().into()].into_iter().chain(options));
        }
        Some(Other::Check { choice, protocol, json }) => {
            return status_of(check_and_tell(&choice, protocol, json));
        }
        Some(Other::Cost { choice, active, idle, rounds, json }) => {
            let (models, mut left_out) = choice.sort_out();
            let [active, idle, rounds] = [active, idle, rounds].map(usize::from);
            let mut plan = CostPlan { models, active, idle, rounds };
            left_out.extend(plan.leave_out_the_unfit());
            if plan.models.is_empty() {
                left_out.iter().for_each(|sentence| eprintln!("bench: {sentence}"));
                return ExitCode::FAILURE;
            }
            return status_of(measure_and_tell(&plan, &left_out, json));
        }
        Some(Other::Report { into, from, quick }) => {
            return status_of(report_and_tell(into, from, quick));
        }
        None => {}
    }
    let (models, left_out) = options.choice.sort_out();
    let plan = match plan(models, &options) {
        Ok(plan) => plan,
        Err(sentence) => {
            Options::command().error(clap::error::ErrorKind::ValueValidation, sentence).exit()
        }
    };
    status_of(compare_and_tell(&plan, &left_out, &options))
}

fn status_of(is_good: io::Result<bool>) -> ExitCode {
    match is_good {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever read this has seen enough (`| head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn plan(models: Vec<Model>, options: &Options) -> Result<Plan, String> {
    let plan = Plan {
        models,
        connections: options.connections as usize,
        slow: options.slow as usize,
        requests: options.requests as usize,
        rounds: options.rounds as usize,
    };
    plan.check().map(|()| plan)
}

/// Returns whether every server is as its model must be.
fn check_and_tell(choice: &Choice, protocol: Protocol, json: bool) -> io::Result<bool> {
    let (models, left_out) = choice.sort_out();
    let progress = progress_bar("checks, {msg}");
    let matrix =
        matrix(&models, protocol, &env::current_exe()?, &|Progress { done, all, check }| {
            progress.set_length(all as u64);
            progress.set_position(done as u64);
            progress.set_message(check.name);
        });
    progress.finish_and_clear();
    let matrix = matrix?;
    let mut text = if json { matrix.json()? } else { matrix.text() };
    let columns = models.iter().zip(&matrix.columns);
    let surprises: Vec<_> = columns.flat_map(|(&model, column)| surprises(model, column)).collect();
    if !json {
        text += "\n";
        for sentence in limits(&models).iter().chain(&left_out) {
            text += &format!("\n{sentence}");
        }
        for surprise in &surprises {
            text += &format!("\nNot as it must be: {surprise}");
        }
    }
    writeln!(anstream::stdout(), "{}", text.trim_end())?;
    Ok(surprises.is_empty())
}

/// Returns whether every server could be measured.
fn measure_and_tell(plan: &CostPlan, left_out: &[String], json: bool) -> io::Result<bool> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let progress = progress_bar("runs, {msg}");
    let costs = cost::measure(plan, &env::current_exe()?, &progress);
    progress.finish_and_clear();
    let text = if json { cost_json(plan, &costs)? } else { cost_text(plan, &costs, left_out) };
    writeln!(io::stdout(), "{text}")?;
    Ok(costs.iter().all(|cost| cost.trouble.is_none()))
}

/// Returns whether the set is whole.
fn report_and_tell(into: Option<PathBuf>, from: Option<PathBuf>, quick: bool) -> io::Result<bool> {
    let (models, left_out) = Choice { servers: Vec::new(), all: true }.sort_out();
    rlimit::increase_nofile_limit(u64::MAX)?;
    let plan = report::Plan { into, from, quick, models };
    let bar = || progress_bar("measured, {msg}");
    let Report { folder, missing } = report::report(&plan, &env::current_exe()?, bar)?;
    for sentence in left_out.iter().chain(&missing) {
        eprintln!("bench: {sentence}");
    }
    writeln!(io::stdout(), "The figures: {}", from_here(folder.join("README.md")).display())?;
    Ok(missing.is_empty())
}

/// Returns whether every request was answered.
fn compare_and_tell(plan: &Plan, left_out: &[String], options: &Options) -> io::Result<bool> {
    let program = env::current_exe()?;
    let path = match &options.page {
        Some(path) => path.clone(),
        None => from_here(program.with_file_name("ways-to-wait.html")),
    };
    write_page(&path, "")?; // it would be a pity to find out afterwards that it can't be written
    // Both ends of each connection need descriptors, the client's all in this process.
    rlimit::increase_nofile_limit(u64::MAX)?;
    let progress = progress_bar("answered, {msg}");
    let result = compare(plan, &program, &progress);
    progress.finish_and_clear();
    let rows = result?;
    let mut sentences = findings(plan, &rows);
    sentences.extend_from_slice(left_out);
    write_page(&path, &page(&introduction(plan), &sentences, &rows, options.replay))?;
    let text = if options.json {
        json_object(plan, &rows, sentences, &path)?
    } else {
        human_text(plan, &rows, &sentences, &path)
    };
    writeln!(io::stdout(), "{text}")?;
    if options.open {
        opener::open(&path).map_err(|error| {
            io::Error::other(format!("can't open {} in a browser: {error}", path.display()))
        })?;
    }
    Ok(rows.iter().all(Row::is_good))
}

/// The path as seen from the current folder, if it lies in there: shorter to read.
fn from_here(path: PathBuf) -> PathBuf {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here).map(Path::to_owned).unwrap_or(path)
}

fn write_page(path: &Path, page: &str) -> io::Result<()> {
    std::fs::write(path, page).map_err(|error| {
        let path = path.display();
        let what = format!("can't write {path}: {error}; say where with `--page FILE.html`");
        io::Error::new(error.kind(), what)
    })
}

/// On standard error, and only if that is a terminal.
fn progress_bar(of_what: &str) -> ProgressBar {
    let template = format!("{{elapsed}} {{wide_bar}} {{pos}} of {{len}} {of_what}");
    let style =
        ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let progress = ProgressBar::new(0).with_style(style);
    // A blocking server answers nobody for seconds: let the clock go on meanwhile.
    progress.enable_steady_tick(Duration::from_millis(100));
    progress
}

fn introduction(plan: &Plan) -> String {
    let Plan { connections, slow, requests, .. } = *plan;
    let prompt = connections - slow;
    let rounds = match plan.rounds {
        1 => "once".into(),
        rounds => format!("{rounds} times"),
    };
    format!(
        "{connections} clients against each server, {rounds}: {prompt} ask {requests} times each, \
         {slow} dribble.\nProbes arrive meanwhile, one every 10 ms, connect and ask; p50, p99 and max \
         are how long they waited."
    )
}

fn human_text(plan: &Plan, rows: &[Row], sentences: &[String], page: &Path) -> String {
    let mut text = format!("{}\n\n{}\n", introduction(plan), table(rows));
    for sentence in sentences {
        text += &format!("\n{sentence}");
    }
    text + &format!("\n\nWhat each client went through: {}", page.display())
}

fn cost_text(plan: &CostPlan, costs: &[Cost], left_out: &[String]) -> String {
    let mut text = format!(
        "{}, {} times for each server, in turns.\nMedians, and in brackets the bounds between which \
         the true ones lie, in 95 of 100 such measurements.\n\n{}\n",
        plan.load(),
        plan.rounds,
        cost::table(costs)
    );
    for sentence in cost::doubts(costs).iter().chain(left_out) {
        text += &format!("\n{sentence}");
    }
    text.trim_end().to_owned()
}

fn cost_json(plan: &CostPlan, costs: &[Cost]) -> io::Result<String> {
    #[derive(Serialize)]
    struct Object<'a> {
        #[serde(flatten)]
        plan: &'a CostPlan,
        servers: &'a [Cost],
    }
    Ok(serde_json::to_string(&Object { plan, servers: costs })?)
}

fn json_object(
    plan: &Plan,
    rows: &[Row],
    findings: Vec<String>,
    page: &Path,
) -> io::Result<String> {
    #[derive(Serialize)]
    struct Object<'a> {
        connections: usize,
        slow: usize,
        requests: usize,
        rounds: usize,
        servers: &'a [Row],
        findings: Vec<String>,
        page: &'a Path,
    }
    Ok(serde_json::to_string(&Object {
        connections: plan.connections,
        slow: plan.slow,
        requests: plan.requests,
        rounds: plan.rounds,
        servers: rows,
        findings,
        page,
    })?)
}
