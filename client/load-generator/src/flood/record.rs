//! Everything that happens is recorded here in the report, and passed on to `watch`.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::{Client, Event, Latency, TICK};
use crate::phase::Phase;
use crate::report::{Failure, KindReport, Report};

/// The report so far, and the function that watches the flood.
pub(super) struct Record<'a> {
    pub(super) report: Report,
    watch: &'a mut dyn FnMut(&Event<'_>) -> ControlFlow<()>,
    began: Instant,
    /// When the crowd began to send requests.
    asks_from: Option<Instant>,
    /// When anything last happened on any connection.
    pub(super) last_moved: Instant,
    pub(super) next_tick: Instant,
    is_ended: bool,
}

impl<'a> Record<'a> {
    pub(super) fn new(
        report: Report,
        watch: &'a mut dyn FnMut(&Event<'_>) -> ControlFlow<()>,
    ) -> Self {
        let now = Instant::now();
        Record {
            report,
            watch,
            began: now,
            asks_from: None,
            last_moved: now,
            next_tick: now + TICK,
            is_ended: false,
        }
    }

    /// The crowd sends requests from now on.
    pub(super) fn begin_asking(&mut self) {
        self.asks_from = Some(Instant::now());
    }

    /// Since when the crowd sends requests; `None` if it hasn't begun.
    pub(super) fn asks_from(&self) -> Option<Instant> {
        self.asks_from
    }

    /// Until when the crowd sends requests; `None` if their number is fixed instead.
    pub(super) fn asks_until(&self) -> Option<Instant> {
        self.warmed_up()?.checked_add(self.report.crowd.duration?)
    }

    /// Whether the latency of a request that was due then is measured.
    pub(super) fn is_measured(&self, due: Instant) -> bool {
        self.warmed_up().is_some_and(|warm| due >= warm)
    }

    fn warmed_up(&self) -> Option<Instant> {
        self.asks_from?.checked_add(self.report.crowd.warm_up)
    }

    pub(super) fn entered(&mut self, client: Client, phase: Phase, at: Instant) {
        self.notify(&Event::Entered { client: client.number, phase, at });
    }

    pub(super) fn connected(&mut self, client: Client, after: Duration, now: Instant) {
        self.last_moved = now;
        self.report.connected += 1;
        self.report.connect.record(after);
        self.notify(&Event::Connected { client: client.number, after });
    }

    /// A client has sent requests whose number wasn't known in advance.
    pub(super) fn asked(&mut self, client: Client, requests: usize) {
        self.report.asked += requests as u64;
        self.part(client).asked += requests as u64;
    }

    /// In an open loop: the client itself sent the request that was `due` then late, `by` this
    /// time.
    pub(super) fn sent_late(&mut self, due: Instant, by: Duration) {
        let is_measured = self.is_measured(due);
        if let Some(open_loop) = &mut self.report.open_loop
            && is_measured
        {
            open_loop.sent_late.record(by);
        }
    }

    pub(super) fn wrote(&mut self, now: Instant) {
        self.last_moved = now;
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
        self.notify(&Event::Answered { client: client.number, latency });
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
        self.notify(&Event::Unanswered { client: client.number, since_sent, since_due });
    }

    pub(super) fn failed(&mut self, client: Client, failure: &Failure) {
        self.last_moved = Instant::now();
        self.part(client).failed += 1;
        self.report.errors.add(client.number, failure);
        self.notify(&Event::Failed { client: client.number, failure });
    }

    pub(super) fn closed(&mut self, client: Client, at: Instant) {
        self.notify(&Event::Closed { client: client.number, at });
    }

    pub(super) fn tick(&mut self, now: Instant) {
        if self.next_tick <= now {
            self.next_tick = now + TICK;
            self.notify(&Event::Tick);
        }
    }

    /// Ends the flood, whatever is left to do.
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

    /// The report's part on the clients of this kind. There is one for each kind in the crowd.
    fn part(&mut self, client: Client) -> &mut KindReport {
        let parts = &mut self.report.kinds;
        let index = parts.iter().position(|part| part.kind == client.kind);
        &mut parts[index.expect("the report has a part for each kind of the crowd")]
    }

    fn notify(&mut self, event: &Event<'_>) {
        if self.report.ended_early {
            return; // `watch` has ended the flood, and isn't called any more
        }
        if (self.watch)(event).is_break() {
            self.report.ended_early = true;
            self.end();
        }
    }
}
