//! `check`: the survival matrix.

use std::env;
use std::io;

use checker::Progress;
use clap::Args;
use output::{FormatOptions, print};
use protocol::Protocol;

use super::{Choice, progress_bar};
use crate::matrix::{limits, matrix, surprises};

/// Check which promises each server keeps, as `client check` does, and print the survival matrix
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status: 0 if every server keeps exactly the promises that its way to wait allows, 1 if not.")]
pub(super) struct Options {
    #[command(flatten)]
    choice: Choice,

    /// Speak `lines`, or `one-shot` like the article's programs
    #[arg(long, default_value_t)]
    protocol: Protocol,

    #[command(flatten)]
    format: FormatOptions,
}

impl Options {
    /// Returns whether every server keeps exactly the promises that its model can keep.
    pub(super) fn run(self) -> io::Result<bool> {
        let Options { choice, protocol, format } = self;
        let (models, left_out) = choice.sort_out(protocol);
        let progress = progress_bar("checks, {msg}");
        let matrix =
            matrix(&models, protocol, &env::current_exe()?, &|Progress { done, all, check }| {
                progress.set_length(all as u64);
                progress.set_position(done as u64);
                progress.set_message(check.name);
            });
        progress.finish_and_clear();
        let matrix = matrix?;
        let columns = models.iter().zip(&matrix.columns);
        let unexpected = columns.flat_map(|(&model, column)| surprises(model, column));
        let unexpected: Vec<_> = unexpected.map(|what| format!("Unexpected: {what}")).collect();
        let is_good = unexpected.is_empty();
        let sentences = [limits(&models), left_out, unexpected].concat();
        print(matrix.formatted(format.format(), &sentences)?)?;
        Ok(is_good)
    }
}
