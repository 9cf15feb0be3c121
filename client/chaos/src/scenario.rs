//! What to do to a server, and for how long. These are also the options of a command line.

use std::sync::LazyLock;
use std::time::Duration;

use clap::{Args, Command, FromArgMatches};
use protocol::Protocol;
use serde::Serialize;
use system::{duration, whole_number};

use load_generator::json::{as_seconds, as_text};
use load_generator::{Crowd, Kind, MOST_CONNECTIONS};
use server_process::START;

/// A chaos run, and the options that describe it. The same scenario always has the same waves.
///
/// The default is twenty seconds of everything. The current wave is finished even when the time is
/// up. Without the number of a wave, all of them are sent, from 0 on.
#[derive(Args, Clone, Debug, Serialize)]
pub struct Scenario {
    /// Send waves of clients to a server for this long
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration,
          allow_hyphen_values = true)]
    #[serde(rename = "time_s", serialize_with = "as_seconds")]
    pub time: Duration,

    /// Derive everything random from this number, to repeat an earlier run [default: a random one]
    #[arg(long, value_name = "NUMBER", default_value_t = random_seed(), hide_default_value = true,
          value_parser = whole_number(0..=u64::MAX))]
    pub seed: u64,

    /// Send only the wave with this number, again and again
    #[arg(long, value_name = "NUMBER", requires = "seed",
          value_parser = whole_number(0..=u64::MAX))]
    pub wave: Option<u64>,

    /// Have at most this many clients at the same time
    #[arg(short, long, value_name = "COUNT", default_value = "2000",
          value_parser = whole_number(1..=MOST_CONNECTIONS))]
    pub connections: usize,

    /// How many clients try to connect at the same moment at most; all others connect one after the
    /// other.
    ///
    /// That is the length of the server's accept queue (listen(2), `backlog`): if there are more,
    /// the kernel drops some of them, and resets them when they send a request. No server can do
    /// anything about that. The shortest common accept queue is asyncio's, with 100 places; those
    /// of Rust and Python have 128.
    #[arg(skip = 100_usize)]
    pub backlog: usize,

    /// How many clients the server serves at the same time, while all others wait; `None` if it
    /// serves all of them.
    ///
    /// If it serves only few, no client is silent or non-reading, since all others would wait for
    /// ever, and slow clients are slow for a shorter time.
    #[arg(skip)]
    pub at_once: Option<usize>,

    /// How long a server may take to start listening.
    #[arg(skip = START)]
    #[serde(rename = "start_within_s", serialize_with = "as_seconds")]
    pub start_within: Duration,

    /// The kinds of clients that there may be. There are always prompt ones.
    #[arg(skip = Kind::ALL)]
    pub kinds: Vec<Kind>,

    /// Whether the server is stopped and resumed (SIGSTOP and SIGCONT).
    #[arg(skip = true)]
    pub stops: bool,

    /// Whether descriptors are taken from it.
    #[arg(skip = true)]
    pub pressure: bool,

    /// Whether it has to end in order after Ctrl-C.
    #[arg(skip = true)]
    pub ctrl_c: bool,

    /// Speak `lines`, or `one-shot` like the article's programs
    #[arg(long, default_value_t)]
    #[serde(serialize_with = "as_text")]
    pub protocol: Protocol,
}

/// How many clients there are at most for each one that is served at the same time, if the server
/// serves only few: they are served one after the other.
const EACH_IN_TURN: usize = 100;

/// A random seed, short enough to type.
fn random_seed() -> u64 {
    fastrand::u64(..1_000_000)
}

/// What no options mean.
impl Default for Scenario {
    fn default() -> Self {
        static DEFAULT: LazyLock<Scenario> = LazyLock::new(|| {
            let no_options = Scenario::augment_args(Command::default()).get_matches_from([""]);
            Scenario::from_arg_matches(&no_options).expect("each option has a default")
        });
        DEFAULT.clone()
    }
}

impl Scenario {
    /// Checks whether there can be such a run; if not, a sentence says why not.
    pub fn check(&self) -> Result<(), String> {
        if self.time.is_zero() {
            return Err(
                "a time of 0 leaves no time for a wave: try for example `--time 20s`".into()
            );
        }
        if self.backlog == 0 || self.at_once == Some(0) {
            return Err("`--backlog` and `--at-once` have to be at least 1".into());
        }
        // A crowd knows how many clients there can be.
        Crowd { connections: self.connections, ..Crowd::default() }.check()
    }

    /// Whether there may be clients of this kind.
    pub(super) fn allows(&self, kind: Kind) -> bool {
        let is_possible = match kind {
            Kind::Silent | Kind::NonReading => self.at_once.is_none(),
            // A one-shot connection carries one request, and its first piece is all of it.
            Kind::Chatty | Kind::Dribbling | Kind::Pausing => self.protocol == Protocol::Lines,
            _ => true,
        };
        is_possible && self.kinds.contains(&kind)
    }

    /// How many clients there are at most at the same time, in any wave.
    pub(super) fn most_clients(&self) -> usize {
        let in_turn = self.at_once.map_or(usize::MAX, |count| count.saturating_mul(EACH_IN_TURN));
        self.connections.min(in_turn)
    }
}
