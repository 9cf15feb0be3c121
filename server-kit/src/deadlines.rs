//! When the next wait has to end.

use std::collections::BTreeSet;
use std::time::Instant;

/// The deadlines of all connections, by their keys.
///
/// Most deadlines move into the future again and again: with each byte that a client sends, its
/// idle time starts again. So an alarm that would go off too early is left as it is. When it goes
/// off, [`take_due`](Self::take_due) returns the key, and the caller sets the alarm again, to the
/// true deadline. Therefore a busy connection costs nothing here, and there is at most one
/// unnecessary wake-up per idle time-out.
#[derive(Default)]
pub struct Deadlines {
    alarms: BTreeSet<(Instant, usize)>,
    /// The time of the alarm of each key.
    set_to: Vec<Option<Instant>>,
}

impl Deadlines {
    /// No deadlines yet.
    pub fn new() -> Self {
        Deadlines::default()
    }

    /// Makes sure that `key` is due once its `deadline` has passed, or some time before.
    pub fn watch(&mut self, key: usize, deadline: Option<Instant>) {
        if self.set_to.len() <= key {
            self.set_to.resize(key + 1, None);
        }
        let Some(deadline) = deadline else {
            return self.forget(key);
        };
        if self.set_to[key].is_some_and(|alarm| alarm <= deadline) {
            return;
        }
        self.forget(key);
        self.alarms.insert((deadline, key));
        self.set_to[key] = Some(deadline);
    }

    /// The connection is gone.
    pub fn forget(&mut self, key: usize) {
        if let Some(alarm) = self.set_to.get_mut(key).and_then(Option::take) {
            self.alarms.remove(&(alarm, key));
        }
    }

    /// When the next alarm goes off.
    pub fn next(&self) -> Option<Instant> {
        self.alarms.first().map(|(alarm, _)| *alarm)
    }

    /// A key whose alarm has gone off by `now`. Each alarm is returned once.
    pub fn take_due(&mut self, now: Instant) -> Option<usize> {
        let &(alarm, key) = self.alarms.first()?;
        if alarm > now {
            return None;
        }
        self.forget(key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn keys_are_handed_out_in_the_order_of_their_deadlines() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut deadlines = Deadlines::new();
        assert_eq!(deadlines.next(), None);
        deadlines.watch(3, Some(after(3)));
        deadlines.watch(1, Some(after(1)));
        deadlines.watch(2, Some(after(1)));
        assert_eq!(deadlines.next(), Some(after(1)));
        assert_eq!(deadlines.take_due(now), None);
        assert_eq!(deadlines.take_due(after(2)), Some(1));
        assert_eq!(deadlines.take_due(after(2)), Some(2));
        assert_eq!(deadlines.take_due(after(2)), None);
        deadlines.forget(3);
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn a_deadline_may_come_nearer_and_a_later_one_leaves_the_alarm_alone() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let mut deadlines = Deadlines::new();
        deadlines.watch(0, Some(after(5)));
        deadlines.watch(0, Some(after(9)));
        assert_eq!(deadlines.next(), Some(after(5)));
        deadlines.watch(0, Some(after(2)));
        assert_eq!(deadlines.next(), Some(after(2)));
        assert_eq!(deadlines.take_due(after(9)), Some(0));
        assert_eq!(deadlines.take_due(after(9)), None);
        deadlines.watch(0, Some(after(5)));
        assert_eq!(deadlines.next(), Some(after(5)), "the alarm is set again");
        deadlines.watch(0, None);
        assert_eq!(deadlines.next(), None);
    }
}
