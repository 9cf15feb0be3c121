//! The comparison as a table.

use std::borrow::Borrow;

use output::figures::{format_time, multiple, out_of, percent};
use output::{Cell, Column, Table};

use crate::{ServerResult, Usage, Wait};

const COLUMNS: [Column; 12] = [
    Column { title: "server", name: "server", rank: 0 },
    Column { title: "slow", name: "slow_clients", rank: 0 },
    Column { title: "answered", name: "answered", rank: 5 },
    Column { title: "took", name: "took_s", rank: 6 },
    Column { title: "visits", name: "visits", rank: 7 },
    Column { title: "first visit", name: "first_visit_us", rank: 0 },
    Column { title: "spread", name: "longest_median_us", rank: 3 },
    Column { title: "longest", name: "longest_us", rank: 4 },
    Column { title: "of a core", name: "share_of_a_core", rank: 5 },
    Column { title: "time/request", name: "processor_us_per_request", rank: 1 },
    Column { title: "calls/request", name: "calls_per_request", rank: 2 },
    Column { title: "to poll-server", name: "time_to_poll_server", rank: 1 },
];

/// A row for each server. The last column appears if there are peers to compare with.
pub fn table(results: &[impl Borrow<ServerResult>]) -> Table {
    let results = results.iter().map(Borrow::borrow);
    let has_ratios = results.clone().any(|result| result.to_poll_server.is_some());
    let count = COLUMNS.len() - usize::from(!has_ratios);
    let cells = |result| cells(result).into_iter().take(count).collect();
    Table::new(&COLUMNS[..count]).with(results.map(cells))
}

fn cells(result: &ServerResult) -> [Cell; COLUMNS.len()] {
    let unknown = || Cell::unknown(if result.usage.is_some() { "unknown" } else { "died" });
    let known = |figure: Option<f64>, text: &dyn Fn(f64) -> String| {
        figure.map_or_else(unknown, |it| Cell::number(it, text(it)))
    };
    let wait = |wait: Option<Wait>, text: &dyn Fn(Wait) -> String| match wait {
        Some(it) => Cell::number(1e6 * it.time.as_secs_f64(), text(it)),
        None => Cell::unknown("–"),
    };
    let visits = &result.visits;
    let shortest = visits.spread().map(|(shortest, _)| shortest);
    let usage = result.usage.as_ref();
    let time = usage.and_then(Usage::processor_time_per_request);
    [
        Cell::text(result.server),
        Cell::number(result.slow as f64, format!("{} of {}", result.slow, result.connections)),
        Cell::number(result.answered as f64, out_of(result.answered, result.requests)),
        Cell::number(result.took.as_secs_f64(), format_time(result.took)),
        Cell::number(visits.count() as f64, visits.count().to_string()),
        wait(visits.median(), &|it| it.to_string()),
        wait(visits.spread().map(|(_, longest)| longest), &|longest| {
            format!("{}..{longest}", shortest.map(|it| it.to_string()).unwrap_or_default())
        }),
        wait(visits.longest(), &|it| it.to_string()),
        known(result.share_of_a_core(), &percent),
        time.map_or_else(unknown, |it| Cell::number(1e6 * it.as_secs_f64(), format_time(it))),
        known(usage.and_then(Usage::calls_per_request), &|_| {
            usage.and_then(Usage::format_calls_per_request).unwrap_or_default()
        }),
        known(result.to_poll_server, &multiple),
    ]
}

/// What went wrong, and at which server.
pub fn troubles(results: &[impl Borrow<ServerResult>]) -> Vec<String> {
    let results = results.iter().map(Borrow::borrow);
    results.flat_map(|result| troubles_at(result.server, &result.trouble)).collect()
}

/// What went wrong at a server.
pub(crate) fn troubles_at<'a>(
    server: &'a str,
    troubles: impl IntoIterator<Item = &'a String>,
) -> impl Iterator<Item = String> {
    troubles.into_iter().map(move |trouble| format!("{server}: {trouble}"))
}

/// A dash for a figure that isn't known.
pub(crate) fn or_dash(cell: Option<Cell>) -> Cell {
    cell.unwrap_or_else(|| Cell::unknown("–"))
}
