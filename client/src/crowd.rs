//! What a crowd of clients does: how many they are, and of which kinds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use protocol::Protocol;
use serde::{Serialize, Serializer};

/// A crowd of clients. The default is the article's client, and the command line's default.
///
/// ```
/// use client::{Crowd, Kind};
///
/// let crowd = Crowd { connections: 20, dribbling: 4, silent: 1, ..Crowd::default() };
/// assert_eq!(crowd.check(), Ok(()));
/// assert_eq!(crowd.asked(), 19); // the silent one asks nothing
/// assert_eq!(crowd.kind(1), Kind::Prompt);
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Crowd {
    /// How many connections are opened.
    pub connections: usize,
    /// How many requests each of them asks, one after the other: the next goes out when
    /// the reply to the one before has come (a *closed loop*).
    pub requests: usize,
    /// What is spoken.
    #[serde(serialize_with = "as_text")]
    pub protocol: Protocol,
    /// When they connect, and when they send.
    #[serde(serialize_with = "as_text")]
    pub order: Order,
    /// How many of the connections send their requests a byte at a time.
    pub dribbling: usize,
    /// How many of the connections send nothing. They stay until all others are done.
    pub silent: usize,
    /// How long a dribbling client waits after each byte.
    #[serde(rename = "every_s", serialize_with = "as_seconds")]
    pub every: Duration,
    /// For how long nothing may move on any connection before the flood is given up.
    #[serde(rename = "timeout_s", serialize_with = "as_seconds")]
    pub timeout: Duration,
}

/// As many as there are numbers for ports, of which a system hands out a part only.
const MOST_CONNECTIONS: usize = 65_535;

/// A thousand million: more than anybody waits for, and all of them together can be counted.
const MOST_REQUESTS: usize = 1_000_000_000;

impl Default for Crowd {
    fn default() -> Self {
        Crowd {
            connections: 20,
            requests: 1,
            protocol: Protocol::default(),
            order: Order::default(),
            dribbling: 0,
            silent: 0,
            every: Duration::from_millis(100),
            timeout: Duration::from_secs(10),
        }
    }
}

impl Crowd {
    /// Whether there can be such a crowd; if not, a sentence that says why not.
    pub fn check(&self) -> Result<(), String> {
        let Crowd { connections, dribbling, silent, .. } = *self;
        if connections == 0 || self.requests == 0 {
            return Err("a crowd needs at least one connection and one request".into());
        }
        if connections > MOST_CONNECTIONS || self.requests > MOST_REQUESTS {
            return Err(format!(
                "{connections} connections with {} requests each are too many: a machine has \
                 no more than {MOST_CONNECTIONS} ports to call one server from, and a connection \
                 carries {MOST_REQUESTS} requests here",
                self.requests
            ));
        }
        let slow = dribbling.saturating_add(silent);
        if slow > connections {
            return Err(format!(
                "{dribbling} dribbling and {silent} silent clients are {slow}, and there are \
                 only {connections} connections: say `--connections {slow}`, or fewer of them"
            ));
        }
        if self.protocol == Protocol::OneShot && self.requests > 1 {
            return Err("a one-shot connection carries one request: leave `--requests` out, \
                        or speak `--protocol lines`"
                .into());
        }
        if self.timeout.is_zero() {
            return Err("a time-out of nothing leaves no time for an answer: \
                        say for example `--timeout 10s`"
                .into());
        }
        Ok(())
    }

    /// How many requests the whole crowd asks.
    pub fn asked(&self) -> u64 {
        self.connections.saturating_sub(self.silent) as u64 * self.requests as u64
    }

    /// The kind of client `number`, which counts from 0.
    ///
    /// The slow ones are spread evenly and number 0 is one of them, so that many prompt
    /// clients stand behind a slow one where a server serves them in turn.
    pub fn kind(&self, number: usize) -> Kind {
        let slow = self.dribbling + self.silent;
        let slow_before = picked_before(number, slow, self.connections);
        if picked_before(number + 1, slow, self.connections) == slow_before {
            return Kind::Prompt;
        }
        let silent_before = picked_before(slow_before, self.silent, slow);
        if picked_before(slow_before + 1, self.silent, slow) == silent_before {
            Kind::Dribbling
        } else {
            Kind::Silent
        }
    }
}

/// How many come before `number` when `count` are picked evenly `of` all, the first of them
/// being number 0.
fn picked_before(number: usize, count: usize, of: usize) -> usize {
    (number * count).div_ceil(of)
}

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sends each request in one go.
    Prompt,
    /// Sends its requests a byte at a time: a phone in a tunnel.
    Dribbling,
    /// Connects and says nothing: a browser that opens connections in advance.
    Silent,
}

/// When the clients of a crowd connect and send their first request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// They connect one after the other, and send when all are connected, as in the article.
    #[default]
    ConnectFirst,
    /// They connect all at once, and each sends as soon as it is connected itself.
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
            .ok_or_else(|| format!("`{name}` is no order: say `connect-first` or `as-connected`"))
    }
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(crate) fn as_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_of_each_kind_as_asked_for() {
        for connections in 1..30 {
            for dribbling in 0..=connections {
                for silent in 0..=connections - dribbling {
                    let crowd = Crowd { connections, dribbling, silent, ..Crowd::default() };
                    let count = |kind| {
                        let kinds = (0..connections).map(|number| crowd.kind(number));
                        kinds.filter(|&it| it == kind).count()
                    };
                    assert_eq!(count(Kind::Dribbling), dribbling);
                    assert_eq!(count(Kind::Silent), silent);
                }
            }
        }
    }

    #[test]
    fn crowds_that_cannot_be_are_refused_before_anything_is_counted() {
        let huge = Crowd { connections: usize::MAX, ..Crowd::default() };
        assert!(huge.check().unwrap_err().contains("65535 ports"));
        let endless = Crowd { requests: usize::MAX, ..Crowd::default() };
        assert!(endless.check().unwrap_err().contains("1000000000 requests"));
    }

    #[test]
    fn the_first_is_slow_and_the_rest_are_spread() {
        let crowd = Crowd { dribbling: 4, ..Crowd::default() };
        let slow: Vec<_> =
            (0..20).filter(|&number| crowd.kind(number) == Kind::Dribbling).collect();
        assert_eq!(slow, [0, 5, 10, 15]);
    }
}
