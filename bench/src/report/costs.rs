//! What a request costs, under the loads that the report shows.

use std::io;
use std::path::Path;

use indicatif::ProgressBar;
use serde::Serialize;

use crate::cost::{self, Cost, CostPlan};
use crate::{LeftOut, Model};

/// The results of one load.
#[derive(Clone, Debug, Serialize)]
pub struct LoadCosts {
    /// The load.
    #[serde(flatten)]
    pub plan: CostPlan,
    /// The servers.
    pub servers: Vec<Cost>,
    /// The servers that can't be measured under this load.
    pub left_out: Vec<LeftOut>,
}

/// Active and idle connections: a hundred; nearly as many as select(2) can watch (1024
/// descriptors); and many idle ones, for which epoll(7) was made.
const LOADS: [(usize, usize); 3] = [(100, 0), (900, 0), (1_000, 9_000)];

impl LoadCosts {
    /// The command that measures this load.
    pub(super) fn command(&self) -> String {
        let CostPlan { active, idle, rounds, .. } = self.plan;
        format!(
            "cargo run --release -p bench -- cost --all --peers --active {active} --idle {idle} --rounds {rounds}"
        )
    }
}

/// Measures all loads, one after the other.
pub(super) fn measure(
    models: &[Model],
    quick: bool,
    program: &Path,
    progress: &ProgressBar,
) -> io::Result<Vec<LoadCosts>> {
    // The intervals of a full report leave out two samples at each end.
    let rounds = if quick { 2 } else { 12 };
    let of_load = |(active, idle)| {
        let mut plan = CostPlan { models: models.to_vec(), active, idle, rounds };
        let left_out = plan.leave_out_unfit();
        let servers = cost::measure(&plan, program, progress)?;
        Ok(LoadCosts { plan, servers, left_out })
    };
    LOADS.into_iter().map(of_load).collect()
}
