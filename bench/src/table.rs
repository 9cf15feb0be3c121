//! The rows as a table.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, LineStyle, Table};

use crate::figures::{calls_per_request, multiple, percent, told};
use crate::{Row, Usage};

/// What stands above the columns of the table.
pub fn columns(rows: &[Row]) -> Vec<&'static str> {
    let mut columns = vec![
        "server",
        "answered",
        "took",
        "probes",
        "p50",
        "p99",
        "max",
        "of a core",
        "time/request",
        "calls/request",
    ];
    columns.extend(has_ratios(rows).then_some("to poll-server"));
    columns
}

fn has_ratios(rows: &[Row]) -> bool {
    rows.iter().any(|row| row.to_poll_server.is_some())
}

/// What stands in the columns, for each row.
pub fn cells(rows: &[Row]) -> Vec<Vec<String>> {
    let has_ratios = has_ratios(rows);
    let with_ratio = |row: &Row| {
        let mut cells = cells_of(row);
        if has_ratios {
            cells.push(row.to_poll_server.map_or_else(|| unknown(row), multiple));
        }
        cells
    };
    rows.iter().map(with_ratio).collect()
}

fn cells_of(row: &Row) -> Vec<String> {
    let share = row.share_of_a_core().map(percent);
    let time = row.usage.as_ref().and_then(Usage::processor_time_per_request).map(told);
    let calls = row.usage.as_ref().and_then(calls_per_request);
    vec![
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
        share.unwrap_or_else(|| unknown(row)),
        time.unwrap_or_else(|| unknown(row)),
        calls.unwrap_or_else(|| unknown(row)),
    ]
}

fn unknown(row: &Row) -> String {
    if row.usage.is_some() { "unknown" } else { "died" }.to_owned()
}

/// The rows as a table for people, with a line below for whatever went wrong.
pub fn table(rows: &[Row]) -> String {
    let mut text = aligned(columns(rows), cells(rows));
    for trouble in troubles(rows) {
        text += &format!("\n{trouble}");
    }
    text
}

/// A table of which the first column is a name, and the others are figures.
pub(crate) fn aligned<Columns, Cells>(
    columns: Columns,
    rows: impl IntoIterator<Item = Cells>,
) -> String
where
    Columns: Into<comfy_table::Row>,
    Cells: Into<comfy_table::Row>,
{
    let mut table = Table::new();
    let style = UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());
    table.load_style(style).set_header(columns).add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// What went wrong, and at which server.
pub fn troubles(rows: &[Row]) -> Vec<String> {
    let of_row = |row: &Row| {
        let told = row.trouble.iter().map(|trouble| format!("{}: {trouble}", row.server));
        told.collect::<Vec<_>>()
    };
    rows.iter().flat_map(of_row).collect()
}
