//! The flood: any number of clients in one thread, driven by events.
//!
//! The same kind of loop as in the event-driven servers, with the same function names, seen
//! from the other side: [`Flood::turn`] opens and starts what is due, waits until the kernel
//! reports a connection as ready, lets each that is ready go one step further, and does
//! what is due by time.
//!
//! Left out: the descriptor limit is not raised here, since it belongs to the whole process;
//! the program `client` does it.

mod connection;
pub(crate) mod errors;
mod outbox;
mod plan;
mod record;
mod watched;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use polling::{Event, Events, Poller};
use slab::Slab;

use crate::crowd::{Crowd, Order};
use crate::kind::Kind;
use crate::phase::Phase;
use crate::report::{Failure, Report, Stage, Stuck};
use connection::{Connection, Deafness, Next};
use plan::Plan;
use record::Record;

/// How many connections are opened, and how many are started, in one turn.
///
/// Connections that are ready wait meanwhile, and that counts into their latency: 16 calls
/// of connect(2) take about a third of a millisecond.
const BATCH: usize = 16;

/// How often whoever watches is asked whether to go on, though nothing may have happened.
const TICK: Duration = Duration::from_millis(100);

/// What happens in a flood, told while it goes on. Clients have numbers, counted from 0.
#[derive(Debug)]
#[non_exhaustive]
pub enum Happening<'a> {
    /// A client is about something else from now on. The first phase of each is
    /// [`Phase::Connecting`].
    Entered {
        /// Its number.
        client: usize,
        /// What it is about.
        phase: Phase,
        /// Since when.
        at: Instant,
    },
    /// A client is connected; it took so long.
    Connected {
        /// Its number.
        client: usize,
        /// From the call of `connect` on.
        after: Duration,
    },
    /// One read brought a client these bytes. They are not checked yet.
    Received {
        /// Its number.
        client: usize,
        /// Perhaps a part of a reply only.
        bytes: &'a [u8],
    },
    /// A client has got a whole reply, byte by byte as it should be.
    Answered {
        /// Its number.
        client: usize,
        /// How long it took; `None` if that does not count, because the request belongs to
        /// the warm-up, or the client is deaf and reads when it likes.
        latency: Option<Latency>,
    },
    /// A request will not be answered any more. How long it has been waited for in vain is
    /// told as for an answer, as far as it counts.
    Unanswered {
        /// Its number.
        client: usize,
        /// `None` also if it was not even sent.
        since_sent: Option<Duration>,
        /// See [`Latency::since_due`].
        since_due: Option<Duration>,
    },
    /// Something went wrong for a client, and it is closed.
    Failed {
        /// Its number.
        client: usize,
        /// What went wrong.
        failure: &'a Failure,
    },
    /// A client has done all that it was to do, and is closed.
    Closed {
        /// Its number.
        client: usize,
        /// When.
        at: Instant,
    },
    /// Some time has passed: told about ten times a second, whatever else happens.
    Tick,
}

/// How long a reply took, by two clocks that differ in an open loop only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// From the instant when the last byte of the request was let go of.
    pub since_sent: Duration,
    /// From the instant when the request was due by the plan, see [`Crowd::rate`]. Without
    /// a plan the same as `since_sent`.
    pub since_due: Duration,
}

/// One of the crowd.
#[derive(Clone, Copy, Debug)]
struct Client {
    /// Counted from 0.
    number: usize,
    kind: Kind,
}

/// Lets a crowd of clients loose on the server at `address`, in this thread, until all are
/// done, or nothing has moved for [`Crowd::timeout`], or `watch` breaks it off.
///
/// What goes wrong on a connection stands in the report.
///
/// ```no_run
/// use load_generator::{Crowd, flood};
/// use std::ops::ControlFlow;
///
/// let crowd = Crowd { connections: 1000, ..Crowd::default() };
/// let address = protocol::DEFAULT_ADDRESS.parse().unwrap();
/// let report = flood(address, &crowd, &mut |_| ControlFlow::Continue(()))?;
/// println!("{report}");
/// # std::io::Result::Ok(())
/// ```
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] if there can't be such a crowd (see [`Crowd::check`]), or
/// any error of the means to wait for events: these end the whole flood.
pub fn flood(
    address: SocketAddr,
    crowd: &Crowd,
    watch: &mut dyn FnMut(&Happening<'_>) -> ControlFlow<()>,
) -> io::Result<Report> {
    crowd.check().map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
    let poller = Poller::new()?;
    let mut events = Events::new();
    let mut flood = Flood {
        poller: &poller,
        address,
        crowd,
        connections: Slab::with_capacity(crowd.connections),
        opened: 0,
        connecting: 0,
        starting: VecDeque::new(),
        deadlines: BTreeSet::new(),
        unfinished: crowd.connections - crowd.count(Kind::Silent),
        deaf: crowd.count(Kind::Deaf),
        abandoned: Vec::new(),
        record: Record::new(Report::new(address, crowd), watch),
    };
    let processor_time = system::thread_time();
    if crowd.order == Order::AsConnected {
        flood.record.begin_asking();
    }
    while !flood.is_over() {
        flood.turn(&mut events)?;
    }
    flood.settle();
    let mut report = flood.record.finish();
    report.processor_time =
        system::thread_time().zip(processor_time).map(|(now, before)| now.saturating_sub(before));
    Ok(report)
}

struct Flood<'a> {
    poller: &'a Poller,
    address: SocketAddr,
    crowd: &'a Crowd,
    connections: Slab<Connection<'a>>,
    /// How many clients have been told to connect.
    opened: usize,
    /// How many of them are still about it.
    connecting: usize,
    /// Connections whose first request is due.
    starting: VecDeque<usize>,
    /// When which connection has something to do by itself, the earliest first. A set and
    /// not a heap, so that the deadline of a closed connection can be taken out.
    deadlines: BTreeSet<(Instant, usize)>,
    /// Clients that are not done, opened or not, without the silent ones.
    unfinished: usize,
    /// How many of the unfinished are deaf.
    deaf: usize,
    /// Those that have failed, if they had a plan.
    abandoned: Vec<Abandoned>,
    record: Record<'a>,
}

/// What is left of the plan of a client that has failed.
struct Abandoned {
    client: Client,
    /// `None` if it could not even begin.
    plan: Option<Plan>,
    /// How many requests it had still to ask; `None` if it asked until the time was up.
    to_ask: Option<usize>,
}

impl<'a> Flood<'a> {
    /// The silent ones stay as long as there are others. If there are no others, they stay
    /// for the duration, if there is one, and until nothing has moved for too long otherwise.
    fn is_over(&self) -> bool {
        let all_gone = self.all_are_opened() && self.connections.is_empty();
        self.record.is_ended() || all_gone || (self.unfinished == 0 && !self.only_silent())
    }

    fn only_silent(&self) -> bool {
        self.crowd.count(Kind::Silent) == self.crowd.connections
    }

    fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        self.open_some();
        self.start_some()?;
        events.clear(); // otherwise the new ones would be added to those of the last turn
        self.record.report.calls.waits += 1;
        self.poller.wait_deadline(events, self.wake_up_at())?;
        for event in events.iter() {
            self.connection_ready(event)?;
        }
        self.expire(Instant::now())?;
        self.let_the_deaf_listen()
    }

    fn open_some(&mut self) {
        for _ in 0..BATCH {
            if self.may_open() {
                self.open_one();
            }
        }
    }

    /// Connect-first is one after the other. Were they all connecting at once, then each
    /// time that the server's accept queue has room for one, as many as try at that moment
    /// would get in, since the kernel counts only those that are through.
    fn may_open(&self) -> bool {
        let is_free = self.connecting == 0 || self.crowd.order == Order::AsConnected;
        is_free && !self.all_are_opened()
    }

    fn all_are_opened(&self) -> bool {
        self.opened == self.crowd.connections
    }

    fn open_one(&mut self) {
        let client = Client { number: self.opened, kind: self.crowd.kind(self.opened) };
        self.opened += 1;
        self.connecting += 1;
        let open = self.connections.len();
        let entry = self.connections.vacant_entry();
        match Connection::open(self.poller, entry.key(), self.address, self.crowd, client) {
            Ok(connection) => {
                self.record.entered(client, Phase::Connecting, connection.since());
                entry.insert(connection);
            }
            Err(error) => {
                self.record.failed(client, &errors::cannot_open(&error, self.address, open));
                self.abandon(client, None, self.crowd.requests_of(client.kind));
                self.finished(client.kind);
                self.no_longer_connecting();
            }
        }
    }

    /// One client less is connecting; if it was the last one of all, the first requests of
    /// those that were held are due. Who could not connect is not waited for.
    fn no_longer_connecting(&mut self) {
        self.connecting -= 1;
        let all_are_through = self.connecting == 0 && self.all_are_opened();
        if all_are_through && self.crowd.order == Order::ConnectFirst {
            self.record.begin_asking();
            let keys = self.connections.iter().map(|(key, _)| key);
            self.starting.extend(keys);
        }
    }

    fn start_some(&mut self) -> io::Result<()> {
        for _ in 0..BATCH.min(self.starting.len()) {
            if let Some(key) = self.starting.pop_front() {
                self.go_on(key, |connection, record| connection.start(record))?;
            }
        }
        Ok(())
    }

    /// The latest end of the wait: the earliest deadline, or now if there is work.
    fn wake_up_at(&self) -> Instant {
        if self.may_open() || !self.starting.is_empty() {
            return Instant::now();
        }
        let next = match self.deadlines.first() {
            Some(&(deadline, _)) => Some(deadline),
            None => self.give_up_at(),
        };
        next.map_or(self.record.next_tick, |next| next.min(self.record.next_tick))
    }

    /// When to give up if nothing moves before; `None` if that is never.
    ///
    /// While a client waits by itself, with half of a request or for its next one, it is the
    /// crowd that is slow, so nobody is given up.
    fn give_up_at(&self) -> Option<Instant> {
        if !self.deadlines.is_empty() || !self.starting.is_empty() {
            return None;
        }
        if self.only_silent()
            && let Some(end) = self.record.asks_until()
        {
            return Some(end);
        }
        // An instant that can't be told is so far away that it never comes.
        self.record.last_moved.checked_add(self.crowd.timeout)
    }

    fn connection_ready(&mut self, event: Event) -> io::Result<()> {
        self.go_on(event.key, |connection, record| connection.ready(event, record))
    }

    /// Lets a connection take its next step, and then watches it as it now wants.
    fn go_on(
        &mut self,
        key: usize,
        step: impl FnOnce(&mut Connection<'a>, &mut Record<'a>) -> Result<Next, Failure>,
    ) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(key) else {
            return Ok(()); // it was closed earlier in this turn
        };
        let due_before = connection.wakes_at();
        let next = step(connection, &mut self.record);
        if connection.wakes_at() != due_before {
            let entry = |due| (due, key);
            due_before.map(|due| self.deadlines.remove(&entry(due)));
            self.deadlines.extend(connection.wakes_at().map(entry));
        }
        match next {
            Ok(Next::GoOn) => connection.watch()?,
            Ok(Next::Connected) => {
                connection.watch()?;
                if self.crowd.order == Order::AsConnected {
                    self.starting.push_back(key);
                }
                self.no_longer_connecting();
            }
            Ok(Next::Close) => {
                self.record.closed(connection.client, Instant::now());
                self.close(key);
            }
            Err(failure) => {
                let connection = self.close(key);
                self.fail(connection, &failure);
            }
        }
        Ok(())
    }

    /// Does what is due by time: what clients do by themselves, the tick, giving up.
    fn expire(&mut self, now: Instant) -> io::Result<()> {
        while let Some(&(due, key)) = self.deadlines.first()
            && due <= now
        {
            self.go_on(key, |connection, record| connection.expire(record))?;
        }
        self.record.tick(now);
        if self.give_up_at().is_some_and(|give_up| give_up <= now) {
            self.give_up();
        }
        Ok(())
    }

    /// When all the others are done and no deaf client can send on, these read what they got.
    fn let_the_deaf_listen(&mut self) -> io::Result<()> {
        if self.deaf == 0 || self.unfinished > self.deaf || !self.all_are_opened() {
            return Ok(());
        }
        let mut waiting = Vec::new();
        for (key, connection) in &self.connections {
            match connection.deafness() {
                Deafness::Sends => return Ok(()),
                Deafness::Waits => waiting.push(key),
                Deafness::None => {}
            }
        }
        waiting
            .into_iter()
            .try_for_each(|key| self.go_on(key, |connection, record| connection.listen(record)))
    }

    fn give_up(&mut self) {
        let mut stuck = Stuck::default();
        for (_, connection) in std::mem::take(&mut self.connections) {
            let (place, why) = match connection.phase() {
                Phase::Connecting => (&mut stuck.connecting, "still connecting"),
                Phase::Held => (&mut stuck.held, "connected, waits until all are"),
                _ if connection.deafness() != Deafness::None => {
                    stuck.deaf += 1;
                    continue; // it does what it is there for, and so does the silent one
                }
                Phase::Resting => {
                    stuck.silent += 1;
                    continue;
                }
                Phase::Sending | Phase::Blocked => {
                    (&mut stuck.sending, "the server takes no more bytes")
                }
                Phase::AwaitingReply | Phase::Reading => {
                    (&mut stuck.awaiting_reply, "no reply has come")
                }
                Phase::AwaitingEnd => (&mut stuck.awaiting_end, "the server does not close"),
            };
            *place += 1;
            self.fail(connection, &errors::failure(Stage::TimedOut, why));
        }
        for number in self.opened..self.crowd.connections {
            let client = Client { number, kind: self.crowd.kind(number) };
            stuck.connecting += 1;
            let why = "in line behind one that is still connecting";
            self.record.failed(client, &errors::failure(Stage::TimedOut, why));
        }
        let only_silent = Stuck { silent: stuck.silent, ..Stuck::default() };
        self.record.report.stuck = Some(stuck).filter(|&stuck| stuck != only_silent);
        self.record.end();
    }

    /// Tells what went wrong for a client that is out of the flood now.
    fn fail(&mut self, connection: Connection<'_>, failure: &Failure) {
        let client = connection.client;
        self.record.failed(client, failure);
        connection.give_up(Instant::now(), &mut self.record);
        let (plan, to_ask) = connection.into_plan();
        self.abandon(client, plan, to_ask);
    }

    fn abandon(&mut self, client: Client, plan: Option<Plan>, to_ask: Option<usize>) {
        if self.crowd.rate.is_some() && client.kind == Kind::Prompt {
            self.abandoned.push(Abandoned { client, plan, to_ask });
        }
    }

    /// An open loop goes on without those who have failed: what they would have asked by
    /// now is unanswered, too. Otherwise a server would look the better the more connections
    /// it drops.
    fn settle(&mut self) {
        let asks_from = self.record.asks_from().filter(|_| self.record.report.connected > 0);
        let Some(asks_from) = asks_from else {
            return; // nobody was told to ask, or there was no server
        };
        let now = Instant::now();
        let end = self.record.asks_until().map_or(now, |end| end.min(now));
        for Abandoned { client, plan, to_ask } in std::mem::take(&mut self.abandoned) {
            let Some(mut plan) = plan.or_else(|| Plan::new(self.crowd, client.number, asks_from))
            else {
                continue;
            };
            let dues = std::iter::repeat_with(|| plan.take()).take_while(|&due| due < end);
            for due in dues.take(to_ask.unwrap_or(usize::MAX)) {
                if to_ask.is_none() {
                    self.record.asked(client, 1);
                }
                let since_due = self.record.is_measured(due).then(|| now - due);
                self.record.unanswered(client, None, since_due);
            }
        }
    }

    fn close(&mut self, key: usize) -> Connection<'a> {
        let connection = self.connections.remove(key);
        if let Some(due) = connection.wakes_at() {
            self.deadlines.remove(&(due, key));
        }
        self.finished(connection.client.kind);
        if connection.phase() == Phase::Connecting {
            self.no_longer_connecting();
        }
        connection
    }

    fn finished(&mut self, kind: Kind) {
        match kind {
            Kind::Silent => return,
            Kind::Deaf => self.deaf -= 1,
            _ => {}
        }
        self.unfinished -= 1;
    }
}
