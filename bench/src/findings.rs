//! What is to be seen in the rows: a table, and a few sentences computed from it.

use std::time::Duration;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, LineStyle, Table};

use crate::{Plan, Row};

/// The rows as a table for people, with a line below for whatever went wrong.
pub fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    let style = UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());
    table.load_style(style).set_header([
        "server",
        "answered",
        "took",
        "probes",
        "p50",
        "p99",
        "max",
        "processor time",
        "calls/request",
    ]);
    for row in rows {
        let usage = row.usage.as_ref();
        let processor_seconds = row.process().map(|process| process.processor_seconds);
        let calls = usage.and_then(|usage| usage.calls_per_request());
        table.add_row([
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
            processor_seconds.map_or("unknown".into(), |s| told(Duration::from_secs_f64(s))),
            calls.map_or("unknown".into(), |calls| format!("{calls:.2}")),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = table.to_string();
    for row in rows {
        for trouble in &row.trouble {
            text += &format!("\n{}: {trouble}", row.server);
        }
    }
    text
}

/// What is to be seen in these very numbers: a sentence that they don't bear out is not in
/// it, nor is a server that did not answer everybody.
pub fn findings(plan: &Plan, rows: &[Row]) -> Vec<String> {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.is_good()).collect();
    let sentences = [waiting(plan, &rows), idleness(&rows), cost(&rows), doubt(&rows)];
    sentences.into_iter().flatten().collect()
}

/// Differences below this factor are not worth a sentence.
const NOTABLE: f64 = 2.0;

fn median(row: &Row) -> Duration {
    row.probe.quantile(0.5)
}

/// Who kept the probe waiting.
fn waiting(plan: &Plan, rows: &[&Row]) -> Option<String> {
    let Plan { connections, slow, .. } = *plan;
    let slowest = rows.iter().max_by_key(|row| median(row))?;
    let quickest = rows.iter().min_by_key(|row| median(row))?;
    let times = median(slowest).as_secs_f64() / median(quickest).as_secs_f64();
    let scene = format!("While {slow} of {connections} clients dribbled");
    Some(if times >= NOTABLE {
        format!(
            "{scene}, a well-behaved client waited {} for its answer at {} (the median), but {} \
             at {}: {} times as long.",
            told(median(slowest)),
            slowest.server,
            told(median(quickest)),
            quickest.server,
            grouped(times),
        )
    } else if rows.len() > 1 {
        format!(
            "{scene}, a well-behaved client was answered about as soon by each server, in {} to {} \
             (the medians).",
            told(median(quickest)),
            told(median(slowest)),
        )
    } else {
        let waited = told(median(slowest));
        format!("{scene}, a well-behaved client was answered in {waited} (the median).")
    })
}

/// Whether the server that kept it waiting longest had anything to do.
fn idleness(rows: &[&Row]) -> Option<String> {
    let slowest = rows.iter().max_by_key(|row| median(row))?;
    let quickest = rows.iter().min_by_key(|row| median(row))?;
    let share = slowest.share_of_a_core()?;
    let kept_waiting = median(slowest).as_secs_f64() >= NOTABLE * median(quickest).as_secs_f64();
    (kept_waiting && share < 0.25).then(|| {
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
    if most.seconds >= NOTABLE * least.seconds && most.sleeps >= NOTABLE * least.sleeps {
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
fn told(time: Duration) -> String {
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
