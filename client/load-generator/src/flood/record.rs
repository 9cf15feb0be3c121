//! Everything worth telling passes through here: into the report, and to whoever watches.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::{Client, Happening, Latency, TICK};
use crate::phase::Phase;
use crate::report::{Failure, Part, Report};

/// The report as far as it goes, and the one who watches.
pub(super) struct Record<'a> {
    pub(super) report: Report,
    watch: &'a mut dyn FnMut(&Happening<'_>) -> ControlFlow<()>,
    began: Instant,
    /// When the crowd was told to ask.
    asks_from: Option<Instant>,
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
            asks_from: None,
            last_moved: now,
            next_tick: now + TICK,
            is_ended: false,
        }
    }

    /// From now on the crowd asks.
    pub(super) fn begin_asking(&mut self) {
        self.asks_from = Some(Instant::now());
    }

    /// Since when the crowd asks; `None` if that is still to come.
    pub(super) fn asks_from(&self) -> Option<Instant> {
        self.asks_from
    }

    /// Until when it asks; `None` if it counts its requests instead.
    pub(super) fn asks_until(&self) -> Option<Instant> {
        self.warmed_up()?.checked_add(self.report.crowd.duration?)
    }

    /// Whether the latency of a request counts that was due then.
    pub(super) fn is_measured(&self, due: Instant) -> bool {
        self.warmed_up().is_some_and(|warm| due >= warm)
    }

    fn warmed_up(&self) -> Option<Instant> {
        self.asks_from?.checked_add(self.report.crowd.warm_up)
    }

    pub(super) fn entered(&mut self, client: Client, phase: Phase, at: Instant) {
        self.tell(&Happening::Entered { client: client.number, phase, at });
    }

    pub(super) fn connected(&mut self, client: Client, after: Duration, now: Instant) {
        self.last_moved = now;
        self.report.connected += 1;
        self.report.connect.record(after);
        self.tell(&Happening::Connected { client: client.number, after });
    }

    /// A client has asked what nobody could count on beforehand.
    pub(super) fn asked(&mut self, client: Client, requests: usize) {
        self.report.asked += requests as u64;
        self.part(client).asked += requests as u64;
    }

    /// In an open loop: a request that was `due` then went out so late by the client's own
    /// fault.
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
        self.tell(&Happening::Received { client: client.number, bytes });
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
        self.tell(&Happening::Answered { client: client.number, latency });
    }

    /// A request is given up that is sent (then `since_sent` is known) or was only due.
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
        self.tell(&Happening::Unanswered { client: client.number, since_sent, since_due });
    }

    pub(super) fn failed(&mut self, client: Client, failure: &Failure) {
        self.last_moved = Instant::now();
        self.part(client).failed += 1;
        self.report.errors.add(client.number, failure);
        self.tell(&Happening::Failed { client: client.number, failure });
    }

    pub(super) fn closed(&mut self, client: Client, at: Instant) {
        self.tell(&Happening::Closed { client: client.number, at });
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

    /// What is known of the clients of this kind. There is a part for each kind in the crowd.
    fn part(&mut self, client: Client) -> &mut Part {
        let parts = &mut self.report.kinds;
        let index = parts.iter().position(|part| part.kind == client.kind);
        &mut parts[index.expect("the report has a part for each kind of the crowd")]
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
