//! Reads the values of options, the same way in servers, clients and the benchmark.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// Reads a time with its unit: `250ms`, `2s`, `1m 30s`.
///
/// # Errors
///
/// A sentence that says what would be right.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| match error {
        humantime::DurationError::NumberOverflow => {
            "that is too long or too precise; write a time such as 250ms, 2s or 1m 30s".into()
        }
        _ => "write a time with its unit, such as 250ms, 2s or 1m 30s".into(),
    })
}

/// Reads a whole number within these bounds. (clap's own parser complains about `1e3` that an
/// `invalid digit` was `found in string`, but doesn't say what would be right.)
///
/// # Errors
///
/// A sentence that says what would be right.
pub fn whole_number<N>(
    bounds: RangeInclusive<N>,
) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static
where
    N: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| {
            format!("write a whole number from {} to {}", bounds.start(), bounds.end())
        })
    }
}
