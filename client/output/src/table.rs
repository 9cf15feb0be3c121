//! Tables: for people at a terminal, for Markdown pages, and for programs.

use std::cmp::Reverse;
use std::io;

use clap::{Args, ValueEnum};
use comfy_table::presets::{NOTHING, UTF8_HORIZONTAL_ONLY};
use comfy_table::{CellAlignment, LineStyle};

/// The format in which results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: a table that fits the terminal, and some sentences
    #[default]
    Table,
    /// Only the table, for a Markdown page
    Markdown,
    /// Only the table, with plain numbers; units are in the column names
    Csv,
    /// One JSON object in one line, with everything that is known
    Json,
}

/// A program's options for the format of its results.
#[derive(Args, Clone, Copy, Debug)]
pub struct FormatOptions {
    /// Print the results as `table` for people, as `markdown` for a page, or as `csv` or `json` for
    /// programs
    #[arg(long, value_name = "FORMAT", default_value = "table", hide_possible_values = true)]
    format: Format,

    /// Print the results as JSON; the same as `--format json`
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

impl FormatOptions {
    /// The chosen format.
    pub fn format(self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its title, for people.
    pub title: &'static str,
    /// Its name in CSV, with its unit at the end: `p50_us`.
    pub name: &'static str,
    /// How soon it is left out if the terminal is too narrow: the greatest rank first, 0 never.
    pub rank: u8,
}

/// The content of one row and column.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// For people.
    pub text: String,
    /// For programs: a number in the unit of its column, or text. Empty if it isn't known.
    pub value: String,
}

impl Cell {
    /// A text that is the same for people and for programs.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Cell { value: text.clone(), text }
    }

    /// A number, and its text for people.
    pub fn number(value: f64, text: impl Into<String>) -> Self {
        Cell { text: text.into(), value: value.to_string() }
    }

    /// A figure that isn't known, and what to show instead.
    pub fn unknown(text: impl Into<String>) -> Self {
        Cell { text: text.into(), value: String::new() }
    }
}

/// A table. Its first column contains names, and the others contain figures.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: impl Into<Vec<Column>>) -> Self {
        Table { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds these rows, with a cell for each column.
    pub fn with(mut self, rows: impl IntoIterator<Item = Vec<Cell>>) -> Self {
        self.rows.extend(rows);
        debug_assert!(self.rows.iter().all(|row| row.len() == self.columns.len()));
        self
    }

    /// The titles of the columns.
    pub fn titles(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.title)
    }

    /// The rows.
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// The table for people, no wider than this many characters. Columns that have to be left out
    /// are named below it. (The first column and those of rank 0 are never left out.)
    pub fn text(&self, width: Option<usize>) -> String {
        let columns = self.columns.iter().enumerate();
        let mut dispensable: Vec<usize> =
            columns.clone().filter(|(_, column)| column.rank > 0).map(|(place, _)| place).collect();
        dispensable.sort_by_key(|&place| Reverse((self.columns[place].rank, place)));
        let without = |count| self.drawn_without(&dispensable[..count]);
        let fits = |count: &usize| width.is_none_or(|width| wide(&without(*count)) <= width);
        let count = (0..dispensable.len()).find(fits).unwrap_or(dispensable.len());
        let mut text = without(count);
        if count > 0 {
            let left_out = columns.filter(|(place, _)| dispensable[..count].contains(place));
            let titles: Vec<&str> = left_out.map(|(_, column)| column.title).collect();
            text += &format!(
                "\nLeft out because the terminal is too narrow: {}. `--format csv` has everything.",
                titles.join(", ")
            );
        }
        text
    }

    fn drawn_without(&self, left_out: &[usize]) -> String {
        let shown = || (0..self.columns.len()).filter(|place| !left_out.contains(place));
        let mut table = comfy_table::Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
        table.set_header(shown().map(|place| self.columns[place].title));
        for row in &self.rows {
            table.add_row(shown().map(|place| row[place].text.as_str()));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.to_string()
    }

    /// The table as Markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: Vec<&str>| format!("| {} |", cells.join(" | ").replace('\n', " "));
        let rule = |place| if place == 0 { "---" } else { "---:" };
        let mut lines = vec![
            line(self.columns.iter().map(|column| column.title).collect()),
            line((0..self.columns.len()).map(rule).collect()),
        ];
        let cells = |row: &Vec<Cell>| line(row.iter().map(|cell| cell.text.as_str()).collect());
        lines.extend(self.rows.iter().map(cells));
        lines.join("\n")
    }

    /// The table as comma-separated values (RFC 4180), without a newline at the end.
    ///
    /// # Errors
    ///
    /// None that we know of.
    pub fn csv(&self) -> io::Result<String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(self.columns.iter().map(|column| column.name))?;
        for row in &self.rows {
            writer.write_record(row.iter().map(|cell| cell.value.as_str()))?;
        }
        let bytes = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(io::Error::other)?;
        Ok(text.trim_end().to_owned())
    }

    /// The table in this format: with a `head` above it and `sentences` below it for people, or the
    /// `json`.
    ///
    /// # Errors
    ///
    /// Those of the `json`.
    pub fn formatted(
        &self,
        format: Format,
        head: &str,
        sentences: &[String],
        json: impl FnOnce() -> io::Result<String>,
    ) -> io::Result<String> {
        match format {
            Format::Table => {
                let mut text = format!("{head}\n\n{}\n", self.text(crate::width()));
                sentences.iter().for_each(|sentence| text += &format!("\n{sentence}"));
                Ok(text.trim_end().to_owned())
            }
            Format::Markdown => Ok(self.markdown()),
            Format::Csv => self.csv(),
            Format::Json => json(),
        }
    }
}

/// How wide the widest line is, in characters.
fn wide(text: &str) -> usize {
    text.lines().map(textwrap::core::display_width).max().unwrap_or(0)
}

/// Columns of marks rather than figures, next to their `names`: without lines, and as many side by
/// side as fit into this many characters. The others go into further tables below, each with the
/// names; no cell is broken. Each column has as many cells as there are names.
pub fn stacked(names: &[String], columns: &[Vec<String>], width: Option<usize>) -> String {
    let mut tables = Vec::new();
    let mut left = columns;
    while !left.is_empty() {
        let fits = |&count: &usize| {
            width.is_none_or(|width| wide(&side_by_side(names, &left[..count])) <= width)
        };
        let count = (1..=left.len()).take_while(fits).last().unwrap_or(1);
        let (these, others) = left.split_at(count);
        tables.push(side_by_side(names, these));
        left = others;
    }
    tables.join("\n\n")
}

fn side_by_side(names: &[String], columns: &[Vec<String>]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(NOTHING);
    for (row, name) in names.iter().enumerate() {
        table.add_row([name].into_iter().chain(columns.iter().map(|column| &column[row])));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let columns = [("server", "server", 0), ("took", "took_s", 2), ("p50", "p50_us", 1)]
            .map(|(title, name, rank)| Column { title, name, rank });
        Table::new(columns).with([vec![
            Cell::text("poll-server, \"quick\""),
            Cell::number(1.5, "1.50 s"),
            Cell::unknown("–"),
        ]])
    }

    #[test]
    fn columns_without_room_are_left_out_by_rank_and_named() {
        let whole = table().text(None);
        assert!(!whole.contains("Left out"), "{whole}");
        let narrower = table().text(Some(wide(&whole) - 1));
        assert!(!narrower.contains("1.50 s") && narrower.contains("p50"), "{narrower}");
        assert!(
            narrower.contains("Left out because the terminal is too narrow: took."),
            "{narrower}"
        );
        let narrowest = table().text(Some(1));
        assert!(narrowest.contains("poll-server"), "{narrowest}");
        assert!(
            narrowest.contains("Left out because the terminal is too narrow: took, p50."),
            "{narrowest}"
        );
    }

    #[test]
    fn programs_get_plain_values() {
        let expected = "server,took_s,p50_us\n\"poll-server, \"\"quick\"\"\",1.5,";
        assert_eq!(table().csv().unwrap(), expected);
    }

    #[test]
    fn markdown_has_what_people_read() {
        let lines = table().markdown();
        assert_eq!(
            lines.lines().collect::<Vec<_>>(),
            [
                "| server | took | p50 |",
                "| --- | ---: | ---: |",
                "| poll-server, \"quick\" | 1.50 s | – |"
            ]
        );
    }

    #[test]
    fn columns_fill_the_room_and_no_more_but_never_none() {
        let names = ["name".to_owned()];
        let columns = ["one", "two", "three"].map(|it| vec![it.to_owned()]);
        let tables = |width| stacked(&names, &columns, width);
        assert_eq!(tables(None), "name  one  two  three");
        assert_eq!(tables(Some(21)), tables(None));
        assert_eq!(tables(Some(20)), "name  one  two\n\nname  three");
        assert_eq!(tables(Some(3)), "name  one\n\nname  two\n\nname  three");
    }
}
