//! The legend, which explains only what occurs in the picture.

use drawing::{Canvas, MARGIN, text};
use load_generator::Phase;
use load_generator::report::{Failure, Stage};
use svg::Node;

use super::plot::Plot;
use super::shapes::{bar, before, cross, replies, style};

/// The width of a sample, in pixels.
const SAMPLE: f64 = 24.0;

pub(super) fn legend(canvas: &mut Canvas, plot: &Plot<'_>) {
    canvas.y += 18.0;
    let mut x = MARGIN;
    if plot.lanes().any(|lane| lane.begins(&plot.axis).is_some()) {
        explain(canvas, &mut x, "not started yet", |x, y| before(x, x + SAMPLE, y));
    }
    for phase in Phase::ALL {
        if plot.lanes().any(|lane| lane.bars.iter().any(|bar| bar.phase() == phase)) {
            explain(canvas, &mut x, style(phase).name, |x, y| bar(phase, x, x + SAMPLE, y, 15.0));
        }
    }
    if plot.lanes().any(|lane| lane.row.replies().next().is_some()) {
        let name = match plot.has_times() {
            true => "reply received, and when the last one was",
            false => "reply received",
        };
        explain(canvas, &mut x, name, |x, y| replies(&[x + SAMPLE / 2.0], y - 8.0, 16.0));
    }
    for stage in Stage::ALL {
        let fails = |failure: &Failure| failure.stage == stage;
        if plot.lanes().any(|lane| lane.row.failure.as_ref().is_some_and(fails)) {
            explain(canvas, &mut x, failure_name(stage), |x, y| cross(x + SAMPLE / 2.0, y));
        }
    }
    canvas.y += 20.0;
}

/// Draws a sample at `x`, or on the next line if it doesn't fit, and its name. Moves `x` behind it.
fn explain<N: Into<Box<dyn Node>>>(
    canvas: &mut Canvas,
    x: &mut f64,
    name: &str,
    sample: impl FnOnce(f64, f64) -> N,
) {
    const SIZE: f64 = 12.0;
    let length = SAMPLE + 6.0 + name.chars().count() as f64 * SIZE * 0.5;
    if *x + length > canvas.width - MARGIN && *x > MARGIN {
        *x = MARGIN;
        canvas.y += 20.0;
    }
    canvas.add(sample(*x, canvas.y + 6.0));
    canvas.add(text(name, *x + SAMPLE + 6.0, canvas.y + 10.0, SIZE, "ink"));
    *x += length + 16.0;
}

/// What a failure at this stage means.
fn failure_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect => "could not connect",
        Stage::Send => "could not send",
        Stage::Reply => "wrong reply",
        Stage::ClosedEarly => "closed early by the server",
        Stage::TimedOut => "timed out",
    }
}
