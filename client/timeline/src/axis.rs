//! Where an instant is in the picture, and how times are written.
//!
//! The axis is linear, with one exception: if a flood gave up because nothing had moved for
//! seconds, those seconds would squeeze everything else into the first pixel. So they are drawn as
//! a narrow, torn strip, which says how long they lasted.

use std::time::Duration;

use drawing::round_up;
use load_generator::report::Stage;
use output::figures::Quantity;

use super::{Ending, Timeline};

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
    left: f64,
    right: f64,
    /// When it ends.
    pub(super) end: Duration,
    pub(super) tear: Option<Tear>,
}

/// The strip at the right end of the axis that isn't drawn to scale.
pub(super) struct Tear {
    /// When it begins; it ends with the axis.
    pub(super) from: Duration,
    /// How long nothing had moved at the end.
    pub(super) stall: Duration,
    x: f64,
}

impl Axis {
    /// An axis for a timeline, between the pixels `left` and `right`, or one that ends at
    /// `until`.
    pub(super) fn new(timeline: &Timeline, until: Option<Duration>, left: f64, right: f64) -> Self {
        // A timeline of no length could not be drawn to scale.
        let shortest = Duration::from_micros(1);
        let end = until.unwrap_or(timeline.length).max(shortest);
        let mut axis = Axis { left, right, end, tear: None };
        if until.is_none()
            && let Some(moved) = last_moved_before_giving_up(timeline)
        {
            let stall = end.saturating_sub(moved);
            let from = moved.mul_f64(1.0 + BEFORE_TEAR).max(shortest);
            if stall > end.mul_f64(TORN_FROM) && from < end {
                let x = right - (right - left) * TORN_SHARE;
                axis.tear = Some(Tear { from, stall, x });
            }
        }
        axis
    }

    /// Where an instant is, in pixels.
    pub(super) fn x(&self, at: Duration) -> f64 {
        let (from, to, left, right) = match &self.tear {
            Some(tear) if at > tear.from => (tear.from, self.end, tear.x, self.right),
            _ => (Duration::ZERO, self.to_scale(), self.left, self.right_to_scale()),
        };
        let share = (at.saturating_sub(from)).as_secs_f64() / (to - from).as_secs_f64();
        left + share.min(1.0) * (right - left)
    }

    /// Until when it is drawn to scale.
    pub(super) fn to_scale(&self) -> Duration {
        self.tear.as_ref().map_or(self.end, |tear| tear.from)
    }

    fn right_to_scale(&self) -> f64 {
        self.tear.as_ref().map_or(self.right, |tear| tear.x)
    }

    /// How much time a pixel covers; always more than none.
    pub(super) fn pixel(&self) -> Duration {
        let pixel = self.to_scale().div_f64(self.right_to_scale() - self.left);
        pixel.max(Duration::from_nanos(1))
    }

    /// Where the ticks are, and their labels.
    pub(super) fn ticks(&self) -> Vec<(Duration, String)> {
        let length = self.to_scale().as_secs_f64();
        let most = ((self.right_to_scale() - self.left) / BETWEEN_TICKS).floor().max(1.0);
        let step = round_up(length / most);
        let (unit, name) = Quantity::Time.unit(self.to_scale().as_nanos() as f64);
        let count = (length / step + 1e-9).floor() as usize;
        let tick = |number| {
            let at = number as f64 * step;
            // Ticks are multiples of 1, 2 or 5 times a power of ten, so three digits after
            // the point are exact.
            let label = format!("{:.3}", at * 1e9 / unit);
            let label = label.trim_end_matches('0').trim_end_matches('.');
            (Duration::from_secs_f64(at), format!("{label}{name}"))
        };
        (0..=count).map(tick).collect()
    }
}

/// When anything last moved, if the flood then gave up because nothing moved any more.
fn last_moved_before_giving_up(timeline: &Timeline) -> Option<Duration> {
    let mut is_given_up = false;
    let mut moved = Duration::ZERO;
    for row in &timeline.rows {
        moved = row.steps.last().map_or(moved, |step| moved.max(step.at()));
        match &row.ending {
            Ending::Failed { failure, .. } if failure.stage == Stage::TimedOut => {
                is_given_up = true
            }
            ending => moved = ending.at().map_or(moved, |at| moved.max(at)),
        }
    }
    is_given_up.then_some(moved)
}

/// A time with three digits, and the unit that needs the fewest.
pub(super) fn format_time(time: Duration) -> String {
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
