//! The matrix as text: a table, then what is wrong, and what to fix first.

use std::fmt::{Display, Write};

use anstyle::{AnsiColor, Style};

use output::stacked;

use super::{Cell, Column, Matrix, Verdict};
use crate::checks::Check;

/// How wide paragraphs are at most, so that they are easy to read.
const WIDTH: usize = 90;

/// If a line in the head of the table would be longer, the servers have letters there, and their
/// names are above the table.
const LONGEST_HEAD: usize = 18;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const FOLLOWS: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// Text in a style, padded to `width` before the escape sequences are added, which would count as
/// width.
fn styled(style: Style, text: impl Display, width: usize) -> String {
    format!("{style}{:<width$}{style:#}", text.to_string())
}

pub(super) fn text(matrix: &Matrix, width: Option<usize>) -> String {
    let paragraphs = Paragraphs { width: width.map_or(WIDTH, |width| width.min(WIDTH)) };
    let heads = heads(&matrix.columns);
    let mut text = String::new();
    for (head, column) in heads.iter().zip(&matrix.columns) {
        if heads.len() == 1 {
            text += &format!("{}\n", styled(STRONG, &column.server, 0));
        } else if *head != column.server {
            text += &format!("{}  {}\n", styled(STRONG, head, 0), column.server);
        }
    }
    if !text.is_empty() {
        text += "\n";
    }
    text += &table(matrix, &heads, width);
    text += "\n";
    for row in 0..matrix.columns.first().map_or(0, |column| column.cells.len()) {
        text += &fault(matrix, &heads, row, &paragraphs);
    }
    text += &not_tried(matrix, &heads, &paragraphs);
    text += "\n";
    text += &summary(matrix, &heads);
    text
}

/// A row for each check, a column for each server.
fn table(matrix: &Matrix, heads: &[String], width: Option<usize>) -> String {
    let Some(first) = matrix.columns.first() else { return String::new() };
    let height = match heads {
        [_] => 0, // a single server's name is the title already
        _ => heads.iter().map(|head| lines_of(head).count()).max().unwrap_or(0),
    };
    let blank = |lines: usize| (0..lines).map(|_| String::new());
    let checks = first.cells.iter().map(|cell| cell.check.name.to_owned());
    let names: Vec<String> = blank(height).chain(checks).collect();
    let column = |(head, column): (&String, &Column)| {
        // Short heads are at the bottom.
        let head: Vec<String> = lines_of(head).take(height).map(str::to_owned).collect();
        let verdicts = column.cells.iter().map(|cell| short(&cell.verdict));
        blank(height - head.len()).chain(head).chain(verdicts).collect()
    };
    let columns: Vec<Vec<String>> = heads.iter().zip(&matrix.columns).map(column).collect();
    coloured(&stacked(&names, &columns, width))
}

/// The lines of a head: a name, and below it the options.
fn lines_of(head: &str) -> impl Iterator<Item = &str> {
    let (name, options) = match head.find(" -") {
        Some(end) => (&head[..end], Some(&head[end + 1..])),
        None => (head, None),
    };
    [name].into_iter().chain(options)
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
        .fold(table.to_owned(), |table, (mark, style)| table.replace(mark, &styled(style, mark, 0)))
}

/// The names of the servers, or letters for them; a single server needs neither.
fn heads(columns: &[Column]) -> Vec<String> {
    let fits = |column: &Column| longest(lines_of(&column.server)) <= LONGEST_HEAD;
    match columns {
        [_] => vec![String::new()],
        _ if columns.iter().all(fits) => columns.iter().map(|it| it.server.clone()).collect(),
        // After the 26th come the characters after Z, but so many servers are hardly ever compared.
        _ => ('A'..).take(columns.len()).map(String::from).collect(),
    }
}

/// What one check has found, for all servers that break its promise by a fault of its own.
fn fault(matrix: &Matrix, heads: &[String], row: usize, paragraphs: &Paragraphs) -> String {
    let Check { name, tries, likely, chapter, .. } = matrix.columns[0].cells[row].check;
    let mut happened = Vec::new();
    let mut causes = Vec::new();
    for (column, head) in matrix.columns.iter().zip(heads) {
        if let Verdict::Broken { what, way_out } = &column.cells[row].verdict {
            let whose = if heads.len() > 1 { format!("{head}: ") } else { String::new() };
            happened.push(format!("{whose}{what}."));
            let cause = way_out.unwrap_or(likely);
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        }
    }
    if happened.is_empty() {
        return String::new();
    }
    let mut text =
        format!("\n{} {}\n", styled(BAD, format!("✗ {name}"), 0), styled(FAINT, chapter, 0));
    text += &paragraphs.labelled("tried", tries);
    for what in happened {
        text += &paragraphs.labelled("happened", &what);
    }
    for cause in causes {
        text += &paragraphs.labelled("likely", cause);
    }
    text
}

struct Paragraphs {
    width: usize,
}

impl Paragraphs {
    fn labelled(&self, label: &str, words: &str) -> String {
        let label = format!("  {label:<10}");
        let options = textwrap::Options::new(self.width)
            .initial_indent(&label)
            .subsequent_indent("            ")
            .break_words(false);
        textwrap::fill(words, options) + "\n"
    }
}

/// The checks that could not be tried, one paragraph for each reason.
fn not_tried(matrix: &Matrix, heads: &[String], paragraphs: &Paragraphs) -> String {
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for (column, head) in matrix.columns.iter().zip(heads) {
        for Cell { check, verdict } in &column.cells {
            if let Verdict::NotTried { why } = verdict {
                let whose = if heads.len() > 1 { format!("{head}: ") } else { String::new() };
                let reason = format!("{whose}{why}");
                match reasons.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, names)) => names.push(check.name),
                    None => reasons.push((reason, vec![check.name])),
                }
            }
        }
    }
    let mut text = String::new();
    for (why, names) in reasons {
        let names = names.join(", ");
        text += &format!("\n{}\n", styled(FAINT, format!("– {names}: not tried"), 0));
        text += &paragraphs.labelled("because", &format!("{why}."));
    }
    text
}

/// One line for each server.
fn summary(matrix: &Matrix, heads: &[String]) -> String {
    let first = longest(heads.iter().map(String::as_str));
    let mut text = String::new();
    for (column, head) in matrix.columns.iter().zip(heads) {
        if heads.len() > 1 {
            text += &format!("{}  ", styled(STRONG, head, first));
        }
        let (kept, all) = (column.kept(), column.cells.len());
        let style = if column.is_good() { GOOD } else { BAD };
        text += &styled(style, format!("{kept} of {all} promises kept"), 0);
        let tried = column.cells.iter();
        let not_tried =
            tried.filter(|cell| matches!(cell.verdict, Verdict::NotTried { .. })).count();
        if not_tried > 0 {
            write!(text, ", {not_tried} not tried").ok();
        }
        if let [first, ..] = column.faults()[..] {
            write!(text, "; fix {first} first").ok();
        }
        text += "\n";
    }
    text.trim_end().to_owned()
}

fn longest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_below_the_name() {
        let lines = |head| lines_of(head).collect::<Vec<_>>();
        assert_eq!(lines("busy-server --nap 5ms"), ["busy-server", "--nap 5ms"]);
        assert_eq!(lines("poll-server"), ["poll-server"]);
    }
}
