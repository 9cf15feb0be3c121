//! Chaos tests for every server: random crowds of clients, stops and missing descriptors (crate
//! `chaos`), as far as the server's model can survive them.

use std::io;
use std::path::Path;

use chaos::{ChaosReport, Progress, Sample, Scenario, run};
use output::figures::{Quantity, out_of};
use output::{Cell, Column, Table};

use crate::Model;
use crate::matrix::target;

/// The default backlog of our servers.
const BACKLOG: usize = 1024;

/// Runs the chaos test on a server of this model, in a process of its own, without what a server of
/// its kind can't survive, however well it is written. `program` is the binary of this package.
///
/// # Errors
///
/// If the path of the program isn't Unicode.
pub fn chaos(
    model: Model,
    scenario: &Scenario,
    program: &Path,
    progress: &dyn Fn(Progress),
) -> io::Result<ChaosReport> {
    let scenario = Scenario {
        backlog: if model.is_peer { scenario.backlog } else { BACKLOG },
        at_once: (model.serves_at_once < usize::MAX).then_some(model.serves_at_once),
        pressure: scenario.pressure && model.needs_descriptors.is_none(),
        ctrl_c: scenario.ctrl_c && model.can_keep("ctrl-c"),
        ..scenario.clone()
    };
    Ok(run(&target(model, scenario.protocol, program)?, &scenario, progress))
}

const COLUMNS: [Column; 9] = [
    Column { title: "server", name: "server", rank: 0 },
    Column { title: "waves", name: "waves", rank: 4 },
    Column { title: "clients", name: "clients", rank: 3 },
    Column { title: "answered", name: "answered", rank: 0 },
    Column { title: "stops", name: "stops", rank: 5 },
    Column { title: "squeezes", name: "squeezes", rank: 5 },
    Column { title: "memory", name: "memory_bytes", rank: 1 },
    Column { title: "descriptors", name: "descriptors", rank: 2 },
    Column { title: "ended after", name: "ended_after_s", rank: 6 },
];

/// A row for each server.
pub fn table(reports: &[ChaosReport]) -> Table {
    Table::new(COLUMNS).with(reports.iter().map(|report| cells(report).into()))
}

/// What went wrong or was not tried, one sentence each, and the command that repeats it.
pub fn troubles(reports: &[ChaosReport]) -> Vec<String> {
    let of_one = |report: &ChaosReport| {
        let ChaosReport { server, faults, not_tried, .. } = report;
        let faults = faults.iter().map(|fault| format!("{server}: {fault}"));
        let not_tried = not_tried.iter().map(|what| format!("{server}: not tried: {what}"));
        let again = report.again().map(|again| {
            format!(
                "To repeat it: cargo run --release -p bench -- chaos {again} --server '{server}'"
            )
        });
        faults.chain(not_tried).chain(again).collect::<Vec<_>>()
    };
    reports.iter().flat_map(of_one).collect()
}

/// What these servers are spared and why, one sentence each.
pub fn spared(models: &[Model]) -> Vec<String> {
    let of_model = |model: &Model| {
        let label = model.label;
        let reason = |check| model.limit(check).map_or("", |limit| limit.reason);
        let serves_few = model.serves_at_once < usize::MAX;
        let reasons = [
            (
                "gets no silent or non-reading clients, and few at once",
                serves_few.then(|| reason("silent-neighbour")),
            ),
            ("keeps all its descriptors", model.needs_descriptors),
            ("is not stopped with Ctrl-C", model.limit("ctrl-c").map(|limit| limit.reason)),
        ];
        let sentence = |(what, reason)| Some(format!("{label} {what}: {}.", reason?));
        reasons.into_iter().filter_map(sentence).collect::<Vec<_>>()
    };
    models.iter().flat_map(of_model).collect()
}

fn cells(report: &ChaosReport) -> [Cell; COLUMNS.len()] {
    let count = |count: u64| Cell::number(count as f64, count.to_string());
    let rests = report.samples.first().zip(report.samples.last());
    // The text has the values after the first wave and after the last, CSV and JSON the last.
    let rest = |figure: fn(&Sample) -> u64, format: fn(u64) -> String| match rests {
        Some((first, last)) => {
            let [first, last] = [figure(first), figure(last)];
            Cell::number(last as f64, format!("{} → {}", format(first), format(last)))
        }
        None => Cell::unknown("unknown"),
    };
    [
        Cell::text(&report.server),
        count(report.waves),
        count(report.clients),
        Cell::number(report.answered as f64, out_of(report.answered, report.requests)),
        count(report.stops),
        count(report.squeezes),
        rest(|sample| sample.memory, |bytes| Quantity::Memory.format(bytes as f64)),
        rest(|sample| sample.descriptors, |count| count.to_string()),
        match report.ended_after {
            Some(after) => Cell::number(after.as_secs_f64(), format!("{} ms", after.as_millis())),
            None => Cell::unknown("-"),
        },
    ]
}
