//! The comparison: what the program does unless told otherwise.

use std::borrow::Cow;
use std::env;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use protocol::Protocol;
use serde::Serialize;
use server_kit::whole_number;

use super::{Choice, from_here, print, progress_bar, refuse};
use crate::figures::so_many_times;
use crate::findings::findings;
use crate::page::page;
use crate::table::table;
use crate::{Model, Plan, Row, compare};

#[derive(Args, Debug)]
pub(super) struct Options {
    /// How many connections the crowd has
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = whole_number(0..=u32::MAX))]
    connections: u32,

    /// How many of them are slow: they ask twice, sending a byte every 10 ms
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = whole_number(0..=u32::MAX))]
    slow: u32,

    /// How many requests each of the others asks, one after the other
    #[arg(long, value_name = "N", default_value_t = 200,
          value_parser = whole_number(1..=u32::MAX))]
    requests: u32,

    /// How many times each server is flooded
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = whole_number(1..=u32::MAX))]
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
}

impl Options {
    /// Returns whether every request was answered.
    pub(super) fn run(self) -> io::Result<bool> {
        let (models, left_out) = self.choice.sort_out(Protocol::Lines);
        let plan = self.plan(models).unwrap_or_else(|why| refuse(why));
        compare_and_tell(&plan, &left_out, &self)
    }

    fn plan(&self, models: Vec<Model>) -> Result<Plan, String> {
        let plan = Plan {
            models,
            connections: self.connections as usize,
            slow: self.slow as usize,
            requests: self.requests as usize,
            rounds: self.rounds as usize,
        };
        plan.check().map(|()| plan)
    }
}

fn compare_and_tell(plan: &Plan, left_out: &[String], options: &Options) -> io::Result<bool> {
    let program = env::current_exe()?;
    let path = match &options.page {
        Some(path) => path.clone(),
        None => from_here(program.with_file_name("ways-to-wait.html")),
    };
    write_page(&path, "")?; // it would be a pity to find out afterwards that it can't be written
    // Both ends of each connection need descriptors, the client's all in this process.
    system::raise_descriptor_limit()?;
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
    print(text)?;
    if options.open {
        opener::open(&path).map_err(|error| {
            io::Error::other(format!("can't open {} in a browser: {error}", path.display()))
        })?;
    }
    Ok(rows.iter().all(Row::is_good))
}

fn write_page(path: &Path, page: &str) -> io::Result<()> {
    std::fs::write(path, page).map_err(|error| {
        let path = path.display();
        let what = format!("can't write {path}: {error}; say where with `--page FILE.html`");
        io::Error::new(error.kind(), what)
    })
}

fn introduction(plan: &Plan) -> String {
    let Plan { connections, slow, requests, .. } = *plan;
    let prompt = connections - slow;
    let rounds = so_many_times(plan.rounds);
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
        /// A name that is not Unicode has no other way into JSON.
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
