//! What is to be done to a server, and for how long.

use std::time::Duration;

use protocol::Protocol;
use serde::Serialize;

use load_generator::Crowd;
use load_generator::Kind;
use load_generator::json::{as_seconds, as_text};
use server_process::START;

/// A chaos run. The same plan draws the same waves.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// For how long waves come. The wave that is under way then is finished.
    #[serde(rename = "time_s", serialize_with = "as_seconds")]
    pub time: Duration,
    /// Everything that is random is drawn from this number.
    pub seed: u64,
    /// Only the wave of this number, again and again; `None`: all of them, from 0 on.
    pub wave: Option<u64>,
    /// How many clients there are at most at the same time.
    pub connections: usize,
    /// How many clients try to connect at the same moment at most; all others come one after the
    /// other.
    ///
    /// That is how long the server's accept queue is (listen(2), `backlog`): of more, the kernel
    /// loses some, and resets them when they ask. No server can do anything about that.
    pub backlog: usize,
    /// How many clients the server serves at the same time, while all others wait; `None` if it
    /// serves all.
    ///
    /// At one that serves few, nobody is silent or deaf, since everybody else would wait for
    /// ever, and the others are slow for a shorter time.
    pub at_once: Option<usize>,
    /// How long a server that is started may take until it listens.
    #[serde(rename = "start_within_s", serialize_with = "as_seconds")]
    pub start_within: Duration,
    /// The kinds of clients that there may be. Prompt ones there always are.
    pub kinds: Vec<Kind>,
    /// Whether the server is stopped and let go on again (SIGSTOP and SIGCONT).
    pub stops: bool,
    /// Whether descriptors are taken from it.
    pub pressure: bool,
    /// Whether it is to end in order after Ctrl-C.
    pub ctrl_c: bool,
    /// What is spoken.
    #[serde(serialize_with = "as_text")]
    pub protocol: Protocol,
}

/// How many clients there are at most for each that is served at the same time, by a server that
/// serves few: each of the others waits for them.
const EACH_IN_TURN: usize = 100;

/// The shortest accept queue that is common: asyncio's is 100 long, Rust's and Python's 128.
const BACKLOG: usize = 100;

impl Default for Plan {
    /// Twenty seconds of everything.
    fn default() -> Self {
        Plan {
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

impl Plan {
    /// A seed of nobody's choice, short enough to be typed.
    pub fn random_seed() -> u64 {
        fastrand::u64(..1_000_000)
    }

    /// Whether there can be such a run; if not, a sentence that says why not.
    pub fn check(&self) -> Result<(), String> {
        if self.time.is_zero() {
            return Err("nothing can happen in no time: say for example `--time 20s`".into());
        }
        if self.backlog == 0 || self.at_once == Some(0) {
            return Err("a server lets in and serves at least one client at a time".into());
        }
        // A crowd knows how many there can be.
        Crowd { connections: self.connections, ..Crowd::default() }.check()
    }

    /// Whether there may be clients of this kind.
    pub(super) fn allows(&self, kind: Kind) -> bool {
        let is_possible = match kind {
            Kind::Silent | Kind::Deaf => self.at_once.is_none(),
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
