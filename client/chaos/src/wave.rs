//! What a wave is: drawn from the seed and the wave's number, and from nothing else, so that a
//! wave that has found a fault can be sent again without those before it.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use protocol::Protocol;
use serde::Serialize;

use super::plan::Plan;
use load_generator::json::as_seconds;
use load_generator::{Crowd, Order};
use load_generator::{Kind, Mix};

/// How many deaf clients there are in a crowd at most: each moves megabytes, until the kernels
/// between it and the server hold no more.
const DEAF_IN_A_CROWD: usize = 2;

/// How many requests all clients of one crowd ask together at most, so that a wave ends after a
/// second or two, and the next can be another one.
const MOST_REQUESTS: usize = 10_000;

/// How many requests a client asks at most.
const MOST_REQUESTS_EACH: usize = 50;

/// How many bytes a request has here, about: a dribbling client waits after each.
const REQUEST: u32 = 28;

/// For how long a flood may stand still: far longer than the server is stopped or squeezed, and
/// than a kernel waits before it tries to connect again, four times (1, 2, 4 and 8 seconds).
const TIMEOUT: Duration = Duration::from_secs(30);

/// Crowds that come at the same time, and what befalls the server meanwhile.
#[derive(Clone, Debug, Serialize)]
pub struct Wave {
    /// Counted from 0.
    pub number: u64,
    /// What it is like.
    pub mood: Mood,
    /// Each floods the server in a thread of its own.
    pub arrivals: Vec<Arrival>,
    /// In the order in which they come.
    pub torments: Vec<Torment>,
}

/// What a wave is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mood {
    /// Any mix, any size.
    Mixed,
    /// Everybody connects at once and asks one thing.
    Burst,
    /// A few slow clients, so that the server sleeps between events.
    Few,
    /// As many as there may be, of every kind.
    Full,
}

/// A crowd that comes in a wave.
#[derive(Clone, Debug, Serialize)]
pub struct Arrival {
    /// When, counted from the beginning of the wave.
    #[serde(rename = "after_s", serialize_with = "as_seconds")]
    pub after: Duration,
    /// Who.
    pub crowd: Crowd,
}

/// Something that befalls the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Torment {
    /// When, counted from the beginning of the wave.
    #[serde(rename = "after_s", serialize_with = "as_seconds")]
    pub after: Duration,
    /// What.
    pub ordeal: Ordeal,
    /// For how long.
    #[serde(rename = "lasts_s", serialize_with = "as_seconds")]
    pub lasts: Duration,
}

/// What can befall a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ordeal {
    /// It is stopped (SIGSTOP), as by Ctrl-Z, or as a machine that is asleep.
    Stop,
    /// Its soft limit of descriptors is what it has open, and so many more.
    Squeeze {
        /// How many more.
        spare: u64,
    },
}

/// As in "stopped after 120 ms for 30 ms".
impl fmt::Display for Torment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Torment { after, ordeal, lasts } = self;
        match ordeal {
            Ordeal::Stop => f.write_str("stopped")?,
            Ordeal::Squeeze { spare } => write!(f, "left {spare} descriptors")?,
        }
        write!(f, " after {} ms for {} ms", after.as_millis(), lasts.as_millis())
    }
}

impl Wave {
    /// Draws a wave of this plan.
    pub fn draw(plan: &Plan, number: u64) -> Self {
        // An odd number with many bits, so that neighbours have little in common.
        let seed = plan.seed ^ number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Draw { plan, random: Rng::with_seed(seed) }.wave(number)
    }

    /// The same in each run: every kind there is, as many clients as there may be, and nothing
    /// befalls the server.
    pub fn zoo(plan: &Plan) -> Self {
        let mut draw = Draw { plan, random: Rng::with_seed(plan.seed) };
        let crowd = draw.full(2, Duration::from_millis(500));
        let arrivals = vec![Arrival { after: Duration::ZERO, crowd }];
        Wave { number: 0, mood: Mood::Full, arrivals, torments: Vec::new() }
    }

    /// Whoever comes.
    pub fn crowds(&self) -> impl Iterator<Item = &Crowd> {
        self.arrivals.iter().map(|arrival| &arrival.crowd)
    }

    /// How many clients there are.
    pub fn clients(&self) -> usize {
        self.crowds().map(|crowd| crowd.connections).sum()
    }

    /// Who comes, and what befalls the server meanwhile, in words.
    pub(super) fn told(&self) -> String {
        let of_kind = |kind| (kind, self.crowds().map(|crowd| crowd.count(kind)).sum());
        let who = Kind::ALL.into_iter().map(of_kind).collect::<Mix>();
        let crowds = match self.arrivals.len() {
            1 => "one crowd".into(),
            count => format!("{count} crowds"),
        };
        let torments: Vec<String> = self.torments.iter().map(Torment::to_string).collect();
        let torments = match &torments[..] {
            [] => String::new(),
            all => format!("; the server was to be {}", all.join(", and ")),
        };
        format!("{who}, in {crowds}{torments}")
    }
}

/// How many requests each of so many clients asks at most.
fn asks_at_most(connections: usize) -> usize {
    (MOST_REQUESTS / connections).clamp(1, MOST_REQUESTS_EACH)
}

/// A count by which a time is divided.
fn whole(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A wave that is being drawn.
struct Draw<'a> {
    plan: &'a Plan,
    random: Rng,
}

impl Draw<'_> {
    fn wave(&mut self, number: u64) -> Wave {
        let mood = match self.random.u32(0..100) {
            0..25 => Mood::Burst,
            25..33 => Mood::Few,
            33..41 => Mood::Full,
            _ => Mood::Mixed,
        };
        let crowds = match mood {
            Mood::Burst => vec![self.burst()],
            Mood::Few => vec![self.few()],
            Mood::Full => {
                let (requests, budget) = (self.random.usize(1..=3), self.budget());
                vec![self.full(requests, budget)]
            }
            Mood::Mixed => self.mixed(),
        };
        let arrivals = crowds.into_iter().map(|crowd| Arrival { after: self.soon(), crowd });
        Wave { number, mood, arrivals: arrivals.collect(), torments: self.torments() }
    }

    fn burst(&mut self) -> Crowd {
        let most = self.plan.most_clients().min(self.plan.backlog);
        let connections = self.random.usize(most.div_ceil(4)..=most);
        Crowd { connections, order: Order::AsConnected, ..self.plain() }
    }

    fn few(&mut self) -> Crowd {
        let connections = self.random.usize(1..=8.min(self.plan.most_clients()));
        let mix = self.mix(connections, 1);
        let requests = self.random.usize(1..=3);
        let budget = self.budget() + Duration::from_millis(500);
        self.crowd(connections, 1, mix, requests, budget)
    }

    /// Every kind has its part, as far as there are enough.
    fn full(&mut self, requests: usize, budget: Duration) -> Crowd {
        let connections = self.plan.most_clients();
        let part = |draw: &mut Self, kind| match kind {
            Kind::Deaf => DEAF_IN_A_CROWD,
            _ => draw.random.usize(1..=connections.div_ceil(10)),
        };
        let counts: Vec<(Kind, usize)> =
            Kind::ALL.into_iter().map(|kind| (kind, part(self, kind))).collect();
        let mix = self.allowed(connections, counts);
        self.crowd(connections, 1, mix, requests.min(asks_at_most(connections)), budget)
    }

    fn mixed(&mut self) -> Vec<Crowd> {
        let crowds = self.random.usize(1..=3).min(self.plan.most_clients());
        let most = self.plan.most_clients() / crowds;
        let mut one = || {
            let connections = self.log_uniform(most);
            let share = self.random.usize(2..=10);
            let mix = self.mix(connections, share);
            let requests = self.log_uniform(asks_at_most(connections));
            let budget = self.budget();
            self.crowd(connections, crowds, mix, requests, budget)
        };
        (0..crowds).map(|_| one()).collect()
    }

    /// Some of the kinds that are not prompt, and of each at most one of `share` clients.
    fn mix(&mut self, connections: usize, share: usize) -> Mix {
        let mut counts = Vec::new();
        for kind in Kind::ALL {
            let (one_in, most) = match kind {
                Kind::Deaf => (4, DEAF_IN_A_CROWD),
                _ => (2, connections.div_ceil(share)),
            };
            let (is_there, count) = (self.random.u32(0..one_in) == 0, self.random.usize(1..=most));
            counts.push((kind, if is_there { count } else { 0 }));
        }
        self.allowed(connections, counts)
    }

    /// As many of these as the plan allows, and as there are connections; one is left for a prompt
    /// client.
    fn allowed(&self, connections: usize, counts: Vec<(Kind, usize)>) -> Mix {
        let mut left = connections - 1;
        let allowed = |&(kind, _): &_| kind != Kind::Prompt && self.plan.allows(kind);
        let fitting = |(kind, count): (Kind, usize)| {
            let count = count.min(left);
            left -= count;
            (kind, count)
        };
        counts.into_iter().filter(allowed).map(fitting).collect()
    }

    /// One of so many `crowds`. Whoever is slow in it is so for `budget` altogether.
    fn crowd(
        &mut self,
        connections: usize,
        crowds: usize,
        mix: Mix,
        requests: usize,
        budget: Duration,
    ) -> Crowd {
        let order = self.order(connections, crowds);
        // Where they are served in turn, each waits for those before it.
        let in_turn = self.plan.at_once.map_or(1, |count| mix.total().div_ceil(count).max(1));
        let budget = budget / whole(in_turn);
        let plain = self.plain();
        let requests = if plain.protocol == Protocol::OneShot { 1 } else { requests };
        Crowd {
            connections,
            mix,
            requests,
            order,
            every: budget / whole(requests) / REQUEST,
            pause: budget / whole(requests),
            think: budget / whole(requests.max(5)), // a chatty one asks five times at least
            ..plain
        }
    }

    fn plain(&self) -> Crowd {
        Crowd { protocol: self.plan.protocol, timeout: TIMEOUT, ..Crowd::default() }
    }

    /// For how long the slow ones are slow altogether.
    fn budget(&mut self) -> Duration {
        Duration::from_millis(self.random.u64(50..=1500))
    }

    /// For one of so many crowds, all of which may connect at once.
    fn order(&mut self, connections: usize, crowds: usize) -> Order {
        let may_come_at_once = connections <= self.plan.backlog / crowds;
        match self.random.bool() {
            true if may_come_at_once => Order::AsConnected,
            _ => Order::ConnectFirst,
        }
    }

    /// Each power of two as likely as any other, and each number between two of them.
    fn log_uniform(&mut self, most: usize) -> usize {
        let power = self.random.u32(0..=most.ilog2());
        let from = 1 << power;
        self.random.usize(from..=most.min(2 * from - 1))
    }

    /// What befalls the server meets clients that come, ask, and go.
    fn soon(&mut self) -> Duration {
        Duration::from_millis(self.random.u64(0..500))
    }

    fn torments(&mut self) -> Vec<Torment> {
        let mut torments = Vec::new();
        for _ in 0..self.random.usize(0..=4) {
            let after = self.soon();
            // Drawn in any case, so that the same seed without one of them is otherwise the same.
            let is_stop = self.random.bool();
            let stop = Duration::from_millis(self.random.u64(5..=400));
            let spare = self.random.u64(0..=30);
            let squeeze = Duration::from_millis(self.random.u64(50..=500));
            if is_stop && self.plan.stops {
                torments.push(Torment { after, ordeal: Ordeal::Stop, lasts: stop });
            } else if !is_stop && self.plan.pressure {
                let ordeal = Ordeal::Squeeze { spare };
                torments.push(Torment { after, ordeal, lasts: squeeze });
            }
        }
        torments.sort_by_key(|torment| torment.after);
        torments
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn plans() -> impl Strategy<Value = Plan> {
        let sizes = (1..3000_usize, 1..1500_usize, option::of(1..5_usize));
        let kinds = vec(select(Kind::ALL.to_vec()), 0..12);
        let protocols = select(vec![Protocol::Lines, Protocol::OneShot]);
        (any::<u64>(), sizes, kinds, any::<bool>(), any::<bool>(), protocols).prop_map(
            |(seed, (connections, backlog, at_once), kinds, stops, pressure, protocol)| Plan {
                seed,
                connections,
                backlog,
                at_once,
                kinds,
                stops,
                pressure,
                protocol,
                ..Plan::default()
            },
        )
    }

    proptest! {
        #[test]
        fn waves_are_within_the_plan(plan in plans(), number in 0..1000_u64) {
            for wave in [Wave::draw(&plan, number), Wave::zoo(&plan)] {
                prop_assert!((1..=plan.most_clients()).contains(&wave.clients()));
                prop_assert!((1..=3).contains(&wave.arrivals.len()));
                let of_kind = |kind| wave.crowds().map(|crowd| crowd.count(kind)).sum();
                let deaf: usize = of_kind(Kind::Deaf);
                prop_assert!(deaf <= 3 * DEAF_IN_A_CROWD);
                for crowd in wave.crowds() {
                    prop_assert_eq!(crowd.check(), Ok(()));
                    prop_assert!(crowd.count(Kind::Prompt) > 0);
                    let others = crowd.kinds().filter(|&kind| kind != Kind::Prompt);
                    let wrong: Vec<Kind> = others.filter(|&kind| !plan.allows(kind)).collect();
                    prop_assert_eq!(wrong, []);
                    prop_assert!(crowd.requests <= MOST_REQUESTS_EACH);
                }
                let at_once = wave.crowds().filter(|it| it.order == Order::AsConnected);
                let at_once: usize = at_once.map(|crowd| crowd.connections).sum();
                prop_assert!(at_once <= plan.backlog);
                for torment in &wave.torments {
                    let is_planned = match torment.ordeal {
                        Ordeal::Stop => plan.stops,
                        Ordeal::Squeeze { spare } => plan.pressure && spare <= 30,
                    };
                    prop_assert!(is_planned);
                    prop_assert!(torment.lasts <= Duration::from_millis(500));
                }
                prop_assert!(wave.torments.is_sorted_by_key(|torment| torment.after));
            }
        }

        #[test]
        fn the_same_seed_draws_the_same_waves(plan in plans(), number in any::<u64>()) {
            let draw = || format!("{:?}", Wave::draw(&plan, number));
            prop_assert_eq!(draw(), draw());
        }
    }

    /// What a change here would break is that a seed which somebody has noted finds its fault
    /// again.
    #[test]
    fn a_noted_seed_means_what_it_meant() {
        let plan = Plan { seed: 4711, ..Plan::default() };
        let told = |number| Wave::draw(&plan, number).told();
        let first = "1 prompt, 6 dribbling, in one crowd; the server was to be left 3 descriptors \
                     after 62 ms for 111 ms";
        assert_eq!(told(0), first);
        assert_eq!(
            told(17),
            "61 prompt, in one crowd; the server was to be stopped after 396 ms for 327 ms"
        );
    }

    #[test]
    fn every_mood_comes_and_neighbouring_waves_differ() {
        let plan = Plan::default();
        let moods: Vec<Mood> = (0..200).map(|number| Wave::draw(&plan, number).mood).collect();
        let share = |mood| moods.iter().filter(|&&it| it == mood).count();
        for (mood, at_least) in
            [(Mood::Mixed, 80), (Mood::Burst, 30), (Mood::Few, 5), (Mood::Full, 5)]
        {
            assert!(share(mood) >= at_least, "{mood:?}: {}", share(mood));
        }
        let sizes: std::collections::BTreeSet<usize> =
            (0..200).map(|number| Wave::draw(&plan, number).clients()).collect();
        assert!(sizes.len() > 100, "{sizes:?}");
    }

    /// One after the other is served: all who are slow take a few seconds together.
    #[test]
    fn where_one_is_served_at_a_time_nobody_waits_for_long() {
        let plan = Plan { at_once: Some(1), ..Plan::default() };
        for number in 0..200 {
            for crowd in Wave::draw(&plan, number).crowds() {
                let slow = u32::try_from(crowd.mix.total()).unwrap();
                let longest = crowd.pause * u32::try_from(crowd.requests).unwrap();
                assert!(longest * slow <= Duration::from_secs(4), "{crowd:?}");
            }
        }
    }
}
