//! The report: `cargo run --release -p bench -- report`.
//!
//! All measurements, as one set in a folder of its own: charts, tables, the raw figures, and what
//! they were measured on. A set is from one machine and one day, and a new one replaces it as a
//! whole, so figures of two machines are never mixed.

mod chart;
mod charts;
mod costs;
mod dots;
mod groups;
mod labels;
mod lines;
mod machine;
mod readme;
mod suite;
mod tables;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use indicatif::ProgressBar;
use serde::Serialize;

use crate::Model;
pub use costs::LoadCosts;
pub use suite::Estimate;

/// The workspace that this program was built from: where cargo runs, and where `docs` is.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The file with the raw figures. A folder that has it is a set.
const RAW: &str = "figures.json";

/// How long the day is in a time in the format of RFC 3339.
const DAY: usize = "2026-01-31".len();

/// What the report is made of, and where it goes.
#[derive(Debug)]
pub struct ReportPlan {
    /// The folder of the set; `None` for one with today's date in the workspace's
    /// `docs/book/figures`.
    pub into: Option<PathBuf>,
    /// A folder with criterion's figures, which are then not measured again.
    pub from: Option<PathBuf>,
    /// Whether a first look is enough: fewer samples.
    pub quick: bool,
    /// The servers whose costs are measured.
    pub models: Vec<Model>,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// When the measurements began, in the format of RFC 3339.
    pub date: String,
    /// The machine that they were made on and its software, line by line: what, and in words.
    #[serde(serialize_with = "machine::as_object")]
    pub machine: Vec<(&'static str, String)>,
    /// The command that made them.
    pub command: String,
    /// Whether it was only a first look.
    pub quick: bool,
    /// Whether the suite was run before, and maybe elsewhere.
    pub from_before: bool,
    /// What is missing, one sentence each.
    pub missing: Vec<String>,
    /// What the suite has measured.
    pub suite: Vec<Estimate>,
    /// What requests cost.
    pub costs: Vec<LoadCosts>,
}

/// Measures what is needed and writes the set; returns its folder, and what is missing, one
/// sentence each. `program` is the binary of this package; `bar` makes the progress bar for what
/// follows the suite, which shows its own progress.
///
/// # Errors
///
/// If the folder can't be written (which is tried first), or can't be replaced because it contains
/// something else; if a measurement fails; if nothing was measured at all.
pub fn report(
    plan: &ReportPlan,
    program: &Path,
    bar: impl FnOnce() -> ProgressBar,
) -> io::Result<(PathBuf, Vec<String>)> {
    let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let dated = || Path::new(WORKSPACE).join("docs/book/figures").join(&date[..DAY]);
    let folder = plan.into.clone().unwrap_or_else(dated);
    prepare(&folder).map_err(|error| {
        let folder = folder.display();
        let what =
            format!("can't write into {folder}: {error}; choose a folder with `--into FOLDER`");
        io::Error::new(error.kind(), what)
    })?;
    let left = program.with_file_name("report-suite");
    let suite = match &plan.from {
        Some(from) => suite::read(from)?,
        None => suite::run(&left, plan.quick)?,
    };
    let progress = bar();
    let costs = costs::measure(&plan.models, plan.quick, program, &progress);
    progress.finish_and_clear();
    let costs = costs.map_err(|error| {
        // The suite takes long, and need not be run again.
        let left = plan.from.as_ref().unwrap_or(&left).display();
        let what = format!("{error}; to use the suite's figures again, add `--from {left}`");
        io::Error::new(error.kind(), what)
    })?;
    let missing = missing(&suite, &costs);
    let quick = if plan.quick { " --quick" } else { "" };
    let from = if plan.from.is_some() { " --from FOLDER" } else { "" };
    let figures = Figures {
        date,
        machine: machine::describe(),
        command: format!("cargo run --release -p bench -- report{quick}{from}"),
        quick: plan.quick,
        from_before: plan.from.is_some(),
        missing,
        suite,
        costs,
    };
    write(&folder, &figures)?;
    Ok((folder.canonicalize().unwrap_or(folder), figures.missing))
}

/// Makes sure that a set can be written there and nothing else would be lost. Leaves no new folder
/// behind, because a run that is stopped with Ctrl-C should not create one.
fn prepare(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|it| !it.exists()).collect();
    fs::create_dir_all(folder)?;
    let tried = try_to_write(folder);
    missing.into_iter().filter(|it| !it.as_os_str().is_empty()).try_for_each(fs::remove_dir)?;
    tried
}

fn try_to_write(folder: &Path) -> io::Result<()> {
    let is_empty = fs::read_dir(folder)?.next().is_none();
    if !is_empty && !folder.join(RAW).is_file() {
        return Err(io::Error::other("it contains something other than a set of figures"));
    }
    let trial = folder.join("trial");
    fs::write(&trial, "")?;
    fs::remove_file(&trial)
}

/// Writes a set, and replaces the one that is there.
fn write(folder: &Path, figures: &Figures) -> io::Result<()> {
    // Made before anything is removed.
    let files = files(figures)?;
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // A chart that the new set doesn't have would remain from another day.
        if path.extension().is_some_and(|extension| extension == "svg") {
            fs::remove_file(path)?;
        }
    }
    files.iter().try_for_each(|(name, content)| {
        let path = folder.join(name);
        fs::write(&path, content).map_err(|error| {
            let what = format!("can't write {}: {error}; the set is incomplete", path.display());
            io::Error::new(error.kind(), what)
        })
    })
}

/// The names and contents of all files of a set.
fn files(figures: &Figures) -> io::Result<Vec<(String, String)>> {
    let charts = charts::charts(figures);
    let raw = serde_json::to_string_pretty(figures)? + "\n";
    let mut files = vec![
        ("README.md".into(), readme::readme(figures, &charts)),
        ("tables.md".into(), tables::tables(figures)),
        (RAW.into(), raw),
    ];
    files.extend(charts.iter().map(|chart| (format!("{}.svg", chart.id), chart.svg())));
    Ok(files)
}

/// What a complete set has and this one doesn't have.
fn missing(suite: &[Estimate], costs: &[LoadCosts]) -> Vec<String> {
    let is_there = |name: &str| suite.iter().any(|estimate| estimate.group == name);
    let groups = groups::GROUPS.iter().filter(|group| !is_there(group.name));
    let groups = groups.map(|group| format!("The suite has no figures of `{}`.", group.name));
    let without = costs.iter().filter(|costs| costs.servers.is_empty());
    let loads = without.map(|costs| format!("No costs were measured with {}.", costs.plan.load()));
    groups.chain(loads).collect()
}

#[cfg(test)]
mod tests;
