//! `report`: all measurements, as a set of charts and tables.

use std::env;
use std::io;
use std::path::PathBuf;

use clap::Args;
use protocol::Protocol;

use output::print;

use super::{Choice, from_here, print_error, progress_bar};
use crate::report::{ReportPlan, report};

/// Measure everything, and write charts, tables and the raw figures into a folder
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo run --release -p bench -- report
  cargo run --release -p bench -- report --quick --into /tmp/figures
  cargo run --release -p bench -- report --from target/criterion

This takes about twenty minutes. Let nothing else run meanwhile.

Exit status: 0 if the set is complete, 1 if something is missing or went wrong.")]
pub(super) struct Options {
    /// Write the set into this folder [default: docs/book/figures/DATE, with today's date]
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,

    /// Read the suite's figures from this folder, where criterion left them, instead of running
    /// the suite
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,

    /// Take few samples, for a first look; the set says so, and `--into` has to say where it goes
    #[arg(long, requires = "into")]
    quick: bool,
}

impl Options {
    /// Returns whether the set is complete.
    pub(super) fn run(self) -> io::Result<bool> {
        let Options { into, from, quick } = self;
        let everything = Choice { servers: Vec::new(), all: true, peers: true };
        let (models, left_out) = everything.sort_out(Protocol::Lines);
        let plan = ReportPlan { into, from, quick, models };
        let bar = || progress_bar("measured, {msg}");
        let (folder, missing) = report(&plan, &env::current_exe()?, bar)?;
        for sentence in left_out.iter().chain(&missing) {
            print_error(sentence);
        }
        print(format_args!("Figures: {}", from_here(folder.join("README.md")).display()))?;
        Ok(missing.is_empty())
    }
}
