//! Many durations, kept as a histogram.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// Durations up to an hour, kept to three digits; longer ones count as an hour.
///
/// It gives quantiles, because an average would hide the few clients that waited long, which are
/// what matters. It has the same size (some 256 KiB) for any number of durations, and adding one
/// allocates nothing.
///
/// Waits in vain aren't left out. Otherwise a server would look better, the more requests it never
/// answers. Such a wait counts for as long as it lasted, and a quantile that may be greater because
/// of it is marked ([`is_at_least`](Self::is_at_least)).
///
/// ```
/// use load_generator::report::Latencies;
/// use std::time::Duration;
///
/// let mut latencies = Latencies::default();
/// (1..=100).for_each(|ms| latencies.record(Duration::from_millis(ms)));
/// assert_eq!(latencies.quantile(0.5).as_millis(), 50);
///
/// latencies.record_unanswered(Duration::from_secs(10));
/// assert_eq!(latencies.quantile(1.0).as_secs(), 10);
/// assert!(latencies.is_at_least(1.0) && !latencies.is_at_least(0.5));
/// ```
#[derive(Clone)]
pub struct Latencies {
    all: Histogram<u64>,
    unanswered: u64,
    shortest_unanswered: Duration,
}

impl Default for Latencies {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        let histogram = Histogram::new_with_bounds(1, HOUR.as_nanos() as u64, 3);
        Latencies {
            all: histogram.expect("these bounds are allowed"),
            unanswered: 0,
            shortest_unanswered: Duration::MAX,
        }
    }
}

impl Latencies {
    /// Adds one duration.
    pub fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.all.saturating_record(nanoseconds);
    }

    /// Adds a wait in vain that has lasted for at least this long.
    pub fn record_unanswered(&mut self, at_least: Duration) {
        self.record(at_least);
        self.unanswered += 1;
        self.shortest_unanswered = self.shortest_unanswered.min(at_least);
    }

    /// Adds all durations of `other`.
    pub fn add(&mut self, other: &Latencies) {
        self.all.add(&other.all).expect("both have the same bounds");
        self.unanswered += other.unanswered;
        self.shortest_unanswered = self.shortest_unanswered.min(other.shortest_unanswered);
    }

    /// How many were added, including waits in vain.
    pub fn count(&self) -> u64 {
        self.all.len()
    }

    /// How many of them were waits in vain.
    pub fn unanswered(&self) -> u64 {
        self.unanswered
    }

    /// How many are as long as `duration` or longer, to the histogram's three digits.
    pub fn count_from(&self, duration: Duration) -> u64 {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.all.count_between(nanoseconds, u64::MAX)
    }

    /// The duration that the share `of_all` (0 to 1) did not exceed; zero if there is none.
    pub fn quantile(&self, of_all: f64) -> Duration {
        Duration::from_nanos(self.all.value_at_quantile(of_all))
    }

    /// Whether that quantile may be greater than its value, because of waits in vain.
    pub fn is_at_least(&self, of_all: f64) -> bool {
        self.unanswered > 0 && self.quantile(of_all) >= self.shortest_unanswered
    }

    /// The longest; zero if there is none.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.all.max())
    }

    /// Whether there are enough durations to distinguish a quantile from the longest: the 99th
    /// percentile of fewer than a hundred is just the longest.
    pub fn bears(&self, of_all: f64) -> bool {
        self.count() as f64 * (1.0 - of_all) >= 1.0 - 1e-9
    }

    /// The histogram, in nanoseconds.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.all
    }
}

/// The median and the longest.
impl fmt::Debug for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, max) = (self.quantile(0.5), self.max());
        write!(f, "{} latencies, p50 {p50:.1?}, max {max:.1?}", self.count())
    }
}

/// In microseconds, all but the counts.
impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let microseconds = |duration: Duration| duration.as_nanos() as f64 / 1000.0;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("count", &self.count())?;
        object.serialize_entry("unanswered", &self.unanswered)?;
        // Quantiles from here on may be greater.
        let shortest = (self.unanswered > 0).then(|| microseconds(self.shortest_unanswered));
        object.serialize_entry("shortest_unanswered", &shortest)?;
        for (name, share) in [
            ("p50", 0.5),
            ("p75", 0.75),
            ("p90", 0.9),
            ("p99", 0.99),
            ("p99.9", 0.999),
            ("p99.99", 0.9999),
        ] {
            object.serialize_entry(name, &microseconds(self.quantile(share)))?;
        }
        object.serialize_entry("max", &microseconds(self.max()))?;
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
            let stored = latencies.max().as_nanos() as u64;
            assert!(stored.abs_diff(nanoseconds) <= nanoseconds / 1000);
        }
    }

    #[test]
    fn durations_beyond_an_hour_are_not_lost() {
        let mut latencies = Latencies::default();
        latencies.record(Duration::MAX);
        assert_eq!(latencies.count(), 1);
        assert!(latencies.max() >= Duration::from_secs(3600));
        assert_eq!(latencies.count_from(Duration::from_secs(3000)), 1);
    }

    #[test]
    fn waits_in_vain_mark_what_may_be_longer_and_nothing_below() {
        let mut latencies = Latencies::default();
        (1..=98).for_each(|ms| latencies.record(Duration::from_millis(ms)));
        latencies.record_unanswered(Duration::from_millis(500));
        latencies.record_unanswered(Duration::from_millis(900));
        assert_eq!((latencies.count(), latencies.unanswered()), (100, 2));
        let marked = [0.5, 0.98, 0.99, 1.0].map(|share| latencies.is_at_least(share));
        assert_eq!(marked, [false, false, true, true]);
    }

    #[test]
    fn waits_in_vain_are_added_with_the_others() {
        let mut some = Latencies::default();
        some.record(Duration::from_millis(700));
        let mut others = Latencies::default();
        others.record_unanswered(Duration::from_millis(500));
        some.add(&others);
        assert_eq!((some.count(), some.unanswered()), (2, 1));
        assert!(some.is_at_least(0.5));
    }

    #[test]
    fn a_percentile_needs_as_many_as_tell_it_from_the_longest() {
        let mut latencies = Latencies::default();
        for count in 1..=1000 {
            latencies.record(Duration::from_millis(1));
            assert_eq!(latencies.bears(0.99), count >= 100);
            assert_eq!(latencies.bears(0.999), count >= 1000);
            assert_eq!(latencies.bears(0.5), count >= 2);
        }
    }
}
