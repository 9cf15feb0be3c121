//! All figures as Markdown, including those that no chart shows.

use std::fmt::Write;

use super::Figures;
use super::costs::LoadCosts;
use super::groups::{self, GROUPS, Group};
use super::kerrisk;
use super::suite::{self, Estimate};
use crate::Interval;
use crate::cost::Cost;
use output::figures::{Quantity, thousands};

/// Stands for a missing figure.
const NONE: &str = "–";

/// All tables, one below the other.
pub(super) fn tables(figures: &Figures) -> String {
    let mut text = String::from("# The figures\n\n");
    text += &format!(
        "Each cell has the median and, in brackets, {}, unless the text says otherwise. `–` means \
         not measured; the suite prints why when it runs.\n",
        Interval::bounds_of(Interval::FEWEST)
    );
    for group in &GROUPS {
        let estimates = groups::of(&figures.suite, group.name);
        if !estimates.is_empty() {
            text += &section(group, &estimates, figures.quick);
        }
    }
    for costs in figures.costs.iter().filter(|costs| !costs.servers.is_empty()) {
        text += &cost_section(costs);
    }
    text
}

/// A group of the suite: a row for each function, a column for each parameter.
fn section(group: &Group, estimates: &[&Estimate], quick: bool) -> String {
    let parameters = groups::parameters(estimates);
    let header: Vec<String> = match parameters[..] {
        [""] => vec!["median".into()],
        _ => parameters.iter().map(|parameter| heading(parameter)).collect(),
    };
    let row = |function: &&str| {
        let cells = parameters.iter().map(|it| groups::cell(estimates, function, it).map(cell));
        [Some((*function).to_owned())].into_iter().chain(cells).collect()
    };
    let mut rows: Vec<Vec<Option<String>>> = groups::functions(estimates).iter().map(row).collect();
    if group.name == "wait_cost" {
        rows.extend(kerrisk::SECONDS.map(|(way, seconds)| in_2010(way, &seconds, &parameters)));
    }
    let mut text =
        introduction(group.title, group.about, &suite_command(group, quick), &count(estimates));
    text += &table(group.parameter, &header, &rows);
    if group.name == "wait_cost" {
        text += "\nIn 2010: Michael Kerrisk, *The Linux Programming Interface*, Table 63-9, which \
                 has seconds for 100,000 operations. Machine and kernel differ, so compare only \
                 how the rows grow.\n";
    }
    text
}

fn suite_command(group: &Group, quick: bool) -> String {
    let command = suite::command(quick);
    let filter = if quick { "" } else { " --" };
    format!("{command}{filter} {}", group.name)
}

fn count(estimates: &[&Estimate]) -> String {
    let samples = || estimates.iter().map(|estimate| estimate.samples);
    let (least, most) = (samples().min().unwrap_or(0), samples().max().unwrap_or(0));
    if least == most { format!("n = {least}") } else { format!("n = {least} to {most}") }
}

/// Numbers in groups of three: `100 of 10,000`.
fn heading(parameter: &str) -> String {
    let word = |word: &str| word.parse().map_or_else(|_| word.to_owned(), thousands);
    parameter.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The time, and the bytes per second if the benchmark counts bytes.
fn cell(estimate: &Estimate) -> String {
    let time = Quantity::Time.format_with_bounds(estimate.nanoseconds);
    match estimate.bytes {
        Some(bytes) => {
            let in_a_second = bytes * 1e9 / estimate.nanoseconds.median;
            format!("{time}, {}/s", Quantity::Memory.format(in_a_second))
        }
        None => time,
    }
}

fn in_2010(way: &str, seconds: &[f64], parameters: &[&str]) -> Vec<Option<String>> {
    let cell = |parameter: &&str| {
        let index =
            kerrisk::DESCRIPTORS.iter().position(|count| count.to_string() == **parameter)?;
        Some(Quantity::Time.format(kerrisk::nanoseconds(*seconds.get(index)?)))
    };
    let cells = parameters.iter().map(cell);
    [Some(format!("{way} in 2010"))].into_iter().chain(cells).collect()
}

/// What each request costs under one load.
fn cost_section(costs: &LoadCosts) -> String {
    let header = [
        "processor time per request",
        "to poll-server's",
        "requests per second",
        "of a core",
        "calls per request",
        "memory per connection",
    ];
    let header = header.map(str::to_owned);
    let reference = costs.servers.iter().find(|cost| cost.server == "poll-server");
    let rows: Vec<_> = costs.servers.iter().map(|cost| cost_row(cost, reference)).collect();
    let about = "User and system time of the server's process per request, with the same clients \
                 for all servers; each ratio compares figures of the same round.";
    let title = format!("What a request costs: {}", costs.plan.load());
    let rounds = costs.plan.rounds;
    let mut count = format!("n = {rounds}");
    if rounds < Interval::FEWEST {
        count += &format!(" (in brackets {})", Interval::bounds_of(rounds));
    }
    let mut text = introduction(&title, about, &costs.command(), &count);
    text += &table("server", &header, &rows);
    for cost in &costs.servers {
        if let Some(trouble) = &cost.trouble {
            // Writing into a string can't fail.
            let _ = writeln!(text, "\n{}: {trouble}", cost.server);
        }
        let counts = !cost.calls_per_request.is_empty();
        if let Some(calls) = cost.calls_not_counted.as_ref().filter(|_| counts) {
            let _ = writeln!(text, "\n{} makes calls that it can't count: {calls}.", cost.server);
        }
    }
    for sentence in &costs.left_out {
        let _ = writeln!(text, "\n{sentence}");
    }
    text
}

fn cost_row(cost: &Cost, reference: Option<&Cost>) -> Vec<Option<String>> {
    let number = |interval| Quantity::Number.format_with_bounds(interval);
    let at_least = if cost.calls_not_counted.is_some() { "≥ " } else { "" };
    let time = Interval::of(&cost.processor_us)
        .map(|time| Quantity::Time.format_with_bounds(time.times(1e3)));
    let calls = Interval::of(&cost.calls_per_request);
    let memory = Interval::of(&cost.memory_per_connection);
    vec![
        Some(cost.server.clone()),
        time,
        reference.and_then(|reference| cost.ratio_to(reference)).map(number),
        Interval::of(&cost.requests_per_s).map(number),
        Interval::of(&cost.share_of_a_core).map(number),
        calls.map(|calls| format!("{at_least}{}", number(calls))),
        memory.map(|memory| Quantity::Memory.format_with_bounds(memory)),
    ]
}

fn introduction(title: &str, about: &str, command: &str, count: &str) -> String {
    format!("\n## {title}\n\n{about} `{command}`, {count}.\n\n")
}

/// A table in Markdown, with the figures right-aligned.
fn table(first: &str, header: &[String], rows: &[Vec<Option<String>>]) -> String {
    let mut text =
        format!("| {first} | {} |\n|---|{}\n", header.join(" | "), "--:|".repeat(header.len()));
    for row in rows {
        let cells: Vec<&str> = row.iter().map(|cell| cell.as_deref().unwrap_or(NONE)).collect();
        // Writing into a string can't fail.
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}
