//! The flood: any number of clients in one thread, driven by an event loop.
//!
//! It is the same kind of loop as in the event-driven servers, with the same function names, seen
//! from the client's side: [`Flood::turn`] opens and starts what is due, waits until the kernel
//! reports connections as ready, lets each of them take a step, and does what is due by time.
//!
//! Left out: raising the descriptor limit, which belongs to the whole process. The program `client`
//! does it.

mod connection;
pub(crate) mod errors;
mod event;
mod outbox;
mod polled_socket;
mod record;
mod schedule;
mod script;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use polling::{Events, Poller};
use slab::Slab;

use crate::crowd::{Crowd, Order};
use crate::kind::Kind;
use crate::phase::Phase;
use crate::report::{Failure, Report, Stage, Stuck};
use connection::{Connection, Next};
pub use event::Event;
use record::Record;
use schedule::{Schedule, after};

/// How many connections are opened, and how many are started, in one turn of the loop.
///
/// Ready connections wait meanwhile, which adds to their latency: 16 calls of connect(2) take about
/// a third of a millisecond.
const BATCH: usize = 16;

/// How often `watch` is called even if nothing happens, so that it can end the flood.
const TICK: Duration = Duration::from_millis(100);

/// After so long without any movement, the sockets of the clients that only send are full.
const FULL_AFTER: Duration = Duration::from_millis(200);

/// One of the crowd.
#[derive(Clone, Copy, Debug)]
struct Client {
    /// Counted from 0.
    number: usize,
    kind: Kind,
}

/// Floods the server at `address` with a crowd of clients, in this thread, until all are done,
/// nothing has moved for [`Crowd::timeout`], or `watch` ends it.
///
/// Failures of single connections are in the report.
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
/// [`io::ErrorKind::InvalidInput`] if there can't be such a crowd (see [`Crowd::check`]), or any
/// error of the poller, which ends the whole flood.
pub fn flood(
    address: SocketAddr,
    crowd: &Crowd,
    watch: &mut dyn FnMut(&Event<'_>) -> ControlFlow<()>,
) -> io::Result<Report> {
    crowd.check().map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
    let poller = Poller::new()?;
    let mut events = Events::new();
    let began = Instant::now();
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
        non_reading: crowd.count(Kind::NonReading),
        abandoned: Vec::new(),
        record: Record::new(Report::new(address, crowd), watch, began),
    };
    let processor_time = system::thread_time();
    if crowd.order == Order::AsConnected {
        flood.record.sending_since = Some(began);
    }
    while !flood.is_over() {
        flood.turn(&mut events)?;
    }
    flood.settle();
    let mut report = flood.record.report;
    report.elapsed = began.elapsed();
    report.processor_time =
        system::thread_time().zip(processor_time).map(|(now, before)| now.saturating_sub(before));
    Ok(report)
}

struct Flood<'a> {
    poller: &'a Poller,
    address: SocketAddr,
    crowd: &'a Crowd,
    connections: Slab<Connection<'a>>,
    /// How many clients have started to connect.
    opened: usize,
    /// How many of them are still connecting.
    connecting: usize,
    /// Connections whose first request is due.
    starting: VecDeque<usize>,
    /// When which connection has something to do by itself, the earliest first. It is a set, not a
    /// heap, so that the deadline of a closed connection can be removed.
    deadlines: BTreeSet<(Instant, usize)>,
    /// How many clients, opened or not, are not done, without the silent ones.
    unfinished: usize,
    /// How many of the unfinished are non-reading.
    non_reading: usize,
    abandoned: Vec<Abandoned>,
    record: Record<'a>,
}

/// What a failed client still had to do.
struct Abandoned {
    client: Client,
    /// `None` if the client could not even begin, or has no schedule.
    schedule: Option<Schedule>,
    /// How many requests; `None` if it would have sent them until the time was up.
    to_send: Option<usize>,
}

impl<'a> Flood<'a> {
    /// Silent clients stay as long as there are others. If there are no others, they stay for the
    /// crowd's duration, or, without one, until nothing has moved for too long.
    fn is_over(&self) -> bool {
        let all_gone = self.all_are_opened() && self.connections.is_empty();
        self.record.report.ended_early || all_gone || (self.unfinished == 0 && !self.only_silent())
    }

    fn only_silent(&self) -> bool {
        self.crowd.count(Kind::Silent) == self.crowd.connections
    }

    fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        self.open_some();
        self.start_some()?;
        events.clear(); // otherwise the new events would be added to those of the last turn
        self.record.report.calls.waits += 1;
        self.poller.wait_deadline(events, self.wake_up_at())?;
        for event in events.iter() {
            self.connection_ready(event)?;
        }
        self.expire(Instant::now())?;
        self.let_the_others_read()
    }

    fn open_some(&mut self) {
        for _ in 0..BATCH {
            if self.may_open() {
                self.open_one();
            }
        }
    }

    /// With `ConnectFirst`, clients connect one after the other. If all of them connected at once,
    /// then whenever the server's accept queue has room for one, all that try at that moment would
    /// get in, since the kernel counts only established connections.
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
                let (phase, at) = (Phase::Connecting, connection.since);
                self.record.notify(&Event::Entered { client: client.number, phase, at });
                entry.insert(connection);
            }
            Err(error) => {
                self.record.failed(client, &errors::cannot_open(&error, self.address, open));
                let to_send = self.crowd.requests_of(client.kind);
                self.abandoned.push(Abandoned { client, schedule: None, to_send });
                self.finished(client.kind);
                self.no_longer_connecting();
            }
        }
    }

    /// One client less is connecting. If it was the last one, the first requests of the held
    /// clients are due. Clients that could not connect are not waited for.
    fn no_longer_connecting(&mut self) {
        self.connecting -= 1;
        let all_are_through = self.connecting == 0 && self.all_are_opened();
        if all_are_through && self.crowd.order == Order::ConnectFirst {
            self.record.sending_since = Some(Instant::now());
            self.starting.extend(self.connections.iter().map(|(key, _)| key));
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

    /// When the wait has to end at the latest: at the earliest deadline, or now if there is work.
    fn wake_up_at(&self) -> Instant {
        if self.may_open() || !self.starting.is_empty() {
            return Instant::now();
        }
        let next = self.deadlines.first().map(|&(deadline, _)| deadline);
        let next = next.or_else(|| self.give_up_at());
        next.map_or(self.record.next_tick, |next| next.min(self.record.next_tick))
    }

    /// When to give up if nothing moves until then; `None` if never.
    ///
    /// While a client waits by its own choice, with half of a request or for its next one, the
    /// crowd is slow and not the server, so the flood doesn't give up.
    fn give_up_at(&self) -> Option<Instant> {
        if !self.deadlines.is_empty() || !self.starting.is_empty() {
            return None;
        }
        if self.only_silent()
            && let Some(end) = self.record.sending_until()
        {
            return Some(end);
        }
        Some(after(self.record.last_moved, self.crowd.timeout))
    }

    fn connection_ready(&mut self, event: polling::Event) -> io::Result<()> {
        self.go_on(event.key, |connection, record| connection.ready(event, record))
    }

    /// Lets a connection take its next step, and then updates what it is watched for.
    fn go_on(
        &mut self,
        key: usize,
        step: impl FnOnce(&mut Connection<'a>, &mut Record<'a>) -> Result<Next, Failure>,
    ) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(key) else {
            return Ok(()); // it was closed earlier in this turn
        };
        let due_before = connection.wakes_at;
        let next = step(connection, &mut self.record);
        if connection.wakes_at != due_before {
            let entry = |due| (due, key);
            due_before.map(|due| self.deadlines.remove(&entry(due)));
            self.deadlines.extend(connection.wakes_at.map(entry));
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
                let (client, at) = (connection.client.number, Instant::now());
                self.record.notify(&Event::Closed { client, at });
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

    /// When all the others are done and no non-reading client can send any more, the non-reading
    /// clients read their replies.
    fn let_the_others_read(&mut self) -> io::Result<()> {
        let all_have_begun = self.all_are_opened() && self.connecting == 0;
        let others_are_done = self.unfinished == self.non_reading && self.starting.is_empty();
        if self.non_reading == 0 || !all_have_begun || !others_are_done {
            return Ok(());
        }
        let may_have_room = self.record.last_moved.elapsed() < FULL_AFTER;
        let waiting = || self.connections.iter().filter(|(_, connection)| !connection.reads);
        if may_have_room && waiting().any(|(_, connection)| connection.phase != Phase::Resting) {
            return Ok(());
        }
        let waiting: Vec<usize> = waiting().map(|(key, _)| key).collect();
        waiting.into_iter().try_for_each(|key| {
            self.go_on(key, |connection, record| connection.begin_to_read(record))
        })
    }

    fn give_up(&mut self) {
        let mut stuck = Stuck::default();
        for (_, connection) in std::mem::take(&mut self.connections) {
            let (place, why) = match connection.phase {
                Phase::Connecting => (&mut stuck.connecting, "still connecting"),
                Phase::Held => (&mut stuck.held, "connected, waiting until all are"),
                _ if !connection.reads => {
                    stuck.non_reading += 1;
                    continue; // it does what it should, and so does a silent client
                }
                Phase::Resting => {
                    stuck.silent += 1;
                    continue;
                }
                Phase::Sending | Phase::Blocked => {
                    (&mut stuck.sending, "the server reads no more bytes")
                }
                Phase::AwaitingReply | Phase::Reading => {
                    (&mut stuck.awaiting_reply, "no reply has come")
                }
                Phase::AwaitingEnd => {
                    (&mut stuck.awaiting_end, "the server doesn't close the connection")
                }
            };
            *place += 1;
            self.fail(connection, &errors::failure(Stage::TimedOut, why));
        }
        for number in self.opened..self.crowd.connections {
            let client = Client { number, kind: self.crowd.kind(number) };
            stuck.connecting += 1;
            let why = "in line behind a client that is still connecting";
            self.record.failed(client, &errors::failure(Stage::TimedOut, why));
        }
        let only_silent = Stuck { silent: stuck.silent, ..Stuck::default() };
        self.record.report.stuck = Some(stuck).filter(|&stuck| stuck != only_silent);
        self.opened = self.crowd.connections;
    }

    /// Records what went wrong for a client that is no longer in the flood.
    fn fail(&mut self, connection: Connection<'_>, failure: &Failure) {
        let client = connection.client;
        self.record.failed(client, failure);
        connection.give_up(Instant::now(), &mut self.record);
        let Connection { schedule, to_send, .. } = connection;
        self.abandoned.push(Abandoned { client, schedule, to_send });
    }

    /// Counts the requests that failed clients of an open loop would have sent by now as
    /// unanswered. Otherwise a server would look better, the more connections it drops.
    fn settle(&mut self) {
        let since = self.record.sending_since.filter(|_| self.record.report.connected > 0);
        let Some(since) = since else {
            return; // no request was due yet, or there was no server
        };
        let now = Instant::now();
        let end = self.record.sending_until().map_or(now, |end| end.min(now));
        for Abandoned { client, schedule, to_send } in std::mem::take(&mut self.abandoned) {
            let schedule = schedule.or_else(|| Schedule::new(self.crowd, client.number, since));
            let Some(mut schedule) = schedule else {
                continue; // it is not a client of an open loop
            };
            let dues = std::iter::repeat_with(|| schedule.take()).take_while(|&due| due < end);
            for due in dues.take(to_send.unwrap_or(usize::MAX)) {
                if to_send.is_none() {
                    self.record.requested(client);
                }
                let since_due = self.record.is_measured(due).then(|| now - due);
                self.record.unanswered(client, None, since_due);
            }
        }
    }

    fn close(&mut self, key: usize) -> Connection<'a> {
        let connection = self.connections.remove(key);
        if let Some(due) = connection.wakes_at {
            self.deadlines.remove(&(due, key));
        }
        self.finished(connection.client.kind);
        if connection.phase == Phase::Connecting {
            self.no_longer_connecting();
        }
        connection
    }

    fn finished(&mut self, kind: Kind) {
        match kind {
            Kind::Silent => return,
            Kind::NonReading => self.non_reading -= 1,
            _ => {}
        }
        self.unfinished -= 1;
    }
}
