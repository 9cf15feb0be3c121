//! The results of a flood: figures, errors by stage, an explanation if nothing moved any more, and
//! how far the figures can be trusted.

mod doubts;
mod latencies;
mod stuck;

pub use latencies::Latencies;
pub use stuck::Stuck;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::crowd::Crowd;
use crate::json::{as_seconds, as_seconds_if_any};
use crate::kind::Kind;

/// The results of a flood. Its `Display` is the [text](Report::text) for people.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The server's address.
    pub address: SocketAddr,
    /// The crowd.
    pub crowd: Crowd,
    /// How many clients connected.
    pub connected: usize,
    /// How many requests the crowd had to send, whether it did or not.
    pub requests: u64,
    /// How many replies came, complete and correct.
    pub answered: u64,
    /// From the call of `connect` until the connection was established.
    #[serde(rename = "connect_us")]
    pub connect: Latencies,
    /// From when the last byte of a request was sent until the last byte of its reply had come.
    /// Without the warm-up and without non-reading clients.
    #[serde(rename = "reply_us")]
    pub reply: Latencies,
    /// What only an open loop measures.
    pub open_loop: Option<OpenLoop>,
    /// The results of each kind of client in the crowd.
    pub kinds: Vec<KindReport>,
    /// What went wrong.
    pub errors: Errors,
    /// How many silent clients the server closed, which it may do.
    pub silent_closed: usize,
    /// What the clients were waiting for when nothing had moved for [`Crowd::timeout`].
    pub stuck: Option<Stuck>,
    /// Whether `watch` ended the flood early.
    pub ended_early: bool,
    /// How many system calls the flood made.
    pub calls: Calls,
    /// From the first `connect` to the end.
    #[serde(rename = "elapsed_s", serialize_with = "as_seconds")]
    pub elapsed: Duration,
    /// The processor time of the flood's thread, if the system reports it.
    #[serde(rename = "processor_s", serialize_with = "as_seconds_if_any")]
    pub processor_time: Option<Duration>,
}

/// What is measured if requests are sent on a schedule ([`Crowd::rate`]).
#[derive(Clone, Debug, Default, Serialize)]
pub struct OpenLoop {
    /// From when a request was due until its reply had come: what a user waits.
    #[serde(rename = "reply_since_due_us")]
    pub reply_since_due: Latencies,
    /// How late the client itself was: from when a request was due and its connection was free,
    /// until it was sent. If the connection is free late because the previous request was sent
    /// late, that still counts as the client's lateness.
    #[serde(rename = "sent_late_us")]
    pub sent_late: Latencies,
}

/// The results of the clients of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct KindReport {
    /// The kind.
    pub kind: Kind,
    /// How many clients there were.
    pub clients: usize,
    /// How many of them failed. All others got exactly the right bytes.
    pub failed: usize,
    /// How many requests they had to send.
    pub requests: u64,
    /// How many of those were answered.
    pub answered: u64,
    /// As [`Report::reply`].
    #[serde(rename = "reply_us")]
    pub reply: Latencies,
}

/// How often the flood made its most frequent system calls.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Calls {
    /// Waits for readiness: one for each turn of the loop.
    pub waits: u64,
    /// Reads, successful or not.
    pub reads: u64,
    /// Writes, successful or not.
    pub writes: u64,
}

impl Report {
    pub(crate) fn new(address: SocketAddr, crowd: &Crowd) -> Self {
        let part = |kind| KindReport {
            kind,
            clients: crowd.count(kind),
            failed: 0,
            requests: crowd.total_requests_of(kind),
            answered: 0,
            reply: Latencies::default(),
        };
        Report {
            address,
            crowd: crowd.clone(),
            connected: 0,
            requests: crowd.total_requests(),
            answered: 0,
            connect: Latencies::default(),
            reply: Latencies::default(),
            open_loop: crowd.rate.map(|_| OpenLoop::default()),
            kinds: crowd.kinds().map(part).collect(),
            errors: Errors::default(),
            silent_closed: 0,
            stuck: None,
            ended_early: false,
            calls: Calls::default(),
            elapsed: Duration::ZERO,
            processor_time: None,
        }
    }

    /// Whether every request was answered and nothing else went wrong.
    pub fn is_good(&self) -> bool {
        self.answered == self.requests && self.errors.count() == 0
    }

    /// The report as one JSON object in one line. Units are in the names: `_us` is microseconds,
    /// `_s` seconds. The `percentiles` matter only to the [doubts](Self::doubts).
    pub fn json(&self, percentiles: &[f64]) -> io::Result<String> {
        #[derive(Serialize)]
        struct Object<'a> {
            good: bool,
            #[serde(flatten)]
            report: &'a Report,
            explanation: Option<String>,
            doubts: Vec<String>,
        }
        Ok(serde_json::to_string(&Object {
            good: self.is_good(),
            report: self,
            explanation: self.explanation(),
            doubts: self.doubts(percentiles),
        })?)
    }

    fn explanation(&self) -> Option<String> {
        let stuck = self.stuck.map(|stuck| stuck.explanation(&self.crowd));
        stuck.or_else(|| doubts::coordinated_omission(self))
    }

    /// The most important figures, in one line.
    pub fn headline(&self) -> String {
        let Crowd { connections, rate, duration, .. } = self.crowd;
        let Report { requests, answered, connected, elapsed, .. } = *self;
        let mut line = format!(
            "answered {answered} of {requests} requests, connected {connected} of {connections} \
             clients, in {elapsed:.1?}"
        );
        if self.ended_early {
            line += ", cut short";
        }
        if rate.is_some() || duration.is_some() {
            line += &format!(": {:.0}/s", self.awaited() as f64 / elapsed.as_secs_f64());
        }
        line
    }

    /// How many replies came to clients that waited for them. A non-reading client gets thousands,
    /// and doesn't wait.
    fn awaited(&self) -> u64 {
        let waited = self.kinds.iter().filter(|part| part.kind != Kind::NonReading);
        waited.map(|part| part.answered).sum()
    }

    /// The text for people, without a newline at the end, with these percentiles or, if none is
    /// given, with p50, p90 and p99. If there are too few replies for one, it is shown as `-`.
    pub fn text(&self, percentiles: &[f64]) -> String {
        let usual = [50.0, 90.0, 99.0];
        let mut text = self.headline();
        text += &self.latencies_text(if percentiles.is_empty() { &usual } else { percentiles });
        if self.kinds.len() > 1 {
            text += &self.kinds_text();
        }
        if self.silent_closed > 0 {
            let closed = self.silent_closed;
            text += &format!("\n\nsilent clients that the server closed: {closed}");
        }
        if self.errors.count() > 0 {
            text += "\n\nerrors";
        }
        for stage in Stage::ALL {
            let StageErrors { count, first } = self.errors.of(stage);
            if let Some(first) = first {
                let stage = stage.name();
                text += &format!("\n{count:>6} {stage:<12} {first}");
            }
        }
        let doubts = self.doubts(percentiles).into_iter().map(|doubt| format!("Caution: {doubt}"));
        for paragraph in self.explanation().into_iter().chain(doubts) {
            text += &format!("\n\n{paragraph}");
        }
        text
    }

    fn latencies_text(&self, percentiles: &[f64]) -> String {
        let row = |name: &str, cells: Vec<String>| {
            let cells: String = cells.iter().map(|cell| format!("{cell:>11}")).collect();
            format!("\n{name:9}{cells}")
        };
        let titles = percentiles.iter().map(|percentile| format!("p{percentile}"));
        let mut rows = vec![row("", titles.chain(["max".into()]).collect())];
        for (name, latencies) in ["connect", "reply", "since due"].into_iter().zip(self.latencies())
        {
            if latencies.count() > 0 {
                let shares = percentiles.iter().map(|percentile| percentile / 100.0).chain([1.0]);
                rows.push(row(name, shares.map(|share| shown(latencies, share)).collect()));
            }
        }
        if rows.len() > 1 { rows.concat() } else { String::new() }
    }

    /// To connect, to get a reply, and in an open loop to get one since it was due.
    pub fn latencies(&self) -> impl Iterator<Item = &Latencies> {
        let since_due = self.open_loop.as_ref().map(|open_loop| &open_loop.reply_since_due);
        [&self.connect, &self.reply].into_iter().chain(since_due)
    }

    fn kinds_text(&self) -> String {
        let mut text = format!(
            "\n\n{:13}{:>8}{:>8}{:>10}{:>10}{:>11}{:>11}",
            "", "clients", "failed", "requests", "answered", "reply p50", "max"
        );
        for KindReport { kind, clients, failed, requests, answered, reply } in &self.kinds {
            text += &format!("\n{kind:13}{clients:>8}{failed:>8}{requests:>10}{answered:>10}");
            text += &format!("{:>11}{:>11}", shown(reply, 0.5), shown(reply, 1.0));
        }
        text
    }
}

/// A quantile for people, with `≥` if it may be greater. The median is shown however few replies
/// there are.
pub fn shown(latencies: &Latencies, share: f64) -> String {
    if latencies.count() == 0 || share > 0.5 && share < 1.0 && !latencies.bears(share) {
        return "-".into();
    }
    let sign = if latencies.is_at_least(share) { "≥" } else { "" };
    format!("{sign}{:.1?}", latencies.quantile(share))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(&[]))
    }
}

/// What a client was doing when something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The connection could not be established.
    Connect,
    /// The request could not be sent.
    Send,
    /// The reply was wrong, or too long, or could not be read.
    Reply,
    /// The server closed the connection before it had sent every reply, or reset it instead of
    /// closing it in order.
    ClosedEarly,
    /// Nothing had moved for [`Crowd::timeout`], and this client wasn't done.
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

/// What went wrong for one client, which is then out of the flood.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What the client was doing.
    pub stage: Stage,
    /// What happened, and what can be done about it.
    pub why: String,
    /// Whether this machine couldn't even try, because it has no port or descriptor left for the
    /// client. That isn't the server's fault.
    pub is_ours: bool,
}

/// What went wrong in a flood, by stage.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    by_stage: [StageErrors; Stage::ALL.len()],
    ours: usize,
}

/// What went wrong at one stage.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StageErrors {
    /// How many clients failed at this stage.
    pub count: usize,
    /// The first of them, and what went wrong.
    pub first: Option<String>,
}

impl Errors {
    /// How many clients failed.
    pub fn count(&self) -> usize {
        self.by_stage.iter().map(|errors| errors.count).sum()
    }

    /// What went wrong at one stage.
    pub fn of(&self, stage: Stage) -> &StageErrors {
        &self.by_stage[stage as usize]
    }

    /// How many clients failed because this machine had no ports or descriptors left
    /// ([`Failure::is_ours`]). They are among the others.
    pub fn ours(&self) -> usize {
        self.ours
    }

    pub(crate) fn add(&mut self, client: usize, failure: &Failure) {
        self.ours += usize::from(failure.is_ours);
        let errors = &mut self.by_stage[failure.stage as usize];
        errors.count += 1;
        errors.first.get_or_insert_with(|| format!("client number {client}: {}", failure.why));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn report(crowd: &Crowd) -> Report {
        let mut report = Report::new(([127, 0, 0, 1], 8686).into(), crowd);
        report.answered = report.requests;
        report.elapsed = Duration::from_secs(2);
        report
    }

    #[test]
    fn a_percentile_that_too_few_replies_bear_is_a_dash() {
        let mut report = report(&Crowd::default());
        (0..20).for_each(|_| report.reply.record(Duration::from_millis(1)));
        let text = report.to_string();
        let row: Vec<_> = text.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(row, ["reply", "1.0ms", "1.0ms", "-", "1.0ms"], "{text}");
    }

    #[test]
    fn kinds_are_told_apart_if_there_are_several() {
        assert!(!report(&Crowd::default()).to_string().contains("prompt"));
        let mix = [(Kind::Silent, 5)].into();
        let mut report = report(&Crowd { mix, ..Crowd::default() });
        report.silent_closed = 3;
        let text = report.to_string();
        let rows: Vec<Vec<_>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert!(rows.contains(&vec!["prompt", "15", "0", "15", "0", "-", "-"]), "{text}");
        assert!(rows.contains(&vec!["silent", "5", "0", "0", "0", "-", "-"]), "{text}");
        assert!(text.contains("silent clients that the server closed: 3"), "{text}");
    }

    #[test]
    fn a_run_for_a_duration_reports_how_many_a_second() {
        assert!(!report(&Crowd::default()).headline().contains("/s"));
        let by_time = Crowd { duration: Some(Duration::from_secs(2)), ..Crowd::default() };
        let mut report = report(&by_time);
        report.kinds[0].answered = 500;
        assert!(report.headline().ends_with(" in 2.0s: 250/s"), "{}", report.headline());
    }
}
