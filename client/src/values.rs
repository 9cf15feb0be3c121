//! Parses the values of options, and explains in a sentence what is wrong with one.

use std::str::FromStr;
use std::time::Duration;

use clap::Arg;

/// Makes a time such as `-1s` a wrong value of its option, and not an unknown option.
pub(crate) fn maybe_negative(option: Arg) -> Arg {
    let is_time = option.get_value_names().is_some_and(|names| *names == ["TIME"]);
    if is_time { option.allow_hyphen_values(true) } else { option }
}

pub(crate) fn count<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| "write a whole number, for example `5`".into())
}

pub(crate) fn positive(text: &str) -> Result<usize, String> {
    match count(text)? {
        0_usize => Err("there must be at least 1".into()),
        count => Ok(count),
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "write a number and a unit, for example `250ms`, `10s` or `1m`".into())
}

/// How long to wait for something.
pub(crate) fn wait(text: &str) -> Result<Duration, String> {
    const MOST_HOURS: u64 = 24;
    match duration(text)? {
        time if time > Duration::from_secs(MOST_HOURS * 3600) => {
            Err(format!("that is too long to wait: {MOST_HOURS}h at most"))
        }
        time => Ok(time),
    }
}

/// Requests a second.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    let rate = number.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "write requests a second, for example `2000/s` or `0.5/s`".into())
}

pub(crate) fn percentile(text: &str) -> Result<f64, String> {
    let percentile = text.strip_prefix('p').unwrap_or(text).parse().ok();
    percentile
        .filter(|percentile: &f64| (0.0..100.0).contains(percentile))
        .ok_or_else(|| "write numbers from 0 to below 100, for example `50,99,99.9`".into())
}

/// For an option that was renamed: whatever its value, the error gives the new name.
pub(crate) fn renamed(
    new: &'static str,
) -> impl Fn(&str) -> Result<String, String> + Clone + Send + Sync + 'static {
    move |_| Err(format!("this option is now called `{new}`"))
}

/// The new name of something that used to be called `deaf`.
pub(crate) fn not_deaf(name: &str) -> Option<String> {
    let new = name.replace("deaf", "non-reading");
    (new != name).then(|| format!("`{name}` is now called `{new}`"))
}
