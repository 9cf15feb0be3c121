//! Runs checks: which of them side by side, what becomes of a server that dies, and what
//! follows from what.

use std::io;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use protocol::Protocol;

use super::checks::{ALL, Check, Pace};
use super::matrix::{Cell, Column, Matrix, Verdict};
use super::scene::{Attempt, NOT_STARTED, NOT_THERE, Scene, Trouble};
use server_process::{NotStarted, START, lock};
use server_process::{ServerProcess, Target, TargetKind, resolve, with_descriptor_limit};

/// How many checks run at the same time. They mostly wait for what must not happen, so even two
/// cores are not busy with them; more would make slow languages late.
const SIDE_BY_SIDE: usize = 4;

/// How many of the heavy ones do, which keep a core busy for a while.
const HEAVY_SIDE_BY_SIDE: usize = 2;

/// What is tried, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The checks, in the order in which they are told.
    pub checks: Vec<&'static Check>,
    /// What is spoken.
    pub protocol: Protocol,
    /// How long an answer may take before it is taken as not coming.
    pub patience: Duration,
    /// How long a server that is started may take until it listens.
    pub start_within: Duration,
}

impl Plan {
    /// Everything that makes sense in `protocol`, with clients that wait for two seconds.
    pub fn all(protocol: Protocol) -> Self {
        let checks = ALL.iter().filter(|check| check.is_for(protocol)).collect();
        Plan { checks, protocol, patience: Duration::from_secs(2), start_within: START }
    }
}

/// How far a run is, told when a check is over.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// How many checks are over.
    pub done: usize,
    /// Of how many.
    pub all: usize,
    /// The one that is over now.
    pub check: &'static Check,
}

/// Tries every subject as planned.
///
/// Raises the process's soft limit of descriptors to the hard one, and so that of the servers
/// that it starts: one that could have 1024 descriptors at most would never be asked to watch
/// more than select(2) can.
pub fn run(subjects: &[Target], plan: &Plan, progress: &(dyn Fn(Progress) + Sync)) -> Matrix {
    // Should it fail, there are fewer descriptors, and the check that needs many says so.
    system::raise_descriptor_limit().ok();
    let run = Run { subjects, plan, progress, done: AtomicUsize::new(0) };
    let mut columns: Vec<Column> = subjects.iter().map(|it| Column::new(it.to_string())).collect();

    // First what everything else needs, then what takes little. What needs something that was
    // found broken by then is not tried: it would fail, and take its time for that.
    let (first, mut rest): (Vec<&Check>, Vec<&Check>) =
        plan.checks.iter().copied().partition(|check| check.needs.is_empty());
    rest.sort_by_key(|check| check.pace);
    let (heavy, light): (Vec<&Check>, Vec<&Check>) =
        rest.into_iter().partition(|check| check.pace == Pace::Heavy);
    run.one_after_the_other(&mut columns);
    run.side_by_side(&mut columns, &first, SIDE_BY_SIDE);
    run.side_by_side(&mut columns, &light, SIDE_BY_SIDE);
    run.side_by_side(&mut columns, &heavy, HEAVY_SIDE_BY_SIDE);
    for column in &mut columns {
        column.sort_out(&plan.checks);
    }
    Matrix { protocol: plan.protocol, columns }
}

struct Run<'a> {
    subjects: &'a [Target],
    plan: &'a Plan,
    progress: &'a (dyn Fn(Progress) + Sync),
    done: AtomicUsize,
}

impl Run<'_> {
    /// Runs all checks on each server that runs already: there is one for all of them.
    fn one_after_the_other(&self, columns: &mut [Column]) {
        for (subject, column) in self.subjects.iter().zip(columns) {
            let TargetKind::Address(address) = &subject.kind else { continue };
            let mut gone_after = None;
            for &check in &self.plan.checks {
                if column.has_broken(check.needs) {
                    continue;
                }
                let began = Instant::now();
                let verdict = match gone_after {
                    None => self.verdict(check, || self.try_address(check, address)),
                    Some(last) => Verdict::NotTried { why: format!("after {last} it was gone") },
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
        let connect = |address| TcpStream::connect_timeout(&address, self.plan.patience);
        let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        resolve(address, self.plan.patience)
            .is_ok_and(|address| connect(address).is_err_and(refused))
    }

    /// Runs these checks on every command, in so many threads.
    fn side_by_side(&self, columns: &mut [Column], checks: &[&'static Check], threads: usize) {
        let mut jobs = Vec::new();
        for (number, column) in columns.iter().enumerate() {
            if let TargetKind::Command(words) = &self.subjects[number].kind {
                let sensible = checks.iter().filter(|check| !column.has_broken(check.needs));
                jobs.extend(sensible.map(|&check| (number, check, words)));
            }
        }
        let jobs = Mutex::new(jobs.into_iter());
        let columns = Mutex::new(columns);
        let work = || {
            // Locked for no longer than it takes to get the next one.
            let next = || lock(&jobs).next();
            while let Some((number, check, words)) = next() {
                let began = Instant::now();
                let verdict = self.verdict(check, || self.try_command(check, words));
                lock(&columns)[number].add(Cell { check, verdict }, began.elapsed());
            }
        };
        thread::scope(|scope| {
            let start = |_: &usize| thread::Builder::new().spawn_scoped(scope, work).is_ok();
            // Where no thread is to be had, this one does it all, and takes longer.
            if (0..threads).take_while(start).count() == 0 {
                work();
            }
        });
    }

    fn verdict(&self, check: &'static Check, attempt: impl FnOnce() -> Attempt) -> Verdict {
        let verdict = Verdict::of(attempt());
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let all = self.subjects.len() * self.plan.checks.len();
        (self.progress)(Progress { done, all, check });
        verdict
    }

    /// Starts a server for this check, and tries it.
    fn try_command(&self, check: &Check, words: &[String]) -> Attempt {
        let Plan { protocol, patience, start_within, .. } = *self.plan;
        let start = |words: &[String]| ServerProcess::start(words, start_within);
        let process = match check.descriptor_limit {
            None => start(words).map_err(|NotStarted { why, is_ours }| match is_ours {
                true => Trouble::NotTried(why),
                false => Trouble::Unmet(why, NOT_STARTED),
            })?,
            Some(limit) => {
                let why = || Trouble::NotTried("descriptors can't be limited here".into());
                let limited = with_descriptor_limit(words, limit).ok_or_else(why)?;
                start(&limited).map_err(|NotStarted { why, .. }| {
                    let what = format!("with {limit} descriptors it does not even start");
                    Trouble::NotTried(format!("{what}: {why}"))
                })?
            }
        };
        let scene = Scene::with(process, protocol, patience);
        try_at(check, &scene)
    }

    fn try_address(&self, check: &Check, address: &str) -> Attempt {
        let Plan { protocol, patience, .. } = *self.plan;
        let address = resolve(address, patience).map_err(|what| Trouble::Unmet(what, NOT_THERE))?;
        let scene = Scene::at(address, protocol, patience);
        if check.descriptor_limit.is_some() {
            scene.process()?; // which can't be had, and it says why
        }
        try_at(check, &scene)
    }
}

/// The check itself; and afterwards the server must live, and answer anybody.
fn try_at(check: &Check, scene: &Scene) -> Attempt {
    let attempt = (check.attempt)(scene);
    if check.ends_server {
        return attempt;
    }
    let afterwards = match &attempt {
        Ok(_) => scene.ask_as_anybody().map_err(|why| why.when("a new client, after all this")),
        Err(_) => Ok(()),
    };
    match (attempt, afterwards) {
        (Ok(figure), Ok(())) => Ok(figure),
        (Err(trouble), _) | (Ok(_), Err(trouble)) => Err(blame_death(trouble, scene)),
    }
}

/// If the server has died, that is part of what happened, whatever its clients have seen.
fn blame_death(trouble: Trouble, scene: &Scene) -> Trouble {
    match (trouble, scene.death()) {
        (Trouble::Broken(seen) | Trouble::Unmet(seen, _), Some(death)) => {
            Trouble::Broken(format!("{seen}; {death}"))
        }
        (trouble, _) => trouble,
    }
}
