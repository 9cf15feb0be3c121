//! `check`: the survival matrix.

use std::env;
use std::io;

use checker::Progress;
use clap::Args;
use output::{Format, FormatOptions, print, width};
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
        let surprises: Vec<_> =
            columns.flat_map(|(&model, column)| surprises(model, column)).collect();
        let text = match format.format() {
            Format::Table => {
                let mut text = matrix.text(width()) + "\n";
                for sentence in limits(&models).iter().chain(&left_out) {
                    text += &format!("\n{sentence}");
                }
                for surprise in &surprises {
                    text += &format!("\nUnexpected: {surprise}");
                }
                text
            }
            Format::Markdown => matrix.table().markdown(),
            Format::Csv => matrix.table().csv()?,
            Format::Json => matrix.json()?,
        };
        print(text.trim_end())?;
        Ok(surprises.is_empty())
    }
}
