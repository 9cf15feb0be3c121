//! The page for a browser: the table, and below it the timelines of all servers on the same time
//! axis, so that the ways to wait can be compared at a glance. It needs no other file, no network
//! and no script.

use maud::{DOCTYPE, PreEscaped, html};
use timeline::Picture;

use crate::colours::{self, class};
use crate::table::{table, troubles};
use crate::{ServerResult, Wait};
use drawing::Colour;

/// The most rows a timeline has: few enough to see three timelines without much scrolling.
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

/// The page as HTML. The `introduction` says what was run, the `findings` say what it shows. With
/// `replay`, the timelines are animated, all of them by the same clock.
pub fn page(
    introduction: &str,
    findings: &[String],
    rows: &[ServerResult],
    replay: bool,
) -> String {
    let table = table(rows);
    let until = rows.iter().map(|row| row.timeline.length).max();
    let pictures = rows.iter().map(|row| Picture {
        title: row.server.into(),
        lines: vec![format!(
            "A well-behaved client's first visit took {} here, the longest {}.",
            or_unknown(row.visits.median()),
            or_unknown(row.visits.longest())
        )],
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
                        thead { tr { @for title in table.titles() { th { (title) } } } }
                        tbody {
                            @for (row, cells) in rows.iter().zip(table.rows()) {
                                @let Colour { light, dark } = colours::of(row.server);
                                tr style={ "--server: light-dark(" (light) ", " (dark) ")" } {
                                    @for cell in cells { td { (cell.text) } }
                                }
                            }
                        }
                    }
                }
                @for trouble in troubles(rows) { p.trouble { (trouble) } }
                @for finding in findings { p { (finding) } }
                h2 { "What each client went through" }
                p {
                    "The first round at each server, all on the same time axis. Each row is a \
                     connection; point at a bar to see what it stands for."
                }
                @for (row, picture) in rows.iter().zip(pictures) {
                    figure { (PreEscaped(picture.svg(&row.timeline))) }
                }
            }
        }
    }
    .into_string()
}

fn or_unknown(wait: Option<Wait>) -> String {
    wait.map_or_else(|| "an unknown time".into(), |wait| wait.to_string())
}
