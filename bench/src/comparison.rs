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
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use load_generator::json::as_seconds;
use load_generator::report::{Failure, Latencies, Stage};
use load_generator::{Crowd, Event, Kind, Order, Phase, Probe, Report, flood};
use protocol::Protocol;
use serde::Serialize;
use timeline::{self, Ending, Recorder, Step, Timeline};

use crate::{Model, ProcessUsage, ServerExit, ServerProcess, Usage};

/// How many requests a slow client sends. However slowly it sends the first, all of it arrives
/// while the client is still pending in the backlog of a blocking server. Only the second keeps
/// that server waiting.
const SLOW_REQUESTS: usize = 2;

/// How long a slow client waits after each byte: a request then takes about a quarter of a
/// second, and ten such clients cost the blocking server some three seconds a round.
const EVERY: Duration = Duration::from_millis(10);

/// A probe arrives at this interval, whether the one before has its reply or not. If each waited
/// for the one before, a slow server would get fewer probes just while it is slow, and its figures
/// would look better than they are.
const BETWEEN_PROBES: Duration = Duration::from_millis(10);

/// How long a probe waits for its reply: longer than any working server here needs for the whole
/// crowd.
const PROBE_PATIENCE: Duration = Duration::from_secs(60);

/// The most probes that wait at the same time; then no more are added. It is half of the servers'
/// backlog, so that probes don't keep each other out.
const MOST_PROBES: usize = 512;

/// The stack of a probe's thread, which only calls a few functions of the standard library.
const PROBE_STACK: usize = 64 * 1024;

/// How long nothing may move before a server counts as dead, in addition to the time that the slow
/// clients need if they are served one after the other.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which servers are compared, and under which load.
#[derive(Clone, Debug)]
pub struct ComparisonPlan {
    /// The servers.
    pub models: Vec<Model>,
    /// How many connections the crowd has.
    pub connections: usize,
    /// How many of them dribble: two requests, a byte every 10 ms.
    pub slow: usize,
    /// How many requests each of the others sends, one after the other.
    pub requests: usize,
    /// How many times every server is flooded.
    pub rounds: usize,
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
        self.asked() + self.slow_bytes() * self.rounds as u64
    }

    /// The crowd, in two parts because the slow clients send fewer requests.
    fn crowds(&self) -> Vec<Crowd> {
        let one_by_one = EVERY.mul_f64(self.slow_bytes() as f64);
        let crowd = Crowd {
            order: Order::AsConnected,
            every: EVERY,
            timeout: one_by_one + PATIENCE,
            ..Crowd::default()
        };
        let slow = Crowd {
            connections: self.slow,
            mix: [(Kind::Dribbling, self.slow)].into(),
            requests: SLOW_REQUESTS,
            ..crowd.clone()
        };
        let prompt =
            Crowd { connections: self.connections - self.slow, requests: self.requests, ..crowd };
        let has_clients = |crowd: &Crowd| crowd.connections > 0;
        [slow, prompt].into_iter().filter(has_clients).collect()
    }

    /// How many requests the crowd sends to each server in all rounds, without the probes'.
    pub fn asked(&self) -> u64 {
        let a_round: u64 = self.crowds().iter().map(Crowd::total_requests).sum();
        a_round * self.rounds as u64
    }
}

/// The result of one server. In JSON, the names have the units: `_us` are microseconds, `_s`
/// seconds.
#[derive(Clone, Debug, Serialize)]
pub struct ServerResult {
    /// The server's name.
    pub server: &'static str,
    /// How many clients it serves at the same time.
    #[serde(skip)]
    pub serves_at_once: usize,
    /// How many requests the crowd had to send.
    pub asked: u64,
    /// How many of them got a reply.
    pub answered: u64,
    /// How long the crowd was busy with this server, all rounds together.
    #[serde(rename = "took_s", serialize_with = "as_seconds")]
    pub took: Duration,
    /// How long each probe took, from before it connected until it had its reply.
    #[serde(rename = "probe_us")]
    pub probe: Latencies,
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
    fn new(model: Model, plan: &ComparisonPlan) -> Self {
        ServerResult {
            server: model.label,
            serves_at_once: model.serves_at_once,
            asked: plan.asked(),
            answered: 0,
            took: Duration::ZERO,
            probe: Latencies::default(),
            usage: None,
            is_peer: model.is_peer,
            to_poll_server: None,
            trouble: Vec::new(),
            timeline: Timeline::default(),
        }
    }

    /// Whether every request got its reply and nothing went wrong.
    pub fn is_good(&self) -> bool {
        self.answered == self.asked && self.trouble.is_empty()
    }

    /// What the kernel reports about the server's process.
    pub fn process(&self) -> Option<ProcessUsage> {
        self.usage.as_ref()?.process
    }

    /// The share of one core that the server used while it was flooded.
    pub fn share_of_a_core(&self) -> Option<f64> {
        Some(self.process()?.processor_seconds / self.took.as_secs_f64())
    }

    /// Adds what a peer has done, as its clients saw it, because a peer counts nothing itself. If
    /// something went wrong, they have not seen everything.
    fn count_for_peer(&mut self, connections: u64) {
        if !self.is_peer || !self.is_good() {
            return;
        }
        let probes = self.probe.count();
        let requests = self.answered + probes;
        let connections = connections + probes;
        if let Some(usage) = &mut self.usage {
            (usage.connections, usage.requests, usage.replies) = (connections, requests, requests);
        }
    }

    /// Adds how long the probes of one round waited, from before they connected.
    fn add_visits(&mut self, visits: &Visits) {
        let mut failures = Vec::new();
        for Visit { began, course, .. } in &visits.0 {
            match course {
                Ok((_, answered)) => self.probe.record(*answered - *began),
                Err(error) => failures.push(error),
            }
        }
        if let Some(first) = failures.first() {
            self.trouble.push(format!("{} probes failed: {first}", failures.len()));
        }
    }

    /// Adds how the server ended after one round.
    fn add_end(&mut self, end: io::Result<ServerExit>) {
        match end {
            Ok(ServerExit { status, usage: Some(usage), .. }) if status.success() => {
                self.usage.get_or_insert_default().add(&usage);
            }
            Ok(outcome) => {
                let (status, said) = (outcome.status, outcome.last_words());
                self.trouble.push(format!("the server died ({status}): {said}"));
            }
            Err(error) => self.trouble.push(error.to_string()),
        }
    }

    /// Adds the result of one crowd in one round.
    fn add(&mut self, report: &Report) {
        self.answered += report.answered;
        self.trouble.extend(report.stuck.as_ref().map(|_| {
            let silence = report.crowd.timeout;
            format!("nothing moved for {silence:.0?}")
        }));
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
    progress.set_length(plan.asked() * plan.models.len() as u64);
    let mut rows: Vec<ServerResult> =
        plan.models.iter().map(|&model| ServerResult::new(model, plan)).collect();
    for round in 1..=plan.rounds {
        for (&model, row) in plan.models.iter().zip(&mut rows) {
            progress.set_message(format!("round {round} of {}: {}", plan.rounds, row.server));
            let command = ServerProcess::command(program, model, &["--quiet"]);
            let server = ServerProcess::start(command).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", row.server))
            })?;
            let timeline = flood_once(plan, &server, row, progress)?;
            if round == 1 {
                row.timeline = timeline;
            }
            row.add_end(server.stop());
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
    let is_poll_server = |row: &&ServerResult| row.server == Model::POLL.label;
    let unit = rows.iter().find(is_poll_server).and_then(cost);
    if rows.iter().any(|row| row.is_peer) {
        for row in rows {
            row.to_poll_server = cost(row).zip(unit).map(|(cost, unit)| cost / unit);
        }
    }
}

/// Runs one round: the crowd in threads of its own, and the probes in others.
fn flood_once(
    plan: &ComparisonPlan,
    server: &ServerProcess,
    row: &mut ServerResult,
    progress: &ProgressBar,
) -> io::Result<Timeline> {
    let address = server.address();
    let crowds = plan.crowds();
    let is_over = AtomicBool::new(false);
    let began = Instant::now();
    let (floods, visits) = thread::scope(|scope| -> io::Result<_> {
        let start = |crowd| {
            let flood = move || flood_recorded(address, crowd, began, progress);
            thread::Builder::new().spawn_scoped(scope, flood)
        };
        let started: Vec<_> = crowds.iter().map(start).collect();
        let probe = || send_probes(address, &is_over);
        let probe = thread::Builder::new().spawn_scoped(scope, probe)?;
        // Those that have started are joined, even if another could not start.
        let floods: Vec<_> = started.into_iter().map(|thread| thread.map(joined)).collect();
        row.took += began.elapsed();
        is_over.store(true, Ordering::Relaxed);
        Ok((floods, joined(probe)))
    })?;
    let mut timeline = Timeline::default();
    for flood in floods {
        let (report, its_timeline) = flood??;
        row.add(&report);
        timeline.append(its_timeline);
    }
    timeline.append(visits.timeline(began));
    row.add_visits(&visits);
    Ok(timeline)
}

fn flood_recorded(
    address: SocketAddr,
    crowd: &Crowd,
    began: Instant,
    progress: &ProgressBar,
) -> io::Result<(Report, Timeline)> {
    let mut recorder = Recorder::since(began);
    let report = flood(address, crowd, &mut |event| {
        recorder.watch(event);
        if matches!(event, Event::Answered { .. }) {
            progress.inc(1);
        }
        ControlFlow::Continue(())
    })?;
    let timeline = recorder.finish(Instant::now(), |client| crowd.kind(client).name());
    Ok((report, timeline))
}

/// Joins a thread and returns its result; if it has panicked, this thread panics, too.
fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Sends a probe every ten milliseconds until the crowd is done, and waits for the last ones.
fn send_probes(address: SocketAddr, is_over: &AtomicBool) -> Visits {
    let visits = Mutex::new(Visits::default());
    let under_way = AtomicUsize::new(0);
    let back = |visit| {
        visits.lock().unwrap_or_else(PoisonError::into_inner).0.push(visit);
        under_way.fetch_sub(1, Ordering::Relaxed);
    };
    let mut due = Instant::now();
    thread::scope(|scope| {
        while !is_over.load(Ordering::Relaxed) {
            if under_way.load(Ordering::Relaxed) < MOST_PROBES {
                under_way.fetch_add(1, Ordering::Relaxed);
                let began = Instant::now();
                let thread = thread::Builder::new().stack_size(PROBE_STACK);
                if let Err(error) = thread.spawn_scoped(scope, || back(visit(address))) {
                    back(Visit::failed(began, error));
                }
            }
            due += BETWEEN_PROBES;
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    });
    visits.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Makes one visit: connects, sends a request, receives the reply, and closes.
fn visit(address: SocketAddr) -> Visit {
    let began = Instant::now();
    let visit = || {
        let mut probe = Probe::connect(address, Protocol::Lines, PROBE_PATIENCE)?;
        let connected = Instant::now();
        probe.request()?;
        let answered = Instant::now();
        probe.end()?;
        Ok((connected, answered))
    };
    Visit { began, course: visit(), ended: Instant::now() }
}

/// The result of a probe.
struct Visit {
    began: Instant,
    /// When it was connected, and when it had its reply.
    course: io::Result<(Instant, Instant)>,
    ended: Instant,
}

impl Visit {
    fn failed(began: Instant, error: io::Error) -> Self {
        Visit { began, course: Err(error), ended: Instant::now() }
    }
}

/// The results of the probes, in the order in which they were done.
#[derive(Default)]
struct Visits(Vec<Visit>);

impl Visits {
    /// A row for each probe, in the order in which they began.
    fn timeline(&self, began: Instant) -> Timeline {
        let mut visits: Vec<_> = self.0.iter().collect();
        visits.sort_by_key(|visit| visit.began);
        let after = |instant: Instant| instant - began;
        let row = |(number, visit): (usize, &Visit)| {
            let mut steps = vec![Step::entered(Phase::Connecting, after(visit.began))];
            let at = after(visit.ended);
            let ending = match &visit.course {
                Ok((connected, answered)) => {
                    steps.push(Step::entered(Phase::AwaitingReply, after(*connected)));
                    steps.push(Step::answered(after(*answered)));
                    steps.push(Step::entered(Phase::AwaitingEnd, after(*answered)));
                    Ending::Closed { at }
                }
                Err(error) => {
                    let why = error.to_string();
                    let failure = Failure { stage: Stage::Reply, why, is_ours: false };
                    Ending::Failed { at, failure }
                }
            };
            timeline::Row { kind: "probes", number, steps, ending }
        };
        let length = visits.iter().map(|visit| after(visit.ended)).max().unwrap_or_default();
        let rows = visits.into_iter().enumerate().map(row).collect();
        Timeline { rows, length, full_at: None }
    }
}
