//! What to do to a server, and for how long.

use std::time::Duration;

use protocol::Protocol;
use serde::Serialize;

use load_generator::Crowd;
use load_generator::Kind;
use load_generator::json::{as_seconds, as_text};
use server_process::START;

/// A chaos run. The same scenario always has the same waves.
#[derive(Clone, Debug, Serialize)]
pub struct Scenario {
    /// How long waves come. The current wave is finished even when the time is up.
    #[serde(rename = "time_s", serialize_with = "as_seconds")]
    pub time: Duration,
    /// Everything random is derived from this number.
    pub seed: u64,
    /// Send only the wave with this number, again and again; `None`: all of them, from 0 on.
    pub wave: Option<u64>,
    /// How many clients there are at most at the same time.
    pub connections: usize,
    /// How many clients try to connect at the same moment at most; all others connect one after the
    /// other.
    ///
    /// That is the length of the server's accept queue (listen(2), `backlog`): if there are more,
    /// the kernel drops some of them, and resets them when they send a request. No server can do
    /// anything about that.
    pub backlog: usize,
    /// How many clients the server serves at the same time, while all others wait; `None` if it
    /// serves all of them.
    ///
    /// If it serves only few, no client is silent or non-reading, since all others would wait for
    /// ever, and slow clients are slow for a shorter time.
    pub at_once: Option<usize>,
    /// How long a server may take to start listening.
    #[serde(rename = "start_within_s", serialize_with = "as_seconds")]
    pub start_within: Duration,
    /// The kinds of clients that there may be. There are always prompt ones.
    pub kinds: Vec<Kind>,
    /// Whether the server is stopped and resumed (SIGSTOP and SIGCONT).
    pub stops: bool,
    /// Whether descriptors are taken from it.
    pub pressure: bool,
    /// Whether it has to end in order after Ctrl-C.
    pub ctrl_c: bool,
    /// The protocol that clients and server speak.
    #[serde(serialize_with = "as_text")]
    pub protocol: Protocol,
}

/// How many clients there are at most for each one that is served at the same time, if the server
/// serves only few: they are served one after the other.
const EACH_IN_TURN: usize = 100;

/// The shortest common accept queue: asyncio's has 100 places, those of Rust and Python have 128.
const BACKLOG: usize = 100;

impl Default for Scenario {
    /// Twenty seconds of everything.
    fn default() -> Self {
        Scenario {
            time: Duration::from_secs(20),
            seed: 0,
            wave: None,
            connections: 2000,
            backlog: BACKLOG,
            at_once: None,
            start_within: START,
            kinds: Kind::ALL.to_vec(),
            stops: true,
            pressure: true,
            ctrl_c: true,
            protocol: Protocol::Lines,
        }
    }
}

impl Scenario {
    /// A random seed, short enough to type.
    pub fn random_seed() -> u64 {
        fastrand::u64(..1_000_000)
    }

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
