//! The comparison: what the program does without a subcommand.

use std::borrow::Cow;
use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use output::figures::so_many_times;
use output::{FormatOptions, print};
use protocol::Protocol;
use serde::Serialize;
use server_kit::whole_number;

use super::{Choice, from_here, progress_bar, refuse};
use crate::bars::{Bar, bars};
use crate::comparison::MOST;
use crate::findings::{findings, waits};
use crate::page::page;
use crate::table::{table, troubles};
use crate::{ComparisonPlan, Model, ServerResult, compare};

/// A crowd with a few slow clients. It separates a server that waits for one client at a time from
/// the event loops.
const FEW_SLOW: Size = Size { connections: 100, slow: 10, limit: None };

/// A crowd with more slow clients than select(2) can watch, which separates it from the newer calls.
/// One server after the other would need minutes for them, so a round is cut short.
const MANY_SLOW: Size = Size { connections: 1200, slow: 1100, limit: Some(Duration::from_secs(3)) };

/// The descriptors that this process needs for the probes and other things.
const OTHER_DESCRIPTORS: u64 = 600;

/// What differs between the crowds.
struct Size {
    connections: usize,
    slow: usize,
    limit: Option<Duration>,
}

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Flood each server with this many connections [default: 100; if you choose neither clients
    /// nor servers, 1200 more with 1100 slow ones follow]
    #[arg(long, value_name = "N", value_parser = whole_number(0..=MOST))]
    connections: Option<usize>,

    /// Make this many of them slow: two requests each, one byte every 10 ms [default: 10]
    #[arg(long, value_name = "N", value_parser = whole_number(0..=MOST))]
    slow: Option<usize>,

    #[command(flatten)]
    plan: ComparisonPlan,

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

/// What was measured with one crowd.
#[derive(Serialize)]
struct Measured {
    #[serde(flatten)]
    plan: ComparisonPlan,
    servers: Vec<ServerResult>,
}

impl Options {
    /// Returns whether every request got its reply.
    pub(super) fn run(self) -> io::Result<bool> {
        let (models, mut left_out) = self.choice.sort_out(Protocol::Lines);
        // All the clients' ends of connections are in this process.
        let descriptors = system::raise_descriptor_limit()?;
        let plans = self.plans(&models, descriptors, &mut left_out);
        for plan in &plans {
            plan.check().unwrap_or_else(|why| refuse(why));
        }
        let program = env::current_exe()?;
        let default = || from_here(program.with_file_name("ways-to-wait.html"));
        let path = self.page.unwrap_or_else(default);
        write_page(&path, "")?; // so that a file that can't be written is reported before the run
        let mut crowds = Vec::new();
        for plan in plans {
            let servers = compare(&plan, &program, &progress_bar("answered, {msg}"))?;
            crowds.push(Measured { plan, servers });
        }
        let findings = [all_findings(&crowds), left_out].concat();
        let introduction = introduction(&crowds);
        let first = &crowds[0].servers;
        write_page(&path, &page(&introduction, &findings, first, self.replay))?;
        let rows: Vec<&ServerResult> = crowds.iter().flat_map(|crowd| &crowd.servers).collect();
        let page = format!("\nWhat each client went through: {}", path.display());
        let chart = format!("{}\n", chart(&crowds));
        let sentences = [troubles(&rows), vec![chart], findings.clone(), vec![page]].concat();
        let json = || json_object(&crowds, &findings, &path);
        print(table(&rows).formatted(self.format.format(), &introduction, &sentences, json)?)?;
        if self.open {
            opener::open(&path).map_err(|error| {
                io::Error::other(format!("can't open {} in a browser: {error}", path.display()))
            })?;
        }
        Ok(rows.iter().all(|row| row.is_good()))
    }

    /// A plan for each crowd: one if the user has chosen clients or servers, otherwise two. If there
    /// are too few descriptors, the second is smaller, and a sentence says so.
    fn plans(
        &self,
        models: &[Model],
        descriptors: u64,
        sentences: &mut Vec<String>,
    ) -> Vec<ComparisonPlan> {
        let plan = |&Size { connections, slow, limit }: &Size| {
            let models = models.to_vec();
            ComparisonPlan { models, connections, slow, limit, ..self.plan.clone() }
        };
        if self.connections.is_some() || self.slow.is_some() || !self.choice.is_default() {
            let connections = self.connections.unwrap_or(FEW_SLOW.connections);
            let slow = self.slow.unwrap_or(FEW_SLOW.slow);
            return vec![plan(&Size { connections, slow, limit: None })];
        }
        let Size { connections, slow, limit } = MANY_SLOW;
        let room = usize::try_from(descriptors.saturating_sub(OTHER_DESCRIPTORS));
        let room = room.unwrap_or(usize::MAX).min(connections);
        let prompt = connections - slow;
        if room < connections {
            let needed = connections as u64 + OTHER_DESCRIPTORS;
            sentences.push(format!(
                "The limit of descriptors is {descriptors}, which is too low for a crowd of \
                 {connections} clients; `ulimit -n {needed}` raises it."
            ));
        }
        let mut plans = vec![plan(&FEW_SLOW)];
        if room > FEW_SLOW.connections {
            plans.push(plan(&Size { connections: room, slow: room - prompt, limit }));
        }
        plans
    }
}

/// All that the first crowd shows, and who waits in the others.
fn all_findings(crowds: &[Measured]) -> Vec<String> {
    let (first, others) = crowds.split_first().expect("there is at least one crowd");
    let mut sentences = findings(&first.plan, &first.servers);
    let others = others.iter().filter_map(|crowd| waits(&crowd.plan, &crowd.servers));
    let second = sentences.len().min(1); // beside the waits in the first crowd
    sentences.splice(second..second, others);
    sentences
}

/// A bar for each server and crowd.
fn chart(crowds: &[Measured]) -> String {
    let bar = |row: &ServerResult| {
        let wait = row.visits.median()?;
        Some(Bar { name: row.server.into(), time: wait.time, figure: wait.to_string() })
    };
    let group = |Measured { plan, servers }: &Measured| {
        let heading =
            format!("First visit with {} of {} clients slow:", plan.slow, plan.connections);
        (heading, servers.iter().filter_map(bar).collect())
    };
    bars(&crowds.iter().map(group).collect::<Vec<_>>())
}

fn write_page(path: &Path, page: &str) -> io::Result<()> {
    std::fs::write(path, page).map_err(|error| {
        let path = path.display();
        let what = format!("can't write {path}: {error}; choose a file with `--page FILE.html`");
        io::Error::new(error.kind(), what)
    })
}

fn introduction(crowds: &[Measured]) -> String {
    let crowd = |Measured { plan, .. }: &Measured| {
        let ComparisonPlan { connections, slow, requests, .. } = *plan;
        let (prompt, rounds) = (connections - slow, so_many_times(plan.rounds));
        format!(
            "{connections} clients at each server, {rounds}: {prompt} send {requests} requests \
             each, {slow} dribble (a byte every 10 ms).\n"
        )
    };
    let crowds: String = crowds.iter().map(crowd).collect();
    format!(
        "{crowds}Every 10 ms a well-behaved client visits: it connects, sends a request and waits \
         for the reply.\nFirst visit: the median of the rounds' medians; spread: the shortest and \
         the longest of these."
    )
}

fn json_object(crowds: &[Measured], findings: &[String], page: &Path) -> io::Result<String> {
    #[derive(Serialize)]
    struct Object<'a> {
        crowds: &'a [Measured],
        findings: &'a [String],
        /// Text, because JSON can't hold a path that isn't Unicode.
        page: Cow<'a, str>,
    }
    Ok(serde_json::to_string(&Object { crowds, findings, page: page.to_string_lossy() })?)
}
