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

use super::{Choice, from_here, progress_bar, refuse};
use crate::findings::findings;
use crate::page::page;
use crate::table::{table, troubles};
use crate::{ComparisonPlan, ServerResult, compare};

#[derive(Args, Debug)]
pub(super) struct Options {
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

impl Options {
    /// Returns whether every request got its reply.
    pub(super) fn run(self) -> io::Result<bool> {
        let (models, left_out) = self.choice.sort_out(Protocol::Lines);
        let plan = &ComparisonPlan { models, ..self.plan };
        plan.check().unwrap_or_else(|why| refuse(why));
        let program = env::current_exe()?;
        let default = || from_here(program.with_file_name("ways-to-wait.html"));
        let path = self.page.unwrap_or_else(default);
        write_page(&path, "")?; // so that a file that can't be written is reported before the run
        // All the clients' ends of connections are in this process.
        system::raise_descriptor_limit()?;
        let rows = compare(plan, &program, &progress_bar("answered, {msg}"))?;
        let findings = [findings(plan, &rows), left_out].concat();
        let introduction = introduction(plan);
        write_page(&path, &page(&introduction, &findings, &rows, self.replay))?;
        let page = format!("\nWhat each client went through: {}", path.display());
        let sentences = [troubles(&rows), findings.clone(), vec![page]].concat();
        #[derive(Serialize)]
        struct Object<'a> {
            #[serde(flatten)]
            plan: &'a ComparisonPlan,
            servers: &'a [ServerResult],
            findings: &'a [String],
            /// Text, because JSON can't hold a path that isn't Unicode.
            page: Cow<'a, str>,
        }
        let (servers, findings, page) = (&rows[..], &findings[..], path.to_string_lossy());
        let json = || Ok(serde_json::to_string(&Object { plan, servers, findings, page })?);
        print(table(&rows).formatted(self.format.format(), &introduction, &sentences, json)?)?;
        if self.open {
            opener::open(&path).map_err(|error| {
                io::Error::other(format!("can't open {} in a browser: {error}", path.display()))
            })?;
        }
        Ok(rows.iter().all(ServerResult::is_good))
    }
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
