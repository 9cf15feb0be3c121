//! Runs checks: which of them side by side, what becomes of a server that dies, and what
//! follows from what.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use protocol::Protocol;

use super::checks::{ALL, Check};
use super::matrix::{Cell, Column, Matrix, Verdict};
use super::process::ServerProcess;
use super::scene::{Attempt, Scene, Trouble};
use super::subject::{Kind, Subject};
use super::system;

/// How many light checks run at the same time. They mostly wait for what must not happen, so
/// even two cores are not busy with them; more would make slow languages late.
const SIDE_BY_SIDE: usize = 4;

/// What is tried, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The checks, in the order in which they are told.
    pub checks: Vec<&'static Check>,
    /// What is spoken.
    pub protocol: Protocol,
    /// How long an answer may take before it is taken as not coming.
    pub patience: Duration,
}

impl Plan {
    /// Everything that makes sense in `protocol`, with clients that wait for two seconds.
    pub fn all(protocol: Protocol) -> Self {
        let checks = ALL.iter().filter(|check| check.is_for(protocol)).collect();
        Plan { checks, protocol, patience: Duration::from_secs(2) }
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
pub fn run(subjects: &[Subject], plan: &Plan, progress: &(dyn Fn(Progress) + Sync)) -> Matrix {
    // Should it fail, there are fewer descriptors, and the check that needs many says so.
    rlimit::increase_nofile_limit(u64::MAX).ok();
    let run = Run { subjects, plan, progress, done: AtomicUsize::new(0) };
    let mut columns: Vec<Column> = subjects.iter().map(|it| Column::new(it.to_string())).collect();

    // The first check comes first: if it fails, all others would only take their time.
    let (first, rest): (Vec<_>, Vec<_>) =
        plan.checks.iter().copied().partition(|check| check.needs.is_empty());
    run.side_by_side(&mut columns, &first);
    run.side_by_side(&mut columns, &rest);
    for column in &mut columns {
        column.sort_out(&plan.checks);
    }
    Matrix { protocol: plan.protocol, columns }
}

struct Run<'a> {
    subjects: &'a [Subject],
    plan: &'a Plan,
    progress: &'a (dyn Fn(Progress) + Sync),
    done: AtomicUsize,
}

/// What one thread does in one go.
struct Job {
    subject: usize,
    checks: Vec<&'static Check>,
}

impl Run<'_> {
    /// Runs these checks on every subject that has failed none so far. The heavy ones have a
    /// thread for themselves: no two of them disturb each other.
    fn side_by_side(&self, columns: &mut [Column], checks: &[&'static Check]) {
        let mut light = Vec::new();
        let mut heavy = Vec::new();
        for (subject, column) in columns.iter().enumerate() {
            if column.is_hopeless() {
                continue;
            }
            match &self.subjects[subject].kind {
                Kind::Address(_) => light.push(Job { subject, checks: checks.to_vec() }),
                Kind::Command(_) => {
                    for &check in checks {
                        let queue = if check.is_heavy { &mut heavy } else { &mut light };
                        queue.push(Job { subject, checks: vec![check] });
                    }
                }
            }
        }
        let light = Mutex::new(light.into_iter());
        let heavy = Mutex::new(heavy.into_iter());
        let cells = Mutex::new(Vec::new());
        let work = |queue: &Mutex<std::vec::IntoIter<Job>>| {
            // Locked for no longer than it takes to get the next one.
            let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            while let Some(job) = next() {
                let began = Instant::now();
                let done = self.perform(&job);
                let mut cells = cells.lock().unwrap_or_else(PoisonError::into_inner);
                cells.push((job.subject, done, began.elapsed()));
            }
        };
        thread::scope(|scope| {
            for _ in 0..SIDE_BY_SIDE {
                scope.spawn(|| work(&light));
            }
            work(&heavy);
        });
        for (subject, done, took) in cells.into_inner().unwrap_or_else(PoisonError::into_inner) {
            columns[subject].add(done, took);
        }
    }

    fn perform(&self, job: &Job) -> Vec<Cell> {
        let mut cells = Vec::new();
        for &check in &job.checks {
            let attempt = match &self.subjects[job.subject].kind {
                Kind::Command(words) => self.try_command(check, words),
                Kind::Address(address) => self.try_address(check, address),
            };
            cells.push(Cell { check, verdict: Verdict::of(attempt) });
            let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
            let all = self.subjects.len() * self.plan.checks.len();
            (self.progress)(Progress { done, all, check });
        }
        cells
    }

    /// Starts a server for this check, and tries it.
    fn try_command(&self, check: &Check, words: &[String]) -> Attempt {
        let Plan { protocol, patience, .. } = *self.plan;
        let process = match check.descriptor_limit {
            None => ServerProcess::start(words).map_err(Trouble::Broken)?,
            Some(limit) => {
                let why = || Trouble::NotTried("descriptors can't be limited here".into());
                let limited = system::with_descriptor_limit(words, limit).ok_or_else(why)?;
                let why = |what| format!("with {limit} descriptors it does not even start: {what}");
                ServerProcess::start(&limited).map_err(|what| Trouble::NotTried(why(what)))?
            }
        };
        let scene = Scene::with(process, protocol, patience);
        try_at(check, &scene)
    }

    fn try_address(&self, check: &Check, address: &str) -> Attempt {
        let Plan { protocol, patience, .. } = *self.plan;
        let address = resolve(address, patience).map_err(Trouble::Broken)?;
        if check.descriptor_limit.is_some() {
            let why = "the checker must have started the server: give its command instead of an \
                       address";
            return Err(Trouble::NotTried(why.into()));
        }
        try_at(check, &Scene::at(address, protocol, patience))
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

/// Whatever the clients have seen: if the server has died, that is what happened.
fn blame_death(trouble: Trouble, scene: &Scene) -> Trouble {
    match (trouble, scene.death()) {
        (Trouble::Broken(seen), Some(death)) => {
            Trouble::Broken(format!("{death} (what the client saw: {seen})"))
        }
        (trouble, _) => trouble,
    }
}

/// A name can stand for several addresses: the first is taken where somebody listens.
fn resolve(address: &str, patience: Duration) -> Result<SocketAddr, String> {
    let addresses = address
        .to_socket_addrs()
        .map_err(|error| format!("can't find the host of `{address}`: {error}"))?;
    let mut nobody = format!("`{address}` has no address");
    let mut found = Vec::new();
    for address in addresses {
        found.push(address);
    }
    if let [only] = found[..] {
        return Ok(only);
    }
    for address in found {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(_) => return Ok(address),
            Err(error) => nobody = format!("can't connect to {address}: {error}"),
        }
    }
    Err(nobody)
}
