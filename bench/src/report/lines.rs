//! A chart of how figures grow: lines over logarithmic axes, with names at their ends.

use std::ops::Range;

use drawing::{CHARACTER, Page, circle, line, text};
use output::figures::{Quantity, thousands};
use svg::node::element::{Polyline, TSpan, Text};

use super::labels::{Wanted, spread};
use super::picture::{Picture, WIDTH, WORDS, axis_below, axis_left, fill, stroke};
use super::scale::Scale;
use crate::Interval;

/// A line.
pub(super) struct Line {
    /// The name at its end.
    pub(super) name: String,
    /// The label of the server whose colour it has.
    pub(super) server: String,
    pub(super) kind: Kind,
    /// Sorted by the first value, which is at least 0 and not 0 everywhere; the second is above 0.
    pub(super) points: Vec<(f64, Interval)>,
}

impl Line {
    /// Where it ends.
    fn last(&self) -> f64 {
        self.points.last().map_or(0.0, |(x, _)| *x)
    }
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    /// With hollow dots, to tell it from the other line with the same colour.
    Hollow,
    /// Thin and without dots, only for comparison.
    Dashed,
}

/// A chart of lines, each with at least one point.
pub(super) struct Lines {
    pub(super) picture: Picture,
    /// The label of the horizontal axis.
    pub(super) x: &'static str,
    /// The distance between vertical grid lines, as a factor.
    pub(super) step: f64,
    /// The label of the vertical axis.
    pub(super) y: &'static str,
    pub(super) lines: Vec<Line>,
}

/// The height of the plot without the text at its axes, in pixels like the other sizes, unless its
/// labels need more.
const PLOT: f64 = 290.0;

/// Where the plot begins, right of the labels of the ticks.
const LEFT: f64 = 66.0;

/// Where it ends, with room for the names at the ends of the lines.
const RIGHT: f64 = WIDTH - 178.0;

/// The gap between the plot and the names.
const GAP: f64 = 18.0;

/// The height of a line of a label.
const LABEL_LINE: f64 = 17.0;

/// Lines that end closer together can't be told apart: they share a label.
const APART: f64 = 4.0;

/// The radius of a dot.
const DOT: f64 = 3.0;

/// Where values are in the plot.
struct Plane {
    across: Scale,
    up: Scale,
}

impl Plane {
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        (self.across.place(x), self.up.place(y))
    }
}

impl Lines {
    pub(super) fn svg(&self) -> String {
        let servers = self.lines.iter().map(|line| line.server.as_str());
        self.picture.svg(servers, |page| self.plot(page))
    }

    fn plot(&self, page: &mut Page) {
        page.paragraph(self.y, WORDS, "faint");
        let top = page.y + 8.0;
        let bottom = top + PLOT.max(self.lines.len() as f64 * LABEL_LINE);
        page.y = bottom;
        let plane = Plane {
            across: Scale::logarithmic(self.columns(), (LEFT, RIGHT), self.step),
            up: Scale::logarithmic(self.decades(), (bottom, top), 10.0),
        };
        let count = |x| if Some(x) == self.zero() { "0".into() } else { thousands(x) };
        let columns = plane.across.ticks().into_iter().map(|x| (plane.across.place(x), count(x)));
        let rows = plane.up.ticks().into_iter();
        let rows = rows.map(|time| (plane.up.place(time), Quantity::Time.tick(time)));
        axis_left(page, (LEFT, RIGHT), (top, bottom), rows);
        axis_below(page, top, (LEFT, RIGHT), columns, self.x);
        // Short lines are drawn last: a longer line could hide them, but not the other way round.
        let mut lines: Vec<&Line> = self.lines.iter().collect();
        lines.sort_by(|one, other| other.last().total_cmp(&one.last()));
        for line in lines {
            self.line(page, line, &plane);
        }
        self.labels(page, &plane, top, bottom);
    }

    fn line(&self, page: &mut Page, drawn: &Line, plane: &Plane) {
        let (fill, stroke) = (fill(&drawn.server), stroke(&drawn.server));
        // The point at 0 is not joined with the others: on this axis, 0 is infinitely far away.
        let joined = drawn.points.iter().filter(|(x, _)| *x > 0.0);
        let points = joined.map(|(x, y)| {
            let (x, y) = plane.place(*x, y.median);
            format!("{x:.1},{y:.1}")
        });
        let polyline = Polyline::new()
            .set("class", stroke.as_str())
            .set("points", points.collect::<Vec<_>>().join(" "))
            .set("fill", "none")
            .set("stroke-linejoin", "round");
        if drawn.kind == Kind::Dashed {
            return page.add(polyline.set("stroke-dasharray", "5 4"));
        }
        page.add(polyline.set("stroke-width", 2));
        for &(x, Interval { low, median, high }) in &drawn.points {
            let x = self.column(x);
            let centre = plane.place(x, median);
            page.add(line(&stroke, plane.place(x, low), plane.place(x, high)));
            page.add(circle(&fill, centre, DOT));
            if drawn.kind == Kind::Hollow {
                page.add(circle("paper", centre, DOT - 1.0));
            }
        }
    }

    /// The names next to the plot, each as close to the end of its line as the others allow.
    fn labels(&self, page: &mut Page, plane: &Plane, top: f64, bottom: f64) {
        let mut labels = self.ends(plane);
        labels.sort_by(|one, other| one.end.1.total_cmp(&other.end.1));
        let labels = labels.into_iter().fold(Vec::new(), joined);
        let wanted = labels.iter().map(Label::wanted).collect::<Vec<_>>();
        let tops = spread(&wanted, top - LABEL_LINE / 2.0, bottom);
        for (label, top) in labels.iter().zip(tops) {
            label.draw(page, top);
        }
    }

    fn ends<'a>(&'a self, plane: &Plane) -> Vec<Label<'a>> {
        let end = |line: &'a Line| {
            let &(x, y) = line.points.last()?;
            Some(Label { lines: vec![line], end: plane.place(self.column(x), y.median) })
        };
        self.lines.iter().filter_map(end).collect()
    }

    fn xs(&self) -> impl Iterator<Item = f64> {
        self.lines.iter().flat_map(|line| &line.points).map(|(x, _)| *x)
    }

    /// The range of the horizontal axis, from the smallest value to the grid line beyond the
    /// largest.
    fn columns(&self) -> Range<f64> {
        let first = self.first();
        let last = self.xs().fold(first * self.step, f64::max).log(self.step);
        // Logarithms are rounded, so a tiny bit more than a whole step still counts as one.
        self.zero().unwrap_or(first)..self.step.powf((last - 1e-9).ceil())
    }

    /// The smallest value above 0.
    fn first(&self) -> f64 {
        self.xs().filter(|x| *x > 0.0).fold(f64::MAX, f64::min)
    }

    /// Where 0 is drawn, which a logarithmic axis doesn't have: a step left of the first value, if
    /// there is a point at 0.
    fn zero(&self) -> Option<f64> {
        self.xs().any(|x| x == 0.0).then(|| self.first() / self.step)
    }

    fn column(&self, x: f64) -> f64 {
        self.zero().filter(|_| x == 0.0).unwrap_or(x)
    }

    /// The range of the vertical axis, between powers of ten, so that each end has a tick.
    fn decades(&self) -> Range<f64> {
        let ys = || self.lines.iter().flat_map(|line| &line.points).map(|(_, y)| y);
        let least = ys().map(|y| y.low).fold(f64::MAX, f64::min);
        let most = ys().map(|y| y.high).fold(0.0, f64::max);
        let (low, high) = (least.log10().floor(), most.log10().ceil());
        10_f64.powf(low)..10_f64.powf(high.max(low + 1.0))
    }
}

/// The names of lines that end at the same place.
struct Label<'a> {
    lines: Vec<&'a Line>,
    /// Where they end.
    end: (f64, f64),
}

/// Adds a label below the others, or merges it with the last one if its line ends at the same
/// place.
fn joined<'a>(mut labels: Vec<Label<'a>>, mut label: Label<'a>) -> Vec<Label<'a>> {
    let is_same = |above: &Label| {
        above.end.0 == label.end.0
            && label.end.1 - above.end.1 < APART
            && above.lines[0].kind == label.lines[0].kind
    };
    match labels.last_mut() {
        Some(above) if is_same(above) => above.lines.append(&mut label.lines),
        _ => labels.push(label),
    }
    labels
}

impl Label<'_> {
    fn wanted(&self) -> Wanted {
        let height = self.rows().len() as f64 * LABEL_LINE;
        Wanted { top: self.end.1 - height / 2.0, height }
    }

    /// The names, as many to a row as fit next to the plot.
    fn rows(&self) -> Vec<Vec<&Line>> {
        let room = ((WIDTH - RIGHT - GAP) / (WORDS * CHARACTER)) as usize;
        let mut rows: Vec<Vec<&Line>> = Vec::new();
        let mut length = 0;
        for line in &self.lines {
            length += line.name.chars().count() + 2; // a comma and a space
            match rows.last_mut() {
                Some(row) if length <= room => row.push(line),
                _ => {
                    length = line.name.chars().count() + 2;
                    rows.push(vec![line]);
                }
            }
        }
        rows
    }

    /// Draws it next to the plot, with its upper edge at `top`; with a leader from the end of the
    /// line, if that is elsewhere.
    fn draw(&self, page: &mut Page, top: f64) {
        let rows = self.rows();
        let middle = top + rows.len() as f64 * LABEL_LINE / 2.0;
        let (x, y) = self.end;
        if RIGHT - x > GAP || (middle - y).abs() > LABEL_LINE / 4.0 {
            let leader = line("axis", (x + DOT + 2.0, y), (RIGHT + GAP - 4.0, middle));
            page.add(leader.set("stroke-dasharray", "1 3"));
        }
        for (index, row) in rows.iter().enumerate() {
            let base = top + (index as f64 + 0.76) * LABEL_LINE;
            page.add(names(row, index + 1 == rows.len(), base));
        }
    }
}

/// Names in the colours of their lines, with commas between them.
fn names(row: &[&Line], is_last: bool, y: f64) -> Text {
    let mut names = text("", RIGHT + GAP, y.round(), WORDS, "faint");
    for (index, line) in row.iter().enumerate() {
        let comma = if is_last && index + 1 == row.len() { "" } else { "," };
        // In the file, each is followed by a line break, which is shown as a space.
        let name = TSpan::new(format!("{}{comma}", line.name));
        names = names.add(name.set("class", fill(&line.server)));
    }
    names
}
