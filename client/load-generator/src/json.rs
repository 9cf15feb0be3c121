//! How results are written in JSON, and values for `#[serde(serialize_with = "…")]`.

use std::fmt::Display;
use std::io;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// As text.
pub fn as_text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// In seconds.
pub fn as_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// In seconds; `null` if there is none.
pub fn as_seconds_if_any<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}

/// Results as one JSON object in one line, which says first whether they are good.
///
/// # Errors
///
/// If a value can't be written, such as a map whose keys aren't text.
pub fn judged(good: bool, results: &impl Serialize) -> io::Result<String> {
    #[derive(Serialize)]
    struct Judged<'a, T> {
        good: bool,
        #[serde(flatten)]
        results: &'a T,
    }
    Ok(serde_json::to_string(&Judged { good, results })?)
}
