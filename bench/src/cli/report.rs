//! Everything, as a set of charts and tables: `report`.

use std::env;
use std::io;
use std::path::PathBuf;

use clap::Args;
use protocol::Protocol;

use super::{Choice, complain, from_here, print, progress_bar};
use crate::report::{Plan, Report, report};

/// Measure everything and write it down: charts, tables, raw figures, and where they are from
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo run --release -p bench -- report
  cargo run --release -p bench -- report --quick --into /tmp/figures
  cargo run --release -p bench -- report --from target/criterion

It takes some twenty minutes. Let nothing else run meanwhile.

Exit status: 0 if the set is whole, 1 if something is missing or went wrong.")]
pub(super) struct Options {
    /// Where to write it [default: docs/book/figures/DATE, with today's date]
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,

    /// Take the figures of the suite from here, where criterion has left them, instead of
    /// running it
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,

    /// Few samples, for a first look; the set says so, and does not replace one of today
    #[arg(long, requires = "into")]
    quick: bool,
}

impl Options {
    /// Returns whether the set is whole.
    pub(super) fn run(self) -> io::Result<bool> {
        let Options { into, from, quick } = self;
        let everybody = Choice { servers: Vec::new(), all: true, peers: true };
        let (models, left_out) = everybody.sort_out(Protocol::Lines);
        let plan = Plan { into, from, quick, models };
        let bar = || progress_bar("measured, {msg}");
        let Report { folder, missing } = report(&plan, &env::current_exe()?, bar)?;
        for sentence in left_out.iter().chain(&missing) {
            complain(sentence);
        }
        print(format_args!("The figures: {}", from_here(folder.join("README.md")).display()))?;
        Ok(missing.is_empty())
    }
}
