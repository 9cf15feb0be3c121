//! What a request costs: `cost`.

use std::env;
use std::io;

use clap::Args;
use protocol::Protocol;
use serde::Serialize;
use server_kit::whole_number;

use super::{Choice, print, progress_bar};
use crate::Interval;
use crate::cost::{self, Cost, CostPlan};
use crate::figures::so_many_times;

/// As many as can call one server from one address at least, on every system.
const CONNECTIONS: u16 = 16_000;

/// Measure what a request costs each server when it has as much to do as it can
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

    /// How many connections ask, each again as soon as it is answered
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = whole_number(1..=CONNECTIONS))]
    active: u16,

    /// How many connections are there besides and say nothing
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = whole_number(0..=CONNECTIONS))]
    idle: u16,

    /// How many times all servers are started; each then has ten turns
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = whole_number(1..=u16::MAX))]
    rounds: u16,

    /// Print one JSON object instead of the table
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Returns whether every server could be measured.
    pub(super) fn run(self) -> io::Result<bool> {
        let (models, mut left_out) = self.choice.sort_out(Protocol::Lines);
        let [active, idle, rounds] = [self.active, self.idle, self.rounds].map(usize::from);
        let mut plan = CostPlan { models, active, idle, rounds };
        left_out.extend(plan.leave_out_the_unfit().iter().map(ToString::to_string));
        if plan.models.is_empty() {
            return Err(io::Error::other(left_out.join("\nbench: ")));
        }
        let progress = progress_bar("turns, {msg}");
        let costs = cost::measure(&plan, &env::current_exe()?, &progress);
        progress.finish_and_clear();
        let costs = costs?;
        let text = match self.json {
            true => json_object(&plan, &costs)?,
            false => human_text(&plan, &costs, &left_out),
        };
        print(text)?;
        Ok(costs.iter().all(|cost| cost.trouble.is_none()))
    }
}

fn human_text(plan: &CostPlan, costs: &[Cost], left_out: &[String]) -> String {
    let mut text = format!(
        "{}; all servers were started {}, and asked in turns.\nMedians, and in brackets {}.\n\n{}\n",
        plan.load(),
        so_many_times(plan.rounds),
        Interval::bounds_of(plan.rounds),
        cost::table(costs)
    );
    for sentence in cost::doubts(costs).iter().chain(left_out) {
        text += &format!("\n{sentence}");
    }
    text.trim_end().to_owned()
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
