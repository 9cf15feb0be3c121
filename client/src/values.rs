//! Parses the values of options, and explains in a sentence what is wrong with one.

use std::time::Duration;

use clap::Arg;
use system::duration;

/// Makes a time such as `-1s` a wrong value of its option, and not an unknown option.
pub(crate) fn maybe_negative(option: Arg) -> Arg {
    let is_time = option.get_value_names().is_some_and(|names| *names == ["TIME"]);
    if is_time { option.allow_hyphen_values(true) } else { option }
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
