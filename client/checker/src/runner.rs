//! Runs the checks: which of them side by side, what happens when a server dies, and which failures
//! follow from others.

use std::convert::identity;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use protocol::Protocol;

use super::checks::{ALL, Check, Pace};
use super::client::Client;
use super::fixture::{CheckResult, Fixture, NOT_STARTED, NOT_THERE, not_found, not_tried};
use super::matrix::{Cell, Column, Matrix, Verdict};
use server_process::{NotStarted, START, lock};
use server_process::{ServerProcess, Target, TargetKind, resolve, with_descriptor_limit};

/// The order in which the checks start on commands, and how many of them run at the same time.
///
/// Most checks wait for things that must not happen, so four of them don't keep even two cores
/// busy; more of them would make servers in slow languages late.
const PHASES: [(&[Pace], usize); 3] =
    [(&[Pace::First], 4), (&[Pace::Slow, Pace::Quick], 4), (&[Pace::Heavy], 2)];

/// Which checks to run, and how.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// The checks, in the order of the report.
    pub checks: Vec<&'static Check>,
    /// The protocol that clients and server speak.
    pub protocol: Protocol,
    /// How long to wait for a reply before it counts as missing.
    pub patience: Duration,
    /// How long a server may take to start listening.
    pub start_within: Duration,
}

impl CheckOptions {
    /// All checks that make sense in `protocol`, with clients that wait for two seconds.
    pub fn all(protocol: Protocol) -> Self {
        let checks = ALL.iter().filter(|check| check.is_for(protocol)).collect();
        CheckOptions { checks, protocol, patience: Duration::from_secs(2), start_within: START }
    }
}

/// How far a run is, reported when a check is over.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// How many checks are over.
    pub done: usize,
    /// How many checks there are.
    pub all: usize,
    /// The check that is over now.
    pub check: &'static Check,
}

/// Runs the planned checks on every server.
///
/// Raises the process's soft limit of descriptors to its hard limit. The servers that it starts
/// inherit it: with only 1024 descriptors, a server would never have to watch more of them than
/// select(2) can.
pub fn run(
    targets: &[Target],
    options: &CheckOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Matrix {
    // If it fails, there are fewer descriptors, and the check that needs many says so.
    system::raise_descriptor_limit().ok();
    let column = |target: &Target| Column {
        server: target.to_string(),
        cells: Vec::new(),
        took: Duration::ZERO,
    };
    let columns = Mutex::new(targets.iter().map(column).collect());
    let run = Run { targets, options, progress, columns };
    let is_command = |&server: &usize| matches!(targets[server].kind, TargetKind::Command(_));
    let (commands, running): (Vec<usize>, Vec<usize>) = (0..targets.len()).partition(is_command);
    running.into_iter().for_each(|server| run.one_after_the_other(server));
    for (paces, threads) in PHASES {
        run.side_by_side(&commands, paces, threads);
    }
    let mut columns = run.columns.into_inner().unwrap_or_else(PoisonError::into_inner);
    columns.iter_mut().for_each(|column| column.sort_out(&options.checks));
    Matrix { protocol: options.protocol, columns }
}

struct Run<'a> {
    targets: &'a [Target],
    options: &'a CheckOptions,
    progress: &'a (dyn Fn(Progress) + Sync),
    /// One for each target. A server is its position here.
    columns: Mutex<Vec<Column>>,
}

impl Run<'_> {
    /// Runs all checks on a server that is already running, since there is only one for all of
    /// them.
    fn one_after_the_other(&self, server: usize) {
        let mut checks = self.options.checks.iter();
        while let Some(check) = checks.next() {
            if self.run_check(server, check) && self.is_gone(check, server) {
                let why = format!("the server was gone after {}", check.name);
                let not_tried = || Verdict::NotTried { why: why.clone() };
                let cells = checks.by_ref().map(|check| Cell { check, verdict: not_tried() });
                lock(&self.columns)[server].cells.extend(cells);
            }
        }
    }

    fn is_gone(&self, check: &Check, server: usize) -> bool {
        let connected =
            self.fixture(check, server).and_then(|fixture| Client::connect(&fixture).map(drop));
        matches!(connected, Err(Verdict::Broken { way_out: Some(NOT_THERE), .. }))
    }

    /// Runs the checks of these paces on every command, in this many threads.
    fn side_by_side(&self, commands: &[usize], paces: &[Pace], threads: usize) {
        let checks = self.options.checks.iter().filter(|check| paces.contains(&check.pace));
        let jobs = checks.flat_map(|check| commands.iter().map(move |&server| (server, check)));
        let mut jobs: Vec<_> = jobs.collect();
        jobs.sort_by_key(|(_, check)| check.pace);
        let jobs = Mutex::new(jobs.into_iter());
        let work = || {
            // The lock is held only to get the next job.
            let next = || lock(&jobs).next();
            while let Some((server, check)) = next() {
                self.run_check(server, check);
            }
        };
        thread::scope(|scope| {
            // If no other thread can be started, this one does everything, and takes longer.
            for _ in 1..threads {
                thread::Builder::new().spawn_scoped(scope, work).ok();
            }
            work();
        });
    }

    /// Runs a check on a server, and returns whether the promise is broken. If the check needs one
    /// that has already failed, it isn't tried: it would only take long to fail.
    fn run_check(&self, server: usize, check: &'static Check) -> bool {
        if lock(&self.columns)[server].faults().iter().any(|fault| check.needs(fault)) {
            return false;
        }
        let began = Instant::now();
        let result = self.fixture(check, server).and_then(|fixture| try_at(check, &fixture));
        let verdict = result.map_or_else(identity, |figure| Verdict::Kept { figure });
        let is_broken = matches!(verdict, Verdict::Broken { .. });
        let mut columns = lock(&self.columns);
        columns[server].cells.push(Cell { check, verdict });
        columns[server].took += began.elapsed();
        let done = columns.iter().map(|column| column.cells.len()).sum();
        let all = self.targets.len() * self.options.checks.len();
        (self.progress)(Progress { done, all, check });
        is_broken
    }

    /// The server for this check, which is started if the target is a command.
    fn fixture(&self, check: &Check, server: usize) -> CheckResult<Fixture> {
        let CheckOptions { protocol, patience, start_within, .. } = *self.options;
        let words = match (&self.targets[server].kind, check.descriptor_limit) {
            (TargetKind::Address(address), _) => {
                let address =
                    resolve(address, patience).or_else(|what| not_found(what, NOT_THERE))?;
                return Ok(Fixture { address, protocol, patience, process: None });
            }
            (TargetKind::Command(words), None) => Some(words.clone()),
            (TargetKind::Command(words), Some(limit)) => with_descriptor_limit(words, limit),
        };
        let Some(words) = words else {
            return not_tried("on this system, descriptors can't be limited");
        };
        let process = ServerProcess::start(&words, start_within);
        let process =
            process.or_else(|NotStarted { why, is_ours }| match check.descriptor_limit {
                Some(limit) => not_tried(format!(
                    "with {limit} descriptors, the server doesn't even start: {why}"
                )),
                None if is_ours => not_tried(why),
                None => not_found(why, NOT_STARTED),
            })?;
        Ok(Fixture { address: process.address(), protocol, patience, process: Some(process) })
    }
}

/// Runs the check itself. Afterwards the server has to be alive and to serve a new client.
fn try_at(check: &Check, fixture: &Fixture) -> CheckResult {
    if check.descriptor_limit.is_some() {
        fixture.process()?; // without one, the error says why it can't be tried
    }
    let attempt = (check.attempt)(fixture);
    if check.ends_server {
        return attempt;
    }
    let visit = |figure| match Client::visit(fixture) {
        Ok(()) => Ok(figure),
        Err(why) => Err(why.when("to a new client after the check")),
    };
    attempt.and_then(visit).map_err(|verdict| with_death(verdict, fixture))
}

/// If the server has died, adds that to what its clients have seen.
fn with_death(verdict: Verdict, fixture: &Fixture) -> Verdict {
    /// If it is about to end, it gets this long for that.
    const MOMENT: Duration = Duration::from_millis(200);
    let (Verdict::Broken { what, .. }, Some(process)) = (&verdict, &fixture.process) else {
        return verdict;
    };
    process.wait(MOMENT);
    match process.death() {
        Some(death) => Verdict::Broken { what: format!("{what}; {death}"), way_out: None },
        None => verdict,
    }
}
