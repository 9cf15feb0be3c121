//! The costs as a table, and which of them say less than they seem to.

use super::Cost;
use crate::table::{or_dash, troubles_at};
use crate::{Interval, Model};
use output::figures::{Quantity, format_calls, grouped, percent};
use output::{Cell, Column, Table};

const COLUMNS: [Column; 7] = [
    Column { title: "server", name: "server", rank: 0 },
    Column { title: "requests/s", name: "requests_per_s", rank: 3 },
    Column { title: "of a core", name: "share_of_a_core", rank: 4 },
    Column { title: "time/request", name: "processor_us_per_request", rank: 0 },
    Column { title: "to poll-server", name: "time_to_poll_server", rank: 1 },
    Column { title: "calls/request", name: "calls_per_request", rank: 2 },
    Column { title: "memory/connection", name: "bytes_per_connection", rank: 5 },
];

/// The costs as a table: medians of all rounds and, in the text for people, the bounds of the true
/// median in brackets (see [`Interval`]).
pub fn table(costs: &[Cost]) -> Table {
    let base = costs.iter().find(|cost| cost.server == Model::POLL.label);
    Table::new(COLUMNS).with(costs.iter().map(|cost| cells(cost, base).into()))
}

fn cells(cost: &Cost, base: Option<&Cost>) -> [Cell; COLUMNS.len()] {
    let figure = |interval: Option<Interval>, text: &dyn Fn(Interval) -> String| {
        or_dash(interval.map(|it| Cell::number(it.median, text(it))))
    };
    let median = |samples: &[f64], text: &dyn Fn(f64) -> String| {
        figure(Interval::of(samples), &|it| text(it.median))
    };
    let at_least = if cost.calls_not_counted.is_some() { "≥ " } else { "" };
    [
        Cell::text(&cost.server),
        median(&cost.requests_per_s, &grouped),
        median(&cost.share_of_a_core, &percent),
        figure(Interval::of(&cost.processor_us), &|it| {
            Quantity::Time.format_with_bounds(it.times(1e3)) // nanoseconds
        }),
        figure(base.and_then(|base| cost.ratio_to(base)), &|it| {
            Quantity::Number.format_with_bounds(it)
        }),
        median(&cost.calls_per_request, &|calls| format!("{at_least}{}", format_calls(calls))),
        median(&cost.memory_per_connection, &|bytes| Quantity::Memory.format(bytes)),
    ]
}

/// A server that used less of a core than this was not fully loaded.
const BUSY: f64 = 0.9;

/// Which figures say less than they seem to, one sentence each; and what went wrong.
pub fn doubts(costs: &[Cost]) -> Vec<String> {
    let troubles = costs.iter().flat_map(|cost| troubles_at(&cost.server, &cost.trouble));
    let idle = costs.iter().filter_map(|cost| {
        let share = Interval::of(&cost.share_of_a_core)?.median;
        (share < BUSY).then(|| {
            format!(
                "{} used only {} of a core: part of the time it waited for the clients or for its \
                 own threads, and waiting costs processor time, too.",
                cost.server,
                percent(share)
            )
        })
    });
    let not_counted = costs.iter().filter_map(|cost| {
        // Where no calls are counted at all, the table has no figure that could mislead.
        let what = cost.calls_not_counted.as_ref().filter(|_| !cost.calls_per_request.is_empty());
        Some(format!("Not counted at {}: {}.", cost.server, what?))
    });
    troubles.chain(idle).chain(not_counted).collect()
}
