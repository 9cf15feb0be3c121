//! What a crowd of clients does: how many clients of each kind there are, and how they send
//! requests. These are also the options of a command line.

use std::sync::LazyLock;
use std::time::Duration;

use clap::{Args, Command, FromArgMatches, ValueEnum};
use protocol::Protocol;
use serde::Serialize;
use system::{duration, whole_number};

use crate::json::{as_seconds, as_seconds_if_any, as_text};
use crate::kind::{Kind, Mix};

/// A crowd of clients, and the options that describe it. The default is the article's client.
///
/// ```
/// use load_generator::{Crowd, Kind, Mix};
///
/// let mix = Mix::from([(Kind::Dribbling, 4), (Kind::Silent, 1)]);
/// let crowd = Crowd { connections: 20, mix, ..Crowd::default() };
/// assert_eq!(crowd.check(), Ok(()));
/// assert_eq!(crowd.total_requests(), 19); // the silent client sends nothing
/// assert_eq!(crowd.kind(0), Kind::Dribbling);
/// assert_eq!(crowd.kind(1), Kind::Prompt);
/// ```
#[derive(Args, Clone, Debug, Serialize)]
#[command(next_help_heading = "The crowd")]
pub struct Crowd {
    /// Open this many connections
    #[arg(short, long, value_name = "COUNT", default_value = "20",
          value_parser = whole_number(1..=MOST_CONNECTIONS))]
    pub connections: usize,

    /// Send this many requests on each connection, the next one when a reply has arrived
    ///
    /// This is a *closed loop*. Some kinds send other numbers of requests: see
    /// [`Crowd::requests_of`].
    #[arg(short, long, value_name = "COUNT", default_value = "1", conflicts_with = "duration",
          value_parser = whole_number(1..=MOST_REQUESTS))]
    pub requests: usize,

    /// Send requests for this long instead of a fixed number; those due by then are still sent
    /// (half-closing and non-reading clients send only once)
    ///
    /// It ends early if no client is left.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    #[serde(rename = "duration_s", serialize_with = "as_seconds_if_any")]
    pub duration: Option<Duration>,

    /// Send this many requests a second in total, on a schedule that doesn't wait for the server
    /// (an open loop), and measure latency from when each was due
    ///
    /// Only the prompt clients have a schedule. Each of them still sends its next request only when
    /// it has the reply to the previous one. If a reply is late, the requests that are due meanwhile
    /// go out late.
    #[arg(long, value_name = "COUNT/s", value_parser = rate)]
    #[serde(rename = "rate_per_s")]
    pub rate: Option<f64>,

    /// Send requests for this long before latencies are measured
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    #[serde(rename = "warm_up_s", serialize_with = "as_seconds")]
    pub warm_up: Duration,

    /// Speak `lines`, or `one-shot` like the article's programs
    #[arg(long, default_value_t)]
    #[serde(serialize_with = "as_text")]
    pub protocol: Protocol,

    /// Send when all clients are connected (`connect-first`), or each as soon as it is
    /// (`as-connected`)
    #[arg(long, default_value = "connect-first", hide_possible_values = true)]
    pub order: Order,

    /// Give up when nothing has moved on any connection for this long
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    #[serde(rename = "timeout_s", serialize_with = "as_seconds")]
    pub timeout: Duration,

    /// How many of the clients are of each kind. All others are prompt.
    #[command(flatten)]
    pub mix: Mix,

    /// Let a dribbling client wait this long after each byte
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = duration)]
    #[serde(rename = "every_s", serialize_with = "as_seconds")]
    pub every: Duration,

    /// Let pausing and resetting clients wait this long in the middle of a request
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    #[serde(rename = "pause_s", serialize_with = "as_seconds")]
    pub pause: Duration,

    /// Let a chatty client think this long between a reply and its next request
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = duration)]
    #[serde(rename = "think_s", serialize_with = "as_seconds")]
    pub think: Duration,
}

/// As many as there are port numbers, of which a system hands out only a part.
pub const MOST_CONNECTIONS: usize = 65_535;

/// A billion, for which no one wants to wait, but few enough that the total can be counted.
const MOST_REQUESTS: usize = 1_000_000_000;

/// A request every microsecond, for which no system call is fast enough.
const HIGHEST_RATE: f64 = 1e6;

/// How many requests a chatty client sends at least: fewer would not be a chat.
const CHAT: usize = 5;

/// The crowd of a command line without options.
impl Default for Crowd {
    fn default() -> Self {
        static DEFAULT: LazyLock<Crowd> = LazyLock::new(|| {
            let no_options = Crowd::augment_args(Command::default()).get_matches_from([""]);
            Crowd::from_arg_matches(&no_options).expect("each option has a default")
        });
        DEFAULT.clone()
    }
}

impl Crowd {
    /// Checks whether there can be such a crowd; if not, a sentence says why not.
    pub fn check(&self) -> Result<(), String> {
        let Crowd { connections, requests, duration, rate, ref mix, .. } = *self;
        let named = mix.total();
        // A one-shot connection carries only one request.
        let too_much_for_one_shot = [
            (requests > 1, "--requests"),
            (duration.is_some(), "--duration"),
            (rate.is_some(), "--rate"),
            (mix.count(Kind::Chatty) > 0, "--chatty"),
        ];
        Err(if connections == 0 || requests == 0 {
            "a crowd needs at least one connection and one request".into()
        } else if connections > MOST_CONNECTIONS || requests > MOST_REQUESTS {
            format!(
                "{connections} connections with {requests} requests each are too many: a machine \
                 has at most {MOST_CONNECTIONS} ports for connections to one server, and a client \
                 sends at most {MOST_REQUESTS} requests"
            )
        } else if named > connections {
            format!(
                "{mix} are {named} clients, but there are only {connections} connections: try \
                 `--connections {named}`, or fewer clients of these kinds"
            )
        } else if self.protocol == Protocol::OneShot
            && let Some((_, option)) = too_much_for_one_shot.iter().find(|(is_given, _)| *is_given)
        {
            format!(
                "a one-shot connection carries only one request: leave `{option}` out, or use \
                 `--protocol lines`"
            )
        } else if rate.is_some_and(|rate| !(rate > 0.0 && rate <= HIGHEST_RATE)) {
            format!("a rate has to be more than 0 and at most {HIGHEST_RATE}/s")
        } else if rate.is_some() && self.count(Kind::Prompt) == 0 {
            "`--rate` is for the prompt clients, and there are none: try more `--connections`"
                .into()
        } else if duration.is_some_and(|duration| duration.is_zero()) {
            "a duration of 0 leaves no time for requests: try `--duration 10s`".into()
        } else if self.timeout.is_zero() {
            "a time-out of 0 leaves no time for a reply: try `--timeout 10s`".into()
        } else {
            return Ok(());
        })
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
    pub fn total_requests(&self) -> u64 {
        Kind::ALL.into_iter().map(|kind| self.total_requests_of(kind)).sum()
    }

    /// The part of that which clients of this kind send.
    pub(crate) fn total_requests_of(&self, kind: Kind) -> u64 {
        self.count(kind) as u64 * self.requests_of(kind).unwrap_or(0) as u64
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// They connect one after the other, and start to send when all are connected, as in the
    /// article.
    ConnectFirst,
    /// They connect all at once, and each starts to send as soon as it is connected.
    AsConnected,
}

/// Reads requests a second.
fn rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    let rate = number.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "write requests a second, for example `2000/s` or `0.5/s`".into())
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
