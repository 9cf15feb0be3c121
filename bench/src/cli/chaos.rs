//! `chaos`: random crowds of clients at every server.

use std::env;
use std::io;
use std::time::Duration;

use chaos::{ChaosReport, Progress, Scenario};
use clap::Args;
use load_generator::json::judged;
use output::{FormatOptions, print};
use protocol::Protocol;
use serde::Serialize;
use server_kit::{duration, whole_number};

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

    /// Test each server for this long
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration,
          allow_hyphen_values = true)]
    time: Duration,

    /// Derive everything random from this number, to repeat an earlier run [default: a random one]
    #[arg(long, value_name = "NUMBER", value_parser = whole_number(0..=u64::MAX))]
    seed: Option<u64>,

    /// Send only the wave with this number, again and again
    #[arg(long, value_name = "NUMBER", requires = "seed",
          value_parser = whole_number(0..=u64::MAX))]
    wave: Option<u64>,

    /// Have at most this many clients at the same time
    #[arg(short, long, value_name = "COUNT", default_value_t = 2000,
          value_parser = whole_number(1..=u16::MAX))]
    connections: u16,

    /// Speak `lines`, or `one-shot` like the article's programs
    #[arg(long, default_value_t)]
    protocol: Protocol,

    #[command(flatten)]
    format: FormatOptions,
}

impl Options {
    /// Returns whether every server survived.
    pub(super) fn run(self) -> io::Result<bool> {
        let Options { choice, time, seed, wave, connections, protocol, format } = self;
        let (models, left_out) = choice.sort_out(protocol);
        let seed = seed.unwrap_or_else(Scenario::random_seed);
        let connections = connections.into();
        let scenario = Scenario { time, seed, wave, connections, protocol, ..Scenario::default() };
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
        print(table.formatted(format.format(), &format!("seed {seed}"), &sentences, json)?)?;
        Ok(is_good)
    }
}
