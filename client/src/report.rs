//! What came of a flood: figures, errors by stage, and in words why it stood still.

mod latencies;
mod stuck;

pub use latencies::Latencies;
pub use stuck::Stuck;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::crowd::{Crowd, as_seconds};

/// What came of a flood. As text it is what a person reads, without a line's end at its end.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whom the crowd flooded.
    pub address: SocketAddr,
    /// The crowd.
    pub crowd: Crowd,
    /// Connections that came about.
    pub connected: usize,
    /// Requests that the crowd was to ask, whether it came to that or not.
    pub asked: u64,
    /// Replies that came, to the last byte and as they should be.
    pub answered: u64,
    /// From the call of `connect` until the connection was there.
    #[serde(rename = "connect_us")]
    pub connect: Latencies,
    /// From the instant when the last byte of a request was let go of until the last
    /// byte of its reply was there.
    #[serde(rename = "reply_us")]
    pub reply: Latencies,
    /// What went wrong.
    pub errors: Errors,
    /// Silent connections that the server closed, which is its right.
    pub silent_closed: usize,
    /// Where the clients stood when nothing had moved for [`Crowd::timeout`].
    pub stuck: Option<Stuck>,
    /// Whether the one who watched ended the flood before it was over.
    pub ended_early: bool,
    /// What it cost the client's side.
    pub calls: Calls,
    /// From the first `connect` to the end.
    #[serde(rename = "elapsed_s", serialize_with = "as_seconds")]
    pub elapsed: Duration,
}

/// How often the flood called the kernel for what it calls most.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Calls {
    /// Waits for readiness, which are the turns of the loop.
    pub waits: u64,
    /// Reads, be they successful or not.
    pub reads: u64,
    /// Writes, be they successful or not.
    pub writes: u64,
}

impl Report {
    pub(crate) fn new(address: SocketAddr, crowd: &Crowd) -> Self {
        Report {
            address,
            crowd: crowd.clone(),
            connected: 0,
            asked: crowd.asked(),
            answered: 0,
            connect: Latencies::default(),
            reply: Latencies::default(),
            errors: Errors::default(),
            silent_closed: 0,
            stuck: None,
            ended_early: false,
            calls: Calls::default(),
            elapsed: Duration::ZERO,
        }
    }

    /// Whether every request was answered and nothing else went wrong.
    pub fn is_good(&self) -> bool {
        self.answered == self.asked && self.errors.count() == 0
    }

    /// The report as one JSON object in one line. Units stand in the names: `_us` are
    /// microseconds, `_s` seconds.
    pub fn json(&self) -> io::Result<String> {
        #[derive(Serialize)]
        struct Object<'a> {
            good: bool,
            #[serde(flatten)]
            report: &'a Report,
            explanation: Option<String>,
        }
        Ok(serde_json::to_string(&Object {
            good: self.is_good(),
            report: self,
            explanation: self.explanation(),
        })?)
    }

    fn explanation(&self) -> Option<String> {
        Some(self.stuck.as_ref()?.explanation(&self.crowd))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Crowd { connections, .. } = self.crowd;
        write!(
            f,
            "answered {} of {} requests, connected {} of {connections} clients, in {:.1?}",
            self.answered, self.asked, self.connected, self.elapsed
        )?;
        if self.connect.count() > 0 {
            let [p50, p90, p99, max] = ["p50", "p90", "p99", "max"];
            write!(f, "\n        {p50:>10}{p90:>10}{p99:>10}{max:>10}")?;
            write!(f, "\nconnect {}", self.connect)?;
        }
        if self.reply.count() > 0 {
            write!(f, "\nreply   {}", self.reply)?;
        }
        if self.silent_closed > 0 {
            let closed = self.silent_closed;
            write!(f, "\n{closed} silent clients were closed by the server")?;
        }
        if self.errors.count() > 0 {
            write!(f, "\n\nerrors")?;
        }
        for stage in Stage::ALL {
            let Trouble { count, first } = self.errors.of(stage);
            if let Some(first) = first {
                let stage = stage.name();
                write!(f, "\n{count:>6} {stage:<12} {first}")?;
            }
        }
        match self.explanation() {
            Some(explanation) => write!(f, "\n\n{explanation}"),
            None => Ok(()),
        }
    }
}

/// What a client was about when something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The connection did not come about.
    Connect,
    /// The request could not be sent.
    Send,
    /// The reply was wrong, or more than was asked for, or could not be read.
    Reply,
    /// The server closed the connection before it had sent every reply, or did not close
    /// it in order but reset it.
    ClosedEarly,
    /// Nothing had moved for [`Crowd::timeout`], and this client was not done.
    TimedOut,
}

impl Stage {
    /// Every stage, in the order in which a client goes through them.
    pub const ALL: [Stage; 5] =
        [Stage::Connect, Stage::Send, Stage::Reply, Stage::ClosedEarly, Stage::TimedOut];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Connect => "connect",
            Stage::Send => "send",
            Stage::Reply => "reply",
            Stage::ClosedEarly => "closed early",
            Stage::TimedOut => "timed out",
        }
    }
}

/// What went wrong for one client, which ends its part in the flood.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What the client was about.
    pub stage: Stage,
    /// What happened, and what can be done about it.
    pub why: String,
}

/// What went wrong in a flood, by stage.
#[derive(Clone, Debug, Default)]
pub struct Errors([Trouble; Stage::ALL.len()]);

/// What went wrong at one stage.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Trouble {
    /// How many clients it befell.
    pub count: usize,
    /// The first of them, and what happened to it.
    pub first: Option<String>,
}

impl Errors {
    /// How many clients failed.
    pub fn count(&self) -> usize {
        self.0.iter().map(|trouble| trouble.count).sum()
    }

    /// What went wrong at one stage.
    pub fn of(&self, stage: Stage) -> &Trouble {
        &self.0[stage as usize]
    }

    pub(crate) fn add(&mut self, client: usize, failure: &Failure) {
        let trouble = &mut self.0[failure.stage as usize];
        trouble.count += 1;
        trouble.first.get_or_insert_with(|| format!("client number {client}: {}", failure.why));
    }
}

impl Serialize for Errors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Stage::ALL.map(|stage| {
            let key = stage.name().replace(' ', "_");
            (key, self.of(stage))
        }))
    }
}
