//! `cost`: what a request costs.

use std::env;
use std::io;

use clap::Args;
use output::figures::so_many_times;
use output::{FormatOptions, print};
use protocol::Protocol;
use serde::Serialize;
use server_kit::whole_number;

use super::{Choice, progress_bar};
use crate::Interval;
use crate::cost::{self, Cost, CostPlan};

/// One address has at least this many ports to connect from, on every system.
const CONNECTIONS: u16 = 16_000;

/// Measure what a request costs each server under full load
#[derive(Args, Debug)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  cargo run --release -p bench -- cost --all --peers
  cargo run --release -p bench -- cost --active 1000 --idle 9000
  cargo run --release -p bench -- cost --server select-server --server c-select --active 900

Exit status: 0 if every server could be measured, 1 if not."
)]
pub(super) struct Options {
    #[command(flatten)]
    choice: Choice,

    /// Keep this many connections busy: each sends a request as soon as it has the last reply
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = whole_number(1..=CONNECTIONS))]
    active: u16,

    /// Hold this many more connections that send nothing
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = whole_number(0..=CONNECTIONS))]
    idle: u16,

    /// Start all servers this many times; each has ten turns per start
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = whole_number(1..=u16::MAX))]
    rounds: u16,

    #[command(flatten)]
    format: FormatOptions,
}

impl Options {
    /// Returns whether every server could be measured.
    pub(super) fn run(self) -> io::Result<bool> {
        let (models, mut left_out) = self.choice.sort_out(Protocol::Lines);
        let [active, idle, rounds] = [self.active, self.idle, self.rounds].map(usize::from);
        let mut plan = CostPlan { models, active, idle, rounds };
        left_out.extend(plan.leave_out_unfit().iter().map(ToString::to_string));
        if plan.models.is_empty() {
            return Err(io::Error::other(left_out.join("\nbench: ")));
        }
        let progress = progress_bar("turns, {msg}");
        let costs = cost::measure(&plan, &env::current_exe()?, &progress);
        progress.finish_and_clear();
        let costs = costs?;
        let sentences = [cost::doubts(&costs), left_out].concat();
        let table = cost::table(&costs);
        let json = || json_object(&plan, &costs);
        print(table.formatted(self.format.format(), &head(&plan), &sentences, json)?)?;
        Ok(costs.iter().all(|cost| cost.trouble.is_none()))
    }
}

fn head(plan: &CostPlan) -> String {
    format!(
        "{}; all servers were started {} and measured in turns.\nMedians, and in brackets {}.",
        plan.load(),
        so_many_times(plan.rounds),
        Interval::bounds_of(plan.rounds),
    )
}

fn json_object(plan: &CostPlan, costs: &[Cost]) -> io::Result<String> {
    #[derive(Serialize)]
    struct Object<'a> {
        #[serde(flatten)]
        plan: &'a CostPlan,
        servers: &'a [Cost],
    }
    Ok(serde_json::to_string(&Object { plan, servers: costs })?)
}
