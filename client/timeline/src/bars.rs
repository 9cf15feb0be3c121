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
mod tests {
    use super::*;
    use crate::Step;

    const MS: Duration = Duration::from_millis(1);

    /// Connects, and then sends `requests` requests: each takes 1 ms to send and 9 ms to be
    /// answered.
    fn row(requests: u32) -> Row {
        let mut steps = vec![Step::entered(Phase::Connecting, MS)];
        for request in 0..requests {
            let begins = MS * (2 + 10 * request);
            steps.push(Step::entered(Phase::Sending, begins));
            steps.push(Step::entered(Phase::AwaitingReply, begins + MS));
            steps.push(Step::answered(begins + MS * 10));
        }
        let at = MS * (2 + 10 * requests);
        Row { kind: "prompt", number: 7, steps, ended: Some(at), failure: None }
    }

    #[test]
    fn wide_phases_are_bars_of_their_own() {
        let row = row(2);
        let tooltips: Vec<_> =
            bars(&row, MS * 99, MS).iter().map(|bar| bar.tooltip(&row)).collect();
        assert_eq!(
            tooltips,
            [
                "client 7 (prompt): connecting 1.00 ms (from 1.00 ms to 2.00 ms)",
                "client 7 (prompt): sending 1.00 ms (from 2.00 ms to 3.00 ms)",
                "client 7 (prompt): waiting for the reply 9.00 ms, a reply \
                 (from 3.00 ms to 12.0 ms)",
                "client 7 (prompt): sending 1.00 ms (from 12.0 ms to 13.0 ms)",
                "client 7 (prompt): waiting for the reply 9.00 ms, a reply \
                 (from 13.0 ms to 22.0 ms)",
            ]
        );
    }

    #[test]
    fn however_many_are_joined_nothing_is_lost() {
        let row = row(100);
        for shortest in [1, 2, 5, 10, 30, 300, 3000].map(|times| MS * times) {
            let bars = bars(&row, MS * 2000, shortest);
            let took = |phase: Phase| bars.iter().map(|bar| bar.took[phase as usize]).sum();
            let took: [Duration; 3] =
                [Phase::Connecting, Phase::Sending, Phase::AwaitingReply].map(took);
            assert_eq!(took, [MS, MS * 100, MS * 900]);
            assert_eq!(bars.iter().map(|bar| bar.replies).sum::<usize>(), 100);
            assert!(bars.windows(2).all(|pair| pair[0].to == pair[1].from));
            assert_eq!((bars[0].from, bars[bars.len() - 1].to), (MS, MS * 1002));
            assert!(bars.len() == 1 || bars.iter().all(|bar| bar.length() >= shortest));
        }
    }

    #[test]
    fn a_joined_bar_is_of_the_phase_that_took_longest() {
        let row = row(100);
        let joined = &bars(&row, MS, MS * 3000)[0];
        assert!(joined.is_joined());
        assert_eq!(joined.phase(), Phase::AwaitingReply);
        assert_eq!(
            joined.tooltip(&row),
            "client 7 (prompt): connecting 1.00 ms, sending 100 ms, waiting for the reply \
             900 ms, 100 replies (from 1.00 ms to 1.00 s)"
        );
    }

    #[test]
    fn an_open_row_goes_on_to_the_end() {
        let open = Row { ended: None, ..row(1) };
        assert_eq!(bars(&open, MS * 50, MS).last().unwrap().to, MS * 50);
        let unopened = Row { steps: Vec::new(), ..open };
        assert!(bars(&unopened, MS * 50, MS).is_empty());
    }
}
