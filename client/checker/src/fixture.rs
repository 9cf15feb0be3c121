//! What a check works with: the server, and how patient the clients are.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use protocol::Protocol;

use server_process::{Cost, ServerProcess};

/// The result of a check: if all is well, perhaps a figure for the table.
pub(super) type CheckResult<T = Option<String>> = Result<T, CheckFailure>;

/// Why a promise doesn't count as kept.
#[derive(Debug)]
pub(super) enum CheckFailure {
    /// It is broken: what happened, as a sentence without its full stop.
    Broken(String),
    /// No server was found: what happened, and what to do about it, [`NOT_STARTED`] or
    /// [`NOT_THERE`].
    Unmet(String, &'static str),
    /// It could not be tried: why not.
    NotTried(String),
}

/// What to do if a command has started no server.
pub(super) const NOT_STARTED: &str = "\
    The command is wrong, or the server listens on another port than the one that replaces \
    {port}, or it needs more time to start (`--start-within 5m`). Run the command by itself, with \
    a number in place of {port}.";

/// What to do if no server is at an address.
pub(super) const NOT_THERE: &str = "\
    The server isn't running, or it listens on another address. Start it first, and compare the \
    address with the one that it prints when it starts.";

impl CheckFailure {
    /// Adds to which client it happened, or when.
    pub(super) fn when(self, circumstances: &str) -> Self {
        match self {
            CheckFailure::Broken(what) => CheckFailure::Broken(format!("{what} ({circumstances})")),
            CheckFailure::Unmet(what, way_out) => {
                CheckFailure::Unmet(format!("{what} ({circumstances})"), way_out)
            }
            not_tried => not_tried,
        }
    }
}

/// Ends a check with what happened.
pub(super) fn broken<T>(what: impl Into<String>) -> CheckResult<T> {
    Err(CheckFailure::Broken(what.into()))
}

/// A server, and what its clients need to know.
pub(super) struct Fixture {
    pub(super) address: SocketAddr,
    pub(super) protocol: Protocol,
    /// How long to wait for a reply before it counts as missing.
    pub(super) patience: Duration,
    process: Option<ServerProcess>,
}

impl Fixture {
    /// For a server that is already running.
    pub(super) fn at(address: SocketAddr, protocol: Protocol, patience: Duration) -> Self {
        Fixture { address, protocol, patience, process: None }
    }

    /// For a server that was started for this check.
    pub(super) fn with(process: ServerProcess, protocol: Protocol, patience: Duration) -> Self {
        Fixture { address: process.address(), protocol, patience, process: Some(process) }
    }

    /// The server's process.
    pub(super) fn process(&self) -> CheckResult<&ServerProcess> {
        let why =
            "the checker has to start the server itself: give its command instead of an address";
        self.process.as_ref().ok_or_else(|| CheckFailure::NotTried(why.into()))
    }

    /// What the server has cost so far.
    pub(super) fn cost(&self) -> CheckResult<Cost> {
        let why = "on this system, the checker can't see how much time and memory a process uses";
        self.process()?.cost().ok_or_else(|| CheckFailure::NotTried(why.into()))
    }

    /// How the server has ended, if it has. If it is about to end, it gets a moment for that.
    pub(super) fn death(&self) -> Option<String> {
        const MOMENT: Duration = Duration::from_millis(200);
        let process = self.process.as_ref()?;
        process.wait(MOMENT);
        process.death()
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
}
