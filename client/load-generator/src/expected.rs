//! Checks every byte that comes from a server, however the stream is cut into pieces.

use std::io;

use protocol::Protocol;

/// The replies that a connection still has to get.
///
/// Wrong and unexpected bytes are rejected with a few words that say what came, and what should
/// have come.
pub(crate) struct Expected {
    protocol: Protocol,
    /// Replies that are still to come, or to be completed.
    owed: usize,
    /// Bytes of the next reply that have come.
    matched: usize,
    /// The article's select server never stops sending replies, so in its protocol an extra reply
    /// isn't an error.
    may_repeat: bool,
}

impl Expected {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Expected { protocol, owed: 0, matched: 0, may_repeat: false }
    }

    /// A request is sent, so one more reply has to come.
    pub(crate) fn request_sent(&mut self) {
        self.owed += 1;
    }

    /// How many replies still have to come.
    pub(crate) fn owed(&self) -> usize {
        self.owed
    }

    /// Takes bytes up to the end of one reply. Returns whether this was the end of an expected
    /// reply.
    pub(crate) fn take(&mut self, bytes: &mut &[u8]) -> Result<bool, String> {
        if self.owed == 0 && !self.may_repeat {
            return Err(format!("got unexpected bytes: {}", Shown(bytes)));
        }
        let due = &self.protocol.reply()[self.matched..];
        let (piece, rest) = bytes.split_at(due.len().min(bytes.len()));
        if !due.starts_with(piece) {
            return Err(format!("got {} instead of {}", Shown(bytes), Shown(due)));
        }
        *bytes = rest;
        self.matched += piece.len();
        if self.matched < self.protocol.reply().len() {
            return Ok(false);
        }
        self.matched = 0;
        self.may_repeat = self.protocol == Protocol::OneShot;
        let was_owed = self.owed > 0;
        self.owed = self.owed.saturating_sub(1);
        Ok(was_owed)
    }

    /// Takes all of these bytes. The error is [`InvalidData`](io::ErrorKind::InvalidData).
    pub(crate) fn take_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.take(&mut bytes).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        }
        Ok(())
    }
}

/// Bytes in readable form: quoted, escaped, and no more than a line of them.
pub struct Shown<'a>(pub &'a [u8]);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const MOST: usize = 60;
        let Shown(bytes) = *self;
        match bytes.get(..MOST) {
            Some(start) => {
                let more = bytes.len() - MOST;
                write!(f, "\"{}\" and {more} more bytes", start.escape_ascii())
            }
            None => write!(f, "\"{}\"", bytes.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends this many requests, then takes the bytes in pieces of this size.
    fn take(protocol: Protocol, sent: usize, bytes: &[u8], size: usize) -> Result<usize, String> {
        let mut expected = Expected::new(protocol);
        (0..sent).for_each(|_| expected.request_sent());
        let mut answered = 0;
        for mut piece in bytes.chunks(size) {
            while !piece.is_empty() {
                answered += usize::from(expected.take(&mut piece)?);
            }
        }
        Ok(answered)
    }

    #[test]
    fn replies_may_come_in_any_pieces() {
        let replies = Protocol::Lines.reply().repeat(3);
        for size in 1..=replies.len() {
            assert_eq!(take(Protocol::Lines, 3, &replies, size), Ok(3));
        }
    }

    #[test]
    fn wrong_and_unexpected_bytes_are_reported() {
        let lines = |bytes| take(Protocol::Lines, 1, bytes, 10).unwrap_err();
        assert_eq!(lines(b"Hello from swrver!\n"), r#"got " swrver!\n" instead of " server!\n""#);
        assert_eq!(lines(b"Hello from server!\n\0"), r#"got unexpected bytes: "\x00""#);
        let flood = take(Protocol::Lines, 0, &[b'x'; 100], 100).unwrap_err();
        assert!(flood.ends_with(r#"xxx" and 40 more bytes"#), "{flood}");
    }

    #[test]
    fn one_shot_takes_extra_replies_but_nothing_else() {
        let greetings = Protocol::OneShot.reply().repeat(11);
        assert_eq!(take(Protocol::OneShot, 1, &greetings[..190], 7), Ok(1));
        assert!(take(Protocol::OneShot, 1, b"Hello from server!\n", 100).is_err());
        assert!(take(Protocol::OneShot, 0, &greetings, 100).is_err());
    }
}
