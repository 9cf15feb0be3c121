//! From a client's steps to the bars of its row.
//!
//! A bar narrower than a pixel can't be seen, and hundreds of thousands of bars make a file that no
//! browser can show. So short phases are joined with the next ones until they are wide enough
//! together. A joined bar has the colour of the phase that took longest, and its tooltip lists them
//! all.

use std::time::Duration;

use super::Row;
use super::axis::time_label;
use super::shapes::style;
use load_generator::Phase;

/// A stretch of a client's time, with one colour.
pub(super) struct Bar {
    pub(super) from: Duration,
    pub(super) to: Duration,
    /// How long each phase took, by its place in [`Phase::ALL`].
    took: [Duration; Phase::ALL.len()],
    /// How many replies came.
    replies: usize,
}

impl Bar {
    fn length(&self) -> Duration {
        self.to - self.from
    }

    fn join(&mut self, next: Bar) {
        self.to = next.to;
        self.replies += next.replies;
        for (took, more) in self.took.iter_mut().zip(next.took) {
            *took += more;
        }
    }

    /// Whether it stands for more than one phase.
    pub(super) fn is_joined(&self) -> bool {
        self.took.iter().filter(|took| !took.is_zero()).count() > 1
    }

    /// The phase that took longest.
    pub(super) fn phase(&self) -> Phase {
        let longest_first = |phase: &Phase| self.took[*phase as usize];
        // If all phases took no time, the last one counts.
        Phase::ALL.into_iter().max_by_key(longest_first).unwrap_or(Phase::Connecting)
    }

    /// What happened meanwhile, in words.
    pub(super) fn tooltip(&self, row: &Row) -> String {
        let took = Phase::ALL.into_iter().zip(self.took).filter(|(_, took)| !took.is_zero());
        let phases =
            took.map(|(phase, took)| format!("{} {}", style(phase).name, time_label(took)));
        let replies = match self.replies {
            0 => None,
            1 => Some("a reply".into()),
            replies => Some(format!("{replies} replies")),
        };
        let what = phases.chain(replies).collect::<Vec<_>>().join(", ");
        let (from, to) = (time_label(self.from), time_label(self.to));
        format!("{}: {what} (from {from} to {to})", row.client())
    }
}

/// The bars of a row that goes on until `end` at the latest. None of them is shorter than
/// `shortest` unless the whole row is.
pub(super) fn bars(row: &Row, end: Duration, shortest: Duration) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for bar in phases(row, end) {
        match bars.last_mut() {
            Some(last) if last.length() < shortest => last.join(bar),
            _ => bars.push(bar),
        }
    }
    if let Some(last) = bars.pop_if(|last| last.length() < shortest) {
        match bars.last_mut() {
            Some(before) => before.join(last),
            None => bars.push(last),
        }
    }
    bars
}

/// Each phase of a row, with the replies in it, as a separate bar.
fn phases(row: &Row, end: Duration) -> impl Iterator<Item = Bar> {
    let phases = || row.steps.chunk_by(|_, next| next.phase.is_none());
    let ends = phases().skip(1).map(|next| next[0].at()).chain([row.ended.unwrap_or(end)]);
    phases().zip(ends).filter_map(|(steps, to)| {
        let (phase, from) = (steps[0].phase?, steps[0].at());
        let to = to.max(from);
        let mut took = [Duration::ZERO; Phase::ALL.len()];
        took[phase as usize] = to - from;
        Some(Bar { from, to, took, replies: steps.len() - 1 })
    })
}

#[cfg(test)]
mod tests;
