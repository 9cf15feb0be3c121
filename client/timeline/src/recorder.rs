//! Turns the events of a flood into the rows of a timeline.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Row, Step, Timeline};
use load_generator::report::Failure;
use load_generator::{Event, Phase};

/// How many steps are recorded at most: enough for some 600,000 requests, in 32 megabytes.
const MOST_STEPS: usize = 2_000_000;

/// Records the events of a flood. After the first 2,000,000 steps it stops, and the picture says
/// so.
#[derive(Default)]
pub struct Recorder {
    /// If it isn't given, the time of the first event.
    began: Option<Instant>,
    /// A row for each client, whose kind isn't known yet.
    rows: Vec<Row>,
    steps: usize,
    full_at: Option<Duration>,
}

impl Recorder {
    /// A recorder whose times count from the first event.
    pub fn new() -> Self {
        Recorder::default()
    }

    /// A recorder whose times count from `began`, so that several floods can be in one timeline.
    pub fn since(began: Instant) -> Self {
        Recorder { began: Some(began), ..Recorder::default() }
    }

    /// Records an event. Call it with all events of the flood.
    pub fn watch(&mut self, event: &Event<'_>) {
        match *event {
            Event::Entered { client, phase, at } => self.add(client, at, Some(phase)),
            Event::Answered { client, .. } => self.add(client, Instant::now(), None),
            Event::Closed { client, at } => self.end(client, at, None),
            Event::Failed { client, failure } => self.end(client, Instant::now(), Some(failure)),
            _ => {}
        }
    }

    /// The timeline of a flood that ended at the instant `ended`; `kind` returns the kind of a
    /// client.
    ///
    /// The most common kind comes last, below the few clients that it may have to wait for.
    pub fn finish(mut self, ended: Instant, kind: impl Fn(usize) -> &'static str) -> Timeline {
        let length = self.full_at.unwrap_or_else(|| self.time(ended));
        let mut rows = self.rows;
        let mut counts = HashMap::new();
        for row in &mut rows {
            row.kind = kind(row.number);
            *counts.entry(row.kind).or_insert(0_usize) += 1;
        }
        let commonest = counts.values().copied().max();
        rows.sort_by_key(|row| counts.get(row.kind).copied() == commonest);
        Timeline { rows, length, full_at: self.full_at }
    }

    fn time(&mut self, at: Instant) -> Duration {
        at.saturating_duration_since(*self.began.get_or_insert(at))
    }

    /// A step of this client: it enters a phase or gets a reply.
    fn add(&mut self, client: usize, at: Instant, phase: Option<Phase>) {
        let at = self.time(at);
        if self.full_at.is_some() {
            return;
        }
        if self.steps == MOST_STEPS {
            self.full_at = Some(at);
            return;
        }
        self.steps += 1;
        let step = Step { phase, ..Step::answered(at) };
        let steps = &mut self.row(client).steps;
        // A reply has the time at which it was reported, a moment after it came, and meanwhile its
        // client may have gone on.
        if let Some(last) = steps.last_mut() {
            last.nanoseconds = last.nanoseconds.min(step.nanoseconds);
        }
        steps.push(step);
    }

    fn end(&mut self, client: usize, at: Instant, failure: Option<&Failure>) {
        let at = self.time(at);
        if self.full_at.is_none() {
            let row = self.row(client);
            (row.ended, row.failure) = (Some(at), failure.cloned());
        }
    }

    fn row(&mut self, number: usize) -> &mut Row {
        let row = |number| Row { kind: "", number, steps: Vec::new(), ended: None, failure: None };
        self.rows.extend((self.rows.len()..=number).map(row));
        &mut self.rows[number]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_takes_16_bytes() {
        assert_eq!(size_of::<Step>(), 16);
    }

    #[test]
    fn a_recording_that_gets_too_long_stops() {
        let began = Instant::now();
        let mut recorder = Recorder::since(began);
        let at = |steps: usize| began + Duration::from_micros(steps as u64);
        for step in 0..MOST_STEPS + 10 {
            let phase = Phase::Sending;
            recorder.watch(&Event::Entered { client: step % 2, phase, at: at(step) });
        }
        recorder.watch(&Event::Closed { client: 0, at: at(MOST_STEPS + 10) });
        let timeline = recorder.finish(at(MOST_STEPS + 20), |_| "prompt");
        assert_eq!(timeline.full_at, Some(at(MOST_STEPS) - began));
        assert_eq!(timeline.length, at(MOST_STEPS) - began);
        assert_eq!(timeline.rows.iter().map(|row| row.steps.len()).sum::<usize>(), MOST_STEPS);
        assert!(timeline.rows[0].ended.is_none(), "it isn't known how it went on");
    }

    #[test]
    fn the_commonest_kind_comes_last_and_each_by_number() {
        let began = Instant::now();
        let mut recorder = Recorder::since(began);
        for client in 0..6 {
            recorder.watch(&Event::Closed { client, at: began });
        }
        let kind = |number| ["prompt", "prompt", "slow"][number % 3];
        let rows = recorder.finish(began, kind).rows;
        let order: Vec<_> = rows.iter().map(|row| row.number).collect();
        assert_eq!(order, [2, 5, 0, 1, 3, 4]);
    }
}
