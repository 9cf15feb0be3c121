//! Figures for people, with only as many digits as matter.

use std::fmt::Display;
use std::time::Duration;

/// What a figure measures, and thus its units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Nanoseconds.
    Time,
    /// Bytes, in multiples of 1000.
    Memory,
    /// Without a unit.
    Number,
}

impl Quantity {
    /// The units from the smallest one on, and how many base units each has.
    fn units(self) -> &'static [(f64, &'static str)] {
        match self {
            Quantity::Time => &[(1.0, " ns"), (1e3, " µs"), (1e6, " ms"), (1e9, " s")],
            Quantity::Memory => &[(1.0, " B"), (1e3, " kB"), (1e6, " MB"), (1e9, " GB")],
            Quantity::Number => &[(1.0, "")],
        }
    }

    /// The largest unit of which the value is at least one: how many base units it has, and its
    /// name, after a space.
    pub fn unit(self, value: f64) -> (f64, &'static str) {
        let units = self.units();
        // A value that is rounded up to a unit is given in it.
        let fits = units.iter().rev().find(|(size, _)| value.abs() + step(value) / 2.0 >= *size);
        fits.copied().unwrap_or(units[0])
    }

    /// A value with three significant digits.
    pub fn format(self, value: f64) -> String {
        let (size, unit) = self.unit(value);
        let step = step(value) / size;
        format!("{}{unit}", in_steps(value / size, step))
    }

    /// A median and its bounds, in the unit of the median: `187 µs [181, 195]`.
    pub fn format_with_bounds(self, interval: impl Into<[f64; 3]>) -> String {
        let [low, median, high] = interval.into();
        let (size, unit) = self.unit(median);
        let step = step(median) / size;
        let [low, median, high] = [low, median, high].map(|value| in_steps(value / size, step));
        format!("{median}{unit} [{low}, {high}]")
    }

    /// A round value on an axis: `10 µs`.
    pub fn tick(self, value: f64) -> String {
        let (size, unit) = if value == 0.0 { (1.0, "") } else { self.unit(value) };
        // As short as it can be: 0.5, but 10.
        format!("{}{unit}", value / size)
    }
}

/// The value of the third significant digit: a power of ten.
fn step(value: f64) -> f64 {
    if value == 0.0 {
        return 1.0;
    }
    let step = 10_f64.powf(value.abs().log10().floor() - 2.0);
    // 999.9 is rounded to 1000, whose third digit has another value.
    if (value.abs() / step).round() < 1000.0 { step } else { step * 10.0 }
}

/// A value rounded to a power of ten.
fn in_steps(value: f64, step: f64) -> String {
    if step >= 1.0 {
        return thousands((value / step).round() * step);
    }
    let digits = (-step.log10()).round() as usize;
    format!("{value:.digits$}")
}

/// A share with about two digits: `6.7%`.
pub fn percent(share: f64) -> String {
    let digits = usize::from(share < 0.1);
    format!("{:.digits$}%", 100.0 * share)
}

/// A time with about three digits: `1.23ms`.
pub fn format_time(time: Duration) -> String {
    let digits = match time.as_nanos().checked_ilog10() {
        None => return "0s".into(),
        Some(power) => 2 - (power % 3) as usize,
    };
    format!("{time:.digits$?}")
}

/// A ratio with two significant digits, in groups of three: 23,000.
pub fn grouped(number: f64) -> String {
    let unit = 10_f64.powf(number.log10().floor() - 1.0).max(1.0);
    thousands((number / unit).round() * unit)
}

/// A whole number in groups of three: 1,024.
pub fn thousands(number: f64) -> String {
    let digits = number.round().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A part of a number of things: the number alone if it is all of them, otherwise `3 of 20`.
pub fn out_of<T: Display + PartialEq>(part: T, all: T) -> String {
    if part == all { part.to_string() } else { format!("{part} of {all}") }
}

/// How often, in words: `once`.
pub fn so_many_times(count: usize) -> String {
    match count {
        1 => "once".into(),
        count => format!("{count} times"),
    }
}

/// A multiple with about three digits: `0.97×`.
pub fn multiple(ratio: f64) -> String {
    let digits = if ratio < 10.0 { 2 } else { usize::from(ratio < 100.0) };
    format!("{ratio:.digits$}×")
}

/// A number of calls: a small number exactly, a large one roughly.
pub fn format_calls(calls: f64) -> String {
    let digits = if calls < 0.1 { 3 } else { usize::from(calls < 100.0) * 2 };
    format!("{calls:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_ratios_two() {
        let nanoseconds = [0, 7, 1_234, 56_789, 999_999, 1_234_567_890];
        let times = nanoseconds.map(|time| format_time(Duration::from_nanos(time)));
        assert_eq!(times, ["0s", "7.00ns", "1.23µs", "56.8µs", "1000µs", "1.23s"]);
        assert_eq!([2.04, 87.6, 12_345.0].map(grouped), ["2", "88", "12,000"]);
        assert_eq!([0.067, 0.5, 0.996].map(percent), ["6.7%", "50%", "100%"]);
        assert_eq!([0.97, 12.34, 123.4].map(multiple), ["0.97×", "12.3×", "123×"]);
    }

    #[test]
    fn quantities_have_three_digits_and_the_unit_of_the_median() {
        let times = [0.0, 7.0, 1_234.0, 56_789.0, 999_999.0, 1_234_567_890.0];
        let formatted = times.map(|time| Quantity::Time.format(time));
        assert_eq!(formatted, ["0 ns", "7.00 ns", "1.23 µs", "56.8 µs", "1.00 ms", "1.23 s"]);
        let bounds = [181_000.0, 187_400.0, 1_195_000.0];
        assert_eq!(Quantity::Time.format_with_bounds(bounds), "187 µs [181, 1,195]");
        assert_eq!(Quantity::Memory.format(4_096.0), "4.10 kB");
        assert_eq!(
            [0.0214, 226_125.0].map(|it| Quantity::Number.format(it)),
            ["0.0214", "226,000"]
        );
        let ticks = [0.0, 1.0, 100.0, 10_000.0, 0.5e6, 1e6].map(|time| Quantity::Time.tick(time));
        assert_eq!(ticks, ["0", "1 ns", "100 ns", "10 µs", "500 µs", "1 ms"]);
    }

    #[test]
    fn a_part_says_of_how_many_it_is_one() {
        assert_eq!([out_of(20, 20), out_of(3, 20)], ["20", "3 of 20"]);
    }

    #[test]
    fn few_calls_are_exact_and_many_are_rounded() {
        assert_eq!([0.01, 2.14, 456.78].map(format_calls), ["0.010", "2.14", "457"]);
    }
}
