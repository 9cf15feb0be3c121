//! What a check works with: the server, and how patient the clients are.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use protocol::Protocol;

use super::matrix::Verdict;
use server_process::{Cost, ServerProcess};

/// The result of a check, or of a step of it: if all is well, perhaps a figure for the table;
/// otherwise the verdict with which the check ends.
pub(super) type CheckResult<T = Option<String>> = Result<T, Verdict>;

/// What to do if a command has started no server.
pub(super) const NOT_STARTED: &str = "\
    The command is wrong, or the server listens on another port than the one that replaces \
    {port}, or it needs more time to start (`--start-within 5m`). Run the command by itself, with \
    a number in place of {port}.";

/// What to do if no server is at an address.
pub(super) const NOT_THERE: &str = "\
    The server isn't running, or it listens on another address. Start it first, and compare the \
    address with the one that it prints when it starts.";

/// Ends a check with what happened, as a sentence without its full stop.
pub(super) fn broken<T>(what: impl Into<String>) -> CheckResult<T> {
    Err(Verdict::Broken { what: what.into(), way_out: None })
}

/// The same if no server was found, and what to do about it: [`NOT_STARTED`] or [`NOT_THERE`].
pub(super) fn not_found<T>(what: impl Into<String>, way_out: &'static str) -> CheckResult<T> {
    Err(Verdict::Broken { what: what.into(), way_out: Some(way_out) })
}

/// Ends a check that can't be tried.
pub(super) fn not_tried<T>(why: impl Into<String>) -> CheckResult<T> {
    Err(Verdict::NotTried { why: why.into() })
}

/// A server, and what its clients need to know.
pub(super) struct Fixture {
    pub(super) address: SocketAddr,
    pub(super) protocol: Protocol,
    /// How long to wait for a reply before it counts as missing.
    pub(super) patience: Duration,
    /// Its process, if it was started for this check.
    pub(super) process: Option<ServerProcess>,
}

impl Fixture {
    /// The server's process, for a check that can't do without.
    pub(super) fn process(&self) -> CheckResult<&ServerProcess> {
        let why =
            "the checker has to start the server itself: give its command instead of an address";
        self.process.as_ref().map_or_else(|| not_tried(why), Ok)
    }

    /// What the server has cost so far.
    pub(super) fn cost(&self) -> CheckResult<Cost> {
        let why = "on this system, the checker can't see how much time and memory a process uses";
        self.process()?.cost().map_or_else(|| not_tried(why), Ok)
    }

    /// What the server costs within this time.
    pub(super) fn cost_of(&self, window: Duration) -> CheckResult<Cost> {
        let before = self.cost()?;
        thread::sleep(window);
        let after = self.cost()?;
        // It can be less than before, if one of its processes has ended and wasn't waited for.
        Ok(Cost {
            processor_time: after.processor_time.saturating_sub(before.processor_time),
            waited: after.waited.saturating_sub(before.waited),
            resident: after.resident.saturating_sub(before.resident),
        })
    }

    /// Makes sure that the server sleeps while only what `meanwhile` says happens: it hardly runs,
    /// and hardly waits for a processor. It may have some work left at first, so it gets several
    /// windows to come to rest.
    pub(super) fn expect_sleep(&self, meanwhile: &str) -> CheckResult<()> {
        const WINDOW: Duration = Duration::from_millis(300);
        const BOUND: Duration = Duration::from_millis(60);
        let began = Instant::now();
        loop {
            let Cost { processor_time, waited, .. } = self.cost_of(WINDOW)?;
            if processor_time + waited <= BOUND {
                return Ok(());
            }
            if began.elapsed() >= self.patience {
                return broken(format!(
                    "the server used {processor_time:?} of processor time within {WINDOW:?}, \
                     while {meanwhile}"
                ));
            }
        }
    }
}
