//! A server's event loop, its clients and its kernel.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use protocol::{Delay, PENDING_MAX};
use server_kit::{Connection, Deadlines, Journal, STOP_GRACE, Settings};

use crate::clients::{self, Client, LONGEST_DELAY, TURNS, Talk};
use crate::wire::{Script, Socket, Wire};

/// What happens next.
pub type Step = clients::Step<Event>;

/// What can happen to a loop that waits for readiness.
#[derive(Clone, Debug)]
pub enum Event {
    /// The loop turns, and the kernel reports what is ready.
    Turn,
    /// The kernel reports readiness that may not exist.
    Spurious { client: usize, readable: bool, writable: bool },
    /// This client resets its connection.
    Reset(usize),
}

pub struct Scene {
    settings: Settings,
    wires: Vec<Rc<RefCell<Wire>>>,
    /// `None` once it is closed.
    connections: Vec<Option<Connection<Socket>>>,
    deadlines: Deadlines,
    now: Instant,
    is_stopped: bool,
    journal: Journal,
}

impl Scene {
    pub fn new(settings: Settings, clients: &[(Client, Script)]) -> Self {
        let now = Instant::now();
        let wire = |(client, script): &(Client, Script)| {
            Rc::new(RefCell::new(Wire::new(Talk::new(&settings, client, now), script)))
        };
        let mut scene = Scene {
            wires: clients.iter().map(wire).collect(),
            connections: Vec::new(),
            deadlines: Deadlines::new(),
            now,
            is_stopped: false,
            journal: Journal::new(&settings),
            settings,
        };
        for (key, port) in (0..clients.len()).zip(1..) {
            let peer = SocketAddr::from(([127, 0, 0, 1], port));
            let (socket, journal) = (Socket::new(&scene.wires[key]), &mut scene.journal);
            let connection = Connection::new(socket, peer, &scene.settings, now, journal);
            scene.connections.push(Some(connection));
            scene.watch(key);
        }
        scene
    }

    pub fn take(&mut self, step: &Step) {
        let clients = self.wires.len();
        match *step {
            Step::Client(client, ref act) => {
                self.wires[client % clients].borrow_mut().talk.take(act);
            }
            Step::Wait(milliseconds) => self.wait(Duration::from_millis(milliseconds)),
            Step::Stop => self.stop(),
            Step::Event(Event::Turn) => drop(self.turn()),
            Step::Event(Event::Spurious { client, readable, writable }) => {
                self.connection_ready(client % clients, readable, writable);
            }
            Step::Event(Event::Reset(client)) => self.wires[client % clients].borrow_mut().reset(),
        }
    }

    /// Serves all connections that the kernel reports as ready; returns whether there were any. A
    /// connection that is reported and not served would be reported again, in turn after turn.
    fn turn(&mut self) -> bool {
        let mut events = Vec::new();
        for (key, connection) in self.connections.iter().enumerate() {
            let Some(connection) = connection else { continue };
            let (interest, wire) = (connection.interest(), self.wires[key].borrow());
            let (readable, writable) = wire.readiness();
            // A reset is reported even where there is no interest.
            let readable = readable && interest.readable || wire.is_reset();
            let writable = writable && interest.writable;
            if readable || writable {
                events.push((key, readable, writable));
            }
        }
        for &(key, readable, writable) in &events {
            let calls = |scene: &Scene| scene.wires[key].borrow().calls.values().sum::<u64>();
            let before = calls(self);
            self.connection_ready(key, readable, writable);
            assert!(calls(self) > before, "client {key} is ready, and nothing is done about it");
        }
        self.expire();
        !events.is_empty()
    }

    fn connection_ready(&mut self, key: usize, readable: bool, writable: bool) {
        let Some(connection) = &mut self.connections[key] else { return };
        if readable {
            connection.readable(self.now, &mut self.journal);
        }
        if writable {
            connection.writable(self.now, &mut self.journal);
        }
        self.watch(key);
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.wires.iter().for_each(|wire| wire.borrow_mut().talk.time_is(self.now));
        self.expire();
    }

    fn expire(&mut self) {
        while let Some(key) = self.deadlines.take_due(self.now) {
            if let Some(connection) = &mut self.connections[key] {
                connection.expire(self.now, &mut self.journal);
                self.watch(key);
            }
        }
        for (connection, wire) in self.connections.iter().zip(&self.wires) {
            let Some(connection) = connection else { continue };
            let deadline = connection.deadline();
            assert!(deadline.is_none_or(|end| end > self.now), "its deadline has passed");
            let is_idle = wire.borrow().talk.idle() >= self.settings.idle_timeout;
            assert!(self.has_delays() || !is_idle, "it is idle for too long");
        }
    }

    fn stop(&mut self) {
        if self.is_stopped {
            return;
        }
        self.is_stopped = true;
        let give_up = self.now + STOP_GRACE;
        for key in 0..self.connections.len() {
            if let Some(connection) = &mut self.connections[key] {
                self.wires[key].borrow_mut().talk.stop(give_up);
                connection.stop(self.now, give_up, &mut self.journal);
                self.watch(key);
            }
        }
    }

    fn watch(&mut self, key: usize) {
        let Some(connection) = &mut self.connections[key] else { return };
        if connection.is_over() {
            self.deadlines.forget(key);
            connection.report_end(&mut self.journal);
            self.connections[key] = None;
            self.check_end(&self.wires[key].borrow());
        } else {
            self.deadlines.watch(key, connection.deadline());
            self.check_interest(key);
        }
    }

    /// A poller would sleep, unless there is something to do.
    fn check_interest(&self, key: usize) {
        let Some(connection) = &self.connections[key] else { return };
        let (interest, wire) = (connection.interest(), self.wires[key].borrow());
        assert_eq!(wire.broken, None, "the connection is broken, and not over");
        let (talk, left) = (&wire.talk, wire.talk.left());
        assert!(left <= PENDING_MAX, "{left} bytes for one client");
        assert!(!interest.writable || left > 0, "there is nothing to send");
        assert_eq!(interest.readable, talk.more_is_wanted(), "whether it wants to read more");
        assert!(left > 0 || interest.readable, "it waits for nothing");
        let can_send = interest.writable || self.has_delays();
        assert!(can_send || left == 0, "it has no interest in sending");
        assert_eq!(talk.is_half_closed(), talk.is_lingered_for() && left == 0);
    }

    /// No connection ends too early.
    fn check_end(&self, wire: &Wire) {
        let is_complete = wire.talk.is_done() && wire.talk.left() == 0;
        let is_given_up = wire.talk.is_given_up(self.settings.idle_timeout);
        assert!(wire.broken.is_some() || is_complete || is_given_up, "it is closed too early");
    }

    fn has_delays(&self) -> bool {
        self.settings.delay != Delay::default()
    }

    /// Everything that is still on its way arrives, and all clients read.
    pub fn settle(&mut self) {
        self.wires.iter().for_each(|wire| wire.borrow_mut().talk.settle());
        let mut turns = 0..TURNS;
        while self.connections.iter().any(Option::is_some) {
            turns.next().expect("it turns without end");
            if !self.turn() {
                let next = self.deadlines.next().expect("it sleeps for ever");
                let sleep = next - self.now;
                assert!(self.has_delays() && sleep <= LONGEST_DELAY, "it sleeps, all is there");
                // Not one turn for each reply: there may be thousands of them.
                self.wait(sleep.max(Duration::from_millis(10)));
            }
        }
    }

    /// Every client has got all its replies, unless its connection broke, and the server's counters
    /// are right.
    pub fn check(self) {
        let mut calls = BTreeMap::from([("close", self.wires.len() as u64)]);
        let (mut requests, mut replies) = (0, 0);
        for wire in &self.wires {
            let wire = wire.borrow();
            for (name, times) in &wire.calls {
                *calls.entry(name).or_default() += times;
            }
            let (heard, got) = wire.talk.count();
            requests += heard;
            replies += got;
        }
        let counters = self.journal.into_counters();
        let counted = counters.calls().map(|(call, times)| (call.name(), times));
        assert_eq!(counted.collect::<BTreeMap<_, _>>(), calls);
        assert_eq!(counters.connections, self.wires.len() as u64);
        assert_eq!((counters.requests, counters.replies), (requests, replies));
    }
}
