//! The matrix for people: a table, then what is wrong, and what to mend first.

use std::fmt::{Display, Write};

use anstyle::{AnsiColor, Style};

use super::table::{lines_of, table};
use super::{Cell, Column, Matrix, Verdict};
use crate::checks::Check;

/// How wide the text is: what fits into most terminals, and what most people like to read.
const WIDTH: usize = 90;

/// A server with a longer line in the head of the table is a letter there, and has its name
/// above the table.
const LONGEST_HEAD: usize = 18;

pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const FOLLOWS: Style = AnsiColor::Yellow.on_default();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const STRONG: Style = Style::new().bold();

/// Text that is `width` wide, in a style. (The escape sequences would count as width.)
pub(super) fn styled(style: Style, text: impl Display, width: usize) -> String {
    format!("{style}{:<width$}{style:#}", text.to_string())
}

pub(super) fn text(matrix: &Matrix) -> String {
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
    text += &table(matrix, &heads);
    for row in 0..matrix.columns.first().map_or(0, |column| column.cells.len()) {
        text += &fault(matrix, &heads, row);
    }
    text += &not_tried(matrix, &heads);
    text += "\n";
    text += &summary(matrix, &heads);
    text
}

/// The names of the servers, or letters for them; a single one needs neither.
fn heads(columns: &[Column]) -> Vec<String> {
    let fits = |column: &Column| longest(lines_of(&column.server)) <= LONGEST_HEAD;
    match columns {
        [_] => vec![String::new()],
        _ if columns.iter().all(fits) => columns.iter().map(|it| it.server.clone()).collect(),
        // After the 26th it goes on with what comes after Z; nobody compares so many.
        _ => ('A'..).take(columns.len()).map(String::from).collect(),
    }
}

/// What one check has found, for all servers that break it by themselves.
fn fault(matrix: &Matrix, heads: &[String], row: usize) -> String {
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
    text += &paragraph("tried", tries);
    for what in happened {
        text += &paragraph("happened", &what);
    }
    for cause in causes {
        text += &paragraph("likely", cause);
    }
    text
}

fn paragraph(label: &str, words: &str) -> String {
    let label = format!("  {label:<10}");
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(&label)
        .subsequent_indent("            ")
        .break_words(false);
    textwrap::fill(words, options) + "\n"
}

/// What could not be tried, one paragraph for each reason.
fn not_tried(matrix: &Matrix, heads: &[String]) -> String {
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
        text += &paragraph("because", &format!("{why}."));
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
            write!(text, "; mend {first} first").ok();
        }
        text += "\n";
    }
    text.trim_end().to_owned()
}

pub(super) fn longest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}
