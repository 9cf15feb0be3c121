//! The clients of a server: what they send and do, and what they are owed. A script decides the
//! result of every call that the server makes.
//!
//! The tests of event loops (`server-kit`) and of `uring-server` share this file (`#[path]`), so
//! that both have the same clients, and what those have to get is written down in one place. Each
//! of the two has its own scripts, because their servers make different calls.

use std::env;
use std::fmt::Debug;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Parser;
use proptest::collection::vec;
use proptest::prelude::*;
use protocol::{Delay, PENDING_MAX, Protocol, REQUEST_MAX, TOO_LONG};
use server_kit::Settings;

/// How long the server waits for a client to close after the last reply.
const LINGER: Duration = Duration::from_secs(5);

/// More turns than the longest script and the longest stream take.
pub const TURNS: usize = 10_000;

/// No reply is delayed longer than this.
pub const LONGEST_DELAY: Duration = Duration::from_millis(100);

/// What the client has to get, written as plainly as possible from the description of the protocol.
/// `heard` is what the server has read from the client.
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

/// Both directions of a connection, as the kernel between client and server sees them.
#[derive(Debug)]
pub struct Talk {
    protocol: Protocol,
    says: Rc<[u8]>,
    /// How many bytes from the client have come to the server's kernel, and how many to the server.
    arrived: usize,
    heard: usize,
    /// The client has closed its sending half, and the server has read that.
    has_ended: bool,
    end_is_heard: bool,
    /// What the server owes for what it has read, and what the client has got of that.
    owed: Vec<u8>,
    got: Vec<u8>,
    /// How many bytes the server's kernel takes until the client reads.
    room: usize,
    now: Instant,
    last_moved: Instant,
    half_closed_at: Option<Instant>,
    /// The server takes no more requests, and this is when it gives up.
    give_up: Option<Instant>,
}

impl Talk {
    pub fn new(settings: &Settings, client: &Client, now: Instant) -> Self {
        Talk {
            protocol: settings.protocol,
            says: client.says.as_slice().into(),
            arrived: 0,
            heard: 0,
            has_ended: false,
            end_is_heard: false,
            owed: Vec::new(),
            got: Vec::new(),
            room: client.room,
            now,
            last_moved: now,
            half_closed_at: None,
            give_up: None,
        }
    }

    pub fn says(&self) -> Rc<[u8]> {
        Rc::clone(&self.says)
    }

    /// The client does something.
    pub fn take(&mut self, act: &Act) {
        match *act {
            Act::Say(count) if !self.has_ended => {
                self.arrived = self.says.len().min(self.arrived + count);
            }
            Act::Say(_) => {}
            Act::End => self.has_ended = true,
            Act::Read(count) => self.room = self.room.saturating_add(count),
        }
    }

    /// Everything that is still on its way arrives, and the client reads all it gets.
    pub fn settle(&mut self) {
        self.take(&Act::Say(self.says.len()));
        self.take(&Act::End);
        self.take(&Act::Read(usize::MAX));
    }

    pub fn time_is(&mut self, now: Instant) {
        self.now = now;
    }

    /// The server is stopping.
    pub fn stop(&mut self, give_up: Instant) {
        self.give_up = Some(give_up);
    }

    pub fn is_stopped(&self) -> bool {
        self.give_up.is_some()
    }

    /// Whether the server wants to read more before the client has got what it is owed.
    pub fn more_is_wanted(&self) -> bool {
        let most = if self.has_last_word() { 0 } else { PENDING_MAX / 2 };
        !self.is_done() && self.left() <= most
    }

    /// Whether there is something to read: bytes, or the end of the input.
    pub fn is_to_be_heard(&self) -> bool {
        self.arrived > self.heard || self.has_ended && !self.end_is_heard
    }

    pub fn end_is_heard(&self) -> bool {
        self.end_is_heard
    }

    /// The server reads what there is, at most this many bytes, as a range of what the client
    /// sends; none at all is the end of the input.
    pub fn hear(&mut self, most: usize) -> Range<usize> {
        assert!(self.is_to_be_heard() && most > 0);
        // Unwanted bytes are kept for later (`uring-server`), and don't count as movement.
        if self.more_is_wanted() {
            self.last_moved = self.now;
        }
        let there = self.arrived - self.heard;
        let heard = self.heard..self.heard + there.min(most);
        self.heard = heard.end;
        self.end_is_heard = there == 0;
        if !self.is_stopped() {
            self.owed = owed(self.protocol, &self.says[..self.heard], self.end_is_heard);
        }
        heard
    }

    /// How many bytes the server's kernel takes.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Panics unless the client has to get these bytes next.
    pub fn look_at(&self, bytes: &[u8]) {
        assert!(!bytes.is_empty() && self.half_closed_at.is_none());
        assert!(self.owed[self.got.len()..].starts_with(bytes), "that is not owed");
    }

    /// The server's kernel takes these bytes, and the client gets them at some time.
    pub fn get(&mut self, bytes: &[u8]) {
        self.room -= bytes.len();
        self.got.extend_from_slice(bytes);
        self.last_moved = self.now;
    }

    /// How many bytes the client still has to get.
    pub fn left(&self) -> usize {
        self.owed.len() - self.got.len()
    }

    /// The server closes its sending half.
    pub fn half_close(&mut self) {
        assert!(self.is_lingered_for() && self.left() == 0 && self.half_closed_at.is_none());
        self.half_closed_at = Some(self.now);
    }

    pub fn is_half_closed(&self) -> bool {
        self.half_closed_at.is_some()
    }

    /// The client is done, so the server closes when it has sent everything.
    pub fn is_done(&self) -> bool {
        self.end_is_heard || self.protocol == Protocol::OneShot && !self.owed.is_empty()
    }

    /// The client isn't done, but the server is: it sends its last reply, and then waits until the
    /// client closes.
    pub fn is_lingered_for(&self) -> bool {
        !self.is_done() && self.has_last_word()
    }

    /// The server takes no more requests, whatever the client sends.
    fn has_last_word(&self) -> bool {
        self.is_stopped() || self.owed.ends_with(TOO_LONG)
    }

    /// How long nothing has moved.
    pub fn idle(&self) -> Duration {
        self.now - self.last_moved
    }

    /// The server need not wait any longer: nothing has moved for too long, or it has waited long
    /// enough after its last reply, or it has been stopping for too long.
    pub fn is_given_up(&self, idle_timeout: Duration) -> bool {
        let has_lingered = self.half_closed_at.is_some_and(|since| self.now - since >= LINGER);
        let is_stopped = self.give_up.is_some_and(|give_up| give_up <= self.now);
        self.idle() >= idle_timeout || has_lingered || is_stopped
    }

    /// How many requests the server has received, and how many replies the client has got.
    pub fn count(&self) -> (u64, u64) {
        let count = |bytes: &[u8]| match self.protocol {
            Protocol::Lines => bytes.iter().filter(|&&byte| byte == b'\n').count(),
            Protocol::OneShot => bytes.len() / Protocol::OneShot.reply().len(),
        };
        (count(&self.owed) as u64, count(&self.got) as u64)
    }
}

/// A client.
#[derive(Clone, Debug)]
pub struct Client {
    pub says: Vec<u8>,
    /// How many bytes of replies there is room for before it reads.
    pub room: usize,
}

/// What a client does.
#[derive(Clone, Debug)]
pub enum Act {
    /// This many bytes that it sends arrive.
    Say(usize),
    /// It closes its sending half, and never sends the rest.
    End,
    /// It reads this many bytes, and the server's kernel has room for as many again.
    Read(usize),
}

/// What happens next. Clients are counted from 0, modulo as many as there are.
#[derive(Clone, Debug)]
pub enum Step<Event> {
    Client(usize, Act),
    /// This many milliseconds pass.
    Wait(u64),
    /// Ctrl-C is pressed.
    Stop,
    /// The server's loop turns, or something else happens that only this kind of loop knows.
    Event(Event),
}

/// Lines of all lengths, some about as long as a request may be, and maybe an unfinished one;
/// sometimes so many empty lines that the server has to stop reading.
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

/// Up to five clients, each with the script of its connection.
pub fn clients<Script: Debug>(
    script: impl Strategy<Value = Script>,
) -> impl Strategy<Value = Vec<(Client, Script)>> {
    let whole_replies = (0..5_usize).prop_map(|replies| replies * Protocol::Lines.reply().len());
    let room = prop_oneof![0..100_usize, whole_replies, Just(1_000_000_usize)];
    let client = (says(), room).prop_map(|(says, room)| Client { says, room });
    vec((client, script), 1..6)
}

pub fn steps<Event: Clone + Debug>(
    event: impl Strategy<Value = Event>,
) -> impl Strategy<Value = Vec<Step<Event>>> {
    let act = prop_oneof![
        8 => (0..60_usize).prop_map(Act::Say),
        4 => (0..5000_usize).prop_map(Act::Say),
        1 => Just(Act::End),
        4 => (1..60_usize).prop_map(Act::Read),
        2 => (1..9000_usize).prop_map(Act::Read),
    ];
    let step = prop_oneof![
        19 => (0..6_usize, act).prop_map(|(client, act)| Step::Client(client, act)),
        4 => (0..50_u64).prop_map(Step::Wait),
        1 => (0..7000_u64).prop_map(Step::Wait),
        1 => Just(Step::Stop),
        24 => event.prop_map(Step::Event),
    ];
    vec(step, 0..100)
}

pub fn settings() -> impl Strategy<Value = Settings> {
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

/// As many cases as take two seconds, unless the environment says otherwise.
pub fn config() -> ProptestConfig {
    let asked_for = ProptestConfig::default();
    let cases = if env::var_os("PROPTEST_CASES").is_some() { asked_for.cases } else { 500 };
    ProptestConfig { cases, failure_persistence: None, ..asked_for }
}
