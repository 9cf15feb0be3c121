//! Turns the events of a flood into the rows of a timeline.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Ending, Row, Step, Timeline};
use load_generator::Event;

/// How many steps are recorded at most: enough for some 600,000 requests, in 32 megabytes.
const MOST_STEPS: usize = 2_000_000;

/// Records the events of a flood. After the first 2,000,000 steps it stops, and the picture says
/// so.
#[derive(Default)]
pub struct Recorder {
    /// If it isn't given, the time of the first event.
    began: Option<Instant>,
    clients: Vec<Client>,
    steps: usize,
    full_at: Option<Duration>,
}

/// A row whose kind isn't known yet.
#[derive(Clone)]
struct Client {
    steps: Vec<Step>,
    ending: Ending,
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
            Event::Entered { client, phase, at } => {
                let step = Step::entered(phase, self.time(at));
                self.add(client, step);
            }
            Event::Answered { client, .. } => {
                let step = Step::answered(self.time(Instant::now()));
                self.add(client, step);
            }
            Event::Closed { client, at } => {
                let at = self.time(at);
                self.end(client, Ending::Closed { at });
            }
            Event::Failed { client, failure } => {
                let at = self.time(Instant::now());
                self.end(client, Ending::Failed { at, failure: failure.clone() });
            }
            _ => {}
        }
    }

    /// The timeline of a flood that ended at the instant `ended`; `kind` returns the kind of a
    /// client.
    ///
    /// The most common kind comes last, below the few clients that it may have to wait for.
    pub fn finish(mut self, ended: Instant, kind: impl Fn(usize) -> &'static str) -> Timeline {
        let length = match self.full_at {
            Some(full_at) => full_at,
            None => self.time(ended),
        };
        let rows = self.clients.into_iter().enumerate();
        let mut rows: Vec<Row> = rows
            .map(|(number, Client { steps, ending })| Row {
                kind: kind(number),
                number,
                steps,
                ending,
            })
            .collect();
        let mut counts = HashMap::new();
        for row in &rows {
            *counts.entry(row.kind).or_insert(0_usize) += 1;
        }
        let commonest = counts.values().copied().max();
        rows.sort_by_key(|row| counts.get(row.kind).copied() == commonest);
        Timeline { rows, length, full_at: self.full_at }
    }

    fn time(&mut self, at: Instant) -> Duration {
        at.saturating_duration_since(*self.began.get_or_insert(at))
    }

    fn add(&mut self, number: usize, step: Step) {
        if self.full_at.is_some() {
            return;
        }
        if self.steps == MOST_STEPS {
            self.full_at = Some(step.at());
            return;
        }
        self.steps += 1;
        let steps = &mut self.client(number).steps;
        // A reply has the time at which it was reported, a moment after it came, and meanwhile its
        // client may have gone on.
        if let Some(last) = steps.last_mut() {
            last.nanoseconds = last.nanoseconds.min(step.nanoseconds);
        }
        steps.push(step);
    }

    fn end(&mut self, number: usize, ending: Ending) {
        if self.full_at.is_none() {
            self.client(number).ending = ending;
        }
    }

    fn client(&mut self, number: usize) -> &mut Client {
        if number >= self.clients.len() {
            let unknown = Client { steps: Vec::new(), ending: Ending::Open };
            self.clients.resize(number + 1, unknown);
        }
        &mut self.clients[number]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use load_generator::Phase;

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
        assert!(timeline.rows[0].ending.at().is_none(), "it isn't known how it went on");
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
