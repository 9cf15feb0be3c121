//! The page for a browser: the table, and below it the timelines of all servers on the same
//! time axis, so that the ways to wait are seen at one glance. It needs no other file, no
//! network and no script.

use maud::{DOCTYPE, PreEscaped, html};
use timeline::Picture;

use crate::Row;
use crate::colours::{self, class};
use crate::figures::told;
use crate::table::{cells, columns, troubles};

/// How many rows a timeline has at most: three of them are to be seen without much scrolling.
const ROWS: usize = 24;

const STYLE: &str = "
:root { color-scheme: light dark; }
body { max-width: 64rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.5;
       font-family: system-ui, sans-serif; }
table { border-collapse: collapse; }
th, td { padding: 0.2rem 0.5rem; text-align: right; white-space: nowrap;
         font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
th { border-bottom: 1px solid; }
.table { overflow-x: auto; }
td:first-child::before { content: ''; display: inline-block; width: 0.6rem; height: 0.6rem;
                         margin-right: 0.5rem; border-radius: 50%; background: var(--server); }
.trouble { color: light-dark(#b3261e, #ff8a80); }
figure { margin: 2rem 0; }
svg { width: 100%; height: auto; }
";

/// The page as HTML. The `introduction` says what was run, the `findings` what is to be seen.
/// With `replay`, the timelines draw themselves, all of them by the same clock.
pub fn page(introduction: &str, findings: &[String], rows: &[Row], replay: bool) -> String {
    let until = rows.iter().map(|row| row.timeline.length).max();
    let pictures = rows.iter().map(|row| Picture {
        title: row.server.into(),
        lines: vec![figures(row)],
        until,
        replay,
        rows: ROWS,
        id: class(row.server),
        ..Picture::default()
    });
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Ways to wait" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Ways to wait" }
                p { (introduction) }
                div.table {
                    table {
                        thead { tr { @for column in columns(rows) { th { (column) } } } }
                        tbody {
                            @for (row, cells) in rows.iter().zip(cells(rows)) {
                                tr style=(colour(row.server)) { @for cell in cells { td { (cell) } } }
                            }
                        }
                    }
                }
                @for trouble in troubles(rows) { p.trouble { (trouble) } }
                @for finding in findings { p { (finding) } }
                h2 { "What each client went through" }
                p {
                    "The first round at each server, all on the same time axis. A row is a \
                     connection; point at a bar to read what it is."
                }
                @for (row, picture) in rows.iter().zip(pictures) {
                    figure { (PreEscaped(picture.svg(&row.timeline))) }
                }
            }
        }
    }
    .into_string()
}

/// Gives a row of the table the colour that its server has in every picture.
fn colour(server: &str) -> String {
    let colours::Colour { light, dark } = colours::of(server);
    format!("--server: light-dark({light}, {dark})")
}

fn figures(row: &Row) -> String {
    format!(
        "A well-behaved client waited {} here (the median), {} at most.",
        told(row.probe.quantile(0.5)),
        told(row.probe.max())
    )
}
