//! A client that asks and asks, and does not read.

use crate::scene::{Attempt, Scene, broken};
use crate::visitor::Visitor;

const REQUEST: &[u8] = b"hello\n";

/// How often it asks at most. The replies, 5.7 MB of them, are more than twice as much as the
/// kernels hold for a client with so small a buffer (measured on Linux: 1.6 MB).
const MOST_REQUESTS: usize = 300_000;

/// How many of them go out in one call, if nobody slows the client down.
const AT_ONCE: usize = 2500;

/// A server that has read everything holds more than 3 MB of replies, in a language that
/// spends nothing on lists. One that has dropped them, or counts them, grows by less.
const MOST_MEMORY: u64 = 1 << 20;

/// A client that has asked until nobody took any more, and how many bytes that were.
struct Deaf {
    visitor: Visitor,
    sent: usize,
}

impl Deaf {
    fn ask_until_full(scene: &Scene) -> Attempt<Self> {
        let mut visitor = Visitor::connect_with_small_buffers(scene)?;
        let times = MOST_REQUESTS / AT_ONCE;
        let sent = visitor.send_until_full(&REQUEST.repeat(AT_ONCE), times)?;
        Ok(Deaf { visitor, sent })
    }

    /// Whether the server has taken everything, though nobody read its replies.
    fn was_never_stopped(&self) -> bool {
        self.sent == MOST_REQUESTS * REQUEST.len()
    }

    /// Reads every reply; of the last request only a part may have been sent.
    fn read_at_last(&mut self) -> Attempt<()> {
        self.visitor.open_ears()?;
        let replies = self.sent / REQUEST.len();
        self.visitor.replies(replies)
    }

    /// Goes in order. To go with replies unread would reset the connection, which is another
    /// check's business; and so is it whether they are all there.
    fn leave(mut self) {
        self.read_at_last().ok();
        self.visitor.leave();
    }
}

pub(super) fn neighbour(scene: &Scene) -> Attempt {
    let deaf = Deaf::ask_until_full(scene)?;
    scene.ask_as_anybody().map_err(|why| why.when("another client did not read its replies"))?;
    deaf.leave();
    Ok(None)
}

pub(super) fn replies(scene: &Scene) -> Attempt {
    let mut deaf = Deaf::ask_until_full(scene)?;
    deaf.read_at_last()?;
    Ok(None)
}

pub(super) fn memory(scene: &Scene) -> Attempt {
    scene.ask_as_anybody()?;
    let before = scene.cost()?.resident;
    let deaf = Deaf::ask_until_full(scene)?;
    let grown = scene.cost()?.resident.saturating_sub(before);
    let grown_by = format!("{:.1} MB", grown as f64 / 1e6);
    // Who stops reading can't grow any more. What it has grown by until then is the language's
    // affair: some collect no garbage before there are many megabytes of it.
    if deaf.was_never_stopped() && grown > MOST_MEMORY {
        return broken(format!(
            "the server took {MOST_REQUESTS} requests from a client that read nothing, and grew \
             by {grown_by}"
        ));
    }
    deaf.leave();
    Ok(Some(format!("+{grown_by}")))
}

pub(super) fn sleep(scene: &Scene) -> Attempt {
    scene.cost()?;
    let mut deaf = Deaf::ask_until_full(scene)?;
    scene.expect_sleep("a client did not read its replies")?;
    deaf.read_at_last()?;
    scene.expect_sleep("nothing was left to do for a client that had been deaf")?;
    Ok(None)
}
