//! The rows as a table.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, LineStyle, Table};

use crate::figures::{calls_per_request, percent, told};
use crate::{Row, Usage};

/// What stands above the columns of the table.
pub const COLUMNS: [&str; 10] = [
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

/// What stands in the columns for one row.
pub fn cells(row: &Row) -> [String; COLUMNS.len()] {
    let unknown = || if row.usage.is_some() { "unknown" } else { "died" }.to_owned();
    let share = row.share_of_a_core().map(percent);
    let time = row.usage.as_ref().and_then(Usage::processor_time_per_request).map(told);
    let calls = row.usage.as_ref().and_then(calls_per_request);
    [
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
        share.unwrap_or_else(unknown),
        time.unwrap_or_else(unknown),
        calls.unwrap_or_else(unknown),
    ]
}

/// The rows as a table for people, with a line below for whatever went wrong.
pub fn table(rows: &[Row]) -> String {
    let mut text = aligned(&COLUMNS, rows.iter().map(cells));
    for trouble in troubles(rows) {
        text += &format!("\n{trouble}");
    }
    text
}

/// A table of which the first column is a name, and the others are figures.
pub(crate) fn aligned<const N: usize>(
    columns: &[&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
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
