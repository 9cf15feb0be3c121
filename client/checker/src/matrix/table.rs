//! The matrix as a table for people, or as several below each other if one would be too wide.

use std::iter::repeat_n;

use anstyle::Style;

use super::text::{BAD, FAINT, FOLLOWS, GOOD, STRONG, longest, styled};
use super::{Matrix, Verdict};

/// How wide a table may be before the servers that are left go into another one.
const WIDTH: usize = 100;

/// What stands between two columns.
const GAP: &str = "  ";

/// A column from top to bottom.
struct Lines {
    cells: Vec<(Style, String)>,
    width: usize,
}

impl Lines {
    fn new(cells: Vec<(Style, String)>) -> Self {
        let width = longest(cells.iter().map(|(_, text)| text.as_str()));
        Lines { cells, width }
    }

    /// A column with its head; what is short stands at the foot of that.
    fn with_head(head: &str, height: usize, cells: impl Iterator<Item = (Style, String)>) -> Self {
        let of_head: Vec<&str> = lines_of(head).take(height).collect();
        let above = repeat_n("", height - of_head.len());
        let head = above.chain(of_head).map(|line| (STRONG, line.to_owned()));
        Lines::new(head.chain(cells).collect())
    }
}

/// The lines of a head: a name, and below it the options.
pub(super) fn lines_of(head: &str) -> impl Iterator<Item = &str> {
    let (name, options) = match head.find(" -") {
        Some(end) => (&head[..end], Some(&head[end + 1..])),
        None => (head, None),
    };
    [name].into_iter().chain(options)
}

/// The table of all checks and servers, which have these heads.
pub(super) fn table(matrix: &Matrix, heads: &[String]) -> String {
    let Some(first) = matrix.columns.first() else { return String::new() };
    let height = match heads {
        [_] => 0, // a single server's name is the title already
        _ => heads.iter().map(|head| lines_of(head).count()).max().unwrap_or(0),
    };
    let names = first.cells.iter().map(|cell| (Style::new(), cell.check.name.to_owned()));
    let names = Lines::with_head("", height, names);
    let columns = heads.iter().zip(&matrix.columns).map(|(head, column)| {
        Lines::with_head(head, height, column.cells.iter().map(|cell| short(&cell.verdict)))
    });
    let columns: Vec<Lines> = columns.collect();
    let mut tables = Vec::new();
    let mut left = &columns[..];
    while !left.is_empty() {
        let (these, others) = left.split_at(how_many_fit(left, WIDTH - names.width));
        tables.push(side_by_side(&names, these));
        left = others;
    }
    tables.join("\n")
}

/// How many of these columns have room side by side: one at least.
fn how_many_fit(columns: &[Lines], room: usize) -> usize {
    let widths = columns.iter().scan(0, |sum, column| {
        *sum += GAP.len() + column.width;
        Some(*sum)
    });
    widths.take_while(|width| *width <= room).count().max(1)
}

fn side_by_side(names: &Lines, columns: &[Lines]) -> String {
    let mut text = String::new();
    for (line, (style, name)) in names.cells.iter().enumerate() {
        text += &styled(*style, name, names.width);
        for (number, column) in columns.iter().enumerate() {
            let is_last = number + 1 == columns.len();
            let (style, cell) = &column.cells[line];
            text += GAP;
            text += &styled(*style, cell, if is_last { 0 } else { column.width });
        }
        text += "\n";
    }
    text
}

/// A verdict as a cell of the table.
fn short(verdict: &Verdict) -> (Style, String) {
    match verdict {
        Verdict::Kept { figure: None } => (GOOD, "✓".into()),
        Verdict::Kept { figure: Some(figure) } => (GOOD, format!("✓ {figure}")),
        Verdict::Broken { .. } => (BAD, "✗ broken".into()),
        Verdict::Follows { from, .. } => (FOLLOWS, format!("↳ {from}")),
        Verdict::NotTried { .. } => (FAINT, "– not tried".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(width: usize) -> Lines {
        Lines::new(vec![(Style::new(), "x".repeat(width))])
    }

    #[test]
    fn options_stand_below_the_name() {
        let lines = |head| lines_of(head).collect::<Vec<_>>();
        assert_eq!(lines("busy-server --nap 5ms"), ["busy-server", "--nap 5ms"]);
        assert_eq!(lines("poll-server"), ["poll-server"]);
    }

    #[test]
    fn columns_fill_the_room_and_no_more_but_never_none() {
        let columns = [column(8), column(8), column(8)];
        assert_eq!(how_many_fit(&columns, 30), 3);
        assert_eq!(how_many_fit(&columns, 29), 2);
        assert_eq!(how_many_fit(&columns, 3), 1);
    }
}
