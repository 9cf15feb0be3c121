//! All figures as Markdown, including those that no chart shows.

use super::Figures;
use super::costs::LoadCosts;
use super::groups::{self, GROUPS, Group};
use super::suite::{self, Estimate};
use crate::cost::Cost;
use crate::{Interval, Model};
use output::figures::{Quantity, thousands};

/// A name and its figures; `None` is a missing one.
type TableRow = (String, Vec<Option<String>>);

/// All tables, one below the other.
pub(super) fn tables(figures: &Figures) -> String {
    let mut text = format!(
        "# The figures\n\nEach cell has the median and, in brackets, {}, unless the text says \
         otherwise. `–` means not measured; the suite prints why when it runs.\n",
        Interval::bounds_of(Interval::FEWEST)
    );
    for group in &GROUPS {
        let estimates = groups::of(&figures.suite, group.name);
        if !estimates.is_empty() {
            text += &group_section(group, &estimates, figures.quick);
        }
    }
    let measured = figures.costs.iter().filter(|costs| !costs.servers.is_empty());
    text + &measured.map(cost_section).collect::<String>()
}

/// A group of the suite: a row for each function, a column for each parameter.
fn group_section(group: &Group, estimates: &[&Estimate], quick: bool) -> String {
    let parameters = groups::parameters(estimates);
    let header: Vec<String> = match parameters[..] {
        [""] => vec!["median".into()],
        _ => parameters.iter().map(|parameter| heading(parameter)).collect(),
    };
    let row = |function: &str| {
        let figure = |parameter: &&str| {
            let is_it = |it: &&&Estimate| it.function == function && it.parameter == **parameter;
            estimates.iter().find(is_it).map(|it| cell(it))
        };
        (function.to_owned(), parameters.iter().map(figure).collect())
    };
    let mut rows: Vec<TableRow> = groups::functions(estimates).into_iter().map(row).collect();
    let mut remark = "";
    if group.name == "wait_cost" {
        rows.extend(groups::in_2010().map(|(way, times)| {
            let time = |parameter: &&str| {
                let (_, time) = times.iter().find(|(count, _)| count.to_string() == **parameter)?;
                Some(Quantity::Time.format(time.median))
            };
            (format!("{way} in 2010"), parameters.iter().map(time).collect())
        }));
        remark = "\nIn 2010: Michael Kerrisk, *The Linux Programming Interface*, Table 63-9, which \
                  has seconds for 100,000 operations. Machine and kernel differ, so compare only \
                  how the rows grow.\n";
    }
    let samples = || estimates.iter().map(|estimate| estimate.samples);
    let count = match (samples().min(), samples().max()) {
        (Some(least), Some(most)) if least < most => format!("{least} to {most}"),
        (least, _) => least.unwrap_or(0).to_string(),
    };
    let filter = if quick { "" } else { " --" };
    let command = format!("{}{filter} {}", suite::command(quick), group.name);
    let about = introduction(group.title, group.about, &command, &count);
    about + &table(group.parameter, &header, &rows) + remark
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

/// A column's title, and its figure of a server.
type Column<'a> = (&'a str, &'a dyn Fn(&Cost) -> Option<String>);

/// What each request costs under one load.
fn cost_section(costs: &LoadCosts) -> String {
    let reference = costs.servers.iter().find(|cost| cost.server == Model::POLL.label);
    let number = |it: Option<Interval>| it.map(|it| Quantity::Number.format_with_bounds(it));
    let columns: [Column; 6] = [
        ("processor time per request", &|cost| {
            let time = Interval::of(&cost.processor_us)?.times(1e3);
            Some(Quantity::Time.format_with_bounds(time))
        }),
        ("to poll-server's", &|cost| number(cost.ratio_to(reference?))),
        ("requests per second", &|cost| number(Interval::of(&cost.requests_per_s))),
        ("of a core", &|cost| number(Interval::of(&cost.share_of_a_core))),
        ("calls per request", &|cost| {
            let calls = number(Interval::of(&cost.calls_per_request))?;
            let at_least = if cost.calls_not_counted.is_some() { "≥ " } else { "" };
            Some(format!("{at_least}{calls}"))
        }),
        ("memory per connection", &|cost| {
            let memory = Interval::of(&cost.memory_per_connection)?;
            Some(Quantity::Memory.format_with_bounds(memory))
        }),
    ];
    let row = |cost: &Cost| {
        (cost.server.clone(), columns.iter().map(|(_, figure)| figure(cost)).collect())
    };
    let rows: Vec<TableRow> = costs.servers.iter().map(row).collect();
    let about = "User and system time of the server's process per request, with the same clients \
                 for all servers; each ratio compares figures of the same round.";
    let title = format!("What a request costs: {}", costs.plan.load());
    let rounds = costs.plan.rounds;
    let mut count = rounds.to_string();
    if rounds < Interval::FEWEST {
        count += &format!(" (in brackets {})", Interval::bounds_of(rounds));
    }
    let header = columns.map(|(title, _)| title.to_owned());
    let mut text = introduction(&title, about, &costs.command(), &count);
    text += &table("server", &header, &rows);
    for Cost { server, trouble, calls_per_request, calls_not_counted, .. } in &costs.servers {
        let trouble = trouble.as_ref().map(|trouble| format!("{server}: {trouble}"));
        let calls = calls_not_counted.as_ref().filter(|_| !calls_per_request.is_empty());
        let calls =
            calls.map(|calls| format!("{server} makes calls that it can't count: {calls}."));
        for sentence in trouble.into_iter().chain(calls) {
            text += &format!("\n{sentence}\n");
        }
    }
    for left_out in &costs.left_out {
        text += &format!("\n{left_out}\n");
    }
    text
}

fn introduction(title: &str, about: &str, command: &str, count: &str) -> String {
    format!("\n## {title}\n\n{about} `{command}`, n = {count}.\n\n")
}

/// A table whose `first` column has the names, with the figures right-aligned.
fn table(first: &str, header: &[String], rows: &[TableRow]) -> String {
    let rule = "--:|".repeat(header.len());
    let mut text = format!("| {first} | {} |\n|---|{rule}\n", header.join(" | "));
    for (name, figures) in rows {
        let figures: Vec<&str> = figures.iter().map(|it| it.as_deref().unwrap_or("–")).collect();
        text += &format!("| {name} | {} |\n", figures.join(" | "));
    }
    text
}
