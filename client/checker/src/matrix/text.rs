//! The matrix as text: a table, then what is wrong, and what to fix first.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

use output::{paragraph, stacked};

use super::{Cell, Column, Matrix, Verdict};
use crate::checks::Check;

/// If a line in the head of the table would be longer, the servers have letters there, and their
/// names are above the table.
const LONGEST_HEAD: usize = 18;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const FOLLOWS: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

pub(super) fn text(matrix: &Matrix, width: Option<usize>) -> String {
    let text = Text { columns: &matrix.columns, heads: heads(&matrix.columns), width };
    let rows = 0..matrix.columns.first().map_or(0, |column| column.cells.len());
    let faults: String = rows.map(|row| text.fault(row)).collect();
    let (titles, table, not_tried) = (text.titles(), text.table(), text.not_tried());
    format!("{titles}{table}\n{faults}{not_tried}\n{}", text.summary())
}

struct Text<'a> {
    columns: &'a [Column],
    /// The names of the servers, or letters for them; empty for a single server.
    heads: Vec<String>,
    width: Option<usize>,
}

impl Text<'_> {
    /// Each server with its head.
    fn servers(&self) -> impl Iterator<Item = (&str, &Column)> {
        self.heads.iter().map(String::as_str).zip(self.columns)
    }

    /// The full names of the servers, as far as they aren't in the head of the table.
    fn titles(&self) -> String {
        let title = |(head, Column { server, .. }): (&str, &Column)| match head {
            "" => format!("{}\n", styled(STRONG, server)),
            _ => format!("{}  {server}\n", styled(STRONG, head)),
        };
        let cut = self.servers().filter(|(head, column)| *head != column.server);
        let titles: String = cut.map(title).collect();
        if titles.is_empty() { titles } else { titles + "\n" }
    }

    /// A row for each check, a column for each server.
    fn table(&self) -> String {
        let Some(first) = self.columns.first() else { return String::new() };
        let breaks = |head: &str| in_lines(head).matches('\n').count();
        let most = self.heads.iter().map(|head| breaks(head)).max().unwrap_or(0);
        // A single server has no head, and short heads are at the bottom.
        let head_of = |head: &str| {
            let above = "\n".repeat(most - breaks(head));
            (self.columns.len() > 1).then(|| above + &in_lines(head))
        };
        let checks = first.cells.iter().map(|cell| cell.check.name.to_owned());
        let names: Vec<String> = head_of("").into_iter().chain(checks).collect();
        let column = |(head, column): (&str, &Column)| {
            let verdicts = column.cells.iter().map(|cell| short(&cell.verdict));
            head_of(head).into_iter().chain(verdicts).collect()
        };
        let columns: Vec<Vec<String>> = self.servers().map(column).collect();
        coloured(&stacked(&names, &columns, self.width))
    }

    /// What one check has found, for all servers that break its promise by a fault of its own.
    fn fault(&self, row: usize) -> String {
        let Check { name, tries, likely, chapter, .. } = self.columns[0].cells[row].check;
        let mut happened = String::new();
        let mut causes = Vec::new();
        for (head, column) in self.servers() {
            if let Verdict::Broken { what, way_out } = &column.cells[row].verdict {
                happened += &self.labelled("happened", &of_server(head, what));
                let cause = way_out.unwrap_or(likely);
                if !causes.contains(&cause) {
                    causes.push(cause);
                }
            }
        }
        if happened.is_empty() {
            return String::new();
        }
        let name = styled(BAD, format!("✗ {name}"));
        let tried = self.labelled("tried", tries);
        let causes: String = causes.iter().map(|cause| self.labelled("likely", cause)).collect();
        format!("\n{name} {}\n{tried}{happened}{causes}", styled(FAINT, chapter))
    }

    /// The checks that could not be tried, one paragraph for each reason.
    fn not_tried(&self) -> String {
        let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
        for (head, column) in self.servers() {
            for Cell { check, verdict } in &column.cells {
                if let Verdict::NotTried { why } = verdict {
                    let reason = of_server(head, why);
                    match reasons.iter_mut().find(|(known, _)| *known == reason) {
                        Some((_, names)) => names.push(check.name),
                        None => reasons.push((reason, vec![check.name])),
                    }
                }
            }
        }
        let paragraph = |(reason, names): &(String, Vec<&str>)| {
            let checks = styled(FAINT, format!("– {}: not tried", names.join(", ")));
            format!("\n{checks}\n{}", self.labelled("because", reason))
        };
        reasons.iter().map(paragraph).collect()
    }

    fn labelled(&self, label: &str, words: &str) -> String {
        paragraph(&format!("  {label:<10}"), words, self.width) + "\n"
    }

    /// One line for each server.
    fn summary(&self) -> String {
        let widest = longest(self.heads.iter().map(String::as_str));
        let line = |(head, column): (&str, &Column)| {
            let head = match head {
                "" => String::new(),
                _ => format!("{}  ", styled(STRONG, format!("{head:widest$}"))),
            };
            let (kept, all) = (column.kept(), column.cells.len());
            let style = if column.is_good() { GOOD } else { BAD };
            let kept = styled(style, format!("{kept} of {all} promises kept"));
            let verdicts = column.cells.iter().map(|cell| &cell.verdict);
            let not_tried =
                match verdicts.filter(|it| matches!(it, Verdict::NotTried { .. })).count() {
                    0 => String::new(),
                    count => format!(", {count} not tried"),
                };
            let faults = column.faults();
            let first =
                faults.first().map_or(String::new(), |first| format!("; fix {first} first"));
            head + &kept + &not_tried + &first
        };
        self.servers().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// The names of the servers, or letters for them; a single server needs neither.
fn heads(columns: &[Column]) -> Vec<String> {
    let fits = |column: &Column| longest(in_lines(&column.server).lines()) <= LONGEST_HEAD;
    match columns {
        [_] => vec![String::new()],
        _ if columns.iter().all(fits) => columns.iter().map(|it| it.server.clone()).collect(),
        // After the 26th come the characters after Z, but so many servers are hardly ever compared.
        _ => ('A'..).take(columns.len()).map(String::from).collect(),
    }
}

/// A head as it stands in the table: a name, and below it the options.
fn in_lines(head: &str) -> String {
    head.replacen(" -", "\n-", 1)
}

/// A sentence about a server, which says about which one if there are several.
fn of_server(head: &str, what: &str) -> String {
    if head.is_empty() { format!("{what}.") } else { format!("{head}: {what}.") }
}

/// A verdict as a cell of the table.
fn short(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Kept { figure: None } => "✓".into(),
        Verdict::Kept { figure: Some(figure) } => format!("✓ {figure}"),
        Verdict::Broken { .. } => "✗ broken".into(),
        Verdict::Follows { from, .. } => format!("↳ {from}"),
        Verdict::NotTried { .. } => "– not tried".into(),
    }
}

/// Gives each mark its colour. The table is already laid out, so escape sequences no longer count
/// as width.
fn coloured(table: &str) -> String {
    let marks = [("✓", GOOD), ("✗ broken", BAD), ("↳", FOLLOWS), ("– not tried", FAINT)];
    marks
        .into_iter()
        .fold(table.to_owned(), |table, (mark, style)| table.replace(mark, &styled(style, mark)))
}

fn longest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn options_stand_below_the_name_and_short_heads_at_the_bottom() {
        let column = |server: &str| {
            let verdict = Verdict::Kept { figure: None };
            let cells = vec![Cell { check: &crate::ALL[0], verdict }];
            Column { server: server.into(), cells, took: Duration::ZERO }
        };
        let columns = ["busy-server --nap 5ms", "poll-server"].map(column);
        let text = Text { columns: &columns, heads: heads(&columns), width: None };
        let kept = styled(GOOD, "✓");
        let expected = format!(
            "         busy-server\n         --nap 5ms    poll-server\nanswers  {kept}            {kept}"
        );
        assert_eq!(text.table(), expected);
    }
}
