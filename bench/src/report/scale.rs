//! Where values are on an axis.

use std::ops::Range;

use drawing::round_up;

/// An axis, and where it is drawn.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    values: Range<f64>,
    /// Where the first value and the last one are, in pixels.
    ends: (f64, f64),
    /// From tick to tick: a factor, or, on a linear axis, a difference.
    step: f64,
    is_logarithmic: bool,
}

impl Scale {
    /// A linear axis, with a tick at every round step, of which there are at most `most`.
    pub(super) fn linear(values: Range<f64>, ends: (f64, f64), most: f64) -> Self {
        let step = round_up((values.end - values.start) / most);
        Scale { values, ends, step, is_logarithmic: false }
    }

    /// A logarithmic axis that begins above 0, with a tick whenever values have grown by this
    /// factor.
    pub(super) fn logarithmic(values: Range<f64>, ends: (f64, f64), factor: f64) -> Self {
        Scale { values, ends, step: factor, is_logarithmic: true }
    }

    /// Where a value is, in pixels.
    pub(super) fn place(&self, value: f64) -> f64 {
        let Scale { values: Range { start, end }, ends: (from, to), .. } = *self;
        let share = if self.is_logarithmic {
            (value / start).ln() / (end / start).ln()
        } else {
            (value - start) / (end - start)
        };
        from + share * (to - from)
    }

    /// The values at which there are ticks.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let Scale { values: Range { start, end }, step, .. } = *self;
        // Quotients and logarithms are rounded, but a tick at the very end has to be found.
        let tiny = 1e-9;
        if self.is_logarithmic {
            let count = ((end / start).log(step) + tiny).floor() as i32;
            return (0..=count).map(|tick| start * step.powi(tick)).collect();
        }
        let (first, last) =
            ((start / step - tiny).ceil() as i64, (end / step + tiny).floor() as i64);
        (first..=last).map(|tick| tick as f64 * step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_reach_from_end_to_end() {
        let decades = Scale::logarithmic(1e3..1e6, (60.0, 360.0), 10.0);
        let ticks = decades.ticks();
        assert_eq!(ticks.len(), 4);
        let places: Vec<f64> = ticks.iter().map(|&tick| decades.place(tick).round()).collect();
        assert_eq!(places, [60.0, 160.0, 260.0, 360.0]);

        let linear = Scale::linear(0.0..42.0, (0.0, 420.0), 5.0);
        assert_eq!(linear.ticks(), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert!((linear.place(21.0) - 210.0).abs() < 1e-9);
        assert_eq!(Scale::linear(-3.0..4.0, (0.0, 1.0), 4.0).ticks(), [-2.0, 0.0, 2.0, 4.0]);
    }

    #[test]
    fn an_axis_may_run_upwards() {
        let upwards = Scale::logarithmic(1.0..100.0, (300.0, 100.0), 10.0);
        assert!((upwards.place(10.0) - 200.0).abs() < 1e-9);
    }
}
