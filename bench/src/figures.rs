//! Figures as people read them: with no more digits than count.

use std::time::Duration;

use crate::Usage;

/// A share with about two digits, as people read it.
pub(crate) fn percent(share: f64) -> String {
    let digits = usize::from(share < 0.1);
    format!("{:.digits$}%", 100.0 * share)
}

/// A time with about three digits, as people read it.
pub(crate) fn told(time: Duration) -> String {
    let digits = match time.as_nanos().checked_ilog10() {
        None => return "0s".into(),
        Some(power) => 2 - (power % 3) as usize,
    };
    format!("{time:.digits$?}")
}

/// A ratio with two digits that count, in groups of three: 23,000.
pub(crate) fn grouped(number: f64) -> String {
    let unit = 10_f64.powf(number.log10().floor() - 1.0).max(1.0);
    let digits = ((number / unit).round() * unit).round().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How many system calls a request took, as people read it.
pub(crate) fn calls_per_request(usage: &Usage) -> Option<String> {
    let at_least = if usage.calls_not_counted.is_some() { "≥ " } else { "" };
    Some(format!("{at_least}{}", calls_told(usage.calls_per_request()?)))
}

/// A number of calls: few are told exactly, many roughly.
pub(crate) fn calls_told(calls: f64) -> String {
    let digits = if calls < 0.1 { 3 } else { usize::from(calls < 100.0) * 2 };
    format!("{calls:.digits$}")
}

/// An amount of memory, in kilobytes of 1000 bytes.
pub(crate) fn bytes(bytes: f64) -> String {
    let digits = usize::from(bytes < 99_950.0);
    format!("{:.digits$} kB", bytes / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_ratios_two() {
        let nanoseconds = [0, 7, 1_234, 56_789, 999_999, 1_234_567_890];
        let times = nanoseconds.map(|time| told(Duration::from_nanos(time)));
        assert_eq!(times, ["0s", "7.00ns", "1.23µs", "56.8µs", "1000µs", "1.23s"]);
        assert_eq!([2.04, 87.6, 12_345.0].map(grouped), ["2", "88", "12,000"]);
        assert_eq!([0.067, 0.5, 0.996].map(percent), ["6.7%", "50%", "100%"]);
    }

    #[test]
    fn few_calls_are_told_exactly_and_many_roughly() {
        let told = |calls: u64| {
            let usage =
                Usage { requests: 100, calls: [("recv".into(), calls)].into(), ..Usage::default() };
            calls_per_request(&usage).unwrap()
        };
        assert_eq!([1, 214, 45_678].map(told), ["0.010", "2.14", "457"]);
    }
}
