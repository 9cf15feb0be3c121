//! What a crowd of clients does: how many clients of each kind there are, and how they send
//! requests.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use protocol::Protocol;
use serde::Serialize;

use crate::json::{as_seconds, as_seconds_if_any, as_text};
use crate::kind::{Kind, Mix};

/// A crowd of clients. The default is the article's client, which is also the command line's
/// default.
///
/// ```
/// use load_generator::{Crowd, Kind, Mix};
///
/// let mix = Mix::from([(Kind::Dribbling, 4), (Kind::Silent, 1)]);
/// let crowd = Crowd { connections: 20, mix, ..Crowd::default() };
/// assert_eq!(crowd.check(), Ok(()));
/// assert_eq!(crowd.asked(), 19); // the silent client sends nothing
/// assert_eq!(crowd.kind(0), Kind::Dribbling);
/// assert_eq!(crowd.kind(1), Kind::Prompt);
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Crowd {
    /// How many connections to open.
    pub connections: usize,
    /// How many of them are of each kind. All others are prompt.
    pub mix: Mix,
    /// How many requests each client sends, one after the other: the next goes out when the reply
    /// to the previous one has come (a *closed loop*).
    ///
    /// Some kinds send other numbers of requests: see [`Crowd::requests_of`].
    pub requests: usize,
    /// How long the clients send requests, instead of how many. What was begun or due within this
    /// time is still sent and answered after it. It ends early if no client is left.
    #[serde(rename = "duration_s", serialize_with = "as_seconds_if_any")]
    pub duration: Option<Duration>,
    /// How many requests a second all prompt clients send together, each on its own schedule that
    /// doesn't wait for the server (an *open loop*).
    ///
    /// A client still sends its next request only when it has the reply to the previous one. If a
    /// reply is late, the requests that are due meanwhile go out late, and their latency counts
    /// from when they were due.
    #[serde(rename = "rate_per_s")]
    pub rate: Option<f64>,
    /// How long the crowd sends requests before latencies are measured.
    #[serde(rename = "warm_up_s", serialize_with = "as_seconds")]
    pub warm_up: Duration,
    /// The protocol.
    #[serde(serialize_with = "as_text")]
    pub protocol: Protocol,
    /// When the clients connect, and when they send.
    #[serde(serialize_with = "as_text")]
    pub order: Order,
    /// How long a dribbling client waits after each byte.
    #[serde(rename = "every_s", serialize_with = "as_seconds")]
    pub every: Duration,
    /// How long pausing and resetting clients wait in the middle of a request.
    #[serde(rename = "pause_s", serialize_with = "as_seconds")]
    pub pause: Duration,
    /// How long a chatty client thinks before its next request.
    #[serde(rename = "think_s", serialize_with = "as_seconds")]
    pub think: Duration,
    /// After how long without any movement on any connection the flood gives up.
    #[serde(rename = "timeout_s", serialize_with = "as_seconds")]
    pub timeout: Duration,
}

/// As many as there are port numbers, of which a system hands out only a part.
const MOST_CONNECTIONS: usize = 65_535;

/// A billion, for which no one wants to wait, but few enough that the total can be counted.
const MOST_REQUESTS: usize = 1_000_000_000;

/// A request every microsecond, for which no system call is fast enough.
const HIGHEST_RATE: f64 = 1e6;

/// How many requests a chatty client sends at least: fewer would not be a chat.
const CHAT: usize = 5;

impl Default for Crowd {
    fn default() -> Self {
        Crowd {
            connections: 20,
            mix: Mix::default(),
            requests: 1,
            duration: None,
            rate: None,
            warm_up: Duration::ZERO,
            protocol: Protocol::default(),
            order: Order::default(),
            every: Duration::from_millis(100),
            pause: Duration::from_secs(1),
            think: Duration::from_millis(500),
            timeout: Duration::from_secs(10),
        }
    }
}

impl Crowd {
    /// Checks whether there can be such a crowd; if not, a sentence says why not.
    pub fn check(&self) -> Result<(), String> {
        let Crowd { connections, requests, ref mix, .. } = *self;
        if connections == 0 || requests == 0 {
            return Err("a crowd needs at least one connection and one request".into());
        }
        if connections > MOST_CONNECTIONS || requests > MOST_REQUESTS {
            return Err(format!(
                "{connections} connections with {requests} requests each are too many: a machine \
                 has at most {MOST_CONNECTIONS} ports for connections to one server, and a client \
                 sends at most {MOST_REQUESTS} requests"
            ));
        }
        let named = mix.total();
        if named > connections {
            return Err(format!(
                "{mix} are {named} clients, but there are only {connections} connections: try \
                 `--connections {named}`, or fewer clients of these kinds"
            ));
        }
        if self.protocol == Protocol::OneShot {
            self.check_one_shot()?;
        }
        if self.rate.is_some_and(|rate| !(rate > 0.0 && rate <= HIGHEST_RATE)) {
            return Err(format!("a rate has to be more than 0 and at most {HIGHEST_RATE}/s"));
        }
        if self.rate.is_some() && self.count(Kind::Prompt) == 0 {
            return Err("`--rate` is for the prompt clients, and there are none: try more \
                        `--connections`"
                .into());
        }
        if self.duration.is_some_and(|duration| duration.is_zero()) {
            return Err("a duration of 0 leaves no time for requests: try `--duration 10s`".into());
        }
        if self.timeout.is_zero() {
            return Err("a time-out of 0 leaves no time for a reply: try `--timeout 10s`".into());
        }
        Ok(())
    }

    fn check_one_shot(&self) -> Result<(), String> {
        let remedy = if self.requests > 1 {
            "leave `--requests` out"
        } else if self.duration.is_some() {
            "leave `--duration` out"
        } else if self.rate.is_some() {
            "leave `--rate` out"
        } else if self.mix.count(Kind::Chatty) > 0 {
            "leave `--chatty` out"
        } else {
            return Ok(());
        };
        Err(format!(
            "a one-shot connection carries only one request: {remedy}, or use `--protocol lines`"
        ))
    }

    /// How many requests a client of this kind sends; `None` if that isn't known in advance,
    /// because it sends them until the time is up, or as long as the server takes more.
    pub fn requests_of(&self, kind: Kind) -> Option<usize> {
        match kind {
            Kind::Silent | Kind::Resetting | Kind::Vanishing => Some(0),
            Kind::NonReading if self.protocol == Protocol::Lines => None,
            Kind::NonReading | Kind::HalfClosing => Some(self.requests),
            _ if self.duration.is_some() => None,
            Kind::Chatty => Some(self.requests.max(CHAT)),
            Kind::Prompt | Kind::Dribbling | Kind::Pausing => Some(self.requests),
        }
    }

    /// How many requests the whole crowd sends, as far as that is known in advance.
    pub fn asked(&self) -> u64 {
        let of_kind = |kind| self.count(kind) as u64 * self.requests_of(kind).unwrap_or(0) as u64;
        Kind::ALL.into_iter().map(of_kind).sum()
    }

    /// How many clients there are of a kind.
    pub fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Prompt => self.connections.saturating_sub(self.named().total()),
            _ => self.mix.count(kind),
        }
    }

    /// The kinds of clients that there are.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> + '_ {
        Kind::ALL.into_iter().filter(|&kind| self.count(kind) > 0)
    }

    /// The kind of client `number`, which counts from 0.
    ///
    /// The other kinds are spread evenly among the prompt clients, and number 0 is one of them. So
    /// if a server serves clients in turn, many prompt clients are in line behind a slow one.
    pub fn kind(&self, number: usize) -> Kind {
        let (mut number, mut of) = (number, self.connections);
        let others = self.named().total();
        match picked(number, others, of) {
            Some(other) => (number, of) = (other, others),
            None => return Kind::Prompt,
        }
        for (kind, count) in self.named().kinds() {
            if picked(number, count, of).is_some() {
                return kind;
            }
            number -= picked_before(number, count, of);
            of -= count;
        }
        Kind::Prompt
    }

    /// How many clients before client `number` are prompt.
    pub(crate) fn prompt_before(&self, number: usize) -> usize {
        number - picked_before(number, self.named().total(), self.connections)
    }

    /// The mix without prompt clients, which don't have to be named.
    fn named(&self) -> Mix {
        self.mix.kinds().filter(|&(kind, _)| kind != Kind::Prompt).collect()
    }
}

/// Whether `number` is one of `count` that are picked evenly out `of` all; if so, which of them.
fn picked(number: usize, count: usize, of: usize) -> Option<usize> {
    let before = picked_before(number, count, of);
    (picked_before(number + 1, count, of) > before).then_some(before)
}

/// How many come before `number` when `count` are picked evenly out `of` all, starting with number
/// 0.
fn picked_before(number: usize, count: usize, of: usize) -> usize {
    (number * count).div_ceil(of)
}

/// When the clients of a crowd connect and send their first request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// They connect one after the other, and start to send when all are connected, as in the
    /// article.
    #[default]
    ConnectFirst,
    /// They connect all at once, and each starts to send as soon as it is connected.
    AsConnected,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Order::ConnectFirst => "connect-first",
            Order::AsConnected => "as-connected",
        })
    }
}

impl FromStr for Order {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Order::ConnectFirst, Order::AsConnected]
            .into_iter()
            .find(|order| order.to_string() == name)
            .ok_or_else(|| {
                format!("`{name}` isn't an order: try `connect-first` or `as-connected`")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_of_each_kind_as_given() {
        for connections in 1..25 {
            for dribbling in 0..=connections {
                for silent in 0..=connections - dribbling {
                    for non_reading in 0..=connections - dribbling - silent {
                        let mix = [
                            (Kind::Dribbling, dribbling),
                            (Kind::Silent, silent),
                            (Kind::NonReading, non_reading),
                        ];
                        let crowd = Crowd { connections, mix: mix.into(), ..Crowd::default() };
                        let kinds: Vec<_> =
                            (0..connections).map(|number| crowd.kind(number)).collect();
                        for kind in Kind::ALL {
                            let count = kinds.iter().filter(|&&it| it == kind).count();
                            assert_eq!(count, crowd.count(kind), "{crowd:?}");
                        }
                        for number in 0..connections {
                            let before = &kinds[..number];
                            let prompt = before.iter().filter(|&&it| it == Kind::Prompt).count();
                            assert_eq!(crowd.prompt_before(number), prompt, "{crowd:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn impossible_crowds_are_rejected_before_anything_is_counted() {
        let huge = Crowd { connections: usize::MAX, ..Crowd::default() };
        assert!(huge.check().unwrap_err().contains("65535 ports"));
        let endless = Crowd { requests: usize::MAX, ..Crowd::default() };
        assert!(endless.check().unwrap_err().contains("1000000000 requests"));
        let mix = Mix::from([(Kind::NonReading, usize::MAX), (Kind::Silent, 1)]);
        assert!(Crowd { mix, ..Crowd::default() }.check().is_err());
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Crowd { rate: Some(rate), ..Crowd::default() }.check().is_err());
        }
    }

    #[test]
    fn the_first_is_slow_and_the_rest_are_spread() {
        let mix = Mix::from([(Kind::Dribbling, 4), (Kind::Prompt, 3)]);
        let crowd = Crowd { mix, ..Crowd::default() };
        let slow: Vec<_> =
            (0..20).filter(|&number| crowd.kind(number) == Kind::Dribbling).collect();
        assert_eq!(slow, [0, 5, 10, 15]);
    }
}
