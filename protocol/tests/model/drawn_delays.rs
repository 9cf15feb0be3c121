//! Random delays: the reference can't predict them, but knows between which times each reply is
//! due.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use protocol::{Conversation, Delay, Terms};

use crate::config;

const GREETING: usize = 19;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_drawn_delay_ends_in_time_and_not_before(
        seed: u64,
        shortest in 0..50_u64,
        more in 0..50_u64,
        turns in vec((0..4_usize, 0..30_u64, any::<bool>()), 1..100),
    ) {
        let [shortest, more] = [shortest, more].map(Duration::from_millis);
        let longest = shortest + more;
        let delay = Delay::between(shortest, longest).unwrap();
        let mut now = Instant::now();
        let mut conversation = Conversation::new(Terms { delay, ..Terms::default() }, seed, now);
        // When each reply was requested.
        let mut asked = Vec::new();
        let mut sent = 0;
        for (requests, wait, reads) in turns {
            conversation.receive(&b"\n".repeat(requests), now);
            asked.extend([now].repeat(requests));
            now += Duration::from_millis(wait);
            conversation.expire(now);

            // A reply may wait for those before it, but they, too, were requested in time.
            let released = sent + conversation.pending().len() / GREETING;
            let must = asked.iter().filter(|&&asked| asked + longest <= now).count();
            let may = asked.iter().filter(|&&asked| asked + shortest <= now).count();
            prop_assert!((must..=may).contains(&released), "{released}, not {must} to {may}");
            prop_assert_eq!(conversation.owed(), asked.len() - sent);
            match asked.get(released) {
                None => prop_assert_eq!(conversation.deadline(), None),
                Some(&asked) => {
                    let deadline = conversation.deadline().unwrap();
                    prop_assert!(now < deadline, "what was due is released");
                    prop_assert!((asked + shortest..=asked + longest).contains(&deadline));
                }
            }

            if reads {
                sent += conversation.sent(conversation.pending().len(), now);
            }
        }
    }
}
