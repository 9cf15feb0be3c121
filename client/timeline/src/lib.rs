//! Timelines: what each client went through, as a picture.
//!
//! A row for each connection, time to the right, a colour for each phase. Under a server
//! that serves one connection at a time the replies are a staircase; under an event loop
//! they are a wall.
//!
//! ```no_run
//! use timeline::{Picture, Recorder};
//! use load_generator::{Crowd, flood};
//! use std::ops::ControlFlow;
//! use std::time::Instant;
//!
//! let crowd = Crowd::default();
//! let address = protocol::DEFAULT_ADDRESS.parse().unwrap();
//! let mut recorder = Recorder::new();
//! flood(address, &crowd, &mut |event| {
//!     recorder.watch(event);
//!     ControlFlow::Continue(())
//! })?;
//! let timeline = recorder.finish(Instant::now(), |_client| "prompt");
//! let picture = Picture { title: "20 clients".into(), ..Picture::default() };
//! std::fs::write("timeline.svg", picture.svg(&timeline))?;
//! # std::io::Result::Ok(())
//! ```
//!
//! Read in this order: `recorder` turns events into rows; `bars` makes bars of steps, and joins
//! those that are too narrow to be seen; `axis` says where an instant is in the picture; `plot`
//! chooses the rows that are shown; `legend` explains what occurs in them; `picture` puts everything
//! in its place, as `shapes` with their colours; `replay` animates it. What all pictures share is
//! in the package `drawing`.

#![forbid(unsafe_code)]

mod axis;
mod bars;
mod legend;
mod picture;
mod plot;
mod recorder;
mod replay;
mod shapes;

pub use picture::Picture;
pub use recorder::Recorder;

use std::time::Duration;

use load_generator::Phase;
use load_generator::report::Failure;

/// What the clients of a flood, or of several at once, went through. All times count from the same
/// beginning.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// A row for each client. Those of a kind are drawn together, and rows and kinds are drawn in
    /// this order.
    pub rows: Vec<Row>,
    /// Its length. A row that hasn't ended goes on until then.
    pub length: Duration,
    /// When the recording stopped because it was full.
    pub full_at: Option<Duration>,
}

impl Timeline {
    /// Adds the rows of another timeline with the same beginning below those of this one.
    pub fn append(&mut self, mut other: Timeline) {
        self.rows.append(&mut other.rows);
        self.length = self.length.max(other.length);
        self.full_at = [self.full_at, other.full_at].into_iter().flatten().min();
    }
}

/// What one client went through.
#[derive(Clone, Debug)]
pub struct Row {
    /// The kind of client, for example "dribbling".
    pub kind: &'static str,
    /// Its number in its flood.
    pub number: usize,
    /// What it did and what it received, in order.
    pub steps: Vec<Step>,
    /// When it ended, well or not. `None` if that was after the recording.
    pub ended: Option<Duration>,
    /// What went wrong, if it didn't end well.
    pub failure: Option<Failure>,
}

impl Row {
    /// The client in words.
    fn client(&self) -> String {
        format!("client {} ({})", self.number, self.kind)
    }

    /// When each reply came.
    fn replies(&self) -> impl Iterator<Item = Duration> {
        self.steps.iter().filter(|step| step.phase.is_none()).map(|step| step.at())
    }
}

/// A client enters a phase or gets a reply. It takes 16 bytes, because there may be millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Enough for 584 years.
    nanoseconds: u64,
    /// The phase that is entered; a reply has come if it is `None`.
    pub phase: Option<Phase>,
}

impl Step {
    /// The client enters a phase.
    pub fn entered(phase: Phase, at: Duration) -> Self {
        Step { phase: Some(phase), ..Step::answered(at) }
    }

    /// A whole reply has come.
    pub fn answered(at: Duration) -> Self {
        Step { nanoseconds: u64::try_from(at.as_nanos()).unwrap_or(u64::MAX), phase: None }
    }

    /// When.
    pub fn at(self) -> Duration {
        Duration::from_nanos(self.nanoseconds)
    }
}
