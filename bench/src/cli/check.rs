//! The survival matrix: `check`.

use std::env;
use std::io;

use checker::Progress;
use clap::Args;
use protocol::Protocol;

use super::{Choice, print, progress_bar};
use crate::matrix::{limits, matrix, surprises};

/// Check which promises each server keeps, as `client check` does: the survival matrix
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status: 0 if each server keeps all that its way to wait allows, and nothing else; 1 if not.")]
pub(super) struct Options {
    #[command(flatten)]
    choice: Choice,

    /// `lines`, or `one-shot` as the article's programs speak it
    #[arg(long, default_value_t)]
    protocol: Protocol,

    /// Print one JSON object instead of the table
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Returns whether every server is as its model must be.
    pub(super) fn run(self) -> io::Result<bool> {
        let Options { choice, protocol, json } = self;
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
        let mut text = if json { matrix.json()? } else { matrix.text() };
        let columns = models.iter().zip(&matrix.columns);
        let surprises: Vec<_> =
            columns.flat_map(|(&model, column)| surprises(model, column)).collect();
        if !json {
            text += "\n";
            for sentence in limits(&models).iter().chain(&left_out) {
                text += &format!("\n{sentence}");
            }
            for surprise in &surprises {
                text += &format!("\nNot as it must be: {surprise}");
            }
        }
        print(text.trim_end())?;
        Ok(surprises.is_empty())
    }
}
