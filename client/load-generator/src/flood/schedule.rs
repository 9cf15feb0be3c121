//! When a client of an open loop has to send its requests, whether the server keeps up or not.

use std::time::{Duration, Instant};

use crate::crowd::Crowd;
use crate::kind::Kind;

/// What is a year away never comes.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// So long after an instant, but no longer than [`NEVER`]: a later one may not be representable.
pub(super) fn after(instant: Instant, time: Duration) -> Instant {
    instant + time.min(NEVER)
}

/// When the requests of one client are due: one in every period of `every`.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// When the next request is due.
    pub(super) next: Instant,
    every: Duration,
}

impl Schedule {
    /// The schedule of client `number`, if its kind has one.
    ///
    /// Together the schedules give [`Crowd::rate`]: the clients take turns, so that their requests
    /// are spread evenly over time.
    pub(super) fn new(crowd: &Crowd, number: usize, began: Instant) -> Option<Self> {
        let rate = crowd.rate.filter(|_| crowd.kind(number) == Kind::Prompt)?;
        let time_for = |requests: usize| {
            Duration::try_from_secs_f64(requests as f64 / rate).unwrap_or(NEVER).min(NEVER)
        };
        let next = began + time_for(crowd.prompt_before(number));
        Some(Schedule { next, every: time_for(crowd.count(Kind::Prompt)) })
    }

    /// Takes the next request, and returns when it is due.
    pub(super) fn take(&mut self) -> Instant {
        let due = self.next;
        self.next += self.every;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedules_of_all_make_the_rate_in_even_steps() {
        let mix = [(Kind::Silent, 3)].into();
        let crowd = Crowd { connections: 11, mix, rate: Some(100.0), ..Crowd::default() };
        let began = Instant::now();
        let mut due = Vec::new();
        for number in 0..11 {
            let schedule = Schedule::new(&crowd, number, began);
            assert_eq!(schedule.is_some(), crowd.kind(number) == Kind::Prompt);
            let mut schedule = schedule.into_iter();
            due.extend(
                schedule
                    .next()
                    .into_iter()
                    .flat_map(|mut schedule| [(); 5].map(|()| schedule.take())),
            );
        }
        due.sort();
        let steps = due.iter().enumerate();
        let as_planned: Vec<_> = steps
            .map(|(step, _)| began + Duration::from_millis(10) * u32::try_from(step).unwrap())
            .collect();
        assert_eq!(due, as_planned);
    }
}
