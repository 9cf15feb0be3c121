//! Where a check takes place: the server, and how patient its clients are.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use protocol::Protocol;

use super::visitor::Visitor;
use server_process::{Cost, ServerProcess};

/// What a check comes to: if all is well, perhaps a figure for the table.
pub(super) type Attempt<T = Option<String>> = Result<T, Trouble>;

/// Why a promise can't be said to be kept.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It is not: what happened, as a sentence without its full stop.
    Broken(String),
    /// It is not, for nobody was met who could keep it: what happened, and what to do about
    /// that, [`NOT_STARTED`] or [`NOT_THERE`].
    Unmet(String, &'static str),
    /// It can't be tried: why not.
    NotTried(String),
}

/// What to do where a command has started no server.
pub(super) const NOT_STARTED: &str = "The command is wrong, or the server listens on another port than the one in the place of \
     {port}, or it needs more time to start (`--start-within 5m`). Run the command by itself, \
     with a number in the place of {port}.";

/// What to do where nobody is at an address.
pub(super) const NOT_THERE: &str = "The server does not run, or it listens elsewhere. Start it first, and compare the address \
     with what it says when it starts.";

impl Trouble {
    /// The same, and to whom or beside what it happened.
    pub(super) fn when(self, circumstances: &str) -> Self {
        match self {
            Trouble::Broken(what) => Trouble::Broken(format!("{what} ({circumstances})")),
            Trouble::Unmet(what, way_out) => {
                Trouble::Unmet(format!("{what} ({circumstances})"), way_out)
            }
            not_tried => not_tried,
        }
    }
}

/// Ends a check with what happened.
pub(super) fn broken<T>(what: impl Into<String>) -> Attempt<T> {
    Err(Trouble::Broken(what.into()))
}

/// A server, and what its clients should know.
pub(super) struct Scene {
    pub(super) address: SocketAddr,
    pub(super) protocol: Protocol,
    /// How long an answer may take before it is taken as not coming.
    pub(super) patience: Duration,
    process: Option<ServerProcess>,
}

impl Scene {
    /// At a server that somebody else has started.
    pub(super) fn at(address: SocketAddr, protocol: Protocol, patience: Duration) -> Self {
        Scene { address, protocol, patience, process: None }
    }

    /// At a server that was started for this.
    pub(super) fn with(process: ServerProcess, protocol: Protocol, patience: Duration) -> Self {
        Scene { address: process.address(), protocol, patience, process: Some(process) }
    }

    /// The server's process.
    pub(super) fn process(&self) -> Attempt<&ServerProcess> {
        let why =
            "the checker must have started the server: give its command instead of an address";
        self.process.as_ref().ok_or_else(|| Trouble::NotTried(why.into()))
    }

    /// What the server has cost so far.
    pub(super) fn cost(&self) -> Attempt<Cost> {
        let why = "on this system the checker can't see what a process costs";
        self.process()?.cost().ok_or_else(|| Trouble::NotTried(why.into()))
    }

    /// How the server has ended, if it has. Who is about to is given a moment for it.
    pub(super) fn death(&self) -> Option<String> {
        const MOMENT: Duration = Duration::from_millis(200);
        let process = self.process.as_ref()?;
        process.wait(MOMENT);
        process.death()
    }

    /// Makes sure that the server sleeps while nothing happens but what `meanwhile` says: that
    /// it hardly ever runs, or would if others let it. What it does at first may be what was
    /// left to do, so it has several windows' time to come to rest.
    pub(super) fn expect_sleep(&self, meanwhile: &str) -> Attempt<()> {
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

    /// What the server costs within so long.
    pub(super) fn cost_of(&self, window: Duration) -> Attempt<Cost> {
        let before = self.cost()?;
        thread::sleep(window);
        let after = self.cost()?;
        // Less than before: one of its processes has ended, and nobody has waited for it.
        Ok(Cost {
            processor_time: after.processor_time.saturating_sub(before.processor_time),
            waited: after.waited.saturating_sub(before.waited),
            resident: after.resident.saturating_sub(before.resident),
        })
    }

    /// A client that does nothing special: connects, asks, gets its reply, leaves.
    pub(super) fn ask_as_anybody(&self) -> Attempt<()> {
        let mut visitor = Visitor::connect(self)?;
        visitor.ask()?;
        visitor.replies(1)?;
        visitor.leave();
        Ok(())
    }
}
