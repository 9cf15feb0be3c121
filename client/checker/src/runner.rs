//! Runs the checks: which of them side by side, what happens when a server dies, and which failures
//! follow from others.

use std::io;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use protocol::Protocol;

use super::checks::{ALL, Check, Pace};
use super::client::Client;
use super::fixture::{CheckFailure, CheckResult, Fixture, NOT_STARTED, NOT_THERE};
use super::matrix::{Cell, Column, Matrix, Verdict};
use server_process::{NotStarted, START, lock};
use server_process::{ServerProcess, Target, TargetKind, resolve, with_descriptor_limit};

/// How many checks run at the same time. They mostly wait for things that must not happen, so they
/// don't keep even two cores busy; more of them would make servers in slow languages late.
const SIDE_BY_SIDE: usize = 4;

/// How many heavy checks, which keep a core busy for a while, run at the same time.
const HEAVY_SIDE_BY_SIDE: usize = 2;

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
    let run = Run { targets, options, progress, done: AtomicUsize::new(0) };
    let mut columns: Vec<Column> = targets.iter().map(|it| Column::new(it.to_string())).collect();

    // First the checks that all others need, then the cheap ones. If a check needs one that has
    // already failed, it isn't tried: it would only take long to fail.
    let (first, mut rest): (Vec<&Check>, Vec<&Check>) =
        options.checks.iter().copied().partition(|check| check.needs.is_empty());
    rest.sort_by_key(|check| check.pace);
    let (heavy, light): (Vec<&Check>, Vec<&Check>) =
        rest.into_iter().partition(|check| check.pace == Pace::Heavy);
    run.one_after_the_other(&mut columns);
    run.side_by_side(&mut columns, &first, SIDE_BY_SIDE);
    run.side_by_side(&mut columns, &light, SIDE_BY_SIDE);
    run.side_by_side(&mut columns, &heavy, HEAVY_SIDE_BY_SIDE);
    for column in &mut columns {
        column.sort_out(&options.checks);
    }
    Matrix { protocol: options.protocol, columns }
}

struct Run<'a> {
    targets: &'a [Target],
    options: &'a CheckOptions,
    progress: &'a (dyn Fn(Progress) + Sync),
    done: AtomicUsize,
}

impl Run<'_> {
    /// Runs all checks on each server that is already running, since there is only one for all of
    /// them.
    fn one_after_the_other(&self, columns: &mut [Column]) {
        for (target, column) in self.targets.iter().zip(columns) {
            let TargetKind::Address(address) = &target.kind else { continue };
            let mut gone_after = None;
            for &check in &self.options.checks {
                if column.has_broken(check.needs) {
                    continue;
                }
                let began = Instant::now();
                let verdict = match gone_after {
                    None => self.verdict(check, || self.try_address(check, address)),
                    Some(last) => {
                        Verdict::NotTried { why: format!("the server was gone after {last}") }
                    }
                };
                let is_broken = matches!(verdict, Verdict::Broken { .. });
                column.add(Cell { check, verdict }, began.elapsed());
                if is_broken && self.is_gone(address) {
                    gone_after = Some(check.name);
                }
            }
        }
    }

    fn is_gone(&self, address: &str) -> bool {
        let connect = |address| TcpStream::connect_timeout(&address, self.options.patience);
        let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        resolve(address, self.options.patience)
            .is_ok_and(|address| connect(address).is_err_and(refused))
    }

    /// Runs these checks on every command, in this many threads.
    fn side_by_side(&self, columns: &mut [Column], checks: &[&'static Check], threads: usize) {
        let mut jobs = Vec::new();
        for (number, column) in columns.iter().enumerate() {
            if let TargetKind::Command(words) = &self.targets[number].kind {
                let sensible = checks.iter().filter(|check| !column.has_broken(check.needs));
                jobs.extend(sensible.map(|&check| (number, check, words)));
            }
        }
        let jobs = Mutex::new(jobs.into_iter());
        let columns = Mutex::new(columns);
        let work = || {
            // The lock is held only to get the next job.
            let next = || lock(&jobs).next();
            while let Some((number, check, words)) = next() {
                let began = Instant::now();
                let verdict = self.verdict(check, || self.try_command(check, words));
                lock(&columns)[number].add(Cell { check, verdict }, began.elapsed());
            }
        };
        thread::scope(|scope| {
            let start = |_: &usize| thread::Builder::new().spawn_scoped(scope, work).is_ok();
            // If no thread can be started, this one does everything, and takes longer.
            if (0..threads).take_while(start).count() == 0 {
                work();
            }
        });
    }

    fn verdict(&self, check: &'static Check, attempt: impl FnOnce() -> CheckResult) -> Verdict {
        let verdict = Verdict::of(attempt());
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let all = self.targets.len() * self.options.checks.len();
        (self.progress)(Progress { done, all, check });
        verdict
    }

    /// Starts a server for this check, and runs the check.
    fn try_command(&self, check: &Check, words: &[String]) -> CheckResult {
        let CheckOptions { protocol, patience, start_within, .. } = *self.options;
        let start = |words: &[String]| ServerProcess::start(words, start_within);
        let process = match check.descriptor_limit {
            None => start(words).map_err(|NotStarted { why, is_ours }| match is_ours {
                true => CheckFailure::NotTried(why),
                false => CheckFailure::Unmet(why, NOT_STARTED),
            })?,
            Some(limit) => {
                let why = || {
                    CheckFailure::NotTried("on this system, descriptors can't be limited".into())
                };
                let limited = with_descriptor_limit(words, limit).ok_or_else(why)?;
                start(&limited).map_err(|NotStarted { why, .. }| {
                    let what = format!("with {limit} descriptors, the server doesn't even start");
                    CheckFailure::NotTried(format!("{what}: {why}"))
                })?
            }
        };
        let fixture = Fixture::with(process, protocol, patience);
        try_at(check, &fixture)
    }

    fn try_address(&self, check: &Check, address: &str) -> CheckResult {
        let CheckOptions { protocol, patience, .. } = *self.options;
        let address =
            resolve(address, patience).map_err(|what| CheckFailure::Unmet(what, NOT_THERE))?;
        let fixture = Fixture::at(address, protocol, patience);
        if check.descriptor_limit.is_some() {
            fixture.process()?; // there is none, and the error says why
        }
        try_at(check, &fixture)
    }
}

/// Runs the check itself. Afterwards the server has to be alive and to serve a new client.
fn try_at(check: &Check, fixture: &Fixture) -> CheckResult {
    let attempt = (check.attempt)(fixture);
    if check.ends_server {
        return attempt;
    }
    let afterwards = match &attempt {
        Ok(_) => Client::visit(fixture).map_err(|why| why.when("to a new client after the check")),
        Err(_) => Ok(()),
    };
    match (attempt, afterwards) {
        (Ok(figure), Ok(())) => Ok(figure),
        (Err(trouble), _) | (Ok(_), Err(trouble)) => Err(blame_death(trouble, fixture)),
    }
}

/// If the server has died, adds that to what its clients have seen.
fn blame_death(trouble: CheckFailure, fixture: &Fixture) -> CheckFailure {
    match (trouble, fixture.death()) {
        (CheckFailure::Broken(seen) | CheckFailure::Unmet(seen, _), Some(death)) => {
            CheckFailure::Broken(format!("{seen}; {death}"))
        }
        (trouble, _) => trouble,
    }
}
