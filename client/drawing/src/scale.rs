//! Where values are on an axis, and which of them have ticks.

use std::ops::Range;

/// An axis, and where it is drawn.
#[derive(Clone, Debug)]
pub struct Scale {
    /// From the first value to the last one.
    pub values: Range<f64>,
    /// Where these two are, in pixels.
    pub ends: (f64, f64),
    /// From tick to tick: a factor, or, on a linear axis, a difference.
    step: f64,
    is_logarithmic: bool,
}

impl Scale {
    /// A linear axis, with a tick at every round step, of which there are at most `most`.
    pub fn linear(values: Range<f64>, ends: (f64, f64), most: f64) -> Self {
        let step = round_up((values.end - values.start) / most);
        Scale { values, ends, step, is_logarithmic: false }
    }

    /// A logarithmic axis that begins above 0, with a tick whenever values have grown by this
    /// factor.
    pub fn logarithmic(values: Range<f64>, ends: (f64, f64), factor: f64) -> Self {
        Scale { values, ends, step: factor, is_logarithmic: true }
    }

    /// A logarithmic axis between powers of ten, so that each end has a tick.
    pub fn decades(values: Range<f64>, ends: (f64, f64)) -> Self {
        let (low, high) = (values.start.log10().floor(), values.end.log10().ceil());
        Scale::logarithmic(10_f64.powf(low)..10_f64.powf(high.max(low + 1.0)), ends, 10.0)
    }

    /// Where a value is, in pixels.
    pub fn place(&self, value: f64) -> f64 {
        let Scale { values: Range { start, end }, ends: (from, to), .. } = *self;
        let [start, value, end] =
            [start, value, end].map(|it| if self.is_logarithmic { it.ln() } else { it });
        from + (value - start) / (end - start) * (to - from)
    }

    /// The values at which there are ticks.
    pub fn ticks(&self) -> Vec<f64> {
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

/// The next number that is 1, 2 or 5 times a power of ten: what one step of a scale should be, if
/// it has to be at least `number`, which is above 0.
pub fn round_up(number: f64) -> f64 {
    let power = 10_f64.powf(number.log10().floor());
    // A number that the division makes a little too large must not become the next larger one.
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| number <= digit * power * (1.0 + 1e-9));
    digit.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        let steps = [0.7, 1.0, 1.1, 2.0, 0.03, 4_999.0, 5_001.0].map(round_up);
        assert_eq!(
            steps.map(|step| step.to_string()),
            ["1", "1", "2", "2", "0.05", "5000", "10000"]
        );
    }

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
