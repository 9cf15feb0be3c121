//! A client that sends requests and doesn't read the replies.

use crate::client::Client;
use crate::fixture::{CheckResult, Fixture, broken};

const REQUEST: &[u8] = b"hello\n";

/// How many requests it sends at most. Their replies, 5.7 MB, are more than twice as much as the
/// kernels hold for a client with such a small buffer (measured on Linux: 1.6 MB).
const MOST_REQUESTS: usize = 300_000;

/// How many of them go out in one call, as long as the server keeps reading.
const AT_ONCE: usize = 2500;

/// A server that has read everything holds more than 3 MB of replies, even if its lists cost no
/// memory. A server that drops the replies, or only counts them, grows by less.
const MOST_MEMORY: u64 = 1 << 20;

/// A client that has sent requests until the sockets were full, and how many bytes those were.
struct NonReading {
    client: Client,
    sent: usize,
}

impl NonReading {
    fn send_until_full(fixture: &Fixture) -> CheckResult<Self> {
        let mut client = Client::connect_with_small_buffers(fixture)?;
        let times = MOST_REQUESTS / AT_ONCE;
        let sent = client.send_until_full(&REQUEST.repeat(AT_ONCE), times)?;
        Ok(NonReading { client, sent })
    }

    /// Reads every reply. Of the last request, only a part may have been sent.
    fn read_replies(&mut self) -> CheckResult<()> {
        self.client.enlarge_receive_buffer()?;
        let replies = self.sent / REQUEST.len();
        self.client.replies(replies)
    }

    /// Closes the connection in order. Closing it with unread replies would reset it, which is
    /// another check's job, as is counting the replies.
    fn leave(mut self) {
        self.read_replies().ok();
        self.client.leave();
    }
}

pub(super) fn neighbour(fixture: &Fixture) -> CheckResult {
    let non_reading = NonReading::send_until_full(fixture)?;
    Client::visit(fixture)
        .map_err(|why| why.when("while another client didn't read its replies"))?;
    non_reading.leave();
    Ok(None)
}

pub(super) fn replies(fixture: &Fixture) -> CheckResult {
    let mut non_reading = NonReading::send_until_full(fixture)?;
    non_reading.read_replies()?;
    Ok(None)
}

pub(super) fn memory(fixture: &Fixture) -> CheckResult {
    Client::visit(fixture)?;
    let before = fixture.cost()?.resident;
    let non_reading = NonReading::send_until_full(fixture)?;
    let grown = fixture.cost()?.resident.saturating_sub(before);
    let grown_by = format!("{:.1} MB", grown as f64 / 1e6);
    // A server that has stopped reading can't grow any more. How much it has grown until then
    // depends on the language: some collect no garbage until there are many megabytes of it.
    let has_read_all = non_reading.sent == MOST_REQUESTS * REQUEST.len();
    if has_read_all && grown > MOST_MEMORY {
        return broken(format!(
            "the server read {MOST_REQUESTS} requests from a non-reading client, and grew by \
             {grown_by}"
        ));
    }
    non_reading.leave();
    Ok(Some(format!("+{grown_by}")))
}

pub(super) fn sleep(fixture: &Fixture) -> CheckResult {
    fixture.cost()?;
    let mut non_reading = NonReading::send_until_full(fixture)?;
    fixture.expect_sleep("a client didn't read its replies")?;
    non_reading.read_replies()?;
    fixture.expect_sleep("a client that had finally read all its replies was idle")?;
    Ok(None)
}
