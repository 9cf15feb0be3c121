//! Whatever a network does to a connection, and at whichever call: no reply is lost, doubled,
//! or sent to somebody else, and nobody spins.
//!
//! Several connections at once, each over a [`Wire`] that the test holds in place of a socket.
//! At every call a script decides what becomes of it: all, a part, a byte, not now, a signal,
//! a reset, the end. A loop as the servers have one drives them. What each client must get is
//! written down a second time, without a state machine.
//!
//! ```text
//! cargo test -p server-kit --test faults
//! PROPTEST_CASES=1000000 cargo test --release -p server-kit --test faults
//! ```
//!
//! Left out: what only a kernel can do, such as to lose a wake-up. `bench/tests/survival` and
//! `bench/tests/injected.rs` have real sockets.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::env;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::ops::Range;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Parser;
use proptest::collection::vec;
use proptest::prelude::*;
use protocol::{Delay, PENDING_MAX, Protocol, REQUEST_MAX, TOO_LONG};
use server_kit::{Call, Connection, Deadlines, Journal, STOP_GRACE, Settings, Stream};

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

/// What becomes of a call of recv(2) or send(2).
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// As much as there is.
    All,
    /// At most so many bytes.
    Short(usize),
    /// EAGAIN, whatever there is.
    NotNow,
    /// EINTR.
    Interrupted,
    /// The connection is broken.
    Broken(ErrorKind),
    /// The client closes its sending half, and what it had still to say is never said.
    End,
}

/// What stands behind a socket: a client that says something, and a script.
struct Wire {
    protocol: Protocol,
    fates: VecDeque<Fate>,
    /// How far what the client says has come to the server's kernel, and to the server.
    arrived: usize,
    heard: usize,
    /// The client has closed its sending half, and the server has read that.
    has_ended: bool,
    end_is_heard: bool,
    /// What the server owes for what it has heard, and what the client has got of it.
    owed: Vec<u8>,
    got: Vec<u8>,
    /// How many bytes the server's kernel takes until the client reads.
    room: usize,
    /// The client has reset the connection, which the server was not told.
    is_reset: bool,
    /// What broke the connection, as the server was told.
    broken: Option<ErrorKind>,
    half_closed_at: Option<Instant>,
    /// The server takes no more requests.
    is_stopped: bool,
    /// The call that fails while the socket is prepared.
    unprepared: Option<Call>,
    now: Instant,
    last_moved: Instant,
    calls: BTreeMap<&'static str, u64>,
}

impl Wire {
    fn called(&mut self, call: Call) {
        assert_eq!(self.broken, None, "{} on a broken connection", call.name());
        *self.calls.entry(call.name()).or_default() += 1;
    }

    fn prepare(&mut self, call: Call) -> io::Result<()> {
        self.called(call);
        let fails = self.unprepared == Some(call);
        if fails { Err(self.break_off(ErrorKind::InvalidInput)) } else { Ok(()) }
    }

    /// How many bytes the call may move at most.
    fn fate(&mut self) -> io::Result<usize> {
        if self.is_reset {
            return Err(self.break_off(ErrorKind::ConnectionReset));
        }
        match self.fates.pop_front().unwrap_or(Fate::All) {
            Fate::All => {}
            Fate::Short(count) => return Ok(count),
            Fate::NotNow => return Err(ErrorKind::WouldBlock.into()),
            Fate::Interrupted => return Err(ErrorKind::Interrupted.into()),
            Fate::Broken(kind) => return Err(self.break_off(kind)),
            Fate::End => self.has_ended = true,
        }
        Ok(usize::MAX)
    }

    fn break_off(&mut self, kind: ErrorKind) -> io::Error {
        self.broken = Some(kind);
        kind.into()
    }

    /// What the server reads, as a part of what the client says.
    fn recv(&mut self, says: &[u8], room: usize) -> io::Result<Range<usize>> {
        self.called(Call::Recv);
        assert!(room > 0, "what no room is left for looks like the end");
        assert!(!self.end_is_heard, "there is nothing behind the end");
        let most = self.fate()?.min(room);
        let there = self.arrived - self.heard;
        if there == 0 && !self.has_ended {
            return Err(ErrorKind::WouldBlock.into());
        }
        let read = self.heard..self.heard + there.min(most);
        self.heard = read.end;
        self.end_is_heard = there == 0;
        if !self.is_stopped {
            self.owed = owed(self.protocol, &says[..self.heard], self.end_is_heard);
        }
        self.last_moved = self.now;
        Ok(read)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.called(Call::Send);
        assert!(!bytes.is_empty() && self.half_closed_at.is_none());
        assert!(self.owed[self.got.len()..].starts_with(bytes), "that is not owed");
        let count = self.fate()?.min(bytes.len()).min(self.room);
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.room -= count;
        self.got.extend_from_slice(&bytes[..count]);
        self.last_moved = self.now;
        Ok(count)
    }

    fn shutdown(&mut self) -> io::Result<()> {
        self.called(Call::Shutdown);
        assert!(self.has_everything() && self.half_closed_at.is_none());
        if self.is_reset {
            return Err(self.break_off(ErrorKind::NotConnected));
        }
        self.half_closed_at = Some(self.now);
        Ok(())
    }

    fn take_error(&mut self) -> Option<io::Error> {
        self.called(Call::GetSockOpt);
        self.is_reset.then(|| self.break_off(ErrorKind::ConnectionReset))
    }

    fn has_everything(&self) -> bool {
        self.got == self.owed
    }

    /// The client is done, so that the server closes when it has sent everything.
    fn is_done(&self) -> bool {
        self.end_is_heard || self.protocol == Protocol::OneShot && !self.owed.is_empty()
    }

    /// The client is not, but the server is: it has the last word, and then waits for the end.
    fn is_lingered_for(&self) -> bool {
        !self.is_done() && (self.is_stopped || self.owed.ends_with(TOO_LONG))
    }

    /// Whether the kernel would report the socket as readable, and as writable.
    fn readiness(&self) -> (bool, bool) {
        let is_at_the_end = self.has_ended && !self.end_is_heard;
        let readable = self.arrived > self.heard || is_at_the_end || self.is_reset;
        (readable, self.room > 0 || self.is_reset)
    }
}

/// The server's end of a wire.
struct Socket {
    says: Rc<[u8]>,
    wire: Rc<RefCell<Wire>>,
}

impl Stream for Socket {
    fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        assert!(on);
        self.wire.borrow_mut().prepare(Call::Ioctl)
    }

    fn set_nodelay(&self, on: bool) -> io::Result<()> {
        assert!(on);
        self.wire.borrow_mut().prepare(Call::SetSockOpt)
    }

    fn recv<'a>(&'a self, buffer: &'a mut [MaybeUninit<u8>]) -> io::Result<&'a [u8]> {
        let read = self.wire.borrow_mut().recv(&self.says, buffer.len())?;
        Ok(&self.says[read])
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.wire.borrow_mut().send(bytes)
    }

    fn shutdown(&self, which: Shutdown) -> io::Result<()> {
        assert_eq!(which, Shutdown::Write);
        self.wire.borrow_mut().shutdown()
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.wire.borrow_mut().take_error())
    }
}

/// A client, and what its connection goes through.
#[derive(Clone, Debug)]
struct Client {
    says: Vec<u8>,
    room: usize,
    fates: Vec<Fate>,
    unprepared: Option<Call>,
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
    Reset(usize),
    /// The loop turns, and the kernel tells the truth.
    Turn,
    /// The loop is told of readiness that need not be there.
    Spurious {
        client: usize,
        readable: bool,
        writable: bool,
    },
    /// So many milliseconds pass.
    Wait(u64),
    /// Somebody presses Ctrl-C.
    Stop,
}

/// A server's loop, and the world around it.
struct Scene {
    settings: Settings,
    says: Vec<Rc<[u8]>>,
    wires: Vec<Rc<RefCell<Wire>>>,
    /// `None`: it was closed.
    connections: Vec<Option<Connection<Socket>>>,
    deadlines: Deadlines,
    now: Instant,
    give_up: Option<Instant>,
    journal: Journal,
}

impl Scene {
    fn new(settings: Settings, clients: &[Client]) -> Self {
        let now = Instant::now();
        let wire = |client: &Client| {
            Rc::new(RefCell::new(Wire {
                protocol: settings.protocol,
                fates: client.fates.iter().copied().collect(),
                arrived: 0,
                heard: 0,
                has_ended: false,
                end_is_heard: false,
                owed: Vec::new(),
                got: Vec::new(),
                room: client.room,
                is_reset: false,
                broken: None,
                half_closed_at: None,
                is_stopped: false,
                unprepared: client.unprepared,
                now,
                last_moved: now,
                calls: BTreeMap::new(),
            }))
        };
        let mut scene = Scene {
            says: clients.iter().map(|client| client.says.as_slice().into()).collect(),
            wires: clients.iter().map(wire).collect(),
            connections: Vec::new(),
            deadlines: Deadlines::new(),
            now,
            give_up: None,
            journal: Journal::new(&settings),
            settings,
        };
        for (key, port) in (0..clients.len()).zip(1..) {
            let peer = SocketAddr::from(([127, 0, 0, 1], port));
            let (says, wire) = (Rc::clone(&scene.says[key]), Rc::clone(&scene.wires[key]));
            let (socket, journal) = (Socket { says, wire }, &mut scene.journal);
            let connection = Connection::new(socket, peer, &scene.settings, now, journal);
            scene.connections.push(Some(connection));
            scene.watch(key);
        }
        scene
    }

    fn take(&mut self, step: &Step) {
        let clients = self.wires.len();
        let wire = |client: usize| self.wires[client % clients].borrow_mut();
        match *step {
            Step::Say(client, count) => {
                let (mut wire, all) = (wire(client), self.says[client % clients].len());
                if !wire.has_ended && !wire.is_reset {
                    wire.arrived = all.min(wire.arrived + count);
                }
            }
            Step::End(client) => wire(client).has_ended = true,
            Step::Read(client, count) => wire(client).room += count,
            Step::Reset(client) => {
                let mut wire = wire(client);
                wire.is_reset = wire.broken.is_none();
            }
            Step::Turn => drop(self.turn()),
            Step::Spurious { client, readable, writable } => {
                self.connection_ready(client % clients, readable, writable);
            }
            Step::Wait(milliseconds) => self.wait(Duration::from_millis(milliseconds)),
            Step::Stop => self.stop(),
        }
    }

    /// Serves everybody who is ready, as the kernel sees it; returns whether there was anybody.
    /// Whoever would not be served would be ready again, in turn after turn.
    fn turn(&mut self) -> bool {
        let mut events = Vec::new();
        for (key, connection) in self.connections.iter().enumerate() {
            let Some(connection) = connection else { continue };
            let (interest, wire) = (connection.interest(), self.wires[key].borrow());
            let (readable, writable) = wire.readiness();
            // A reset is reported unasked.
            let readable = readable && interest.readable || wire.is_reset;
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
        self.wires.iter().for_each(|wire| wire.borrow_mut().now = self.now);
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
            let idle = self.now - wire.borrow().last_moved;
            let has_delayed = self.settings.delay != Delay::default();
            assert!(has_delayed || idle < self.settings.idle_timeout, "it is idle for too long");
        }
    }

    fn stop(&mut self) {
        if self.give_up.is_some() {
            return;
        }
        let give_up = self.now + STOP_GRACE;
        self.give_up = Some(give_up);
        for key in 0..self.connections.len() {
            if let Some(connection) = &mut self.connections[key] {
                self.wires[key].borrow_mut().is_stopped = true;
                connection.stop(self.now, give_up, &mut self.journal);
                self.watch(key);
            }
        }
    }

    fn watch(&mut self, key: usize) {
        let Some(connection) = &mut self.connections[key] else { return };
        if connection.is_over() {
            self.deadlines.forget(key);
            connection.farewell(&mut self.journal);
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
        let left = wire.owed.len() - wire.got.len();
        assert!(left <= PENDING_MAX, "{left} bytes for one client");
        assert!(!interest.writable || left > 0, "there is nothing to send");
        assert!(!interest.readable || !wire.end_is_heard, "there is nothing to read any more");
        assert!(left > 0 || interest.readable, "it waits for nothing");
        if self.settings.delay == Delay::default() {
            assert!(interest.writable || left == 0, "it is not told when it can send");
        }
        assert_eq!(wire.half_closed_at.is_some(), wire.is_lingered_for() && left == 0);
    }

    /// No connection ends before it is time.
    fn check_end(&self, wire: &Wire) {
        let has_passed = |since: Instant, time| self.now - since >= time;
        let is_complete = wire.is_done() && wire.has_everything();
        let is_idle = has_passed(wire.last_moved, self.settings.idle_timeout);
        let has_lingered = wire.half_closed_at.is_some_and(|since| has_passed(since, LINGER));
        let is_given_up = self.give_up.is_some_and(|give_up| self.now >= give_up);
        assert!(
            wire.broken.is_some() || is_complete || is_idle || has_lingered || is_given_up,
            "it is closed too early"
        );
    }

    /// Everything arrives that is still on its way, and everybody reads.
    fn settle(&mut self) {
        for (wire, says) in self.wires.iter().zip(&self.says) {
            let mut wire = wire.borrow_mut();
            if !wire.has_ended {
                wire.arrived = says.len();
            }
            wire.has_ended = true;
            wire.room = usize::MAX;
        }
        let mut turns = 0..TURNS;
        while self.connections.iter().any(Option::is_some) {
            turns.next().expect("it turns without end");
            if !self.turn() {
                let next = self.deadlines.next().expect("it sleeps for ever");
                let waits_for_a_reply = self.settings.delay != Delay::default();
                let sleep = next - self.now;
                assert!(waits_for_a_reply && sleep <= LONGEST_DELAY, "it sleeps, all is there");
                // Not one turn for each of the replies, which may be thousands.
                self.wait(sleep.max(Duration::from_millis(10)));
            }
        }
    }

    /// Everybody has got everything, but for those who could not; and what the server tells at
    /// its end is what has happened.
    fn check(self) {
        let mut calls = BTreeMap::from([("close", self.wires.len() as u64)]);
        let (mut requests, mut replies) = (0, 0);
        let count = |bytes: &[u8]| match self.settings.protocol {
            Protocol::Lines => bytes.iter().filter(|&&byte| byte == b'\n').count(),
            Protocol::OneShot => bytes.len() / Protocol::OneShot.reply().len(),
        };
        for wire in &self.wires {
            let wire = wire.borrow();
            for (name, times) in &wire.calls {
                *calls.entry(name).or_default() += times;
            }
            requests += count(&wire.owed) as u64;
            replies += count(&wire.got) as u64;
        }
        let counters = self.journal.into_counters();
        let counted = counters.calls().map(|(call, times)| (call.name(), times));
        assert_eq!(counted.collect::<BTreeMap<_, _>>(), calls);
        assert_eq!(counters.connections, self.wires.len() as u64);
        assert_eq!((counters.requests, counters.replies), (requests, replies));
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
    let empty_lines = prop_oneof![9 => Just(0_usize), 1 => 2000..6000_usize];
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
    use ErrorKind::{BrokenPipe, ConnectionReset, HostUnreachable, TimedOut};
    let broken = prop::sample::select(vec![ConnectionReset, BrokenPipe, TimedOut, HostUnreachable]);
    let fate = prop_oneof![
        40 => Just(Fate::All),
        20 => (1..60_usize).prop_map(Fate::Short),
        10 => Just(Fate::Short(1)),
        15 => Just(Fate::NotNow),
        15 => Just(Fate::Interrupted),
        2 => broken.prop_map(Fate::Broken),
        1 => Just(Fate::End),
    ];
    vec(fate, 0..40)
}

fn clients() -> impl Strategy<Value = Vec<Client>> {
    let room = prop_oneof![0..100_usize, Just(1_000_000_usize)];
    let unprepared = prop::sample::select(vec![Call::Ioctl, Call::SetSockOpt]);
    let client = (says(), room, fates(), prop::option::weighted(0.02, unprepared));
    let client =
        client.prop_map(|(says, room, fates, unprepared)| Client { says, room, fates, unprepared });
    vec(client, 1..6)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = || 0..6_usize;
    let step = prop_oneof![
        8 => (client(), 0..60_usize).prop_map(|(client, count)| Step::Say(client, count)),
        4 => (client(), 0..5000_usize).prop_map(|(client, count)| Step::Say(client, count)),
        1 => client().prop_map(Step::End),
        4 => (client(), 1..60_usize).prop_map(|(client, count)| Step::Read(client, count)),
        2 => (client(), 1..9000_usize).prop_map(|(client, count)| Step::Read(client, count)),
        1 => client().prop_map(Step::Reset),
        20 => Just(Step::Turn),
        3 => (client(), any::<bool>(), any::<bool>())
            .prop_map(|(client, readable, writable)| Step::Spurious { client, readable, writable }),
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

proptest! {
    #![proptest_config(config())]

    #[test]
    fn everybody_gets_what_is_owed_and_nobody_spins(
        settings in settings(),
        clients in clients(),
        steps in steps(),
    ) {
        let mut scene = Scene::new(settings, &clients);
        for step in &steps {
            scene.take(step);
        }
        scene.settle();
        scene.check();
    }
}

/// What goes wrong is told in one line, with what is lost by it. Standard output belongs to the
/// whole process, so this test runs itself in another one, to read what that prints.
#[test]
fn a_loss_is_told_once() {
    const SCENE: &str = "SERVER_KIT_TEST_SCENE";
    let ask_twice = |fates: &[Fate]| Client {
        says: b"hello\nhello\n".into(),
        room: 0,
        fates: fates.into(),
        unprepared: None,
    };
    if env::var_os(SCENE).is_some() {
        let settings = Settings::try_parse_from(["server"]).unwrap();
        let broken = Fate::Broken;
        let mut scene = Scene::new(
            settings,
            &[
                ask_twice(&[]),
                ask_twice(&[broken(ErrorKind::ConnectionReset)]),
                ask_twice(&[Fate::All, broken(ErrorKind::BrokenPipe)]),
                ask_twice(&[Fate::All, Fate::Short(25), broken(ErrorKind::TimedOut)]),
                ask_twice(&[Fate::NotNow, Fate::All, Fate::Interrupted]),
                Client { unprepared: Some(Call::SetSockOpt), ..ask_twice(&[]) },
            ],
        );
        scene.settle();
        return;
    }
    let itself = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_loss_is_told_once", "--nocapture"])
        .env(SCENE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8(itself.stdout).unwrap();
    assert!(itself.status.success(), "{said}");
    let mut closed: Vec<_> = said.lines().filter(|line| line.starts_with("closing")).collect();
    closed.sort_unstable();
    assert_eq!(
        closed,
        [
            "closing connection 127.0.0.1:1",
            "closing connection 127.0.0.1:2: connection reset",
            "closing connection 127.0.0.1:3: broken pipe (2 replies could not be sent)",
            "closing connection 127.0.0.1:4: timed out (1 reply could not be sent)",
            "closing connection 127.0.0.1:5",
            "closing connection 127.0.0.1:6: invalid input parameter",
        ]
    );
}
