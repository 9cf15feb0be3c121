//! Clients that connect, send one request, and stay: how many does a server serve at once, and what
//! happens when it can't serve any more?

use std::time::{Duration, Instant};

use super::client::Client;
use super::fixture::{CheckResult, Fixture, broken};
use super::matrix::Verdict;

/// A client without a reply after this long has to wait, most probably, until another one leaves.
const SETTLED: Duration = Duration::from_millis(500);

/// How many clients wait at most: few enough for a short backlog.
const MOST_WAITING: usize = 4;

/// How long all of them may take, as a multiple of one client's patience: long enough for a server
/// that starts a process for each of a thousand clients, on a busy machine.
const PATIENCES: u32 = 20;

/// How long to look for a reply to each of several clients. (Waiting for all of them at once would
/// take a poller, and this is the only place in the checker that could use one.)
const LOOK: Duration = Duration::from_millis(2);

/// Connected clients, in the order in which they connected.
pub(super) struct Clients<'a> {
    fixture: &'a Fixture,
    /// They have their replies.
    pub(super) answered: Vec<Client>,
    /// They have sent a request, and no reply has come.
    pub(super) waiting: Vec<Client>,
}

impl<'a> Clients<'a> {
    /// Connects this many clients, each when the previous one has its reply, because this check
    /// isn't about the backlog. When one has to wait, a few more connect and wait too, and no
    /// others.
    pub(super) fn connect(fixture: &'a Fixture, count: usize) -> CheckResult<Self> {
        let mut clients = Clients { fixture, answered: Vec::new(), waiting: Vec::new() };
        let began = Instant::now();
        let mut has_room = true;
        while has_room
            && clients.waiting.len() < MOST_WAITING
            && clients.answered.len() + clients.waiting.len() < count
        {
            let (answered, took) = (clients.answered.len(), began.elapsed());
            if took > PATIENCES * fixture.patience {
                return broken(format!(
                    "only {answered} of {count} clients got a reply within {took:.1?}, one after \
                     the other"
                ));
            }
            has_room = clients.connect_one().map_err(|why| clients.after(why))?;
        }
        // A server that has no more room must not close the connections that it has.
        let all = clients.answered.len();
        let still_here = clients.answered.iter_mut().try_for_each(Client::expect_nothing_yet);
        still_here
            .map_err(|why| why.when(&format!("to one of {all} clients that had their replies")))?;
        Ok(clients)
    }

    /// Returns whether there is room for another one in the backlog.
    fn connect_one(&mut self) -> CheckResult<bool> {
        let others_wait = !self.waiting.is_empty();
        let client = match others_wait {
            true => Client::connect_if_there_is_room(self.fixture),
            false => Some(Client::connect(self.fixture)?),
        };
        let Some(mut client) = client else { return Ok(false) };
        client.send_request()?;
        self.waiting.push(client);
        self.read_ready_replies(if others_wait { LOOK } else { SETTLED })?;
        Ok(true)
    }

    /// Clients that have a reply leave, one, then two, then four, until every client has a reply.
    /// Each time, at least the client that has waited longest has to get one.
    pub(super) fn leave_in_turn(&mut self) -> CheckResult<()> {
        let patience = self.fixture.patience;
        let mut leaving = 1;
        while !self.waiting.is_empty() {
            let leaving_now = leaving.min(self.answered.len());
            self.answered.drain(..leaving_now);
            let began = Instant::now();
            while !self.read_ready_replies(LOOK).map_err(|why| self.after(why))? {
                if began.elapsed() >= patience {
                    let waiting = self.waiting.len();
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

    /// Reads the replies that come, each within this time. Returns whether the client that has
    /// waited longest has one.
    fn read_ready_replies(&mut self, time: Duration) -> CheckResult<bool> {
        let mut first_is_answered = self.waiting.is_empty();
        for (number, mut client) in std::mem::take(&mut self.waiting).into_iter().enumerate() {
            if !client.is_readable_within(time)? {
                self.waiting.push(client);
                continue;
            }
            client.replies(1)?;
            self.answered.push(client);
            first_is_answered |= number == 0;
        }
        Ok(first_is_answered)
    }

    /// Adds to what happened to a client how many others were connected at the time.
    fn after(&self, why: Verdict) -> Verdict {
        why.when(&format!("while {} others were connected", self.answered.len()))
    }
}
