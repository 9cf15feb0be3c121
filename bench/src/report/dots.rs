//! A chart that compares servers: a row for each, sorted, with a dot at its figure.

use drawing::{MARGIN, Page, circle, line, text};
use output::figures::Quantity;

use super::picture::{Picture, WIDTH, WORDS, axis_below, fill, stroke};
use super::scale::Scale;
use crate::Interval;

/// A row.
pub(super) struct Dot {
    /// The server's label.
    pub(super) server: String,
    /// Whether it is a server from outside this workspace; then the dot is hollow.
    pub(super) is_peer: bool,
    /// Whether the true figure is higher, because not everything could be counted.
    pub(super) at_least: bool,
    pub(super) value: Interval,
}

/// A chart of dots, with at least one dot.
pub(super) struct Dots {
    pub(super) picture: Picture,
    /// The label of the horizontal axis.
    pub(super) x: &'static str,
    pub(super) quantity: Quantity,
    pub(super) dots: Vec<Dot>,
}

/// The height of a row, in pixels like the other sizes.
const ROW: f64 = 22.0;

/// Where the rows begin, right of the servers' names.
const LEFT: f64 = 214.0;

/// Where they end, with room for the figure next to a dot.
const RIGHT: f64 = WIDTH - 78.0;

/// The radius of a dot.
const DOT: f64 = 5.0;

/// The gap between the bounds of a figure and its text.
const GAP: f64 = 10.0;

/// If the largest figure is this many times the smallest, the axis is logarithmic; on a linear one,
/// the small figures could not be told apart.
const WIDE: f64 = 20.0;

impl Dots {
    pub(super) fn svg(&mut self) -> String {
        self.dots.sort_by(|one, other| one.value.median.total_cmp(&other.value.median));
        let servers = self.dots.iter().map(|dot| dot.server.as_str());
        self.picture.svg(servers, |page| self.plot(page))
    }

    fn plot(&self, page: &mut Page) {
        let across = self.across();
        let top = page.y;
        page.y += self.dots.len() as f64 * ROW;
        let tick = |value| (across.place(value), self.quantity.tick(value));
        axis_below(page, top, (LEFT, RIGHT), across.ticks().into_iter().map(tick), self.x);
        for (row, dot) in self.dots.iter().enumerate() {
            self.row(page, dot, &across, top + (row as f64 + 0.5) * ROW);
        }
    }

    fn across(&self) -> Scale {
        let least = self.dots.iter().map(|dot| dot.value.low).fold(f64::MAX, f64::min);
        let most = self.dots.iter().map(|dot| dot.value.high).fold(0.0, f64::max);
        if least > 0.0 && most / least > WIDE {
            let (low, high) = (least.log10().floor(), most.log10().ceil());
            let decades = 10_f64.powf(low)..10_f64.powf(high);
            return Scale::logarithmic(decades, (LEFT, RIGHT), 10.0);
        }
        let values = least.min(0.0)..most.max(f64::MIN_POSITIVE) * 1.05;
        Scale::linear(values, (LEFT, RIGHT), 5.0)
    }

    fn row(&self, page: &mut Page, dot: &Dot, across: &Scale, y: f64) {
        let [low, median, high] = <[f64; 3]>::from(dot.value).map(|value| across.place(value));
        let (fill, stroke) = (fill(&dot.server), stroke(&dot.server));
        page.add(line("grid", (LEFT, y), (median, y)));
        page.add(line(&stroke, (low, y), (high, y)).set("stroke-width", 2));
        page.add(circle(&fill, (median, y), DOT));
        if dot.is_peer {
            page.add(circle("paper", (median, y), DOT - 2.0));
        }
        let base = y + WORDS * 0.36;
        page.add(text(&dot.server, MARGIN, base, WORDS, "ink"));
        let at_least = if dot.at_least { "≥ " } else { "" };
        let figure = format!("{at_least}{}", self.quantity.format(dot.value.median));
        page.add(text(&figure, high.max(median) + GAP, base, WORDS, "ink"));
    }
}
