//! The comparison: what the program does without a subcommand.

use std::borrow::Cow;
use std::env;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use output::figures::so_many_times;
use output::{FormatOptions, print};
use protocol::Protocol;
use serde::Serialize;
use server_kit::whole_number;

use super::{Choice, from_here, progress_bar, refuse};
use crate::findings::findings;
use crate::page::page;
use crate::table::{table, troubles};
use crate::{ComparisonPlan, Model, ServerResult, compare};

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Flood each server with this many connections
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = whole_number(0..=u32::MAX))]
    connections: u32,

    /// Make this many of them slow: two requests each, one byte every 10 ms
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = whole_number(0..=u32::MAX))]
    slow: u32,

    /// Send this many requests on each of the others, one after the other
    #[arg(long, value_name = "N", default_value_t = 200,
          value_parser = whole_number(1..=u32::MAX))]
    requests: u32,

    /// Flood each server this many times
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = whole_number(1..=u32::MAX))]
    rounds: u32,

    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    format: FormatOptions,

    /// Write the page with the timelines to this file [default: ways-to-wait.html, in the folder
    /// of this program]
    #[arg(long, value_name = "FILE.html")]
    page: Option<PathBuf>,

    /// Open the page in a browser
    #[arg(long)]
    open: bool,

    /// Animate the timelines, so that they replay the run
    #[arg(long)]
    replay: bool,
}

impl Options {
    /// Returns whether every request got its reply.
    pub(super) fn run(self) -> io::Result<bool> {
        let (models, left_out) = self.choice.sort_out(Protocol::Lines);
        let plan = self.plan(models).unwrap_or_else(|why| refuse(why));
        compare_and_print(&plan, &left_out, &self)
    }

    fn plan(&self, models: Vec<Model>) -> Result<ComparisonPlan, String> {
        let plan = ComparisonPlan {
            models,
            connections: self.connections as usize,
            slow: self.slow as usize,
            requests: self.requests as usize,
            rounds: self.rounds as usize,
        };
        plan.check().map(|()| plan)
    }
}

fn compare_and_print(
    plan: &ComparisonPlan,
    left_out: &[String],
    options: &Options,
) -> io::Result<bool> {
    let program = env::current_exe()?;
    let path = match &options.page {
        Some(path) => path.clone(),
        None => from_here(program.with_file_name("ways-to-wait.html")),
    };
    write_page(&path, "")?; // so that a file that can't be written is reported before the run
    // All the clients' ends of connections are in this process.
    system::raise_descriptor_limit()?;
    let progress = progress_bar("answered, {msg}");
    let result = compare(plan, &program, &progress);
    progress.finish_and_clear();
    let rows = result?;
    let mut sentences = findings(plan, &rows);
    sentences.extend_from_slice(left_out);
    write_page(&path, &page(&introduction(plan), &sentences, &rows, options.replay))?;
    let mut for_people = [troubles(&rows), sentences.clone()].concat();
    for_people.push(format!("\nWhat each client went through: {}", path.display()));
    let json = || json_object(plan, &rows, sentences, &path);
    let format = options.format.format();
    print(table(&rows).formatted(format, &introduction(plan), &for_people, json)?)?;
    if options.open {
        opener::open(&path).map_err(|error| {
            io::Error::other(format!("can't open {} in a browser: {error}", path.display()))
        })?;
    }
    Ok(rows.iter().all(ServerResult::is_good))
}

fn write_page(path: &Path, page: &str) -> io::Result<()> {
    std::fs::write(path, page).map_err(|error| {
        let path = path.display();
        let what = format!("can't write {path}: {error}; choose a file with `--page FILE.html`");
        io::Error::new(error.kind(), what)
    })
}

fn introduction(plan: &ComparisonPlan) -> String {
    let ComparisonPlan { connections, slow, requests, .. } = *plan;
    let prompt = connections - slow;
    let rounds = so_many_times(plan.rounds);
    format!(
        "{connections} clients at each server, {rounds}: {prompt} send {requests} requests each, \
         {slow} dribble (a byte every 10 ms).\nEvery 10 ms a probe connects and sends a request; \
         p50, p99 and max are how long the probes waited for their replies."
    )
}

fn json_object(
    plan: &ComparisonPlan,
    rows: &[ServerResult],
    findings: Vec<String>,
    page: &Path,
) -> io::Result<String> {
    #[derive(Serialize)]
    struct Object<'a> {
        connections: usize,
        slow: usize,
        requests: usize,
        rounds: usize,
        servers: &'a [ServerResult],
        findings: Vec<String>,
        /// Text, because JSON can't hold a path that isn't Unicode.
        page: Cow<'a, str>,
    }
    Ok(serde_json::to_string(&Object {
        connections: plan.connections,
        slow: plan.slow,
        requests: plan.requests,
        rounds: plan.rounds,
        servers: rows,
        findings,
        page: page.to_string_lossy(),
    })?)
}
