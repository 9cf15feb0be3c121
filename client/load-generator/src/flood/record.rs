//! Everything that happens is recorded here in the report, and passed on to `watch`.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::schedule::after;
use super::{Client, Event, TICK};
use crate::report::{Failure, KindReport, Report};

/// The report so far, and the function that watches the flood.
pub(super) struct Record<'a> {
    pub(super) report: Report,
    watch: &'a mut dyn FnMut(&Event<'_>) -> ControlFlow<()>,
    /// Since when the crowd sends requests; `None` if it hasn't begun.
    pub(super) sending_since: Option<Instant>,
    /// When anything last happened on any connection.
    pub(super) last_moved: Instant,
    pub(super) next_tick: Instant,
}

/// How long a reply took, by two clocks that differ only in an open loop.
#[derive(Clone, Copy)]
pub struct Latency {
    /// Since the last byte of the request was sent.
    pub since_sent: Duration,
    /// Since the request was due by the schedule (see [`Crowd::rate`]).
    /// Without a schedule, the same as `since_sent`.
    pub since_due: Duration,
}

impl<'a> Record<'a> {
    pub(super) fn new(
        report: Report,
        watch: &'a mut dyn FnMut(&Event<'_>) -> ControlFlow<()>,
        now: Instant,
    ) -> Self {
        Record { report, watch, sending_since: None, last_moved: now, next_tick: now + TICK }
    }

    /// Until when the crowd sends requests; `None` if their number is fixed instead.
    pub(super) fn sending_until(&self) -> Option<Instant> {
        Some(after(self.warmed_up()?, self.report.crowd.duration?))
    }

    /// Whether the latency of a request that was due then is measured.
    pub(super) fn is_measured(&self, due: Instant) -> bool {
        self.warmed_up().is_some_and(|warm| due >= warm)
    }

    fn warmed_up(&self) -> Option<Instant> {
        Some(after(self.sending_since?, self.report.crowd.warm_up))
    }

    pub(super) fn connected(&mut self, client: Client, after: Duration, now: Instant) {
        self.last_moved = now;
        self.report.connected += 1;
        self.report.connect.record(after);
        self.notify(&Event::Connected { client: client.number });
    }

    /// A client has sent a request, and how many it sends wasn't known in advance.
    pub(super) fn requested(&mut self, client: Client) {
        self.report.requests += 1;
        self.part(client).requests += 1;
    }

    /// In an open loop: the client itself sent the request that was `due` then late, `by` this
    /// time.
    pub(super) fn sent_late(&mut self, due: Instant, by: Duration) {
        let is_measured = self.is_measured(due);
        if let Some(open_loop) = self.report.open_loop.as_mut().filter(|_| is_measured) {
            open_loop.sent_late.record(by);
        }
    }

    pub(super) fn received(&mut self, client: Client, bytes: &[u8], now: Instant) {
        self.last_moved = now;
        self.notify(&Event::Received { client: client.number, bytes });
    }

    pub(super) fn answered(&mut self, client: Client, latency: Option<Latency>) {
        self.report.answered += 1;
        self.part(client).answered += 1;
        if let Some(latency) = latency {
            self.part(client).reply.record(latency.since_sent);
            self.report.reply.record(latency.since_sent);
            if let Some(open_loop) = &mut self.report.open_loop {
                open_loop.reply_since_due.record(latency.since_due);
            }
        }
        self.notify(&Event::Answered { client: client.number });
    }

    /// A request that was sent (then `since_sent` is known) or only due is given up.
    pub(super) fn unanswered(
        &mut self,
        client: Client,
        since_sent: Option<Duration>,
        since_due: Option<Duration>,
    ) {
        if let Some(waited) = since_sent {
            self.part(client).reply.record_unanswered(waited);
            self.report.reply.record_unanswered(waited);
        }
        if let (Some(waited), Some(open_loop)) = (since_due, &mut self.report.open_loop) {
            open_loop.reply_since_due.record_unanswered(waited);
        }
    }

    pub(super) fn failed(&mut self, client: Client, failure: &Failure) {
        self.last_moved = Instant::now();
        self.part(client).failed += 1;
        self.report.errors.add(client.number, failure);
        self.notify(&Event::Failed { client: client.number, failure });
    }

    pub(super) fn tick(&mut self, now: Instant) {
        if self.next_tick <= now {
            self.next_tick = now + TICK;
            let report = &self.report;
            let ends = !report.ended_early && (self.watch)(&Event::Tick(report)).is_break();
            self.report.ended_early |= ends;
        }
    }

    /// The report's part on the clients of this kind. There is one for each kind in the crowd.
    fn part(&mut self, client: Client) -> &mut KindReport {
        let part = self.report.kinds.iter_mut().find(|part| part.kind == client.kind);
        part.expect("the report has a part for each kind of the crowd")
    }

    /// Passes an event on to `watch`, which isn't called any more once it has ended the flood.
    pub(super) fn notify(&mut self, event: &Event<'_>) {
        let ends = !self.report.ended_early && (self.watch)(event).is_break();
        self.report.ended_early |= ends;
    }
}
