//! The comparison: the same crowd for every server, and meanwhile the probes, well-behaved clients
//! that are measured.
//!
//! The servers are flooded one after the other, round by round, so that a disturbance of the
//! machine affects them all. Each runs in a process of its own, which is restarted for each round,
//! and only during its turn: one that never sleeps would take the processor from the others.

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use load_generator::json::{as_seconds, as_seconds_if_any};
use load_generator::report::{Failure, Latencies, Stage};
use load_generator::{Crowd, Event, Order, Phase, Report, flood};
use protocol::Protocol;
use serde::Serialize;
use server_kit::whole_number;
use server_process::lock;
use timeline::{Recorder, Timeline};

use crate::load::{SLOW_REQUESTS, dribbling, visit_within};
use crate::{FirstVisits, MeasuredServer, Model, Usage};

/// How long a slow client waits after each byte: a request then takes about a quarter of a
/// second, and ten such clients cost the blocking server some three seconds a round.
const EVERY: Duration = Duration::from_millis(10);

/// A probe arrives at this interval, whether the one before has its reply or not. If each waited
/// for the one before, a slow server would get fewer probes just while it is slow, and its figures
/// would look better than they are.
const BETWEEN_PROBES: Duration = Duration::from_millis(10);

/// How long a probe waits for its reply if the round has no limit: longer than any working server
/// here needs for the whole crowd.
const PROBE_PATIENCE: Duration = Duration::from_secs(60);

/// The most probes that wait at the same time; then the next ones begin late, and count from when
/// they were due. It is half of the servers' backlog, so that probes don't keep each other out.
const MOST_PROBES: usize = 512;

/// The shortest sleep between two looks at the probes: one that others wait for may end soon.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// The stack of a probe's thread, which only calls a few functions of the standard library.
const PROBE_STACK: usize = 64 * 1024;

/// How long nothing may move before a server counts as dead, in addition to the time that the slow
/// clients need if they are served one after the other.
const PATIENCE: Duration = Duration::from_secs(10);

/// The greatest number that the options accept.
pub(crate) const MOST: usize = u32::MAX as usize;

/// Which servers are compared, and under which load.
#[derive(Args, Clone, Debug, Serialize)]
pub struct ComparisonPlan {
    /// The servers.
    #[arg(skip)]
    #[serde(skip)]
    pub models: Vec<Model>,

    /// How many connections the crowd has.
    #[arg(skip)]
    pub connections: usize,

    /// How many of them are slow: two requests each, one byte every 10 ms.
    #[arg(skip)]
    pub slow: usize,

    /// Send this many requests on each of the others, one after the other
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = whole_number(1..=MOST))]
    pub requests: usize,

    /// Flood each server this many times
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = whole_number(1..=MOST))]
    pub rounds: usize,

    /// When a round is cut short. A visit without a reply then counts as at least so long.
    #[arg(skip)]
    #[serde(rename = "limit_s", serialize_with = "as_seconds_if_any")]
    pub limit: Option<Duration>,
}

impl ComparisonPlan {
    /// Whether it can be carried out; if not, a sentence that says why not.
    pub fn check(&self) -> Result<(), String> {
        let ComparisonPlan { connections, slow, .. } = *self;
        if connections == 0 {
            return Err("`--connections` has to be at least 1".into());
        }
        if slow > connections {
            return Err(format!(
                "{slow} of {connections} clients can't be slow; `--slow` is at most `--connections`"
            ));
        }
        Crowd { connections, ..Crowd::default() }.check()?;
        self.crowds().iter().try_for_each(Crowd::check)
    }

    /// How many bytes the slow clients send in a round, one byte at a time.
    fn slow_bytes(&self) -> u64 {
        let request = Protocol::Lines.request("hello from client number 100").len();
        (self.slow * SLOW_REQUESTS * request) as u64
    }

    /// The most pieces in which the crowd's requests arrive, in all rounds.
    pub(crate) fn pieces(&self) -> u64 {
        self.total_requests() + self.slow_bytes() * self.rounds as u64
    }

    /// The crowd, in two parts because the slow clients send fewer requests.
    fn crowds(&self) -> Vec<Crowd> {
        let ComparisonPlan { connections, slow, requests, .. } = *self;
        let prompt = Crowd { connections: connections - slow, requests, ..Crowd::default() };
        let one_by_one = EVERY.mul_f64(self.slow_bytes() as f64);
        let (order, timeout) = (Order::AsConnected, one_by_one + PATIENCE);
        let crowds = [dribbling(slow, EVERY), prompt].map(|it| Crowd { order, timeout, ..it });
        crowds.into_iter().filter(|crowd| crowd.connections > 0).collect()
    }

    /// How many requests the crowd sends to each server in all rounds, without the probes'.
    pub fn total_requests(&self) -> u64 {
        let a_round: u64 = self.crowds().iter().map(Crowd::total_requests).sum();
        a_round * self.rounds as u64
    }
}

/// The result of one server. In JSON, the names have the units: `_us` are microseconds, `_s`
/// seconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ServerResult {
    /// The server's name.
    pub server: &'static str,
    /// How many clients it serves at the same time.
    #[serde(skip)]
    pub serves_at_once: usize,
    /// How many connections the crowd had.
    #[serde(skip)]
    pub connections: usize,
    /// How many of them were slow.
    #[serde(skip)]
    pub slow: usize,
    /// How many requests the crowd had to send.
    pub requests: u64,
    /// How many of them got a reply.
    pub answered: u64,
    /// How long the crowd was busy with this server, all rounds together.
    #[serde(rename = "took_s", serialize_with = "as_seconds")]
    pub took: Duration,
    /// How long the probes' visits took.
    #[serde(rename = "first_visit_us")]
    pub visits: FirstVisits,
    /// Whether a round was cut short.
    pub cut_short: bool,
    /// What the server did and what it cost, if it lived to report it.
    pub usage: Option<Usage>,
    /// Whether it is a peer, a server outside of this workspace.
    #[serde(rename = "peer")]
    pub is_peer: bool,
    /// Its processor time per request, as a multiple of `poll-server`'s. Known if both
    /// `poll-server` and a peer were measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_poll_server: Option<f64>,
    /// What went wrong, in words.
    pub trouble: Vec<String>,
    /// What crowd and probes went through in the first round.
    #[serde(skip)]
    pub timeline: Timeline,
}

impl ServerResult {
    /// Whether every request got its reply and nothing went wrong.
    pub fn is_good(&self) -> bool {
        (self.cut_short || self.answered == self.requests) && self.trouble.is_empty()
    }

    /// The share of one core that the server used while it was flooded.
    pub fn share_of_a_core(&self) -> Option<f64> {
        let process = self.usage.as_ref()?.process?;
        Some(process.processor_seconds / self.took.as_secs_f64())
    }

    /// Adds what a peer has done, as its clients saw it, because a peer counts nothing itself. If
    /// something went wrong, they have not seen everything.
    fn count_for_peer(&mut self, connections: u64) {
        if !self.is_peer || !self.is_good() {
            return;
        }
        let probes = self.visits.count() - self.visits.unanswered();
        let requests = self.answered + probes;
        if let Some(usage) = &mut self.usage {
            usage.connections = connections + probes;
            (usage.requests, usage.replies) = (requests, requests);
        }
    }

    /// Adds the result of one crowd in one round.
    fn add(&mut self, report: &Report) {
        self.answered += report.answered;
        if report.stuck.is_some() {
            self.trouble.push(format!("nothing moved for {:.0?}", report.crowd.timeout));
        }
        let errors = Stage::ALL.map(|stage| report.errors.of(stage));
        for trouble in errors.into_iter().filter(|trouble| trouble.count > 0) {
            let first = trouble.first.as_deref().unwrap_or_default();
            self.trouble.push(format!("{} clients failed: {first}", trouble.count));
        }
    }
}

/// Floods every server of the plan; `program` is the binary of this package. The progress is in
/// requests that got their replies.
///
/// # Errors
///
/// If a server can't be started, or this process can't flood it. What goes wrong later is reported
/// in the server's row.
pub fn compare(
    plan: &ComparisonPlan,
    program: &Path,
    progress: &ProgressBar,
) -> io::Result<Vec<ServerResult>> {
    let requests = plan.total_requests();
    progress.set_length(requests * plan.models.len() as u64);
    let row = |&Model { label: server, serves_at_once, is_peer, .. }: &Model| ServerResult {
        server,
        serves_at_once,
        is_peer,
        connections: plan.connections,
        slow: plan.slow,
        requests,
        ..ServerResult::default()
    };
    let mut rows: Vec<ServerResult> = plan.models.iter().map(row).collect();
    for round in 1..=plan.rounds {
        for (&model, row) in plan.models.iter().zip(&mut rows) {
            progress.set_message(format!("round {round} of {}: {}", plan.rounds, row.server));
            let server = MeasuredServer::start(program, model, &["--quiet"]).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", row.server))
            })?;
            let timeline = flood_once(plan, server.address(), row, progress)?;
            if round == 1 {
                row.timeline = timeline;
            }
            match server.finish() {
                Ok(usage) => row.usage.get_or_insert_default().add(&usage),
                Err(error) => row.trouble.push(error.to_string()),
            }
        }
    }
    let connections = (plan.connections * plan.rounds) as u64;
    rows.iter_mut().for_each(|row| row.count_for_peer(connections));
    compare_with_poll_server(&mut rows);
    Ok(rows)
}

/// Adds what each server costs relative to `poll-server`, if there are peers to compare.
fn compare_with_poll_server(rows: &mut [ServerResult]) {
    let cost = |row: &ServerResult| {
        let seconds = row.usage.as_ref()?.processor_time_per_request()?.as_secs_f64();
        (seconds > 0.0).then_some(seconds)
    };
    let unit = rows.iter().find(|row| row.server == Model::POLL.label).and_then(cost);
    if rows.iter().any(|row| row.is_peer) {
        for row in rows {
            row.to_poll_server = cost(row).zip(unit).map(|(cost, unit)| cost / unit);
        }
    }
}

/// Runs one round: the crowd in threads of its own, and each probe in another, which the others
/// don't wait for.
fn flood_once(
    plan: &ComparisonPlan,
    address: SocketAddr,
    row: &mut ServerResult,
    progress: &ProgressBar,
) -> io::Result<Timeline> {
    let (crowds, began) = (plan.crowds(), Instant::now());
    let end = plan.limit.map(|limit| began + limit);
    // If there is an end, probes come long before it, so that they wait long enough.
    let last = plan.limit.map(|limit| began + limit / 4);
    let probes = Mutex::new(Probes::since(began));
    let mut due = began;
    let floods = thread::scope(|scope| {
        let start = |crowd| {
            let flood = move || flood_recorded(address, crowd, began, end, progress);
            thread::Builder::new().spawn_scoped(scope, flood)
        };
        let floods: Vec<_> = crowds.iter().map(start).collect::<io::Result<_>>()?;
        while floods.iter().any(|flood| !flood.is_finished()) {
            while due <= Instant::now()
                && last.is_none_or(|last| due < last)
                && send_probe(address, &probes, due, end, scope)
            {
                due += BETWEEN_PROBES;
            }
            thread::sleep(due.saturating_duration_since(Instant::now()).max(SHORTEST_SLEEP));
        }
        let results = floods.into_iter().map(|flood| flood.join().expect("a flood doesn't panic"));
        results.collect::<io::Result<Vec<_>>>()
    })?;
    let mut timeline = Timeline::default();
    let took = floods.iter().map(|(_, _, took)| *took).max().unwrap_or_default();
    row.took += took;
    lock(&probes).never_began(due, last, began + took);
    for (report, its_timeline, _) in floods {
        row.add(&report);
        timeline.append(its_timeline);
    }
    let probes = probes.into_inner().unwrap_or_else(PoisonError::into_inner);
    row.cut_short |= end.is_some_and(|end| Instant::now() >= end);
    timeline.append(probes.recorder.finish(Instant::now(), |_| "probes"));
    row.visits.add_round(probes.waits);
    if let Some(first) = probes.failures.first() {
        row.trouble.push(format!("{} probes failed: {first}", probes.failures.len()));
    }
    Ok(timeline)
}

/// Also returns when the flood was over.
fn flood_recorded(
    address: SocketAddr,
    crowd: &Crowd,
    began: Instant,
    end: Option<Instant>,
    progress: &ProgressBar,
) -> io::Result<(Report, Timeline, Duration)> {
    let mut recorder = Recorder::since(began);
    let report = flood(address, crowd, &mut |event| {
        recorder.watch(event);
        if matches!(event, Event::Answered { .. }) {
            progress.inc(1);
        }
        match end {
            Some(end) if Instant::now() >= end => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    })?;
    let ended = Instant::now();
    let timeline = recorder.finish(ended, |client| crowd.kind(client).name());
    Ok((report, timeline, ended - began))
}

/// What the probes of a round went through.
struct Probes {
    /// How many have come.
    count: usize,
    /// How many of them have not finished their visits.
    under_way: usize,
    /// How long they waited, from when they were due.
    waits: Latencies,
    /// Why others failed.
    failures: Vec<String>,
    recorder: Recorder,
}

/// Lets a probe that was due at this time visit the server, in a thread of its own, until the `end`.
/// Returns whether it has begun: not while too many are under way.
fn send_probe<'scope>(
    address: SocketAddr,
    probes: &'scope Mutex<Probes>,
    due: Instant,
    end: Option<Instant>,
    scope: &'scope Scope<'scope, '_>,
) -> bool {
    let Some(client) = lock(probes).enter() else { return false };
    let left = |end: Instant| end.saturating_duration_since(Instant::now());
    let patience = end.map_or(PROBE_PATIENCE, left);
    let add = move |result| lock(probes).add(client, due, end, result);
    let visit = move || add(visit_within(patience, address));
    if let Err(error) = thread::Builder::new().stack_size(PROBE_STACK).spawn_scoped(scope, visit) {
        add(Err(error));
    }
    true
}

impl Probes {
    fn since(began: Instant) -> Self {
        let (waits, recorder) = (Latencies::default(), Recorder::since(began));
        Probes { count: 0, under_way: 0, waits, failures: Vec::new(), recorder }
    }

    /// Returns the number of a new probe, unless too many are under way.
    fn enter(&mut self) -> Option<usize> {
        if self.under_way == MOST_PROBES {
            return None;
        }
        self.under_way += 1;
        self.count += 1;
        Some(self.count - 1)
    }

    /// Those that were due from this time on, before the `last` and before the round was over, have
    /// not begun.
    fn never_began(&mut self, mut due: Instant, last: Option<Instant>, over: Instant) {
        let last = last.map_or(over, |last| last.min(over));
        // One that was due just before isn't late yet.
        while due + BETWEEN_PROBES <= last {
            self.waits.record_unanswered(over - due);
            due += BETWEEN_PROBES;
        }
    }

    /// Adds a visit that has ended just now.
    fn add(
        &mut self,
        client: usize,
        due: Instant,
        end: Option<Instant>,
        visit: io::Result<[Instant; 2]>,
    ) {
        self.under_way -= 1;
        let ended = Instant::now();
        let mut entered = |phase, at| self.recorder.watch(&Event::Entered { client, phase, at });
        entered(Phase::Connecting, due);
        match visit {
            Ok([connected, answered]) => {
                self.waits.record(answered - due);
                entered(Phase::AwaitingReply, connected);
                // The recorder knows that a reply came before the phase after it.
                self.recorder.watch(&Event::Answered { client });
                self.recorder.watch(&Event::Entered {
                    client,
                    phase: Phase::AwaitingEnd,
                    at: answered,
                });
                self.recorder.watch(&Event::Closed { client, at: ended });
            }
            // It was still waiting when the round was cut short.
            Err(_) if end.is_some_and(|end| ended >= end) => {
                self.waits.record_unanswered(ended - due)
            }
            Err(error) => {
                self.waits.record_unanswered(ended - due);
                let why = error.to_string();
                self.failures.push(why.clone());
                let failure = Failure { stage: Stage::Reply, why, is_ours: false };
                self.recorder.watch(&Event::Failed { client, failure: &failure });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many probes count that were due since the beginning of a round and never began.
    fn late(last: Option<u64>, over: u64) -> u64 {
        let began = Instant::now();
        let after = |milliseconds| began + Duration::from_millis(milliseconds);
        let mut probes = Probes::since(began);
        probes.never_began(began, last.map(after), after(over));
        assert_eq!(probes.waits.unanswered(), probes.waits.count());
        probes.waits.count()
    }

    #[test]
    fn a_probe_that_never_began_counts_only_if_it_was_due_while_the_round_lasted() {
        assert_eq!(late(None, 100), 10);
        assert_eq!(late(Some(50), 100), 5, "none was due later");
        assert_eq!(late(Some(100), 50), 5, "the round was over earlier");
        assert_eq!(late(None, 9), 0, "it was due just before");
    }
}
