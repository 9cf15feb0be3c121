//! The first page of a set: where its figures are from, and its charts.

use std::fmt::Write;

use super::Figures;
use super::charts::Chart;
use super::suite;

/// The page as Markdown.
pub(super) fn readme(figures: &Figures, charts: &[Chart]) -> String {
    let mut text = String::from("# Figures\n\n");
    let day = figures.date.split('T').next().unwrap_or(&figures.date);
    text += &format!(
        "Measured on one machine on {day}. Another machine has other figures, so compare them only \
         within this set, never across sets.\n"
    );
    if figures.quick {
        text += "\n**A quick run with few samples, only good for a first look.**\n";
    }
    if figures.from_before {
        text += "\nThe suite was run before, and its figures were read from where criterion had \
                 left them. Date and machine are those of the report.\n";
    }
    for sentence in &figures.missing {
        // Writing into a string can't fail.
        let _ = writeln!(text, "\n{sentence}");
    }
    text += "\n| | |\n|---|---|\n";
    for (what, value) in figures.machine.lines() {
        let _ = writeln!(text, "| {what} | {value} |");
    }
    let _ = writeln!(text, "| Date | {} |", figures.date);
    let _ = writeln!(text, "\nMade by:\n\n    {}\n\nMeasured by:\n", figures.command);
    for command in commands(figures) {
        let _ = writeln!(text, "    {command}");
    }
    text += "\nAll figures, with 95% confidence intervals: [tables.md](tables.md). Raw: \
             [figures.json](figures.json).\n";
    for Chart { name, title, .. } in charts {
        let _ = writeln!(text, "\n## {title}\n\n![{title}]({name}.svg)");
    }
    text
}

fn commands(figures: &Figures) -> Vec<String> {
    let measured = figures.costs.iter().filter(|costs| !costs.servers.is_empty());
    let costs = measured.map(|costs| costs.command());
    [suite::command(figures.quick)].into_iter().chain(costs).collect()
}
