//! Everything worth telling passes through here: into the report, and to whoever watches.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::{Happening, TICK};
use crate::phase::Phase;
use crate::report::{Failure, Report};

/// The report as far as it goes, and the one who watches.
pub(super) struct Record<'a> {
    pub(super) report: Report,
    watch: &'a mut dyn FnMut(&Happening<'_>) -> ControlFlow<()>,
    began: Instant,
    /// When anything last came about on any connection.
    pub(super) last_moved: Instant,
    pub(super) next_tick: Instant,
    is_ended: bool,
}

impl<'a> Record<'a> {
    pub(super) fn new(
        report: Report,
        watch: &'a mut dyn FnMut(&Happening<'_>) -> ControlFlow<()>,
    ) -> Self {
        let now = Instant::now();
        Record {
            report,
            watch,
            began: now,
            last_moved: now,
            next_tick: now + TICK,
            is_ended: false,
        }
    }

    pub(super) fn entered(&mut self, client: usize, phase: Phase, at: Instant) {
        self.tell(&Happening::Entered { client, phase, at });
    }

    pub(super) fn connected(&mut self, client: usize, after: Duration, now: Instant) {
        self.last_moved = now;
        self.report.connected += 1;
        self.report.connect.record(after);
        self.tell(&Happening::Connected { client, after });
    }

    pub(super) fn wrote(&mut self, now: Instant) {
        self.last_moved = now;
    }

    pub(super) fn received(&mut self, client: usize, bytes: &[u8], now: Instant) {
        self.last_moved = now;
        self.tell(&Happening::Received { client, bytes });
    }

    pub(super) fn answered(&mut self, client: usize, after: Duration) {
        self.report.answered += 1;
        self.report.reply.record(after);
        self.tell(&Happening::Answered { client, after });
    }

    pub(super) fn failed(&mut self, client: usize, failure: &Failure) {
        self.last_moved = Instant::now();
        self.report.errors.add(client, failure);
        self.tell(&Happening::Failed { client, failure });
    }

    pub(super) fn closed(&mut self, client: usize, at: Instant) {
        self.tell(&Happening::Closed { client, at });
    }

    pub(super) fn tick(&mut self, now: Instant) {
        if self.next_tick <= now {
            self.next_tick = now + TICK;
            self.tell(&Happening::Tick);
        }
    }

    /// Ends the flood, whatever is still to be done.
    pub(super) fn end(&mut self) {
        self.is_ended = true;
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    pub(super) fn finish(mut self) -> Report {
        self.report.elapsed = self.began.elapsed();
        self.report
    }

    fn tell(&mut self, happening: &Happening<'_>) {
        if self.report.ended_early {
            return; // whoever broke it off wants to hear no more
        }
        if (self.watch)(happening).is_break() {
            self.report.ended_early = true;
            self.end();
        }
    }
}
