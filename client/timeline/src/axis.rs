//! Where an instant is in the picture, and how times are written.
//!
//! The axis is linear, with one exception: if a flood gave up because nothing had moved for
//! seconds, those seconds would squeeze everything else into the first pixel. So they are drawn as
//! a narrow, torn strip, which says how long they lasted.

use std::time::Duration;

use drawing::Scale;
use load_generator::report::Stage;
use output::figures::Quantity;

use super::{Row, Timeline};

/// The share of the axis that the torn strip takes.
const TORN_SHARE: f64 = 0.2;

/// The strip is torn if it would take more than this share of a linear axis.
const TORN_FROM: f64 = 0.7;

/// How much of the stall is shown before the tear, as a share of what comes before the stall.
const BEFORE_TEAR: f64 = 0.15;

/// About how far apart ticks are, in pixels.
const BETWEEN_TICKS: f64 = 110.0;

/// The time axis.
pub(super) struct Axis {
    /// Seconds, as far as they are drawn to scale.
    pub(super) to_scale: Scale,
    /// What follows, if not everything is.
    pub(super) tear: Option<Tear>,
}

/// The strip at the right end of the axis that isn't drawn to scale.
pub(super) struct Tear {
    /// How long nothing had moved at the end.
    pub(super) stall: Duration,
    /// Where its middle is, in pixels.
    pub(super) middle: f64,
    strip: Scale,
}

impl Axis {
    /// An axis for a timeline, between the pixels `left` and `right`, or one that ends at
    /// `until`.
    pub(super) fn new(timeline: &Timeline, until: Option<Duration>, left: f64, right: f64) -> Self {
        // A timeline of no length could not be drawn to scale.
        let shortest = Duration::from_micros(1);
        let end = until.unwrap_or(timeline.length).max(shortest);
        let scale = |from: Duration, to: Duration, ends: (f64, f64)| {
            let most = ((ends.1 - ends.0) / BETWEEN_TICKS).floor().max(1.0);
            Scale::linear(from.as_secs_f64()..to.as_secs_f64(), ends, most)
        };
        let linear = Axis { to_scale: scale(Duration::ZERO, end, (left, right)), tear: None };
        let moved = last_moved_before_giving_up(timeline).filter(|_| until.is_none());
        let Some(moved) = moved else { return linear };
        let stall = end.saturating_sub(moved);
        let from = moved.mul_f64(1.0 + BEFORE_TEAR).max(shortest);
        if stall <= end.mul_f64(TORN_FROM) || from >= end {
            return linear;
        }
        let x = right - (right - left) * TORN_SHARE;
        let (middle, strip) = (f64::midpoint(x, right), scale(from, end, (x, right)));
        let tear = Tear { stall, middle, strip };
        Axis { to_scale: scale(Duration::ZERO, from, (left, x)), tear: Some(tear) }
    }

    /// Where an instant is, in pixels.
    pub(super) fn x(&self, at: Duration) -> f64 {
        let at = at.as_secs_f64();
        let strip = self.tear.as_ref().map(|tear| &tear.strip);
        let scale = strip.filter(|strip| at > strip.values.start).unwrap_or(&self.to_scale);
        scale.place(at.min(scale.values.end))
    }

    /// Where it begins and where it ends, in pixels.
    pub(super) fn ends(&self) -> (f64, f64) {
        let last = self.tear.as_ref().map_or(&self.to_scale, |tear| &tear.strip);
        (self.to_scale.ends.0, last.ends.1)
    }

    /// Where the ticks are, in pixels, and their labels.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let (unit, name) = Quantity::Time.unit(self.to_scale.values.end * 1e9);
        let tick = |at: f64| {
            // Ticks are multiples of 1, 2 or 5 times a power of ten, so three digits after
            // the point are exact.
            let label = (at * 1e12 / unit).round() / 1e3;
            (self.to_scale.place(at), format!("{label}{name}"))
        };
        self.to_scale.ticks().into_iter().map(tick).collect()
    }
}

/// When anything last moved, if the flood then gave up because nothing moved any more.
fn last_moved_before_giving_up(timeline: &Timeline) -> Option<Duration> {
    let given_up = |row: &&Row| row.failure.as_ref().is_some_and(|it| it.stage == Stage::TimedOut);
    timeline.rows.iter().find(given_up)?;
    let ends = timeline.rows.iter().filter(|row| !given_up(row)).filter_map(|row| row.ended);
    let steps = timeline.rows.iter().filter_map(|row| row.steps.last()).map(|step| step.at());
    ends.chain(steps).max().or(Some(Duration::ZERO))
}

/// A time with three digits, and the unit that needs the fewest.
pub(super) fn time_label(time: Duration) -> String {
    Quantity::Time.format(time.as_nanos() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for (length, labels) in [
            (Duration::from_micros(1230), ["0 ms", "0.2 ms"]),
            (Duration::from_millis(999), ["0 ms", "200 ms"]),
            (Duration::from_secs(7), ["0 s", "1 s"]),
            (Duration::ZERO, ["0 µs", "0.2 µs"]),
        ] {
            let timeline = Timeline { length, ..Timeline::default() };
            let ticks = Axis::new(&timeline, None, 0.0, 900.0).ticks();
            assert_eq!([&ticks[0].1, &ticks[1].1], labels, "{length:?}");
            assert!((4..=9).contains(&ticks.len()), "{ticks:?}");
        }
    }
}
