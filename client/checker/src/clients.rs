//! Clients that connect, send one request, and stay: how many does a server serve at once, and what
//! happens when it can't serve any more?

use std::time::{Duration, Instant};

use super::client::Client;
use super::fixture::{CheckFailure, CheckResult, Fixture, broken};

/// A client without a reply after this long has to wait, most probably, until another one leaves.
const SETTLED: Duration = Duration::from_millis(500);

/// How many more clients connect when one has to wait: few enough for a short backlog.
const MORE: usize = 4;

/// How long one of those tries to connect: the backlog may already be full.
const CONNECT_WITHIN: Duration = Duration::from_millis(250);

/// How long all of them may take, as a multiple of one client's patience: long enough for a server
/// that starts a process for each of a thousand clients, on a busy machine.
const PATIENCES: u32 = 20;

/// How long to look for a reply to each of several clients. (Waiting for all of them at once would
/// take a poller, and this is the only place in the checker that could use one.)
const LOOK: Duration = Duration::from_millis(2);

/// Connected clients, in the order in which they connected.
pub(super) struct Clients<'a> {
    fixture: &'a Fixture,
    answered: Vec<Client>,
    /// They have sent a request, and no reply has come.
    waiting: Vec<Client>,
}

impl<'a> Clients<'a> {
    /// Connects this many clients, each when the previous one has its reply, because this check
    /// isn't about the backlog. When one has to wait, a few more connect and wait too, and no
    /// others.
    pub(super) fn come(fixture: &'a Fixture, count: usize) -> CheckResult<Self> {
        let mut clients = Clients { fixture, answered: Vec::new(), waiting: Vec::new() };
        let began = Instant::now();
        while clients.answered.len() < count {
            if began.elapsed() > PATIENCES * fixture.patience {
                let (answered, took) = (clients.answered.len(), began.elapsed());
                return broken(format!(
                    "only {answered} of {count} clients got a reply within {took:.1?}, one after \
                     the other"
                ));
            }
            let mut client = Client::connect(fixture).or_else(|why| clients.after(why))?;
            client.send_request().or_else(|why| clients.after(why))?;
            if !client.is_readable_within(SETTLED).or_else(|why| clients.after(why))? {
                clients.waiting.push(client);
                clients.queue_up(count)?;
                break;
            }
            client.replies(1).or_else(|why| clients.after(why))?;
            clients.answered.push(client);
        }
        clients.expect_none_lost()?;
        Ok(clients)
    }

    fn queue_up(&mut self, count: usize) -> CheckResult<()> {
        while self.waiting.len() < MORE && self.answered.len() + self.waiting.len() < count {
            // The backlog is full: a client that connects now waits outside of it.
            let Ok(mut client) = Client::connect_within(self.fixture, CONNECT_WITHIN) else {
                break;
            };
            client.send_request().or_else(|why| self.after(why))?;
            self.waiting.push(client);
        }
        // A server that rejects them does it now.
        self.read_ready_replies().map(drop)
    }

    /// How many have a reply and are still connected.
    pub(super) fn at_once(&self) -> usize {
        self.answered.len()
    }

    /// Whether at least one client has to wait.
    pub(super) fn some_wait(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Clients that have a reply leave, one, then two, then four, until every client has a reply.
    /// Each time, at least the client that has waited longest has to get one.
    pub(super) fn leave_in_turn(&mut self) -> CheckResult<()> {
        let mut leaving = 1;
        while self.some_wait() {
            let leaving_now = leaving.min(self.answered.len());
            self.answered.drain(..leaving_now);
            let began = Instant::now();
            while !self.read_ready_replies()? {
                if began.elapsed() >= self.fixture.patience {
                    let waiting = self.waiting.len();
                    let patience = self.fixture.patience;
                    return broken(format!(
                        "{waiting} clients waited in the backlog; when {leaving_now} others left, \
                         the one that had waited longest got no reply within {patience:?}"
                    ));
                }
            }
            leaving *= 2;
        }
        Ok(())
    }

    /// Reads the replies that have come. Returns whether the client that has waited longest has
    /// one.
    fn read_ready_replies(&mut self) -> CheckResult<bool> {
        let mut first_is_answered = self.waiting.is_empty();
        for (number, mut client) in std::mem::take(&mut self.waiting).into_iter().enumerate() {
            if !client.is_readable_within(LOOK).or_else(|why| self.after(why))? {
                self.waiting.push(client);
                continue;
            }
            client.replies(1).or_else(|why| self.after(why))?;
            self.answered.push(client);
            first_is_answered |= number == 0;
        }
        Ok(first_is_answered)
    }

    /// A server that has no more room must not close the connections that it has.
    fn expect_none_lost(&mut self) -> CheckResult<()> {
        let all = self.answered.len();
        let still_here = self.answered.iter_mut().try_for_each(Client::expect_nothing_yet);
        still_here
            .map_err(|why| why.when(&format!("to one of {all} clients that had their replies")))
    }

    /// Adds to what happened to a client how many others were connected at the time.
    fn after<T>(&self, why: CheckFailure) -> CheckResult<T> {
        Err(why.when(&format!("while {} others were connected", self.answered.len())))
    }
}
