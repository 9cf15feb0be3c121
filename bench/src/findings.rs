//! What is to be seen in the rows: a table, and a few sentences computed from it.

use std::time::Duration;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, LineStyle, Table};

use crate::{Plan, Row};

/// What stands above the columns of the table.
pub const COLUMNS: [&str; 9] = [
    "server",
    "answered",
    "took",
    "probes",
    "p50",
    "p99",
    "max",
    "processor time",
    "calls/request",
];

/// What stands in the columns for one row.
pub fn cells(row: &Row) -> [String; COLUMNS.len()] {
    let usage = row.usage.as_ref();
    let unknown = if usage.is_some() { "unknown" } else { "died" };
    let processor_seconds = row.process().map(|process| process.processor_seconds);
    let calls = usage.and_then(|usage| usage.calls_per_request());
    [
        row.server.to_owned(),
        if row.answered == row.asked {
            row.answered.to_string()
        } else {
            format!("{} of {}", row.answered, row.asked)
        },
        told(row.took),
        row.probe.count().to_string(),
        told(row.probe.quantile(0.5)),
        told(row.probe.quantile(0.99)),
        told(row.probe.max()),
        processor_seconds.map_or(unknown.into(), |s| told(Duration::from_secs_f64(s))),
        calls.map_or(unknown.into(), |calls| format!("{calls:.2}")),
    ]
}

/// The rows as a table for people, with a line below for whatever went wrong.
pub fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    let style = UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());
    table.load_style(style).set_header(COLUMNS);
    for row in rows {
        table.add_row(cells(row));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = table.to_string();
    for trouble in troubles(rows) {
        text += &format!("\n{trouble}");
    }
    text
}

/// What went wrong, and at which server.
pub fn troubles(rows: &[Row]) -> Vec<String> {
    let of_row = |row: &Row| {
        let told = row.trouble.iter().map(|trouble| format!("{}: {trouble}", row.server));
        told.collect::<Vec<_>>()
    };
    rows.iter().flat_map(of_row).collect()
}

/// What is to be seen in these very numbers: a sentence that they don't bear out is not in
/// it, nor is a server that did not answer everybody, or was too quick for a single probe.
pub fn findings(plan: &Plan, rows: &[Row]) -> Vec<String> {
    let rows = rows.iter().filter(|row| row.is_good() && row.probe.count() > 0);
    let rows: Vec<&Row> = rows.collect();
    let sentences = [waiting(plan, &rows), idleness(&rows), cost(&rows), doubt(&rows)];
    sentences.into_iter().flatten().collect()
}

/// Differences below this factor are not worth a sentence.
const NOTABLE: f64 = 2.0;

/// The servers at which a well-behaved client waits longest and shortest, by their medians.
struct Extremes<'a> {
    slowest: &'a Row,
    quickest: &'a Row,
    /// How many times as long.
    times: f64,
}

impl<'a> Extremes<'a> {
    fn of(rows: &[&'a Row]) -> Option<Self> {
        let slowest = rows.iter().max_by_key(|row| median(row))?;
        let quickest = rows.iter().min_by_key(|row| median(row))?;
        let times = median(slowest).as_secs_f64() / median(quickest).as_secs_f64();
        Some(Extremes { slowest, quickest, times })
    }
}

fn median(row: &Row) -> Duration {
    row.probe.quantile(0.5)
}

/// Who kept the probe waiting.
fn waiting(plan: &Plan, rows: &[&Row]) -> Option<String> {
    let Plan { connections, slow, .. } = *plan;
    let Extremes { slowest, quickest, times } = Extremes::of(rows)?;
    let scene = match slow {
        0 => format!("Beside {connections} prompt clients"),
        _ => format!("While {slow} of {connections} clients dribbled"),
    };
    let (longest, shortest) = (told(median(slowest)), told(median(quickest)));
    Some(if times >= NOTABLE {
        format!(
            "{scene}, a well-behaved client waited {longest} for its answer at {} (the median), but \
             {shortest} at {}: {} times as long.",
            slowest.server,
            quickest.server,
            grouped(times),
        )
    } else if rows.len() > 1 {
        format!(
            "{scene}, a well-behaved client was answered about as soon by each server, in \
             {shortest} to {longest} (the medians)."
        )
    } else {
        format!("{scene}, a well-behaved client was answered in {longest} (the median).")
    })
}

/// Whether the server that kept it waiting longest had anything to do.
fn idleness(rows: &[&Row]) -> Option<String> {
    let Extremes { slowest, times, .. } = Extremes::of(rows)?;
    let share = slowest.share_of_a_core()?;
    let one_by_one = slowest.serves_at_once == 1;
    (times >= NOTABLE && one_by_one && share < 0.25).then(|| {
        format!(
            "{} was not busy meanwhile: it used {:.1}% of a core, and slept the rest of the time in \
             calls that wait for one client only.",
            slowest.server,
            100.0 * share
        )
    })
}

/// What a request cost, and why the dearest is so dear.
fn cost(rows: &[&Row]) -> Option<String> {
    let mut costs: Vec<Cost> = rows.iter().filter_map(|row| Cost::of(row)).collect();
    costs.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    let (least, most) = (costs.first()?, costs.last()?);
    let each = costs.iter().map(|cost| {
        let time = told(Duration::from_secs_f64(cost.seconds));
        format!("{time} and {:.1} calls at {}", cost.calls, cost.server)
    });
    let mut sentence = format!(
        "A request took this much processor time and so many system calls: {}.",
        each.collect::<Vec<_>>().join(", ")
    );
    let (dearer, sleepier) = (most.seconds / least.seconds, most.sleeps / least.sleeps);
    if dearer >= NOTABLE && sleepier >= NOTABLE {
        sentence += &format!(
            " To fall asleep and be woken is dear: {} slept {:.2} times for each request, {} {:.2} \
             times.",
            most.server, most.sleeps, least.server, least.sleeps
        );
    }
    Some(sentence)
}

/// What a server spent on each request, the probe's requests included.
struct Cost {
    server: &'static str,
    seconds: f64,
    calls: f64,
    sleeps: f64,
}

impl Cost {
    fn of(row: &Row) -> Option<Self> {
        let usage = row.usage.as_ref().filter(|usage| usage.requests > 0)?;
        let process = usage.process?;
        let requests = usage.requests as f64;
        Some(Cost {
            server: row.server,
            seconds: process.processor_seconds / requests,
            calls: usage.calls_per_request()?,
            sleeps: process.sleeps as f64 / requests,
        })
    }
}

/// Where the numbers bear less than they seem to.
fn doubt(rows: &[&Row]) -> Option<String> {
    let few = rows.iter().filter(|row| row.probe.count() < 100);
    let names: Vec<_> = few.map(|row| row.server).collect();
    (!names.is_empty()).then(|| {
        format!(
            "The p99 of {} is the longest of fewer than 100 visits: more `--rounds` make more of them.",
            names.join(" and ")
        )
    })
}

/// A time with about three digits, as people read it.
pub(crate) fn told(time: Duration) -> String {
    let digits = match time.as_nanos().checked_ilog10() {
        None => return "0s".into(),
        Some(power) => 2 - (power % 3) as usize,
    };
    format!("{time:.digits$?}")
}

/// A ratio with two digits that count, in groups of three: 23,000.
fn grouped(number: f64) -> String {
    let unit = 10_f64.powf(number.log10().floor() - 1.0).max(1.0);
    let digits = ((number / unit).round() * unit).round().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Model, ProcessUsage, Usage};

    fn plan() -> Plan {
        Plan { models: Model::ALL.to_vec(), connections: 100, slow: 10, requests: 200, rounds: 3 }
    }

    /// A row of a server that kept each of 200 probes waiting so long, and used so much of a
    /// core in ten seconds.
    fn row(server: &'static str, waited: Duration, share: f64) -> Row {
        let mut probe = client::report::Latencies::default();
        (0..200).for_each(|_| probe.record(waited));
        let process = ProcessUsage { processor_seconds: 10.0 * share, sleeps: 500 };
        let usage = Usage { requests: 1000, process: Some(process), ..Usage::default() };
        Row {
            server,
            serves_at_once: if server == "one" { 1 } else { usize::MAX },
            asked: 800,
            answered: 800,
            took: Duration::from_secs(10),
            probe,
            usage: Some(usage),
            trouble: Vec::new(),
            timeline: client::timeline::Timeline::default(),
        }
    }

    const QUICK: Duration = Duration::from_micros(200);
    const SLOW: Duration = Duration::from_secs(2);

    #[test]
    fn who_kept_the_probe_waiting_is_told_with_the_ratio() {
        let rows = [row("one", SLOW, 0.05), row("other", QUICK, 0.05)];
        let said = findings(&plan(), &rows).join("\n");
        assert!(said.contains("2.00s for its answer at one"), "{said}");
        assert!(said.contains("10,000 times as long"), "{said}");
        assert!(said.contains("one was not busy meanwhile: it used 5.0% of a core"), "{said}");
    }

    #[test]
    fn nothing_is_said_that_the_numbers_do_not_bear_out() {
        let alike = [row("one", QUICK, 0.05), row("other", QUICK, 0.05)];
        let said = findings(&plan(), &alike).join("\n");
        assert!(said.contains("about as soon by each server"), "{said}");
        assert!(!said.contains("not busy") && !said.contains("dear"), "{said}");

        let busy = [row("one", SLOW, 0.9), row("other", QUICK, 0.9)];
        let said = findings(&plan(), &busy).join("\n");
        assert!(!said.contains("not busy"), "{said}");
    }

    #[test]
    fn a_server_that_did_not_answer_everybody_is_told_below_the_table_and_compared_with_nobody() {
        let mut broken = row("one", SLOW, 0.05);
        broken.answered = 7;
        broken.trouble.push("the server died".into());
        let rows = [broken, row("other", QUICK, 0.05)];
        let said = findings(&plan(), &rows).join("\n");
        assert!(!said.contains("one"), "{said}");
        let table = table(&rows);
        assert!(table.contains("7 of 800") && table.ends_with("\none: the server died"), "{table}");
    }

    #[test]
    fn times_have_three_digits_and_ratios_two() {
        let nanoseconds = [0, 7, 1_234, 56_789, 999_999, 1_234_567_890];
        let times = nanoseconds.map(|time| told(Duration::from_nanos(time)));
        assert_eq!(times, ["0s", "7.00ns", "1.23µs", "56.8µs", "1000µs", "1.23s"]);
        assert_eq!([2.04, 87.6, 12_345.0].map(grouped), ["2", "88", "12,000"]);
    }
}
