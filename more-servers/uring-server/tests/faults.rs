//! Whatever the kernel reports of a connection, and in whichever order: no reply is lost or
//! doubled, and nobody is forgotten.
//!
//! This is `src/connection.rs` over another ring: one that the test holds, and whose
//! completions a script decides. It sends all, a part, or nothing (EAGAIN), is interrupted
//! (EINTR), has no buffer left (ENOBUFS), breaks (ECONNRESET), ends a receive of its own accord,
//! and brings more than was asked for before it hears that it was cancelled. What is sent at
//! once and in full it tells only when something else wakes the loop, or the loop was in a hurry.
//! For event loops there is the same in `server-kit/tests/faults.rs`.
//!
//! ```text
//! cargo test -p uring-server --test faults
//! PROPTEST_CASES=1000000 cargo test --release -p uring-server --test faults
//! ```
//!
//! Left out: the ring itself, and the pool of buffers. `bench/tests/survival` has real ones.

#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use std::collections::VecDeque;
use std::env;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use clap::Parser;
use nix::errno::Errno;
use proptest::collection::vec;
use proptest::prelude::*;
use protocol::{Delay, PENDING_MAX, Protocol, REQUEST_MAX, TOO_LONG};
use server_kit::{Call, Deadlines, Journal, STOP_GRACE, Settings};

#[path = "../src/connection.rs"]
mod connection;

use connection::Connection;
use ring::{Completion, Ring};

/// How long the server waits, after its own last word, for a client to close.
const LINGER: Duration = Duration::from_secs(5);

/// More turns than the longest script and the longest stream take.
const TURNS: usize = 10_000;

/// No reply waits longer than this.
const LONGEST_DELAY: Duration = Duration::from_millis(100);

/// What the client must get, by the protocol's description: nothing clever. `heard` is what
/// the server has read of what it says.
fn owed(protocol: Protocol, heard: &[u8], ended: bool) -> Vec<u8> {
    if protocol == Protocol::OneShot {
        return if heard.is_empty() { Vec::new() } else { protocol.reply().to_vec() };
    }
    let mut owed = Vec::new();
    for line in heard.split_inclusive(|&byte| byte == b'\n') {
        if line.len() > REQUEST_MAX {
            owed.extend_from_slice(TOO_LONG);
            break;
        }
        if line.ends_with(b"\n") || ended {
            owed.extend_from_slice(protocol.reply());
        }
    }
    owed
}

/// What becomes of an operation.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// As much as there is.
    All,
    /// At most so many bytes.
    Short(usize),
    /// EAGAIN for a send that is to be done at once, ENOBUFS for a receive.
    NotNow,
    /// EINTR.
    Interrupted,
    /// A receive brings what there is, and nothing after it.
    Last,
    /// The connection is broken.
    Broken(Errno),
}

mod buffers {
    /// Bytes that have been received.
    pub(crate) struct Buffer(pub(crate) Vec<u8>);

    impl std::ops::Deref for Buffer {
        type Target = [u8];

        fn deref(&self) -> &[u8] {
            &self.0
        }
    }
}

/// The ring that the test holds.
mod ring {
    use std::rc::Rc;

    use super::buffers::Buffer;
    use super::*;

    /// The name of an operation, for as long as it is in flight.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct OperationId(usize);

    /// What the kernel has done for the connection with this key.
    pub(crate) enum Completion {
        Received { key: usize, result: io::Result<Option<Buffer>>, more: bool },
        Sent { key: usize, result: io::Result<usize> },
    }

    struct Operation {
        id: usize,
        key: usize,
        what: What,
        is_cancelled: bool,
        /// As the kernel does, so that nobody else can close it.
        _socket: Rc<TcpStream>,
    }

    enum What {
        Receive,
        Send(Vec<u8>),
        SendAtOnce(Vec<u8>),
        /// Sent at once and in full: so many bytes.
        SentAtOnce(usize),
    }

    pub(crate) struct Ring {
        pub(crate) wires: Vec<Wire>,
        in_flight: Vec<Operation>,
        started: usize,
        is_hurried: bool,
    }

    impl Ring {
        pub(crate) fn new(wires: Vec<Wire>) -> Self {
            Ring { wires, in_flight: Vec::new(), started: 0, is_hurried: false }
        }

        pub(crate) fn receive(&mut self, key: usize, socket: Rc<TcpStream>) -> OperationId {
            assert!(!self.receives(key), "it receives twice");
            assert!(!self.wires[key].end_is_heard, "there is nothing behind the end");
            self.start(key, What::Receive, socket)
        }

        pub(crate) fn send(
            &mut self,
            key: usize,
            socket: Rc<TcpStream>,
            bytes: &[u8],
        ) -> OperationId {
            self.look_at(key, bytes);
            self.start(key, What::Send(bytes.into()), socket)
        }

        pub(crate) fn send_at_once(
            &mut self,
            key: usize,
            socket: Rc<TcpStream>,
            bytes: &[u8],
        ) -> OperationId {
            self.look_at(key, bytes);
            self.start(key, What::SendAtOnce(bytes.into()), socket)
        }

        fn look_at(&self, key: usize, bytes: &[u8]) {
            assert!(!bytes.is_empty() && !self.sends(key), "it sends twice, or nothing");
            let Wire { owed, got, .. } = &self.wires[key];
            assert!(owed[got.len()..].starts_with(bytes), "that is not owed");
        }

        fn start(&mut self, key: usize, what: What, socket: Rc<TcpStream>) -> OperationId {
            assert_eq!(self.wires[key].broken, None, "the connection is broken");
            let id = self.started;
            self.started += 1;
            let operation = Operation { id, key, what, is_cancelled: false, _socket: socket };
            self.in_flight.push(operation);
            OperationId(id)
        }

        pub(crate) fn cancel(&mut self, OperationId(id): OperationId) {
            let operation = self.in_flight.iter_mut().find(|operation| operation.id == id);
            operation.expect("it is not in flight").is_cancelled = true;
        }

        pub(crate) fn hurry(&mut self) {
            self.is_hurried = true;
        }

        pub(crate) fn close(&mut self, socket: Rc<TcpStream>) {
            assert!(Rc::into_inner(socket).is_some(), "something is in flight");
        }

        pub(crate) fn receives(&self, key: usize) -> bool {
            self.in_flight.iter().any(|it| it.key == key && matches!(it.what, What::Receive))
        }

        pub(crate) fn goes_on_receiving(&self, key: usize) -> bool {
            let receive = |it: &&Operation| it.key == key && matches!(it.what, What::Receive);
            self.in_flight.iter().find(receive).is_some_and(|receive| !receive.is_cancelled)
        }

        pub(crate) fn sends(&self, key: usize) -> bool {
            self.in_flight.iter().any(|it| it.key == key && !matches!(it.what, What::Receive))
        }

        /// Hands everything over, and waits. Returns what has been done; `None` if nothing has,
        /// so that it would sleep. `luck` decides who comes first.
        pub(crate) fn submit_and_wait(&mut self, luck: usize) -> Option<Vec<Completion>> {
            let mut done = Vec::new();
            let operations = self.in_flight.len();
            for place in 0..operations {
                // Each has its turn, though not everybody is done in each of them.
                let place = (place + luck) % operations;
                if done.is_empty() || luck >> (place % 32) & 1 == 0 {
                    self.step(place, &mut done);
                } else if let What::SendAtOnce(_) = self.in_flight[place].what {
                    self.step(place, &mut done);
                }
            }
            let is_awake = !done.is_empty() || self.is_hurried;
            // As long as not everything is handed over, the real ring does not know, either.
            let is_known = is_awake && luck % 8 != 7;
            self.in_flight.retain(|it| match it.what {
                What::SentAtOnce(count) if is_known => {
                    done.push(Completion::Sent { key: it.key, result: Ok(count) });
                    false
                }
                _ => it.id != DONE,
            });
            self.is_hurried &= !is_known;
            is_awake.then_some(done)
        }

        /// Something else ends the sleep: the deadline.
        pub(crate) fn wake(&mut self, luck: usize) -> Vec<Completion> {
            self.hurry();
            self.submit_and_wait(luck).unwrap_or_default()
        }

        fn step(&mut self, place: usize, done: &mut Vec<Completion>) {
            let Operation { id, key, what, is_cancelled, .. } = &mut self.in_flight[place];
            let (key, wire) = (*key, &mut self.wires[*key]);
            match what {
                What::Receive => {
                    let Some((result, more)) = wire.receive(*is_cancelled) else { return };
                    // It would not go on, had it heard that it is cancelled.
                    *is_cancelled = false;
                    if !more {
                        *id = DONE;
                    }
                    done.push(Completion::Received {
                        key,
                        result: result.map(|bytes| bytes.map(Buffer)),
                        more,
                    });
                }
                What::SendAtOnce(bytes) => {
                    let result = match wire.fates.front() {
                        Some(Fate::NotNow) => wire.fates.pop_front().and(None),
                        // Whoever cancels it comes too late: it is done when it is handed over.
                        _ => wire.send(bytes, false),
                    };
                    match result.unwrap_or(Err(Errno::EAGAIN.into())) {
                        Ok(count) if count == bytes.len() => *what = What::SentAtOnce(count),
                        result => {
                            *id = DONE;
                            done.push(Completion::Sent { key, result });
                        }
                    }
                }
                What::Send(bytes) => {
                    let Some(result) = wire.send(bytes, *is_cancelled) else { return };
                    *id = DONE;
                    done.push(Completion::Sent { key, result });
                }
                What::SentAtOnce(_) => {}
            }
        }
    }

    /// In place of the name of an operation that is no longer in flight.
    const DONE: usize = usize::MAX;
}

/// What stands behind a socket: a client that says something, and a script.
#[derive(Debug)]
struct Wire {
    protocol: Protocol,
    says: Vec<u8>,
    fates: VecDeque<Fate>,
    /// How far what the client says has come to the server's kernel, and to the server.
    arrived: usize,
    heard: usize,
    /// The client has closed its sending half, and the server has been told.
    has_ended: bool,
    end_is_heard: bool,
    /// What the server owes for what it was told, and what the client has got of it.
    owed: Vec<u8>,
    got: Vec<u8>,
    /// How many bytes the server's kernel takes until the client reads.
    room: usize,
    /// What broke the connection, as the server was told.
    broken: Option<Errno>,
    is_stopped: bool,
}

impl Wire {
    /// What comes of a receive; `None`: nothing as yet. And whether it goes on.
    fn receive(&mut self, is_cancelled: bool) -> Option<(io::Result<Option<Vec<u8>>>, bool)> {
        if let Some(broken) = self.broken {
            return Some((Err(broken.into()), false));
        }
        let there = self.arrived - self.heard;
        if there == 0 && is_cancelled {
            return Some((Err(Errno::ECANCELED.into()), false));
        }
        if there == 0 && !self.has_ended {
            return None;
        }
        let mut most = REQUEST_MAX;
        let mut more = true;
        match self.fates.pop_front().unwrap_or(Fate::All) {
            Fate::All => {}
            Fate::Short(count) => most = count,
            Fate::NotNow => return Some((Err(Errno::ENOBUFS.into()), false)),
            Fate::Interrupted => return Some((Err(Errno::EINTR.into()), false)),
            Fate::Last => more = false,
            Fate::Broken(error) => {
                self.broken = Some(error);
                return Some((Err(error.into()), false));
            }
        }
        let bytes = self.says[self.heard..self.heard + there.min(most)].to_vec();
        self.heard += bytes.len();
        self.end_is_heard = bytes.is_empty();
        if !self.is_stopped {
            self.owed = owed(self.protocol, &self.says[..self.heard], self.end_is_heard);
        }
        Some(if bytes.is_empty() { (Ok(None), false) } else { (Ok(Some(bytes)), more) })
    }

    /// What comes of a send; `None`: nothing as yet, there is no room.
    fn send(&mut self, bytes: &[u8], is_cancelled: bool) -> Option<io::Result<usize>> {
        if let Some(broken) = self.broken {
            return Some(Err(broken.into()));
        }
        if is_cancelled {
            return Some(Err(Errno::ECANCELED.into()));
        }
        let mut count = bytes.len().min(self.room);
        if count == 0 {
            return None;
        }
        match self.fates.pop_front().unwrap_or(Fate::All) {
            Fate::All | Fate::Last | Fate::NotNow => {}
            Fate::Short(most) => count = count.min(most),
            Fate::Interrupted => return Some(Err(Errno::EINTR.into())),
            Fate::Broken(error) => {
                self.broken = Some(error);
                return Some(Err(error.into()));
            }
        }
        self.room -= count;
        self.got.extend_from_slice(&bytes[..count]);
        Some(Ok(count))
    }

    /// The client is done, so that the server closes when it has sent everything.
    fn is_done(&self) -> bool {
        self.end_is_heard || self.protocol == Protocol::OneShot && !self.owed.is_empty()
    }

    /// The client is not, but the server is: it has the last word, and then waits for the end.
    fn is_lingered_for(&self) -> bool {
        !self.is_done() && (self.is_stopped || self.owed.ends_with(TOO_LONG))
    }
}

/// A client, and what its connection goes through.
#[derive(Clone, Debug)]
struct Client {
    says: Vec<u8>,
    room: usize,
    fates: Vec<Fate>,
}

/// What happens next. Clients are counted from 0, modulo as many as there are.
#[derive(Clone, Debug)]
enum Step {
    /// So many bytes of what the client says arrive.
    Say(usize, usize),
    /// The client closes its sending half, and what it had still to say is never said.
    End(usize),
    /// The client reads so many bytes, and the server's kernel has room for as many again.
    Read(usize, usize),
    /// The loop turns, with some luck in what comes first.
    Turn(usize),
    /// The loop turns until it sleeps.
    Rest,
    /// So many milliseconds pass.
    Wait(u64),
    /// Somebody presses Ctrl-C.
    Stop,
}

/// A server's loop, and the world around it.
struct Scene {
    settings: Settings,
    ring: Ring,
    /// `None`: it was closed.
    connections: Vec<Option<Connection>>,
    touched: Vec<usize>,
    /// Nobody was broken off or given up.
    is_complete: bool,
    /// Who was seen to be lingered for, with nothing left to be sent.
    lingered_for: Vec<bool>,
    deadlines: Deadlines,
    began: Instant,
    now: Instant,
    give_up: Option<Instant>,
    journal: Journal,
}

impl Scene {
    fn new(settings: Settings, clients: &[Client], socket: &TcpStream) -> Self {
        let now = Instant::now();
        let wire = |client: &Client| Wire {
            protocol: settings.protocol,
            says: client.says.clone(),
            fates: client.fates.iter().copied().collect(),
            arrived: 0,
            heard: 0,
            has_ended: false,
            end_is_heard: false,
            owed: Vec::new(),
            got: Vec::new(),
            room: client.room,
            broken: None,
            is_stopped: false,
        };
        let mut scene = Scene {
            ring: Ring::new(clients.iter().map(wire).collect()),
            connections: Vec::new(),
            touched: Vec::new(),
            is_complete: true,
            lingered_for: vec![false; clients.len()],
            deadlines: Deadlines::new(),
            began: now,
            now,
            give_up: None,
            journal: Journal::new(&settings),
            settings,
        };
        for (key, port) in (0..clients.len()).zip(1..) {
            let peer = SocketAddr::from(([127, 0, 0, 1], port));
            // All have one socket: it is there to be shut down, and nothing else.
            let (socket, journal) = (socket.try_clone().unwrap(), &mut scene.journal);
            let connection = Connection::new(socket, peer, &scene.settings, now, journal);
            scene.connections.push(Some(connection));
            scene.watch(key);
        }
        scene
    }

    fn take(&mut self, step: &Step) {
        let clients = self.connections.len();
        match *step {
            Step::Say(client, count) => {
                let wire = &mut self.ring.wires[client % clients];
                if !wire.has_ended {
                    wire.arrived = wire.says.len().min(wire.arrived + count);
                }
            }
            Step::End(client) => self.ring.wires[client % clients].has_ended = true,
            Step::Read(client, count) => self.ring.wires[client % clients].room += count,
            Step::Turn(luck) => drop(self.turn(luck)),
            Step::Rest => {
                let sleeps = (0..TURNS).any(|luck| !self.turn(luck));
                assert!(sleeps, "it turns without end");
            }
            Step::Wait(milliseconds) => self.wait(Duration::from_millis(milliseconds)),
            Step::Stop => self.stop(),
        }
    }

    /// Returns whether anything has happened; otherwise the server sleeps on.
    fn turn(&mut self, luck: usize) -> bool {
        let done = self.ring.submit_and_wait(luck);
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
                Completion::Sent { result, .. } => {
                    connection.sent(result, self.now, &mut self.journal);
                }
            }
            self.touched.push(key);
        }
        self.touched.sort_unstable();
        self.touched.dedup();
        std::mem::take(&mut self.touched).into_iter().for_each(|key| self.watch(key));
        while let Some(key) = self.deadlines.take_due(self.now) {
            if let Some(connection) = &mut self.connections[key] {
                connection.expire(self.now);
                self.watch(key);
            }
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        if self.deadlines.next().is_some_and(|end| end <= self.now) {
            let done = self.ring.wake(0);
            self.answer(done);
        }
    }

    fn stop(&mut self) {
        if self.give_up.is_some() {
            return;
        }
        // The stop wakes the loop.
        let done = self.ring.wake(0);
        self.answer(done);
        let give_up = self.now + STOP_GRACE;
        self.give_up = Some(give_up);
        for key in 0..self.connections.len() {
            if let Some(connection) = &mut self.connections[key] {
                self.ring.wires[key].is_stopped = true;
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
        if connection.is_over() {
            self.deadlines.forget(key);
            if connection.let_go(&mut self.ring) {
                let connection = self.connections[key].take();
                connection
                    .into_iter()
                    .for_each(|it| it.farewell(&mut self.ring, &mut self.journal));
                self.check_end(key);
            }
        } else {
            self.deadlines.watch(key, connection.deadline());
            self.check_operations(key);
        }
    }

    /// Whatever comes next, it will be heard of.
    fn check_operations(&mut self, key: usize) {
        let (receives, sends) = (self.ring.receives(key), self.ring.sends(key));
        let wire = &self.ring.wires[key];
        let left = wire.owed.len() - wire.got.len();
        assert!(left == 0 || sends || receives || self.settings.delay != Delay::default());
        // More than the conversation has room for: it has to keep some of it, and wants no more.
        let keeps_some = left > PENDING_MAX && !wire.is_stopped;
        assert!(!keeps_some || !self.ring.goes_on_receiving(key));
        if left == 0 && !sends {
            assert!(receives, "it waits for nothing");
            if wire.is_lingered_for() {
                self.lingered_for[key] = true;
            }
        }
    }

    /// No connection ends before it is time.
    fn check_end(&mut self, key: usize) {
        let wire = &self.ring.wires[key];
        // What is kept when the server stops is not answered any more, and how much that is can't
        // be seen from here: `check` makes sure that nothing else is missing.
        let has_everything = wire.is_stopped || wire.got == wire.owed;
        let is_complete = wire.is_done() && has_everything;
        // The connection looks at the clock itself here and there, and the time of this scene
        // runs ahead of that.
        let passed = self.now - self.began;
        let is_idle = passed >= self.settings.idle_timeout;
        let has_lingered = self.lingered_for[key] && passed >= LINGER;
        let is_given_up = self.give_up.is_some_and(|give_up| self.now >= give_up);
        let is_excused = wire.broken.is_some() || is_idle || has_lingered || is_given_up;
        assert!(is_complete || is_excused, "it is closed too early");
        self.is_complete &= !is_excused;
    }

    /// Everything arrives that is still on its way, and everybody reads.
    fn settle(&mut self) {
        for wire in &mut self.ring.wires {
            if !wire.has_ended {
                wire.arrived = wire.says.len();
            }
            wire.has_ended = true;
            wire.room = usize::MAX;
        }
        let mut turns = 0..TURNS;
        while self.connections.iter().any(Option::is_some) {
            let luck = turns.next().expect("it turns without end");
            if !self.turn(luck) {
                let next = self.deadlines.next().expect("it sleeps for ever");
                let waits_for_a_reply = self.settings.delay != Delay::default();
                // The connection looks at the clock itself here and there, which may be ahead on
                // a busy machine.
                let sleep = next.saturating_duration_since(self.now.max(Instant::now()));
                assert!(waits_for_a_reply && sleep <= LONGEST_DELAY, "it sleeps, all is there");
                // Not one turn for each of the replies, which may be thousands.
                self.wait((next - self.now).max(Duration::from_millis(10)));
            }
        }
    }

    /// What the server tells at its end is what has happened.
    fn check(self) {
        let count = |bytes: &[u8]| match self.settings.protocol {
            Protocol::Lines => bytes.iter().filter(|&&byte| byte == b'\n').count(),
            Protocol::OneShot => bytes.len() / Protocol::OneShot.reply().len(),
        };
        let counters = self.journal.into_counters();
        let replies: usize = self.ring.wires.iter().map(|wire| count(&wire.got)).sum();
        let requests: usize = self.ring.wires.iter().map(|wire| count(&wire.owed)).sum();
        assert_eq!(counters.connections, self.ring.wires.len() as u64);
        assert_eq!(counters.replies, replies as u64);
        let requests = if self.is_complete { replies } else { requests } as u64;
        assert!((replies as u64..=requests).contains(&counters.requests));
        if self.give_up.is_none() {
            let lingered = self.lingered_for.iter().filter(|lingered| **lingered).count();
            let shutdowns = counters.calls().find(|(call, _)| *call == Call::Shutdown);
            assert_eq!(shutdowns.map_or(0, |(_, times)| times), lingered as u64);
        }
    }
}

/// Lines of all lengths, some at the edge, and perhaps an unfinished one; sometimes so many
/// empty ones that the server has to stop reading.
fn says() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![
        6 => 0..40_usize,
        1 => REQUEST_MAX - 3..REQUEST_MAX + 3,
        1 => 0..3 * REQUEST_MAX,
    ];
    let empty_lines = prop_oneof![6 => Just(0_usize), 1 => 2000..6000_usize];
    (empty_lines, vec(length, 0..12), 0..30_usize).prop_map(|(empty_lines, lengths, unfinished)| {
        let mut says = vec![b'\n'; empty_lines];
        for length in lengths {
            says.resize(says.len() + length, b'a');
            says.push(b'\n');
        }
        says.resize(says.len() + unfinished, b'z');
        says
    })
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let broken = prop::sample::select(vec![Errno::ECONNRESET, Errno::EPIPE, Errno::ETIMEDOUT]);
    let fate = prop_oneof![
        40 => Just(Fate::All),
        20 => (1..60_usize).prop_map(Fate::Short),
        10 => Just(Fate::Short(1)),
        15 => Just(Fate::NotNow),
        15 => Just(Fate::Interrupted),
        10 => Just(Fate::Last),
        2 => broken.prop_map(Fate::Broken),
    ];
    vec(fate, 0..40)
}

fn clients() -> impl Strategy<Value = Vec<Client>> {
    let whole_replies = (0..5_usize).prop_map(|replies| replies * Protocol::Lines.reply().len());
    let room = prop_oneof![0..100_usize, whole_replies, Just(1_000_000_usize)];
    let client = (says(), room, fates());
    vec(client.prop_map(|(says, room, fates)| Client { says, room, fates }), 1..6)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = || 0..6_usize;
    let step = prop_oneof![
        8 => (client(), 0..60_usize).prop_map(|(client, count)| Step::Say(client, count)),
        4 => (client(), 0..5000_usize).prop_map(|(client, count)| Step::Say(client, count)),
        1 => client().prop_map(Step::End),
        4 => (client(), 1..60_usize).prop_map(|(client, count)| Step::Read(client, count)),
        2 => (client(), 1..9000_usize).prop_map(|(client, count)| Step::Read(client, count)),
        20 => any::<u16>().prop_map(|luck| Step::Turn(luck.into())),
        2 => Just(Step::Rest),
        4 => (0..50_u64).prop_map(Step::Wait),
        1 => (0..7000_u64).prop_map(Step::Wait),
        1 => Just(Step::Stop),
    ];
    vec(step, 0..100)
}

fn settings() -> impl Strategy<Value = Settings> {
    let protocol = prop_oneof![4 => Just(Protocol::Lines), 1 => Just(Protocol::OneShot)];
    let idle_timeout = prop::sample::select(vec![300, 60_000, u64::MAX]);
    let delay = prop_oneof![3 => Just(None), 1 => (0..50_u64, 0..50_u64).prop_map(Some)];
    let quiet = Settings::try_parse_from(["server", "-q"]).unwrap();
    (protocol, idle_timeout, delay).prop_map(move |(protocol, idle_timeout, delay)| {
        let delay = delay.and_then(|(shortest, more)| {
            let [shortest, longest] = [shortest, shortest + more].map(Duration::from_millis);
            Delay::between(shortest, longest)
        });
        let (idle_timeout, delay) =
            (Duration::from_millis(idle_timeout), delay.unwrap_or_default());
        Settings { protocol, idle_timeout, delay, ..quiet.clone() }
    })
}

/// As many cases as take two seconds, unless somebody says otherwise.
fn config() -> ProptestConfig {
    let asked_for = ProptestConfig::default();
    let cases = if env::var_os("PROPTEST_CASES").is_some() { asked_for.cases } else { 500 };
    ProptestConfig { cases, failure_persistence: None, ..asked_for }
}

#[test]
fn everybody_gets_what_is_owed_and_nobody_is_forgotten() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let _client = listener.accept().unwrap();
    proptest!(config(), |(settings in settings(), clients in clients(), steps in steps())| {
        let mut scene = Scene::new(settings, &clients, &socket);
        for step in &steps {
            scene.take(step);
        }
        scene.settle();
        scene.check();
    });
}
