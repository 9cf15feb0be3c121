//! What a wave is. It is derived only from the seed and the wave's number, so that a wave that has
//! found a fault can be repeated without those before it.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use protocol::Protocol;
use serde::Serialize;

use super::scenario::Scenario;
use load_generator::json::as_seconds;
use load_generator::{Crowd, Order};
use load_generator::{Kind, Mix};

/// How many non-reading clients there are in a crowd at most: each moves megabytes, until the
/// kernels hold no more.
const NON_READING_IN_A_CROWD: usize = 2;

/// How many requests all clients of one crowd send together at most, so that a wave ends after a
/// second or two and a different one can follow.
const MOST_REQUESTS: usize = 10_000;

/// How many requests a client sends at most.
const MOST_REQUESTS_EACH: usize = 50;

/// About how many bytes a request has: a dribbling client waits after each of them.
const REQUEST: u32 = 28;

/// How long nothing may move in a flood: far longer than the server is stopped or squeezed, and
/// longer than a kernel that tries to connect again four times waits (1, 2, 4 and 8 seconds).
const TIMEOUT: Duration = Duration::from_secs(30);

/// Crowds that come at the same time, and the faults that are injected into the server meanwhile.
#[derive(Clone, Debug, Serialize)]
pub struct Wave {
    /// Counted from 0.
    pub number: u64,
    /// What it is like.
    pub shape: Shape,
    /// The crowds. Each floods the server in its own thread.
    pub arrivals: Vec<Arrival>,
    /// The faults, in the order in which they begin.
    pub faults: Vec<Fault>,
}

/// What a wave is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Any mix, any size.
    Mixed,
    /// All clients connect at once and send one request.
    Burst,
    /// A few slow clients, so that the server sleeps between events.
    Few,
    /// As many clients as there may be, of every kind.
    Full,
}

/// A crowd that comes in a wave.
#[derive(Clone, Debug, Serialize)]
pub struct Arrival {
    /// When, counted from the beginning of the wave.
    #[serde(rename = "after_s", serialize_with = "as_seconds")]
    pub after: Duration,
    /// The crowd.
    pub crowd: Crowd,
}

/// A fault that is injected into the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// When, counted from the beginning of the wave.
    #[serde(rename = "after_s", serialize_with = "as_seconds")]
    pub after: Duration,
    /// What.
    pub kind: FaultKind,
    /// For how long.
    #[serde(rename = "lasts_s", serialize_with = "as_seconds")]
    pub lasts: Duration,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The server is stopped (SIGSTOP), as by Ctrl-Z, or as on a machine that is asleep.
    Stop,
    /// Its soft limit of descriptors is lowered to those that it has open, and a few more.
    Squeeze {
        /// How many more.
        spare: u64,
    },
}

/// As in "stopped after 120 ms for 30 ms".
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { after, kind, lasts } = self;
        match kind {
            FaultKind::Stop => f.write_str("stopped")?,
            FaultKind::Squeeze { spare } => write!(f, "left with {spare} spare descriptors")?,
        }
        write!(f, " after {} ms for {} ms", after.as_millis(), lasts.as_millis())
    }
}

impl Wave {
    /// Draws a wave of this scenario.
    pub fn draw(scenario: &Scenario, number: u64) -> Self {
        // An odd number with many bits, so that neighbours have little in common.
        let seed = scenario.seed ^ number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Draw { scenario, random: Rng::with_seed(seed) }.wave(number)
    }

    /// A wave that is the same in each run: every kind of client, as many clients as there may be,
    /// and no faults.
    pub fn zoo(scenario: &Scenario) -> Self {
        let mut draw = Draw { scenario, random: Rng::with_seed(scenario.seed) };
        let crowd = draw.full(2, Duration::from_millis(500));
        let arrivals = vec![Arrival { after: Duration::ZERO, crowd }];
        Wave { number: 0, shape: Shape::Full, arrivals, faults: Vec::new() }
    }

    /// The crowds.
    pub fn crowds(&self) -> impl Iterator<Item = &Crowd> {
        self.arrivals.iter().map(|arrival| &arrival.crowd)
    }

    /// How many clients there are.
    pub fn clients(&self) -> usize {
        self.crowds().map(|crowd| crowd.connections).sum()
    }

    /// The crowds and the faults, in words.
    pub(super) fn description(&self) -> String {
        let of_kind = |kind| (kind, self.crowds().map(|crowd| crowd.count(kind)).sum());
        let clients = Kind::ALL.into_iter().map(of_kind).collect::<Mix>();
        let crowds = match self.arrivals.len() {
            1 => "one crowd".into(),
            count => format!("{count} crowds"),
        };
        let faults: Vec<String> = self.faults.iter().map(Fault::to_string).collect();
        let faults = match &faults[..] {
            [] => String::new(),
            all => format!("; the server was {}", all.join(", and ")),
        };
        format!("{clients}, in {crowds}{faults}")
    }
}

/// How many requests each of this many clients sends at most.
fn most_requests(connections: usize) -> usize {
    (MOST_REQUESTS / connections).clamp(1, MOST_REQUESTS_EACH)
}

/// A count by which a time is divided.
fn whole(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// A wave that is being drawn.
struct Draw<'a> {
    scenario: &'a Scenario,
    random: Rng,
}

impl Draw<'_> {
    fn wave(&mut self, number: u64) -> Wave {
        let (shape, crowds) = match self.random.u32(0..100) {
            0..25 => (Shape::Burst, vec![self.burst()]),
            25..33 => (Shape::Few, vec![self.few()]),
            33..41 => {
                let (requests, budget) = (self.random.usize(1..=3), self.budget());
                (Shape::Full, vec![self.full(requests, budget)])
            }
            _ => (Shape::Mixed, self.mixed()),
        };
        let arrivals = crowds.into_iter().map(|crowd| Arrival { after: self.soon(), crowd });
        Wave { number, shape, arrivals: arrivals.collect(), faults: self.faults() }
    }

    fn burst(&mut self) -> Crowd {
        let most = self.scenario.most_clients().min(self.scenario.backlog);
        let connections = self.random.usize(most.div_ceil(4)..=most);
        Crowd { connections, order: Order::AsConnected, ..self.plain() }
    }

    fn few(&mut self) -> Crowd {
        let connections = self.random.usize(1..=8.min(self.scenario.most_clients()));
        let mix = self.mix(connections, 1);
        let requests = self.random.usize(1..=3);
        let budget = self.budget() + Duration::from_millis(500);
        self.crowd(connections, 1, mix, requests, budget)
    }

    /// Every kind has its share, as long as there are enough connections.
    fn full(&mut self, requests: usize, budget: Duration) -> Crowd {
        let connections = self.scenario.most_clients();
        let counts = Kind::ALL.map(|kind| match kind {
            Kind::NonReading => (kind, NON_READING_IN_A_CROWD),
            _ => (kind, self.random.usize(1..=connections.div_ceil(10))),
        });
        let mix = self.allowed(connections, counts);
        self.crowd(connections, 1, mix, requests.min(most_requests(connections)), budget)
    }

    fn mixed(&mut self) -> Vec<Crowd> {
        let crowds = self.random.usize(1..=3).min(self.scenario.most_clients());
        let most = self.scenario.most_clients() / crowds;
        let one = |_| {
            let connections = self.log_uniform(most);
            let share = self.random.usize(2..=10);
            let mix = self.mix(connections, share);
            let requests = self.log_uniform(most_requests(connections));
            let budget = self.budget();
            self.crowd(connections, crowds, mix, requests, budget)
        };
        (0..crowds).map(one).collect()
    }

    /// Some of the kinds that are not prompt; each has at most one in `share` clients.
    fn mix(&mut self, connections: usize, share: usize) -> Mix {
        let counts = Kind::ALL.map(|kind| {
            let (one_in, most) = match kind {
                Kind::NonReading => (4, NON_READING_IN_A_CROWD),
                _ => (2, connections.div_ceil(share)),
            };
            let (is_there, count) = (self.random.u32(0..one_in) == 0, self.random.usize(1..=most));
            (kind, if is_there { count } else { 0 })
        });
        self.allowed(connections, counts)
    }

    /// These counts, as far as the scenario allows the kinds and there are connections; one is left
    /// for a prompt client.
    fn allowed(&self, connections: usize, counts: [(Kind, usize); Kind::ALL.len()]) -> Mix {
        let mut left = connections - 1;
        let allowed = |&(kind, _): &_| kind != Kind::Prompt && self.scenario.allows(kind);
        let fitting = |(kind, count): (Kind, usize)| {
            let count = count.min(left);
            left -= count;
            (kind, count)
        };
        counts.into_iter().filter(allowed).map(fitting).collect()
    }

    /// One of this many `crowds`. Each slow client in it is slow for `budget` in total.
    fn crowd(
        &mut self,
        connections: usize,
        crowds: usize,
        mix: Mix,
        requests: usize,
        budget: Duration,
    ) -> Crowd {
        // All of them may connect at once.
        let fits_backlog = connections <= self.scenario.backlog / crowds;
        let order = match self.random.bool() {
            true if fits_backlog => Order::AsConnected,
            _ => Order::ConnectFirst,
        };
        // If they are served in turn, each waits for those before it.
        let in_turn = self.scenario.at_once.map_or(1, |count| mix.total().div_ceil(count).max(1));
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
            think: budget / whole(requests.max(5)), // a chatty client sends at least five requests
            ..plain
        }
    }

    fn plain(&self) -> Crowd {
        Crowd { protocol: self.scenario.protocol, timeout: TIMEOUT, ..Crowd::default() }
    }

    /// How long a slow client is slow in total.
    fn budget(&mut self) -> Duration {
        Duration::from_millis(self.random.u64(50..=1500))
    }

    /// Each power of two is as likely as any other, and so is each number between two of them.
    fn log_uniform(&mut self, most: usize) -> usize {
        let power = self.random.u32(0..=most.ilog2());
        let from = 1 << power;
        self.random.usize(from..=most.min(2 * from - 1))
    }

    /// Crowds and faults start within the same half second, so that faults meet clients in all
    /// phases.
    fn soon(&mut self) -> Duration {
        Duration::from_millis(self.random.u64(0..500))
    }

    fn faults(&mut self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for _ in 0..self.random.usize(0..=4) {
            let after = self.soon();
            // All of this is drawn in any case, so that the same seed without one kind of fault
            // stays the same otherwise.
            let is_stop = self.random.bool();
            let stop = Duration::from_millis(self.random.u64(5..=400));
            let spare = self.random.u64(0..=30);
            let squeeze = Duration::from_millis(self.random.u64(50..=500));
            if is_stop && self.scenario.stops {
                faults.push(Fault { after, kind: FaultKind::Stop, lasts: stop });
            } else if !is_stop && self.scenario.pressure {
                let kind = FaultKind::Squeeze { spare };
                faults.push(Fault { after, kind, lasts: squeeze });
            }
        }
        faults.sort_by_key(|fault| fault.after);
        faults
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn scenarios() -> impl Strategy<Value = Scenario> {
        let sizes = (1..3000_usize, 1..1500_usize, option::of(1..5_usize));
        let kinds = vec(select(Kind::ALL.to_vec()), 0..12);
        let protocols = select(vec![Protocol::Lines, Protocol::OneShot]);
        (any::<u64>(), sizes, kinds, any::<bool>(), any::<bool>(), protocols).prop_map(
            |(seed, (connections, backlog, at_once), kinds, stops, pressure, protocol)| Scenario {
                seed,
                connections,
                backlog,
                at_once,
                kinds,
                stops,
                pressure,
                protocol,
                ..Scenario::default()
            },
        )
    }

    proptest! {
        #[test]
        fn waves_are_within_the_plan(scenario in scenarios(), number in 0..1000_u64) {
            for wave in [Wave::draw(&scenario, number), Wave::zoo(&scenario)] {
                prop_assert!((1..=scenario.most_clients()).contains(&wave.clients()));
                prop_assert!((1..=3).contains(&wave.arrivals.len()));
                let of_kind = |kind| wave.crowds().map(|crowd| crowd.count(kind)).sum();
                let non_reading: usize = of_kind(Kind::NonReading);
                prop_assert!(non_reading <= 3 * NON_READING_IN_A_CROWD);
                for crowd in wave.crowds() {
                    prop_assert_eq!(crowd.check(), Ok(()));
                    prop_assert!(crowd.count(Kind::Prompt) > 0);
                    let others = crowd.kinds().filter(|&kind| kind != Kind::Prompt);
                    let wrong: Vec<Kind> = others.filter(|&kind| !scenario.allows(kind)).collect();
                    prop_assert_eq!(wrong, []);
                    prop_assert!(crowd.requests <= MOST_REQUESTS_EACH);
                }
                let at_once = wave.crowds().filter(|it| it.order == Order::AsConnected);
                let at_once: usize = at_once.map(|crowd| crowd.connections).sum();
                prop_assert!(at_once <= scenario.backlog);
                for fault in &wave.faults {
                    let is_planned = match fault.kind {
                        FaultKind::Stop => scenario.stops,
                        FaultKind::Squeeze { spare } => scenario.pressure && spare <= 30,
                    };
                    prop_assert!(is_planned);
                    prop_assert!(fault.lasts <= Duration::from_millis(500));
                }
                prop_assert!(wave.faults.is_sorted_by_key(|fault| fault.after));
            }
        }

        #[test]
        fn the_same_seed_draws_the_same_waves(scenario in scenarios(), number in any::<u64>()) {
            let draw = || format!("{:?}", Wave::draw(&scenario, number));
            prop_assert_eq!(draw(), draw());
        }
    }

    /// A seed that you have noted has to find its fault again, so the waves must not change.
    #[test]
    fn a_noted_seed_means_what_it_meant() {
        let scenario = Scenario { seed: 4711, ..Scenario::default() };
        let description = |number| Wave::draw(&scenario, number).description();
        let first = "1 prompt, 6 dribbling, in one crowd; the server was left with 3 spare \
                     descriptors after 62 ms for 111 ms";
        assert_eq!(description(0), first);
        assert_eq!(
            description(17),
            "61 prompt, in one crowd; the server was stopped after 396 ms for 327 ms"
        );
    }

    #[test]
    fn every_shape_occurs_and_neighbouring_waves_differ() {
        let scenario = Scenario { seed: 0, ..Scenario::default() };
        let shapes: Vec<Shape> =
            (0..200).map(|number| Wave::draw(&scenario, number).shape).collect();
        let share = |shape| shapes.iter().filter(|&&it| it == shape).count();
        for (shape, at_least) in
            [(Shape::Mixed, 80), (Shape::Burst, 30), (Shape::Few, 5), (Shape::Full, 5)]
        {
            assert!(share(shape) >= at_least, "{shape:?}: {}", share(shape));
        }
        let sizes: std::collections::BTreeSet<usize> =
            (0..200).map(|number| Wave::draw(&scenario, number).clients()).collect();
        assert!(sizes.len() > 100, "{sizes:?}");
    }

    /// If clients are served one after the other, all slow ones together take a few seconds.
    #[test]
    fn if_one_client_is_served_at_a_time_none_waits_for_long() {
        let scenario = Scenario { at_once: Some(1), ..Scenario::default() };
        for number in 0..200 {
            for crowd in Wave::draw(&scenario, number).crowds() {
                let slow = u32::try_from(crowd.mix.total()).unwrap();
                let longest = crowd.pause * u32::try_from(crowd.requests).unwrap();
                assert!(longest * slow <= Duration::from_secs(4), "{crowd:?}");
            }
        }
    }
}
