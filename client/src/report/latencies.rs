//! Many durations, kept as a histogram.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

/// Durations up to an hour, longer ones counting as an hour, kept to three digits.
///
/// An average would hide the few clients that waited long, and they are the point, so it
/// gives quantiles. It has the same size (some 256 KiB) for any number of durations, and
/// adding one allocates nothing. As text: p50, p90, p99 and the longest, in columns.
///
/// ```
/// use client::report::Latencies;
/// use std::time::Duration;
///
/// let mut latencies = Latencies::default();
/// (1..=100).for_each(|ms| latencies.record(Duration::from_millis(ms)));
/// assert_eq!(latencies.quantile(0.5).as_millis(), 50);
/// ```
#[derive(Clone)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        let histogram = Histogram::new_with_bounds(1, HOUR.as_nanos() as u64, 3);
        Latencies(histogram.expect("these bounds are allowed"))
    }
}

impl Latencies {
    /// Adds one duration.
    pub fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(nanoseconds);
    }

    /// Adds all durations of `other`.
    pub fn add(&mut self, other: &Latencies) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    /// How many were added.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The duration that the share `of_all` (0 to 1) did not exceed; zero if there is none.
    pub fn quantile(&self, of_all: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(of_all))
    }

    /// The longest; zero if there is none.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for duration in [0.5, 0.9, 0.99].map(|share| self.quantile(share)) {
            write!(f, "{duration:>10.1?}")?;
        }
        write!(f, "{:>10.1?}", self.max())
    }
}

impl fmt::Debug for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} latencies: {self}", self.count())
    }
}

/// As microseconds.
impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let microseconds = |duration: Duration| duration.as_nanos() as f64 / 1000.0;
        let mut object = serializer.serialize_struct("Latencies", 5)?;
        object.serialize_field("count", &self.count())?;
        object.serialize_field("p50", &microseconds(self.quantile(0.5)))?;
        object.serialize_field("p90", &microseconds(self.quantile(0.9)))?;
        object.serialize_field("p99", &microseconds(self.quantile(0.99)))?;
        object.serialize_field("max", &microseconds(self.max()))?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_kept_from_nanoseconds_to_an_hour() {
        for nanoseconds in [1, 999, 123_456, 3_600_000_000_000] {
            let mut latencies = Latencies::default();
            latencies.record(Duration::from_nanos(nanoseconds));
            let told = latencies.max().as_nanos() as u64;
            assert!(told.abs_diff(nanoseconds) <= nanoseconds / 1000);
        }
    }

    #[test]
    fn durations_beyond_an_hour_are_not_lost() {
        let mut latencies = Latencies::default();
        latencies.record(Duration::MAX);
        assert_eq!(latencies.count(), 1);
        assert!(latencies.max() >= Duration::from_secs(3600));
    }
}
