//! The costs as a table, and where they bear less than they seem to.

use super::Cost;
use crate::figures::{Quantity, calls_told, grouped, percent};
use crate::{Interval, Model};

/// What stands above the columns of the table.
const COLUMNS: [&str; 7] = [
    "server",
    "requests/s",
    "of a core",
    "time/request",
    "to poll-server",
    "calls/request",
    "memory/connection",
];

/// The costs as a table for people; medians of all rounds, in brackets the bounds between which
/// the true ones lie, see [`Interval`].
pub fn table(costs: &[Cost]) -> String {
    let base = costs.iter().find(|cost| cost.server == Model::POLL.label);
    let rows = costs.iter().map(|cost| cells(cost, base));
    let mut text = crate::table::aligned(COLUMNS, rows);
    for cost in costs {
        if let Some(trouble) = &cost.trouble {
            text += &format!("\n{}: {trouble}", cost.server);
        }
    }
    text
}

fn cells(cost: &Cost, base: Option<&Cost>) -> [String; COLUMNS.len()] {
    let median = |samples: &[f64], told: &dyn Fn(f64) -> String| {
        Interval::of(samples).map(|interval| told(interval.median))
    };
    let at_least = if cost.calls_not_counted.is_some() { "≥ " } else { "" };
    let ratio = base.and_then(|base| cost.ratio_to(base));
    let time = Interval::of(&cost.processor_us).map(|time| time.times(1e3)); // nanoseconds
    let cells = [
        Some(cost.server.clone()),
        median(&cost.requests_per_s, &grouped),
        median(&cost.share_of_a_core, &percent),
        time.map(|time| Quantity::Time.told_with_bounds(time)),
        ratio.map(|ratio| Quantity::Number.told_with_bounds(ratio)),
        median(&cost.calls_per_request, &|calls| format!("{at_least}{}", calls_told(calls))),
        median(&cost.memory_per_connection, &|bytes| Quantity::Memory.told(bytes)),
    ];
    cells.map(|cell| cell.unwrap_or_else(|| UNKNOWN.into()))
}

/// Stands for a figure that is not known.
const UNKNOWN: &str = "–";

/// A server that used less of a core than this was not kept busy.
const BUSY: f64 = 0.9;

/// Where the figures bear less than they seem to, a sentence each.
pub fn doubts(costs: &[Cost]) -> Vec<String> {
    let idle = costs.iter().filter_map(|cost| {
        let share = Interval::of(&cost.share_of_a_core)?.median;
        (share < BUSY).then(|| {
            format!(
                "{} used {} of a core only: it waited for the clients or for its own threads, and \
                 to wait costs, too.",
                cost.server,
                percent(share)
            )
        })
    });
    // Where none are counted, nothing is to be mistaken.
    let counting = costs.iter().filter(|cost| !cost.calls_per_request.is_empty());
    let not_counted = counting.filter_map(|cost| {
        let what = cost.calls_not_counted.as_ref()?;
        Some(format!("Not counted at {}: {what}.", cost.server))
    });
    idle.chain(not_counted).collect()
}
