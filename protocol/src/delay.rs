//! How long a reply waits before it may be sent.

use std::time::Duration;

/// The range of the random delay of each reply, both ends included.
///
/// The default is no delay at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    shortest: Duration,
    longest: Duration,
}

impl Delay {
    /// A random delay between `shortest` and `longest`; `None` if they are in the wrong order.
    pub fn between(shortest: Duration, longest: Duration) -> Option<Self> {
        (shortest <= longest).then_some(Delay { shortest, longest })
    }

    /// The same delay for every reply.
    pub fn always(delay: Duration) -> Self {
        Delay { shortest: delay, longest: delay }
    }

    /// A random delay in this range.
    pub(crate) fn draw(&self, dice: &mut Dice) -> Duration {
        let span = (self.longest - self.shortest).as_nanos();
        let span = u64::try_from(span).unwrap_or(u64::MAX); // 584 years are enough
        if span == 0 {
            return self.shortest;
        }
        // The remainder favours small values, by less than span / 2^64, which is negligible.
        self.shortest + Duration::from_nanos(dice.roll() % span.saturating_add(1))
    }
}

/// SplitMix64 (Steele, Lea, Flood: *Fast Splittable Pseudorandom Number Generators*, 2014):
/// the same seed gives the same delays, so that a test can repeat a run.
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice { state: seed }
    }

    fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_stay_in_the_range_and_reach_both_halves() {
        let delay = Delay::between(Duration::from_millis(100), Duration::from_millis(300)).unwrap();
        let mut dice = Dice::new(1);
        let draws: Vec<_> = (0..1000).map(|_| delay.draw(&mut dice)).collect();
        assert!(draws.iter().all(|d| (100..=300).contains(&d.as_millis())));
        assert!(draws.iter().any(|d| d.as_millis() < 150));
        assert!(draws.iter().any(|d| d.as_millis() > 250));
    }

    #[test]
    fn a_range_the_wrong_way_round_is_none() {
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(2));
        assert_eq!(Delay::between(long, short), None);
        assert_eq!(Delay::between(short, short), Some(Delay::always(short)));
    }
}
