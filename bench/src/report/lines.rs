//! A plot of how figures grow: lines over logarithmic axes, with names at their ends.

use std::ops::Range;

use drawing::{CHARACTER, Canvas, Scale, circle, line, text};
use output::figures::{Quantity, thousands};
use svg::node::element::{Polyline, TSpan};

use super::chart::{TICK, WIDTH, WORDS, axis_below, stroke};
use super::labels::spread;
use crate::Interval;
use crate::colours::class;

/// A plot of lines, each with at least one point.
pub(super) struct Lines {
    /// The distance between vertical grid lines, as a factor.
    pub(super) step: f64,
    /// The label of the vertical axis.
    pub(super) y: &'static str,
    pub(super) lines: Vec<Line>,
}

/// A line.
pub(super) struct Line {
    /// The name at its end.
    pub(super) name: String,
    /// The label of the server whose colour it has.
    pub(super) server: String,
    pub(super) style: LineStyle,
    /// Sorted by the first value, which is at least 0 and not 0 everywhere; the second is above 0.
    pub(super) points: Vec<(f64, Interval)>,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineStyle {
    Plain,
    /// With hollow dots, to tell it from the other line with the same colour.
    Hollow,
    /// Thin and without dots, only for comparison.
    Dashed,
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

impl Lines {
    /// Draws the lines, and the axes around them; the horizontal one shows `what`.
    pub(super) fn draw(&self, canvas: &mut Canvas, what: &str) {
        canvas.paragraph(self.y, WORDS, "faint");
        let top = canvas.y + 8.0;
        let bottom = top + PLOT.max(self.lines.len() as f64 * LABEL_LINE);
        canvas.y = bottom;
        let plane = self.plane(top, bottom);
        for time in plane.up.ticks() {
            let y = plane.up.place(time);
            canvas.add(line("grid", (LEFT, y), (RIGHT, y)));
            canvas.add(line("axis", (LEFT - 4.0, y), (LEFT, y)));
            let label = Quantity::Time.tick(time);
            let label = text(&label, LEFT - 8.0, y + TICK * 0.36, TICK, "faint");
            canvas.add(label.set("text-anchor", "end"));
        }
        canvas.add(line("axis", (LEFT, top), (LEFT, bottom)));
        let count = |x| if plane.zero == Some(x) { "0".into() } else { thousands(x) };
        axis_below(canvas, top, &plane.across, count, what);
        // Short lines are drawn last: a longer line could hide them, but not the other way round.
        let mut lines: Vec<&Line> = self.lines.iter().collect();
        lines.sort_by(|one, other| plane.end(other).0.total_cmp(&plane.end(one).0));
        lines.iter().for_each(|line| line.draw(canvas, &plane));
        // The names next to the plot, each as close to the end of its line as the others allow.
        let labels = self.labels(&plane);
        let wanted = labels.iter().map(Label::wanted).collect::<Vec<_>>();
        let tops = spread(&wanted, top - LABEL_LINE / 2.0, bottom);
        for (label, top) in labels.iter().zip(tops) {
            label.draw(canvas, top);
        }
    }

    fn plane(&self, top: f64, bottom: f64) -> Plane {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let xs = || points().map(|(x, _)| *x);
        let first = xs().filter(|x| *x > 0.0).fold(f64::MAX, f64::min);
        let zero = xs().any(|x| x == 0.0).then_some(first / self.step);
        let last = xs().fold(first * self.step, f64::max).log(self.step);
        // Logarithms are rounded, so a tiny bit more than a whole step still counts as one.
        let columns = zero.unwrap_or(first)..self.step.powf((last - 1e-9).ceil());
        let least = points().map(|(_, y)| y.low).fold(f64::MAX, f64::min);
        let most = points().map(|(_, y)| y.high).fold(0.0, f64::max);
        Plane {
            across: Scale::logarithmic(columns, (LEFT, RIGHT), self.step),
            zero,
            up: Scale::decades(least..most, (bottom, top)),
        }
    }

    /// The names, from the top down. Lines that end at the same place share a label.
    fn labels(&self, plane: &Plane) -> Vec<Label<'_>> {
        let mut lines: Vec<&Line> = self.lines.iter().collect();
        lines.sort_by(|one, other| plane.end(one).1.total_cmp(&plane.end(other).1));
        let mut labels: Vec<Label> = Vec::new();
        for line in lines {
            let end = plane.end(line);
            let is_same = |above: &&mut Label| {
                above.end.0 == end.0
                    && end.1 - above.end.1 < APART
                    && above.rows[0][0].style == line.style
            };
            match labels.last_mut().filter(is_same) {
                Some(above) => above.add(line),
                None => labels.push(Label { rows: vec![vec![line]], end }),
            }
        }
        labels
    }
}

/// Where values are in the plot.
struct Plane {
    /// From the smallest value to the grid line beyond the largest.
    across: Scale,
    /// Where 0 is drawn, which a logarithmic axis doesn't have: a step left of the first value, if
    /// there is a point at 0.
    zero: Option<f64>,
    up: Scale,
}

impl Plane {
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let x = self.zero.filter(|_| x == 0.0).unwrap_or(x);
        (self.across.place(x), self.up.place(y))
    }

    /// Where a line ends.
    fn end(&self, line: &Line) -> (f64, f64) {
        let (x, y) = line.points[line.points.len() - 1];
        self.place(x, y.median)
    }
}

impl Line {
    fn draw(&self, canvas: &mut Canvas, plane: &Plane) {
        let (fill, stroke) = (class(&self.server), stroke(&self.server));
        // The point at 0 is not joined with the others: on this axis, 0 is infinitely far away.
        let joined = self.points.iter().filter(|(x, _)| *x > 0.0);
        let points = joined.map(|(x, y)| {
            let (x, y) = plane.place(*x, y.median);
            format!("{x:.1},{y:.1}")
        });
        let polyline = Polyline::new()
            .set("class", stroke.as_str())
            .set("points", points.collect::<Vec<_>>().join(" "))
            .set("fill", "none")
            .set("stroke-linejoin", "round");
        if self.style == LineStyle::Dashed {
            return canvas.add(polyline.set("stroke-dasharray", "5 4"));
        }
        canvas.add(polyline.set("stroke-width", 2));
        for &(x, Interval { low, median, high }) in &self.points {
            let centre = plane.place(x, median);
            canvas.add(line(&stroke, plane.place(x, low), plane.place(x, high)));
            canvas.add(circle(&fill, centre, DOT));
            if self.style == LineStyle::Hollow {
                canvas.add(circle("paper", centre, DOT - 1.0));
            }
        }
    }
}

/// The names of lines that end at the same place.
struct Label<'a> {
    /// As many to a row as fit next to the plot.
    rows: Vec<Vec<&'a Line>>,
    /// Where the first of them ends.
    end: (f64, f64),
}

impl<'a> Label<'a> {
    fn add(&mut self, line: &'a Line) {
        let room = ((WIDTH - RIGHT - GAP) / (WORDS * CHARACTER)) as usize;
        let length = |line: &&Line| line.name.chars().count() + 2; // a comma and a space
        let fits =
            |row: &&mut Vec<&Line>| row.iter().chain([&line]).map(length).sum::<usize>() <= room;
        match self.rows.last_mut().filter(fits) {
            Some(row) => row.push(line),
            None => self.rows.push(vec![line]),
        }
    }

    /// The edges, around the end of the line.
    fn wanted(&self) -> Range<f64> {
        let height = self.rows.len() as f64 * LABEL_LINE;
        let top = self.end.1 - height / 2.0;
        top..top + height
    }

    /// Draws it next to the plot, with its upper edge at `top`; with a leader from the end of the
    /// line, if that is elsewhere.
    fn draw(&self, canvas: &mut Canvas, top: f64) {
        let middle = top + self.rows.len() as f64 * LABEL_LINE / 2.0;
        let (x, y) = self.end;
        if RIGHT - x > GAP || (middle - y).abs() > LABEL_LINE / 4.0 {
            let leader = line("axis", (x + DOT + 2.0, y), (RIGHT + GAP - 4.0, middle));
            canvas.add(leader.set("stroke-dasharray", "1 3"));
        }
        for (index, row) in self.rows.iter().enumerate() {
            let base = top + (index as f64 + 0.76) * LABEL_LINE;
            let mut names = text("", RIGHT + GAP, base.round(), WORDS, "faint");
            for (place, line) in row.iter().enumerate() {
                let is_last = index + 1 == self.rows.len() && place + 1 == row.len();
                // In the file, each is followed by a line break, which is shown as a space.
                let name = TSpan::new(format!("{}{}", line.name, if is_last { "" } else { "," }));
                names = names.add(name.set("class", class(&line.server)));
            }
            canvas.add(names);
        }
    }
}
