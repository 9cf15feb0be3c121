//! Compares `Conversation` with a reference that is meant to be simple rather than fast: whatever
//! happens, and in whatever order, both must report the same after every step.
//!
//! - [`step`]: what can happen.
//! - [`reference`]: what a conversation must then do, from the description.
//! - [`subject`]: the real conversation, and the comparison.
//! - [`drawn_delays`]: what holds even if the delays can't be predicted.
//! - [`bytes`]: the same steps, written as bytes; in `protocol/fuzz` a fuzzer generates them, and
//!   [`corpus`] runs those that it found worth keeping.
//!
//! `cargo test` tries 256 sequences of up to 200 steps. By hand, for as long as you like:
//!
//! ```text
//! PROPTEST_CASES=1000000 cargo test --release -p protocol --test model
//! ```
//!
//! `PROPTEST_RNG_SEED=7` in front of it gives the same sequences each time.
//!
//! Left out: what a conversation reports once it is over, other than its ending and its loss, since
//! no server reads it; time that goes backwards, since `Instant` does not.

mod bytes;
mod corpus;
mod drawn_delays;
mod reference;
mod step;
mod subject;

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use protocol::{Protocol, REQUEST_MAX};

use reference::Reference;
use step::Step;
use subject::Subject;

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let protocol = prop_oneof![9 => Just(Protocol::Lines), 1 => Just(Protocol::OneShot)];
        let delay = prop_oneof![Just(0), 1..1000_u64];
        let idle_timeout = prop::option::of(1..3000_u64);
        (protocol, delay, idle_timeout)
            .prop_map(|(protocol, delay, idle_timeout)| Self::new(protocol, delay, idle_timeout))
            .boxed()
    }

    /// Any step makes sense at any time; those that end the conversation are rare.
    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        let bytes = |lines, length, rest| Step::Receive { lines, length, rest };
        let (longest, half) = (state.bytes_to_longest(), state.bytes_to_half());
        let requests = state.requests_to_half();
        // Checking the time ends the conversation with an idle client.
        let gives_up = state.has_nothing_delayed() && state.deadline().is_some();
        let (offset, looks) = if gives_up { (-3..2_i64, 2) } else { (-2..30_i64, 12) };
        prop_oneof![
            12 => (0..4_usize, 0..30_usize, 0..30_usize).prop_map(move |(l, n, r)| bytes(l, n, r)),
            1 => (0..4000_usize).prop_map(move |lines| bytes(lines, 0, 0)),
            1 => (0..3_usize).prop_map(move |more| bytes(requests + more, 0, 0)),
            3 => (longest.saturating_sub(1)..longest + 2).prop_map(move |rest| bytes(0, 0, rest)),
            2 => (1..3_usize, REQUEST_MAX - 3..=REQUEST_MAX).prop_map(move |(l, n)| bytes(l, n, 0)),
            16 => (0..60_usize).prop_map(Step::Send),
            8 => (0..70_000_usize).prop_map(Step::Send),
            3 => (half.saturating_sub(1)..half + 2).prop_map(Step::Send),
            8 => Just(Step::HalfClose),
            8 => (0..50_u64).prop_map(Step::Wait),
            1 => (0..6000_u64).prop_map(Step::Wait),
            8 => Just(Step::Expire),
            looks => offset.prop_map(Step::ExpireAt),
            1 => Just(Step::End),
            1 => (0..1000_u64).prop_map(Step::Stop),
        ]
        .boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        state.take(step);
        state
    }
}

impl StateMachineTest for Subject {
    type SystemUnderTest = Self;
    type Reference = Reference;

    fn init_test(reference: &Reference) -> Self {
        Subject::new(reference)
    }

    fn apply(mut subject: Self, _: &Reference, step: Step) -> Self {
        subject.take(&step);
        subject
    }

    fn check_invariants(subject: &Self, reference: &Reference) {
        subject.compare(reference);
    }
}

/// Miri (`cargo +nightly miri test -p protocol`) takes some thousand times as long.
const STEPS: usize = if cfg!(miri) { 30 } else { 200 };

/// As many cases as the environment says, by default 256. Turn a failing case into a test of its
/// own, with a name, instead of keeping it as a number that means nothing to a reader.
fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if cfg!(miri) { ProptestConfig { cases: 2, ..config } } else { config }
}

prop_state_machine! {
    #![proptest_config(config())]

    #[test]
    fn a_conversation_does_what_its_description_says(sequential 1..=STEPS => Subject);
}
