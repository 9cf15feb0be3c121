//! When a client of an open loop is to ask, whether the server keeps up or not.

use std::time::{Duration, Instant};

use crate::crowd::Crowd;
use crate::kind::Kind;

/// When the requests of one client are due: one each `every`.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    next: Instant,
    every: Duration,
}

impl Plan {
    /// The plan of client `number`, if it is one that has a plan.
    ///
    /// Together the plans make [`Crowd::rate`]: the clients take turns, so their requests
    /// are spread evenly over the time.
    pub(super) fn new(crowd: &Crowd, number: usize, began: Instant) -> Option<Self> {
        let rate = crowd.rate.filter(|_| crowd.kind(number) == Kind::Prompt)?;
        let time_for = |requests: usize| Duration::try_from_secs_f64(requests as f64 / rate).ok();
        // A plan for a day that can't be told is never due; a year is as good as never.
        const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        let every = time_for(crowd.count(Kind::Prompt)).unwrap_or(NEVER).min(NEVER);
        let turn = time_for(crowd.prompt_before(number)).unwrap_or(NEVER).min(NEVER);
        Some(Plan { next: began + turn, every })
    }

    /// When the next request is due.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// The next request is asked; returns when it was due.
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
    fn the_plans_of_all_make_the_rate_in_even_steps() {
        let mix = [(Kind::Silent, 3)].into();
        let crowd = Crowd { connections: 11, mix, rate: Some(100.0), ..Crowd::default() };
        let began = Instant::now();
        let mut due = Vec::new();
        for number in 0..11 {
            let plan = Plan::new(&crowd, number, began);
            assert_eq!(plan.is_some(), crowd.kind(number) == Kind::Prompt);
            let mut plan = plan.into_iter();
            due.extend(plan.next().into_iter().flat_map(|mut plan| [(); 5].map(|()| plan.take())));
        }
        due.sort();
        let steps = due.iter().enumerate();
        let as_planned: Vec<_> = steps
            .map(|(step, _)| began + Duration::from_millis(10) * u32::try_from(step).unwrap())
            .collect();
        assert_eq!(due, as_planned);
    }
}
