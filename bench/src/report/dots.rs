//! A plot that compares servers: a row for each, sorted, with a dot at its figure.

use drawing::{Canvas, MARGIN, Scale, circle, line, text};
use output::figures::Quantity;

use super::chart::{WIDTH, WORDS, axis_below, stroke};
use super::groups::is_peer;
use crate::Interval;
use crate::colours::class;

/// A plot of dots, with at least one dot.
pub(super) struct Dots {
    pub(super) quantity: Quantity,
    pub(super) dots: Vec<Dot>,
}

/// A row.
pub(super) struct Dot {
    /// The server's label.
    pub(super) server: String,
    /// Whether the true figure is higher, because not everything could be counted.
    pub(super) at_least: bool,
    pub(super) value: Interval,
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
    /// Draws the rows, and below them the axis, which shows `what`.
    pub(super) fn draw(&self, canvas: &mut Canvas, what: &str) {
        let scale = self.scale();
        let top = canvas.y;
        canvas.y += self.dots.len() as f64 * ROW;
        axis_below(canvas, top, &scale, |value| self.quantity.tick(value), what);
        let mut dots: Vec<&Dot> = self.dots.iter().collect();
        dots.sort_by(|one, other| one.value.median.total_cmp(&other.value.median));
        for (row, dot) in dots.into_iter().enumerate() {
            self.row(canvas, dot, &scale, top + (row as f64 + 0.5) * ROW);
        }
    }

    fn scale(&self) -> Scale {
        let least = self.dots.iter().map(|dot| dot.value.low).fold(f64::MAX, f64::min);
        let most = self.dots.iter().map(|dot| dot.value.high).fold(0.0, f64::max);
        if least > 0.0 && most / least > WIDE {
            return Scale::decades(least..most, (LEFT, RIGHT));
        }
        let values = least.min(0.0)..most.max(f64::MIN_POSITIVE) * 1.05;
        Scale::linear(values, (LEFT, RIGHT), 5.0)
    }

    fn row(&self, canvas: &mut Canvas, dot: &Dot, scale: &Scale, y: f64) {
        let [low, median, high] = <[f64; 3]>::from(dot.value).map(|value| scale.place(value));
        canvas.add(line("grid", (LEFT, y), (median, y)));
        canvas.add(line(&stroke(&dot.server), (low, y), (high, y)).set("stroke-width", 2));
        canvas.add(circle(&class(&dot.server), (median, y), DOT));
        // Peers are hollow.
        if is_peer(&dot.server) {
            canvas.add(circle("paper", (median, y), DOT - 2.0));
        }
        let base = y + WORDS * 0.36;
        canvas.add(text(&dot.server, MARGIN, base, WORDS, "ink"));
        let at_least = if dot.at_least { "≥ " } else { "" };
        let figure = format!("{at_least}{}", self.quantity.format(dot.value.median));
        canvas.add(text(&figure, high.max(median) + GAP, base, WORDS, "ink"));
    }
}
