//! A server's event loop, its clients and its kernel.

use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use protocol::{Delay, PENDING_MAX};
use server_kit::{Call, Deadlines, Journal, STOP_GRACE, Settings};

use crate::clients::{self, Client, LONGEST_DELAY, TURNS, Talk};
use crate::connection::Connection;
use crate::ring::{Completion, Ring};
use crate::wire::{Fate, Wire};

/// What happens next.
pub type Step = clients::Step<Event>;

/// What can happen to a loop that waits for completions.
#[derive(Clone, Debug)]
pub enum Event {
    /// The loop turns; the number decides which completion comes first.
    Turn(usize),
    /// The loop turns until it sleeps.
    Rest,
}

pub struct Scene {
    settings: Settings,
    ring: Ring,
    /// `None` once it is closed.
    connections: Vec<Option<Connection>>,
    /// Which connections are over, whether closed or not.
    is_over: Vec<bool>,
    touched: Vec<usize>,
    /// No connection broke or was given up.
    is_complete: bool,
    deadlines: Deadlines,
    now: Instant,
    is_stopped: bool,
    journal: Journal,
}

impl Scene {
    /// All connections share one socket, which is only there to be shut down.
    pub fn new(settings: Settings, clients: &[(Client, Vec<Fate>)], socket: &TcpStream) -> Self {
        let now = Instant::now();
        let wire = |(client, fates): &(Client, Vec<Fate>)| {
            Wire::new(Talk::new(&settings, client, now), fates)
        };
        let mut scene = Scene {
            ring: Ring::new(clients.iter().map(wire).collect()),
            connections: Vec::new(),
            is_over: vec![false; clients.len()],
            touched: Vec::new(),
            is_complete: true,
            deadlines: Deadlines::new(),
            now,
            is_stopped: false,
            journal: Journal::new(&settings),
            settings,
        };
        for (key, port) in (0..clients.len()).zip(1..) {
            let peer = SocketAddr::from(([127, 0, 0, 1], port));
            let (socket, journal) = (socket.try_clone().unwrap(), &mut scene.journal);
            let connection = Connection::new(socket, peer, &scene.settings, now, journal);
            scene.connections.push(Some(connection));
            scene.watch(key);
        }
        scene
    }

    pub fn take(&mut self, step: &Step) {
        let clients = self.connections.len();
        match *step {
            Step::Client(client, ref act) => self.ring.wires[client % clients].talk.take(act),
            Step::Wait(milliseconds) => self.wait(Duration::from_millis(milliseconds)),
            Step::Stop => self.stop(),
            Step::Event(Event::Turn(luck)) => drop(self.turn(luck)),
            Step::Event(Event::Rest) => {
                let sleeps = (0..TURNS).any(|luck| !self.turn(luck));
                assert!(sleeps, "it turns without end");
            }
        }
    }

    /// Returns whether anything has happened; otherwise the server sleeps on.
    fn turn(&mut self, luck: usize) -> bool {
        let done = self.ring.submit_and_wait(self.now, luck);
        let is_awake = done.is_some();
        self.answer(done.unwrap_or_default());
        is_awake
    }

    fn answer(&mut self, done: Vec<Completion>) {
        for completion in done {
            let (Completion::Received { key, .. } | Completion::Sent { key, .. }) = completion;
            let connection = self.connections[key].as_mut().expect("it was closed too early");
            match completion {
                Completion::Received { result, more, .. } => {
                    connection.received(result, more, self.now, &mut self.journal);
                }
                Completion::Sent { result, when, .. } => {
                    connection.sent(result, when, &mut self.journal);
                }
            }
            self.touched.push(key);
        }
        self.touched.sort_unstable();
        self.touched.dedup();
        mem::take(&mut self.touched).into_iter().for_each(|key| self.watch(key));
        while let Some(key) = self.deadlines.take_due(self.now) {
            if let Some(connection) = &mut self.connections[key] {
                connection.expire(self.now);
                self.watch(key);
            }
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.ring.wires.iter_mut().for_each(|wire| wire.talk.time_is(self.now));
        if self.deadlines.next().is_some_and(|end| end <= self.now) {
            let done = self.ring.wake(self.now, 0);
            self.answer(done);
            self.check_time();
        }
    }

    /// No connection outlives its time.
    fn check_time(&self) {
        for (key, wire) in self.ring.wires.iter().enumerate() {
            // A stopping server doesn't reply to what it has kept. How much that is can't be seen
            // from here, so we don't know whether it counts received bytes as movement.
            let is_idle_seen = !wire.talk.is_stopped() || wire.talk.left() == 0;
            let idle_timeout = self.settings.idle_timeout;
            let is_given_up =
                wire.talk.is_given_up(if is_idle_seen { idle_timeout } else { Duration::MAX });
            assert!(!is_given_up || self.is_over[key] || self.has_delays(), "it is open too long");
        }
    }

    fn stop(&mut self) {
        if self.is_stopped {
            return;
        }
        self.is_stopped = true;
        // The stop wakes the loop.
        let done = self.ring.wake(self.now, 0);
        self.answer(done);
        let give_up = self.now + STOP_GRACE;
        for key in 0..self.connections.len() {
            if let Some(connection) = &mut self.connections[key] {
                self.ring.wires[key].talk.stop(give_up);
                connection.stop(self.now, give_up);
                self.watch(key);
            }
        }
    }

    fn watch(&mut self, key: usize) {
        let Some(connection) = &mut self.connections[key] else { return };
        if !connection.is_over() {
            connection.go_on(key, self.now, &mut self.ring, &mut self.journal);
        }
        if !connection.is_over() {
            self.deadlines.watch(key, connection.deadline());
            self.check_operations(key);
            return;
        }
        self.deadlines.forget(key);
        let is_let_go = connection.let_go(&mut self.ring);
        // Until then, more bytes may come, which are discarded.
        if !mem::replace(&mut self.is_over[key], true) {
            self.check_end(key);
        }
        if is_let_go && let Some(connection) = self.connections[key].take() {
            connection.close(&mut self.ring, &mut self.journal);
        }
    }

    /// Checks that operations are in flight for whatever may happen next.
    fn check_operations(&mut self, key: usize) {
        let (receives, sends) = (self.ring.receives(key), self.ring.sends(key));
        let goes_on = self.ring.goes_on_receiving(key);
        let has_delays = self.has_delays();
        let talk = &mut self.ring.wires[key].talk;
        let left = talk.left();
        // A stopping server doesn't reply to what it has kept, and how much that is can't be seen
        // from here: `check` makes sure that nothing else is missing.
        assert!(left == 0 || sends || has_delays || receives && talk.is_stopped(), "{left} left");
        // If that is more than the conversation has room for, it keeps some and wants no more.
        let keeps_some = left > PENDING_MAX && !talk.is_stopped();
        assert!(!keeps_some || !goes_on, "{left} left, and it receives more");
        if left == 0 && !sends {
            assert!(receives, "it waits for nothing");
            if talk.is_lingered_for() && !talk.is_half_closed() {
                talk.half_close();
            }
        }
    }

    /// No connection ends too early.
    fn check_end(&mut self, key: usize) {
        let Wire { talk, broken, .. } = &self.ring.wires[key];
        let is_complete = talk.is_done() && (talk.is_stopped() || talk.left() == 0);
        let is_excused = broken.is_some() || talk.is_given_up(self.settings.idle_timeout);
        assert!(is_complete || is_excused, "it is closed too early");
        self.is_complete &= !is_excused;
    }

    fn has_delays(&self) -> bool {
        self.settings.delay != Delay::default()
    }

    /// Everything that is still on its way arrives, and all clients read.
    pub fn settle(&mut self) {
        self.ring.wires.iter_mut().for_each(|wire| wire.talk.settle());
        let mut turns = 0..TURNS;
        while self.connections.iter().any(Option::is_some) {
            let luck = turns.next().expect("it turns without end");
            if !self.turn(luck) {
                let next = self.deadlines.next().expect("it sleeps for ever");
                let sleep = next - self.now;
                assert!(self.has_delays() && sleep <= LONGEST_DELAY, "it sleeps, all is there");
                // Not one turn for each reply: there may be thousands of them.
                self.wait(sleep.max(Duration::from_millis(10)));
            }
        }
    }

    /// The server's counters are right.
    pub fn check(self) {
        let talks = || self.ring.wires.iter().map(|wire| &wire.talk);
        let counters = self.journal.into_counters();
        let (requests, replies) = talks()
            .map(Talk::count)
            .fold((0, 0), |(requests, replies), (heard, got)| (requests + heard, replies + got));
        assert_eq!(counters.connections, talks().count() as u64);
        assert_eq!(counters.replies, replies);
        let requests = if self.is_complete { replies } else { requests };
        assert!((replies..=requests).contains(&counters.requests));
        if !self.is_stopped {
            let half_closed = talks().filter(|talk| talk.is_half_closed()).count();
            let shutdowns = counters.calls().find(|(call, _)| *call == Call::Shutdown);
            assert_eq!(shutdowns.map_or(0, |(_, times)| times), half_closed as u64);
        }
    }
}
