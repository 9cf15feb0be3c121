//! The first page of a set: where its figures are from, and its charts.

use super::chart::Chart;
use super::{DAY, Figures, suite};

/// The page as Markdown.
pub(super) fn readme(figures: &Figures, charts: &[Chart]) -> String {
    let mut text = format!(
        "# Figures\n\nMeasured on one machine on {}. Another machine has other figures, so compare \
         them only within this set, never across sets.\n",
        &figures.date[..DAY]
    );
    if figures.quick {
        text += "\n**A quick run with few samples, only good for a first look.**\n";
    }
    if figures.from_before {
        text += "\nThe suite was run before, and its figures were read from where criterion had \
                 left them. Date and machine are those of the report.\n";
    }
    for sentence in &figures.missing {
        text += &format!("\n{sentence}\n");
    }
    text += "\n| | |\n|---|---|\n";
    for (what, value) in figures.machine.iter().chain([&("Date", figures.date.clone())]) {
        text += &format!("| {what} | {value} |\n");
    }
    text += &format!("\nMade by:\n\n    {}\n\nMeasured by:\n\n", figures.command);
    let measured = figures.costs.iter().filter(|costs| !costs.servers.is_empty());
    let commands = measured.map(|costs| costs.command());
    for command in [suite::command(figures.quick)].into_iter().chain(commands) {
        text += &format!("    {command}\n");
    }
    text += "\nAll figures, with 95% confidence intervals: [tables.md](tables.md). Raw: \
             [figures.json](figures.json).\n";
    for Chart { id, title, .. } in charts {
        text += &format!("\n## {title}\n\n![{title}]({id}.svg)\n");
    }
    text
}
