//! `chaos`: random crowds of clients at every server.

use std::env;
use std::io;

use chaos::{ChaosReport, Progress, Scenario};
use clap::Args;
use load_generator::json::judged;
use output::{FormatOptions, print};
use serde::Serialize;

use super::{Choice, progress_bar, refuse};
use crate::chaos::{chaos, spared, table, troubles};

/// Send random crowds of clients to each server, stop it, take descriptors away from it, and report
/// whether it survives, as `client chaos` does
#[derive(Args, Debug)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  cargo run --release -p bench -- chaos --all
  cargo run --release -p bench -- chaos --server poll-server --time 10m
  cargo run --release -p bench -- chaos --server 'thread-server --pool 4' --seed 4711 --wave 17

Exit status: 0 if every server survived, 1 if not, 2 if the command line is wrong."
)]
pub(super) struct Options {
    #[command(flatten)]
    choice: Choice,

    #[command(flatten)]
    scenario: Scenario,

    #[command(flatten)]
    format: FormatOptions,
}

impl Options {
    /// Returns whether every server survived.
    pub(super) fn run(self) -> io::Result<bool> {
        let Options { choice, scenario, format } = self;
        let (models, left_out) = choice.sort_out(scenario.protocol);
        scenario.check().unwrap_or_else(|why| refuse(why));
        let bar = progress_bar("servers, {msg}");
        bar.set_length(models.len() as u64);
        let mut reports = Vec::new();
        for &model in &models {
            let report =
                chaos(model, &scenario, &env::current_exe()?, &|Progress { doing, .. }| {
                    bar.set_message(format!("{}: {doing}", model.label));
                });
            reports.push(report?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let is_good = reports.iter().all(ChaosReport::is_good);
        let sentences = [troubles(&reports), spared(&models), left_out].concat();
        let json = || {
            #[derive(Serialize)]
            struct Servers<T> {
                servers: T,
            }
            judged(is_good, &Servers { servers: &reports })
        };
        let table = table(&reports);
        print(table.formatted(
            format.format(),
            &format!("seed {}", scenario.seed),
            &sentences,
            json,
        )?)?;
        Ok(is_good)
    }
}
