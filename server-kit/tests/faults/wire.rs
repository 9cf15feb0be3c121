//! The other side of a socket: a client, and a script that decides the result of each call.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::ops::Range;
use std::rc::Rc;

use server_kit::{Call, Stream};

use crate::clients::{Act, Talk};

/// The result of a call of recv(2) or send(2).
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// As much as there is.
    All,
    /// At most this many bytes.
    Short(usize),
    /// EAGAIN, even if there is something.
    NotNow,
    /// EINTR.
    Interrupted,
    /// The connection is broken.
    Broken(ErrorKind),
    /// The client closes its sending half, and never sends the rest.
    End,
}

/// The results of the calls on a connection.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Of its first calls, one after the other. All later ones are [`Fate::All`].
    pub fates: Vec<Fate>,
    /// The call that fails while the socket is prepared.
    pub unprepared: Option<Call>,
}

/// A connection, as the kernel sees it.
pub struct Wire {
    pub talk: Talk,
    fates: VecDeque<Fate>,
    unprepared: Option<Call>,
    /// The client has reset the connection, and the server doesn't know yet.
    is_reset: bool,
    /// The error that broke the connection, if the server knows it.
    pub broken: Option<ErrorKind>,
    pub calls: BTreeMap<&'static str, u64>,
}

impl Wire {
    pub fn new(talk: Talk, script: &Script) -> Self {
        Wire {
            talk,
            fates: script.fates.iter().copied().collect(),
            unprepared: script.unprepared,
            is_reset: false,
            broken: None,
            calls: BTreeMap::new(),
        }
    }

    /// The client resets the connection.
    pub fn reset(&mut self) {
        self.is_reset = self.broken.is_none();
    }

    pub fn is_reset(&self) -> bool {
        self.is_reset
    }

    /// Whether the kernel would report the socket as readable, and as writable.
    pub fn readiness(&self) -> (bool, bool) {
        (self.talk.is_to_be_heard() || self.is_reset, self.talk.room() > 0 || self.is_reset)
    }

    fn called(&mut self, call: Call) {
        assert_eq!(self.broken, None, "{} on a broken connection", call.name());
        *self.calls.entry(call.name()).or_default() += 1;
    }

    fn prepare(&mut self, call: Call) -> io::Result<()> {
        self.called(call);
        let fails = self.unprepared == Some(call);
        if fails { Err(self.break_off(ErrorKind::InvalidInput)) } else { Ok(()) }
    }

    /// How many bytes the call may move at most.
    fn fate(&mut self) -> io::Result<usize> {
        if self.is_reset {
            return Err(self.break_off(ErrorKind::ConnectionReset));
        }
        match self.fates.pop_front().unwrap_or(Fate::All) {
            Fate::All => {}
            Fate::Short(count) => return Ok(count),
            Fate::NotNow => return Err(ErrorKind::WouldBlock.into()),
            Fate::Interrupted => return Err(ErrorKind::Interrupted.into()),
            Fate::Broken(kind) => return Err(self.break_off(kind)),
            Fate::End => self.talk.take(&Act::End),
        }
        Ok(usize::MAX)
    }

    fn break_off(&mut self, kind: ErrorKind) -> io::Error {
        self.broken = Some(kind);
        kind.into()
    }

    /// What the server reads, as a range of what the client sends.
    fn recv(&mut self, room: usize) -> io::Result<Range<usize>> {
        self.called(Call::Recv);
        assert!(room > 0, "a read without room looks like the end");
        assert!(!self.talk.end_is_heard(), "there is nothing after the end");
        let most = self.fate()?.min(room);
        if !self.talk.is_to_be_heard() {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(self.talk.hear(most))
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.called(Call::Send);
        self.talk.look_at(bytes);
        let count = self.fate()?.min(bytes.len()).min(self.talk.room());
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.talk.get(&bytes[..count]);
        Ok(count)
    }

    fn shutdown(&mut self) -> io::Result<()> {
        self.called(Call::Shutdown);
        if self.is_reset {
            return Err(self.break_off(ErrorKind::NotConnected));
        }
        self.talk.half_close();
        Ok(())
    }

    fn take_error(&mut self) -> Option<io::Error> {
        self.called(Call::GetSockOpt);
        self.is_reset.then(|| self.break_off(ErrorKind::ConnectionReset))
    }
}

/// The server's end of a wire.
pub struct Socket {
    says: Rc<[u8]>,
    wire: Rc<RefCell<Wire>>,
}

impl Socket {
    pub fn new(wire: &Rc<RefCell<Wire>>) -> Self {
        Socket { says: wire.borrow().talk.says(), wire: Rc::clone(wire) }
    }
}

impl Stream for Socket {
    fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        assert!(on);
        self.wire.borrow_mut().prepare(Call::Ioctl)
    }

    fn set_nodelay(&self, on: bool) -> io::Result<()> {
        assert!(on);
        self.wire.borrow_mut().prepare(Call::SetSockOpt)
    }

    fn recv<'a>(&'a self, buffer: &'a mut [MaybeUninit<u8>]) -> io::Result<&'a [u8]> {
        let read = self.wire.borrow_mut().recv(buffer.len())?;
        Ok(&self.says[read])
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.wire.borrow_mut().send(bytes)
    }

    fn shutdown(&self, which: Shutdown) -> io::Result<()> {
        assert_eq!(which, Shutdown::Write);
        self.wire.borrow_mut().shutdown()
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.wire.borrow_mut().take_error())
    }
}
