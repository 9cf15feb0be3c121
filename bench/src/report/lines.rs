//! A chart of how figures grow: lines over logarithmic axes, with names at their ends.

use std::io;
use std::ops::Range;

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::combinators::{IntoLogRange, LogCoord};
use plotters::element::{Circle, PathElement};
use plotters::prelude::SVGBackend;
use plotters::series::LineSeries;
use plotters::style::Color;
use svg::node::element::{Group, Line as Stroke, TSpan, Text};

use super::labels::{Wanted, spread};
use super::picture::{
    Area, BELOW, CHARACTER, Drawn, MARGIN, Picture, WORDS, with_first_tick, words,
};
use super::theme::{DASHED, FILL, STROKE, Theme};
use crate::Interval;
use crate::colours::class;
use output::figures::{Quantity, thousands};

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

type Plot<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<LogCoord<f64>, LogCoord<f64>>>;

/// The height of the plot without the text at its axes, in pixels like the other sizes, unless its
/// labels need more.
const PLOT: u32 = 290;

/// The space left of the plot, for the labels of the ticks.
const LEFT: u32 = 66;

/// The space above the plot, for the label of the vertical axis.
const ABOVE: u32 = 30;

/// The space right of the plot, for the names at the ends of the lines.
const RIGHT: u32 = 178;

/// The gap between the plot and the names.
const GAP: f64 = 18.0;

/// The height of a line of a label.
const LABEL_LINE: f64 = 17.0;

/// Lines that end closer together can't be told apart: they share a label.
const APART: f64 = 4.0;

/// The radius of a dot.
const DOT: u32 = 3;

impl Lines {
    pub(super) fn svg(&self) -> io::Result<String> {
        let labels = (self.lines.len() as f64 * LABEL_LINE) as u32;
        let height = ABOVE + PLOT.max(labels) + BELOW;
        self.picture.svg(height, |area, theme| self.plot(area, theme))
    }

    fn plot(&self, area: &Area<'_>, theme: &mut Theme) -> Drawn<Group> {
        area.draw_text(self.y, &words(WORDS, Theme::FAINT), (MARGIN as i32, 10))?;
        let mut plot = ChartBuilder::on(area)
            .margin_top(ABOVE)
            .margin_right(RIGHT)
            .x_label_area_size(BELOW)
            .y_label_area_size(LEFT)
            .build_cartesian_2d(
                with_first_tick(self.columns()).log_scale().base(self.step),
                with_first_tick(self.decades()).log_scale(),
            )?;
        self.mesh(&mut plot)?;
        // Short lines are drawn last: a longer line could hide them, but not the other way round.
        let mut lines: Vec<&Line> = self.lines.iter().collect();
        lines.sort_by(|one, other| other.last().total_cmp(&one.last()));
        for line in lines {
            self.line(line, &mut plot, theme)?;
        }
        Ok(self.labels(&plot))
    }

    fn mesh(&self, plot: &mut Plot<'_, '_>) -> Drawn<()> {
        let (columns, rows) = (self.columns(), self.decades());
        let zero = self.zero();
        plot.configure_mesh()
            .light_line_style(Theme::GRID.mix(0.0))
            .bold_line_style(Theme::GRID)
            .axis_style(Theme::AXIS)
            .label_style(words(WORDS - 1.0, Theme::FAINT))
            .axis_desc_style(words(WORDS, Theme::FAINT))
            .x_labels(steps(&columns, self.step))
            .y_labels(steps(&rows, 10.0))
            .x_desc(self.x)
            .x_label_formatter(&|&x| if Some(x) == zero { "0".into() } else { thousands(x) })
            .y_label_formatter(&|&time| Quantity::Time.tick(time))
            .draw()
    }

    fn line(&self, line: &Line, plot: &mut Plot<'_, '_>, theme: &mut Theme) -> Drawn<()> {
        let place = |&(x, y): &(f64, Interval)| (self.column(x), y);
        let points: Vec<(f64, Interval)> = line.points.iter().map(place).collect();
        // The point at 0 is not joined with the others: on this axis, 0 is infinitely far away.
        let joined = points.iter().filter(|(x, _)| Some(*x) != self.zero());
        let joined = joined.map(|(x, y)| (*x, y.median));
        if line.kind == Kind::Dashed {
            plot.draw_series(LineSeries::new(joined, theme.dashed(&line.server)))?;
            return Ok(());
        }
        let colour = theme.server(&line.server);
        plot.draw_series(LineSeries::new(joined, colour.stroke_width(2)))?;
        let bounds =
            |&(x, y): &(f64, Interval)| PathElement::new([(x, y.low), (x, y.high)], colour);
        plot.draw_series(points.iter().map(bounds))?;
        let dot = |&(x, y): &(f64, Interval)| Circle::new((x, y.median), DOT, colour.filled());
        plot.draw_series(points.iter().map(dot))?;
        if line.kind == Kind::Hollow {
            let hole = |&(x, y): &(f64, Interval)| {
                Circle::new((x, y.median), DOT - 1, Theme::PAPER.filled())
            };
            plot.draw_series(points.iter().map(hole))?;
        }
        Ok(())
    }

    /// The names next to the plot, each as close to the end of its line as the others allow.
    fn labels(&self, plot: &Plot<'_, '_>) -> Group {
        let (across, down) = plot.plotting_area().get_pixel_range();
        let mut labels = self.ends(plot);
        labels.sort_by(|one, other| one.end.1.total_cmp(&other.end.1));
        let labels = labels.into_iter().fold(Vec::new(), joined);
        let wanted = labels.iter().map(Label::wanted).collect::<Vec<_>>();
        let edge = f64::from(across.end);
        let tops = spread(&wanted, f64::from(down.start) - LABEL_LINE / 2.0, f64::from(down.end));
        let drawn = labels.iter().zip(tops).map(|(label, top)| label.drawn(edge, top));
        drawn.fold(Group::new(), Group::add)
    }

    fn ends<'a>(&'a self, plot: &Plot<'_, '_>) -> Vec<Label<'a>> {
        let end = |line: &'a Line| {
            let &(x, y) = line.points.last()?;
            let (x, y) = plot.backend_coord(&(self.column(x), y.median));
            Some(Label { lines: vec![line], end: (f64::from(x), f64::from(y)) })
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

/// How many ticks a range has.
fn steps(range: &Range<f64>, step: f64) -> usize {
    (range.end / range.start).log(step).round() as usize + 1
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
        let room = ((f64::from(RIGHT) - GAP) / (WORDS * CHARACTER)) as usize;
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

    /// Draws it next to a plot that ends at `edge`, with its own upper edge at `top`; with a leader
    /// from the end of the line, if that is elsewhere.
    fn drawn(&self, edge: f64, top: f64) -> Group {
        let mut group = Group::new();
        let rows = self.rows();
        let middle = top + rows.len() as f64 * LABEL_LINE / 2.0;
        let (x, y) = self.end;
        if edge - x > GAP || (middle - y).abs() > LABEL_LINE / 4.0 {
            group = group.add(leader((x + f64::from(DOT) + 2.0, y), (edge + GAP - 4.0, middle)));
        }
        for (index, row) in rows.iter().enumerate() {
            let base = top + (index as f64 + 0.76) * LABEL_LINE;
            let is_last = index + 1 == rows.len();
            group = group.add(names(row, is_last, edge + GAP, base));
        }
        group
    }
}

fn leader(from: (f64, f64), to: (f64, f64)) -> Stroke {
    Stroke::new()
        .set("class", format!("axis{STROKE}"))
        .set("stroke-dasharray", "1 3")
        .set("x1", from.0)
        .set("y1", from.1)
        .set("x2", to.0)
        .set("y2", to.1)
}

/// Names in the colours of their lines, with commas between them.
fn names(row: &[&Line], is_last: bool, x: f64, y: f64) -> Text {
    let mut text = Text::new("")
        .set("class", format!("faint{FILL}"))
        .set("x", x)
        .set("y", y.round())
        .set("font-size", WORDS);
    for (index, line) in row.iter().enumerate() {
        let kind = if line.kind == Kind::Dashed { DASHED } else { "" };
        let colour = format!("{}{kind}{FILL}", class(&line.server));
        let comma = if is_last && index + 1 == row.len() { "" } else { "," };
        // In the file, each is followed by a line break, which is shown as a space.
        text = text.add(TSpan::new(format!("{}{comma}", line.name)).set("class", colour));
    }
    text
}
