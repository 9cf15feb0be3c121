//! A picture that draws itself, slower or faster than the run was.
//!
//! A curtain in the colour of the background covers the rows, and a CSS animation moves it away to
//! the right, with a line at its edge. There is no script, so it works in an `<img>` too. Readers
//! whose system is set to reduced motion, or whose program can't animate, see the whole picture at
//! once.

use drawing::{line, pixels, round_up};
use svg::node::element::{Group, Rectangle, Style};

use super::axis::Axis;

/// How long a replay lasts at least, in seconds; it is less than three times as long.
const SHORTEST: f64 = 5.0;

/// How long the empty picture is shown before, in seconds.
const PAUSE: f64 = 0.6;

/// The share of the time for a strip that isn't drawn to scale.
const TORN_SHARE: f64 = 0.1;

/// How fast a recording is replayed.
pub(super) struct Replay {
    /// How many times slower than the run was.
    slower: f64,
    /// How long it lasts.
    seconds: f64,
}

impl Replay {
    pub(super) fn new(axis: &Axis) -> Self {
        let length = axis.to_scale.values.end;
        let slower = match length {
            5.0..=13.0 => 1.0,
            _ => round_up(SHORTEST / length),
        };
        let whole = if axis.tear.is_some() { 1.0 - TORN_SHARE } else { 1.0 };
        Replay { slower, seconds: length * slower / whole }
    }

    /// The speed in words.
    pub(super) fn note(&self) -> String {
        let speed = match self.slower {
            1.0 => "at the original speed".into(),
            slower @ 1.0.. => format!("{slower:.0} times slower"),
            slower => format!("{:.0} times faster", 1.0 / slower),
        };
        format!("Replayed {speed}. In a browser, click anywhere on it to see it again.")
    }

    /// What covers the rows, and moves away.
    ///
    /// Beyond the axis it has the colour of the background. Only the animation makes it visible.
    pub(super) fn curtain(&self, axis: &Axis, top: f64, bottom: f64, id: &str) -> Group {
        let (left, right) = axis.ends();
        let cloth = Rectangle::new()
            .set("class", "paper")
            .set("x", pixels(left))
            .set("y", pixels(top))
            .set("width", "100%")
            .set("height", pixels(bottom - top - 1.0));
        let to = |x| format!("transform: translateX({}px)", pixels(x - left));
        let torn = match axis.tear {
            Some(_) => {
                format!("{}% {{ {} }}", 100.0 * (1.0 - TORN_SHARE), to(axis.to_scale.ends.1))
            }
            None => String::new(),
        };
        let (first, last, seconds) = (to(left), to(right), self.seconds);
        let sheet = format!(
            "@keyframes {id}-draw {{ from {{ opacity: 1; {first} }} {torn} \
             99.9% {{ opacity: 1 }} to {{ opacity: 0; {last} }} }}\n\
             @media (prefers-reduced-motion: no-preference) {{\n\
             #{id} .curtain {{ animation: {id}-draw {seconds:.3}s linear {PAUSE}s both }}\n\
             #{id}:active .curtain {{ animation: none }}\n}}\n"
        );
        Group::new()
            .set("class", "curtain")
            .set("opacity", 0)
            .set("pointer-events", "none")
            .add(Style::new(sheet))
            .add(cloth)
            .add(line("hand", (left, top), (left, bottom)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Timeline;

    fn replay(length: Duration) -> Replay {
        let timeline = Timeline { length, ..Timeline::default() };
        Replay::new(&Axis::new(&timeline, None, 0.0, 900.0))
    }

    #[test]
    fn it_lasts_five_to_fifteen_seconds_at_a_round_speed() {
        for power in 0..100 {
            let length = Duration::from_nanos(1).mul_f64(1.4_f64.powi(power));
            let Replay { slower, seconds } = replay(length);
            assert!((4.999..=15.0).contains(&seconds), "{length:?}: {seconds}");
            assert!(slower < 1e10);
        }
    }

    #[test]
    fn it_says_how_fast_it_is() {
        for (millis, speed) in [
            (100, "Replayed 50 times slower."),
            (7_000, "Replayed at the original speed."),
            (60_000, "Replayed 10 times faster."),
        ] {
            let note = replay(Duration::from_millis(millis)).note();
            assert!(note.starts_with(speed), "{note}");
        }
    }
}
