//! Random crowds at every server: `chaos`.

use std::env;
use std::io;
use std::time::Duration;

use chaos::{Outcome, Plan, Progress};
use clap::Args;
use protocol::Protocol;
use serde::Serialize;
use server_kit::{duration, whole_number};

use super::{Choice, print, progress_bar, refuse};
use crate::chaos::{chaos, spared, text};

/// Let random crowds loose on each server, stop it, take descriptors from it, and tell whether it
/// stands that, as `client chaos` does
#[derive(Args, Debug)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  cargo run --release -p bench -- chaos --all
  cargo run --release -p bench -- chaos --server poll-server --time 10m
  cargo run --release -p bench -- chaos --server 'thread-server --pool 4' --seed 4711 --wave 17

Exit status: 0 if each server has stood it, 1 if not, 2 if the command line is wrong."
)]
pub(super) struct Options {
    #[command(flatten)]
    choice: Choice,

    /// For how long, at each server
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration,
          allow_hyphen_values = true)]
    time: Duration,

    /// Draw everything from this number, as a run before has done [default: a random one]
    #[arg(long, value_name = "NUMBER", value_parser = whole_number(0..=u64::MAX))]
    seed: Option<u64>,

    /// Only the wave of this number, again and again
    #[arg(long, value_name = "NUMBER", requires = "seed",
          value_parser = whole_number(0..=u64::MAX))]
    wave: Option<u64>,

    /// How many clients there are at most at the same time
    #[arg(short, long, value_name = "COUNT", default_value_t = 2000,
          value_parser = whole_number(1..=u16::MAX))]
    connections: u16,

    /// `lines`, or `one-shot` as the article's programs speak it
    #[arg(long, default_value_t)]
    protocol: Protocol,

    /// Print one JSON object instead of the table
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Returns whether every server has stood it.
    pub(super) fn run(self) -> io::Result<bool> {
        let Options { choice, time, seed, wave, connections, protocol, json } = self;
        let (models, left_out) = choice.sort_out(protocol);
        let seed = seed.unwrap_or_else(Plan::random_seed);
        let connections = connections.into();
        let plan = Plan { time, seed, wave, connections, protocol, ..Plan::default() };
        plan.check().unwrap_or_else(|why| refuse(why));
        let bar = progress_bar("servers, {msg}");
        bar.set_length(models.len() as u64);
        let mut outcomes = Vec::new();
        for &model in &models {
            let outcome =
                chaos(model, &plan, &env::current_exe()?, &|Progress { doing, .. }| {
                    bar.set_message(format!("{}: {doing}", model.label));
                });
            outcomes.push(outcome?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let is_good = outcomes.iter().all(Outcome::is_good);
        let mut told = String::new();
        if json {
            #[derive(Serialize)]
            struct Object<T> {
                good: bool,
                servers: T,
            }
            told += &serde_json::to_string(&Object { good: is_good, servers: &outcomes })?;
        } else {
            told += &format!("seed {seed}\n{}", text(&outcomes));
            for sentence in spared(&models).iter().chain(&left_out) {
                told += &format!("\n{sentence}");
            }
        }
        print(told)?;
        Ok(is_good)
    }
}
