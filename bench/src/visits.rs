//! What the first visit of a well-behaved client takes: from when it was due until it had its
//! reply, connecting included.
//!
//! It is the headline of the comparison, because it is what a user feels. Requests on connections
//! that are open already would flatter a blocking server: it replies at once to a client that it is
//! serving, while all others wait.

use std::fmt;
use std::time::Duration;

use load_generator::report::Latencies;
use output::figures::format_time;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// The visits at one server, round by round. Those that got no reply count as long as they waited.
#[derive(Clone, Debug, Default)]
pub struct FirstVisits {
    rounds: Vec<Latencies>,
}

/// How long a client waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// The time.
    pub time: Duration,
    /// Whether it may have been longer: no reply came in that time.
    pub is_at_least: bool,
}

/// The time as people read it: `1.77s`, or `≥ 2.00s`.
impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = if self.is_at_least { "≥ " } else { "" };
        f.pad(&format!("{bound}{}", format_time(self.time)))
    }
}

impl FirstVisits {
    /// Adds the visits of another round, if there were any.
    pub fn add_round(&mut self, waits: Latencies) {
        if waits.count() > 0 {
            self.rounds.push(waits);
        }
    }

    /// How many visits there were.
    pub fn count(&self) -> u64 {
        self.rounds.iter().map(Latencies::count).sum()
    }

    /// How many of them got no reply.
    pub fn unanswered(&self) -> u64 {
        self.rounds.iter().map(Latencies::unanswered).sum()
    }

    /// The median of the rounds' medians, which one disturbed round doesn't change; `None` without
    /// visits.
    pub fn median(&self) -> Option<Wait> {
        let medians = self.medians();
        medians.get(medians.len().checked_sub(1)? / 2).copied()
    }

    /// The shortest and the longest of the rounds' medians; `None` without visits.
    pub fn spread(&self) -> Option<(Wait, Wait)> {
        let medians = self.medians();
        Some((*medians.first()?, *medians.last()?))
    }

    /// The longest visit; `None` without visits.
    pub fn longest(&self) -> Option<Wait> {
        self.rounds.iter().map(|round| wait(round, 1.0)).max()
    }

    /// The median of each round, sorted.
    fn medians(&self) -> Vec<Wait> {
        let mut medians: Vec<Wait> = self.rounds.iter().map(|round| wait(round, 0.5)).collect();
        medians.sort_unstable();
        medians
    }
}

fn wait(waits: &Latencies, quantile: f64) -> Wait {
    Wait { time: waits.quantile(quantile), is_at_least: waits.is_at_least(quantile) }
}

/// In microseconds, all but the counts; `null` without visits.
impl Serialize for FirstVisits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let microseconds = |wait: Option<Wait>| wait.map(|it| it.time.as_nanos() as f64 / 1000.0);
        let spread = self.spread();
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("count", &self.count())?;
        object.serialize_entry("unanswered", &self.unanswered())?;
        object.serialize_entry("median", &microseconds(self.median()))?;
        object.serialize_entry("median_is_at_least", &self.median().map(|it| it.is_at_least))?;
        object.serialize_entry("shortest_median", &microseconds(spread.map(|it| it.0)))?;
        object.serialize_entry("longest_median", &microseconds(spread.map(|it| it.1)))?;
        object.serialize_entry("longest", &microseconds(self.longest()))?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(waits: &[u64], unanswered: &[u64]) -> Latencies {
        let mut latencies = Latencies::default();
        waits.iter().for_each(|&ms| latencies.record(Duration::from_millis(ms)));
        for &ms in unanswered {
            latencies.record_unanswered(Duration::from_millis(ms));
        }
        latencies
    }

    fn visits(rounds: impl IntoIterator<Item = Latencies>) -> FirstVisits {
        let mut visits = FirstVisits::default();
        rounds.into_iter().for_each(|round| visits.add_round(round));
        visits
    }

    #[test]
    fn the_headline_is_the_median_of_the_rounds_and_not_of_all_visits() {
        let many = vec![500; 100];
        let visits = visits([round(&[1, 2, 3], &[]), round(&[4, 5, 6], &[]), round(&many, &[])]);
        assert_eq!(visits.median().unwrap().to_string(), "5.00ms");
        let (shortest, longest) = visits.spread().unwrap();
        assert_eq!((shortest.to_string(), longest.to_string()), ("2.00ms".into(), "500ms".into()));
        assert_eq!(visits.count(), 106);
    }

    #[test]
    fn visits_without_a_reply_count_as_at_least_as_long_as_they_waited() {
        let visits = visits([round(&[1], &[2000, 2000, 1900])]);
        assert_eq!(visits.median().unwrap().to_string(), "≥ 1.90s");
        assert_eq!(visits.longest().unwrap().to_string(), "≥ 2.00s");
        assert_eq!(visits.unanswered(), 3);
    }

    #[test]
    fn without_visits_nothing_is_known() {
        let visits = visits([Latencies::default()]);
        assert!(visits.median().is_none() && visits.spread().is_none());
        assert!(serde_json::to_value(&visits).unwrap()["median"].is_null());
    }
}
