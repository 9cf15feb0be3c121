//! What all charts have in common: the text around the plot, the colours, and the axes.

use drawing::{Page, Rule, line, sheet, text};

use crate::colours::{self, class};

/// The text around a chart.
pub(super) struct Picture {
    /// The element's id, unique among the pictures on a page.
    pub(super) id: String,
    /// What the chart shows.
    pub(super) title: String,
    /// What is measured, and what is held fixed.
    pub(super) subtitle: String,
    /// What readers have to know in order not to be misled; each is a paragraph.
    pub(super) notes: Vec<String>,
}

/// The width in pixels, like all sizes here. On a phone that is 390 pixels wide, text still has
/// about two thirds of its size.
pub(super) const WIDTH: f64 = 640.0;

/// The size of text in the plot.
pub(super) const WORDS: f64 = 14.0;

/// The size of text at the ticks.
const TICK: f64 = 13.0;

impl Picture {
    /// The finished file, in which `plot` draws what it shows about these servers.
    pub(super) fn svg<'a>(
        &self,
        servers: impl Iterator<Item = &'a str>,
        plot: impl FnOnce(&mut Page),
    ) -> String {
        let mut labels: Vec<&str> = servers.collect();
        labels.sort_unstable();
        labels.dedup();
        let rules: Vec<Rule<String>> = labels.into_iter().flat_map(rules).collect();
        let about = [std::slice::from_ref(&self.subtitle), &self.notes].concat().join(" ");
        let mut page = Page::new(&self.id, WIDTH, &self.title, &about, &sheet(&self.id, &rules));
        page.heading(&self.title);
        page.paragraph(&self.subtitle, 14.0, "faint");
        page.y += 6.0;
        plot(&mut page);
        for note in &self.notes {
            page.paragraph(note, 12.0, "faint");
        }
        page.finish()
    }
}

fn rules(server: &str) -> [Rule<String>; 2] {
    let colour = colours::of(server);
    [(fill(server), "fill", colour), (stroke(server), "stroke", colour)]
}

/// The class of dots and text in a server's colour.
pub(super) fn fill(server: &str) -> String {
    format!("{}-fill", class(server))
}

/// The class of lines in a server's colour.
pub(super) fn stroke(server: &str) -> String {
    format!("{}-line", class(server))
}

/// The horizontal axis below a plot that begins at `top`: lines of the grid at these ticks, their
/// labels, and what the axis shows. Moves the page below all of it.
pub(super) fn axis_below(
    page: &mut Page,
    top: f64,
    (left, right): (f64, f64),
    ticks: impl IntoIterator<Item = (f64, String)>,
    what: &str,
) {
    let bottom = page.y;
    for (x, label) in ticks {
        page.add(line("grid", (x, top), (x, bottom)));
        page.add(line("axis", (x, bottom), (x, bottom + 4.0)));
        let label = text(&label, x, bottom + 19.0, TICK, "faint");
        page.add(label.set("text-anchor", "middle"));
    }
    page.add(line("axis", (left, bottom), (right, bottom)));
    let what = text(what, f64::midpoint(left, right), bottom + 38.0, WORDS, "faint");
    page.add(what.set("text-anchor", "middle"));
    page.y = bottom + 48.0;
}

/// The vertical axis left of a plot, in the same way.
pub(super) fn axis_left(
    page: &mut Page,
    (left, right): (f64, f64),
    (top, bottom): (f64, f64),
    ticks: impl IntoIterator<Item = (f64, String)>,
) {
    for (y, label) in ticks {
        page.add(line("grid", (left, y), (right, y)));
        page.add(line("axis", (left - 4.0, y), (left, y)));
        let label = text(&label, left - 8.0, y + TICK * 0.36, TICK, "faint");
        page.add(label.set("text-anchor", "end"));
    }
    page.add(line("axis", (left, top), (left, bottom)));
}
