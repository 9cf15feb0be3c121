//! `cost`: what a request costs.

use std::env;
use std::io;

use clap::Args;
use output::figures::so_many_times;
use output::{FormatOptions, print};
use protocol::Protocol;
use serde::Serialize;

use super::{Choice, expect_any, progress_bar};
use crate::cost::{self, Cost, CostPlan};
use crate::{Interval, LeftOut};

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

    #[command(flatten)]
    plan: CostPlan,

    #[command(flatten)]
    format: FormatOptions,
}

impl Options {
    /// Returns whether every server could be measured.
    pub(super) fn run(self) -> io::Result<bool> {
        let (models, mut left_out) = self.choice.sort_out(Protocol::Lines);
        let mut plan = CostPlan { models, ..self.plan };
        left_out.extend(plan.leave_out_unfit().iter().map(LeftOut::to_string));
        expect_any(&plan.models, &left_out)?;
        let costs = cost::measure(&plan, &env::current_exe()?, &progress_bar("turns, {msg}"))?;
        let sentences = [cost::doubts(&costs), left_out].concat();
        #[derive(Serialize)]
        struct Object<'a> {
            #[serde(flatten)]
            plan: &'a CostPlan,
            servers: &'a [Cost],
        }
        let json = || Ok(serde_json::to_string(&Object { plan: &plan, servers: &costs })?);
        let table = cost::table(&costs);
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
