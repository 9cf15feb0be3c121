//! From what a flood tells while it goes on to the rows of a timeline.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Ending, Row, Step, Timeline};
use crate::flood::Happening;

/// How many steps are recorded at most: those of some 600,000 requests, in 32 megabytes.
const MOST_STEPS: usize = 2_000_000;

/// Records what a flood tells. What it tells after the first 2,000,000 steps is left out,
/// and the picture says so.
pub struct Recorder {
    began: Instant,
    clients: Vec<Client>,
    steps: usize,
    full_at: Option<Duration>,
}

/// A row whose kind nobody has told.
#[derive(Clone)]
struct Client {
    steps: Vec<Step>,
    ending: Ending,
}

impl Recorder {
    /// Every time counts from `began`, which is best taken just before the flood.
    pub fn new(began: Instant) -> Self {
        Recorder { began, clients: Vec::new(), steps: 0, full_at: None }
    }

    /// To be called with everything that the flood tells.
    pub fn watch(&mut self, happening: &Happening<'_>) {
        match *happening {
            Happening::Entered { client, phase, at } => {
                let step = Step::entered(phase, self.time(at));
                self.add(client, step);
            }
            Happening::Answered { client, .. } => {
                let step = Step::answered(self.time(Instant::now()));
                self.add(client, step);
            }
            Happening::Closed { client, at } => {
                let at = self.time(at);
                self.end(client, Ending::Closed { at });
            }
            Happening::Failed { client, failure } => {
                let at = self.time(Instant::now());
                self.end(client, Ending::Failed { at, failure: failure.clone() });
            }
            Happening::Connected { .. } | Happening::Received { .. } | Happening::Tick => {}
        }
    }

    /// The timeline of a flood that has ended at the instant `ended`; `kind` names the kind of
    /// a client.
    ///
    /// The commonest kind comes last: above it stand the few that it may have to wait for.
    pub fn finish(self, ended: Instant, kind: impl Fn(usize) -> &'static str) -> Timeline {
        let length = self.full_at.unwrap_or_else(|| self.time(ended));
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

    fn time(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.began)
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
        // A reply bears the time at which it was told, a moment after it came, and meanwhile
        // its client may have gone on.
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
