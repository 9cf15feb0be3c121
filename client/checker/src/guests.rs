//! Clients that come, ask once, and stay: how many does a server serve at once, and does it
//! go on when it could serve no more?

use std::time::{Duration, Instant};

use super::scene::{Attempt, Scene, Trouble, broken};
use super::visitor::Visitor;

/// Who is not answered for so long is taken for one who has to wait until somebody leaves.
const SETTLED: Duration = Duration::from_millis(500);

/// How many more come when one has to wait. So few that they fit into a short backlog.
const MORE: usize = 4;

/// How long one of those tries to connect: the backlog may be full already.
const KNOCK: Duration = Duration::from_millis(250);

/// How long all of them may take, in times the patience of one: long enough for a server that
/// starts a process for each of a thousand, on a machine that is busy with other things.
const PATIENCES: u32 = 20;

/// How often it is looked whether one of several has been answered. (To wait for all of them
/// at once would take a poller, and this is the only place in the checker that could use one.)
const LOOK: Duration = Duration::from_millis(2);

/// Clients that are here, in the order in which they came.
pub(super) struct Guests<'a> {
    scene: &'a Scene,
    answered: Vec<Visitor>,
    /// They have asked, and nothing has come.
    waiting: Vec<Visitor>,
}

impl<'a> Guests<'a> {
    /// So many come and ask, each when the one before has been answered: the backlog is not
    /// what is tried here. When one has to wait, a few more come and wait, too, and no others.
    pub(super) fn come(scene: &'a Scene, count: usize) -> Attempt<Self> {
        let mut guests = Guests { scene, answered: Vec::new(), waiting: Vec::new() };
        let began = Instant::now();
        while guests.answered.len() < count {
            if began.elapsed() > PATIENCES * scene.patience {
                let (answered, took) = (guests.answered.len(), began.elapsed());
                return broken(format!(
                    "only {answered} of {count} clients were answered within {took:.1?}, one after \
                     the other"
                ));
            }
            let mut guest = Visitor::connect(scene).or_else(|why| guests.after(why))?;
            guest.ask().or_else(|why| guests.after(why))?;
            if !guest.hears_something_within(SETTLED).or_else(|why| guests.after(why))? {
                guests.waiting.push(guest);
                guests.queue_up(count)?;
                break;
            }
            guest.replies(1).or_else(|why| guests.after(why))?;
            guests.answered.push(guest);
        }
        guests.nobody_is_lost()?;
        Ok(guests)
    }

    fn queue_up(&mut self, count: usize) -> Attempt<()> {
        while self.waiting.len() < MORE && self.answered.len() + self.waiting.len() < count {
            // The backlog is full: whoever comes now waits outside of it.
            let Ok(mut guest) = Visitor::connect_within(self.scene, KNOCK) else { break };
            guest.ask().or_else(|why| self.after(why))?;
            self.waiting.push(guest);
        }
        // A server that turns them away does it now.
        self.look_around().map(drop)
    }

    /// How many are answered and still here.
    pub(super) fn at_once(&self) -> usize {
        self.answered.len()
    }

    /// Whether somebody has to wait.
    pub(super) fn somebody_waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Those who are answered leave, one, then two, then four, until everybody is answered:
    /// each time some leave, at least the one who has waited longest must be.
    pub(super) fn leave_in_turns(&mut self) -> Attempt<()> {
        let mut leaving = 1;
        while self.somebody_waits() {
            let leaving_now = leaving.min(self.answered.len());
            self.answered.drain(..leaving_now);
            let began = Instant::now();
            while !self.look_around()? {
                if began.elapsed() >= self.scene.patience {
                    let waiting = self.waiting.len();
                    let patience = self.scene.patience;
                    return broken(format!(
                        "{waiting} clients waited in the backlog; {leaving_now} others left, but \
                         whoever had waited longest was not answered within {patience:?}"
                    ));
                }
            }
            leaving *= 2;
        }
        Ok(())
    }

    /// Reads the replies that have come; whether the one who has waited longest has one.
    fn look_around(&mut self) -> Attempt<bool> {
        let mut first_is_answered = self.waiting.is_empty();
        for (number, mut guest) in std::mem::take(&mut self.waiting).into_iter().enumerate() {
            if !guest.hears_something_within(LOOK).or_else(|why| self.after(why))? {
                self.waiting.push(guest);
                continue;
            }
            guest.replies(1).or_else(|why| self.after(why))?;
            self.answered.push(guest);
            first_is_answered |= number == 0;
        }
        Ok(first_is_answered)
    }

    /// A server that has no room any more must not throw out those who are in.
    fn nobody_is_lost(&mut self) -> Attempt<()> {
        let all = self.answered.len();
        let still_here = self.answered.iter_mut().try_for_each(Visitor::is_left_alone);
        still_here.map_err(|why| why.when(&format!("one of {all} that had been answered")))
    }

    /// What happened to a guest, and how many others were here then.
    fn after<T>(&self, why: Trouble) -> Attempt<T> {
        Err(why.when(&format!("{} others were here", self.answered.len())))
    }
}
