//! The other side of a socket: a client, and a script that decides the result of each operation.

use std::collections::VecDeque;
use std::io;

use nix::errno::Errno;
use protocol::REQUEST_MAX;

use crate::clients::Talk;

/// The result of an operation.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// As much as there is.
    All,
    /// At most this many bytes.
    Short(usize),
    /// EAGAIN for a send that is done at once, ENOBUFS for a receive.
    NotNow,
    /// EINTR.
    Interrupted,
    /// ENOMEM.
    NoMemory,
    /// A receive returns what there is, and then ends.
    Last,
    /// The connection is broken.
    Broken(Errno),
}

/// A connection, as the kernel sees it.
pub struct Wire {
    pub talk: Talk,
    fates: VecDeque<Fate>,
    /// The error that broke the connection.
    pub broken: Option<Errno>,
}

impl Wire {
    pub fn new(talk: Talk, fates: &[Fate]) -> Self {
        Wire { talk, fates: fates.iter().copied().collect(), broken: None }
    }

    /// The result of a receive, and whether it goes on; `None`: no completion yet.
    pub fn receive(&mut self, is_cancelled: bool) -> Option<(io::Result<Option<Vec<u8>>>, bool)> {
        if let Some(broken) = self.broken {
            return Some((Err(broken.into()), false));
        }
        if !self.talk.is_to_be_heard() {
            return is_cancelled.then(|| (Err(Errno::ECANCELED.into()), false));
        }
        let mut most = REQUEST_MAX;
        let mut more = true;
        match self.next_fate() {
            Fate::All => {}
            Fate::Short(count) => most = count,
            Fate::NotNow => return Some((Err(Errno::ENOBUFS.into()), false)),
            Fate::Interrupted => return Some((Err(Errno::EINTR.into()), false)),
            Fate::NoMemory => return Some((Err(Errno::ENOMEM.into()), false)),
            Fate::Last => more = false,
            Fate::Broken(error) => return Some((Err(self.break_off(error)), false)),
        }
        let bytes = self.talk.says()[self.talk.hear(most)].to_vec();
        Some(if bytes.is_empty() { (Ok(None), false) } else { (Ok(Some(bytes)), more) })
    }

    /// The result of a send that waits; `None`: no completion yet, because there is no room.
    pub fn send(&mut self, bytes: &[u8], is_cancelled: bool) -> Option<io::Result<usize>> {
        if let Some(broken) = self.broken {
            return Some(Err(broken.into()));
        }
        if is_cancelled {
            return Some(Err(Errno::ECANCELED.into()));
        }
        let mut count = bytes.len().min(self.talk.room());
        if count == 0 {
            return None;
        }
        match self.next_fate() {
            Fate::All | Fate::Last | Fate::NotNow => {}
            Fate::Short(most) => count = count.min(most),
            Fate::Interrupted => return Some(Err(Errno::EINTR.into())),
            Fate::NoMemory => return Some(Err(Errno::ENOMEM.into())),
            Fate::Broken(error) => return Some(Err(self.break_off(error))),
        }
        self.talk.get(&bytes[..count]);
        Some(Ok(count))
    }

    /// The result of a send that is done when it is handed over, or not at all: it is too late to
    /// cancel it.
    pub fn send_at_once(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = match self.fates.front() {
            Some(Fate::NotNow) => self.fates.pop_front().and(None),
            _ => self.send(bytes, false),
        };
        result.unwrap_or(Err(Errno::EAGAIN.into()))
    }

    fn next_fate(&mut self) -> Fate {
        self.fates.pop_front().unwrap_or(Fate::All)
    }

    fn break_off(&mut self, error: Errno) -> io::Error {
        self.broken = Some(error);
        error.into()
    }
}
