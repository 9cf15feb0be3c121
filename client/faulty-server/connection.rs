//! One client of the loop: its socket and its conversation.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use protocol::{Conversation, Interest, Protocol, REQUEST_MAX, Terms};

use crate::fault::Fault;

/// How much one read takes: as much as the article's programs take with one `recv`.
const READ_SIZE: usize = 1024;

/// How long fault `patient-read` waits for the next byte: longer than the checker's dribbling
/// client does, but not for ever.
const READ_TIMEOUT: Duration = Duration::from_millis(200);

pub(crate) struct Connection {
    stream: TcpStream,
    conversation: Conversation,
    /// What has to be sent.
    outgoing: Vec<u8>,
    /// A write didn't take everything.
    was_full: bool,
    was_read: bool,
    was_answered: bool,
    /// How many bytes have come since the last LF.
    unfinished: usize,
    is_over: bool,
    fault: Fault,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, fault: Fault) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            conversation: Conversation::new(Terms::default(), 0, Instant::now()),
            outgoing: Vec::new(),
            was_full: false,
            was_read: false,
            was_answered: false,
            unfinished: 0,
            is_over: false,
            fault,
        })
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// The connection is lost.
    pub(crate) fn fail(&mut self) {
        self.is_over = true;
    }

    /// What the socket has to be watched for.
    pub(crate) fn interest(&self) -> Interest {
        let mut interest = self.conversation.interest();
        interest.writable = !self.outgoing.is_empty();
        // Pending replies count, whether they are in the conversation or here.
        let is_owed_much = self.outgoing.len() > protocol::PENDING_MAX / 2;
        match self.fault {
            // Fault `greets-for-ever`: a socket is nearly always writable.
            Fault::GreetsForEver => interest.writable |= self.was_answered,
            // Fault `write-interest-stays`: the same, but only after it was needed once.
            Fault::WriteInterestStays => interest.writable |= self.was_full,
            // Fault `no-re-arm`: as with EPOLLONESHOT, if the program doesn't re-arm it.
            Fault::NoReArm => interest.readable &= !self.was_read,
            _ => {}
        }
        // Fault `unbounded-buffer`: it doesn't matter how much is pending.
        interest.readable &= !is_owed_much || self.fault == Fault::UnboundedBuffer;
        interest
    }

    /// Does what the kernel reports as possible.
    pub(crate) fn ready(&mut self, ready: Interest) -> io::Result<()> {
        if ready.readable {
            self.read()?;
        }
        if ready.writable && self.fault == Fault::GreetsForEver && self.outgoing.is_empty() {
            self.outgoing.extend(Protocol::Lines.reply()); // nothing records that it has replied
        }
        self.send()
    }

    fn read(&mut self) -> io::Result<()> {
        self.read_once()?;
        match self.fault {
            // Fault `blocking-read`: it waits for a whole request, but the rest may never come.
            Fault::BlockingRead => self.read_until_answered(None),
            // Fault `patient-read`: the time-out starts again with every byte.
            Fault::PatientRead => self.read_until_answered(Some(READ_TIMEOUT)),
            _ => Ok(()),
        }
    }

    fn read_until_answered(&mut self, time_out: Option<Duration>) -> io::Result<()> {
        self.stream.set_nonblocking(false)?;
        self.stream.set_read_timeout(time_out)?;
        while self.outgoing.is_empty() && self.conversation.interest().readable {
            if !self.read_once()? {
                break;
            }
        }
        self.stream.set_nonblocking(true)
    }

    /// Reads once. Returns whether there was something, even if only the end of the stream.
    fn read_once(&mut self) -> io::Result<bool> {
        let mut buffer = [0; READ_SIZE];
        let room = self.conversation.room().min(buffer.len());
        let count = match self.stream.read(&mut buffer[..room]) {
            Ok(count) => count,
            // The kernel may report readiness without a reason, and signals interrupt.
            Err(error) if is_not_now(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        self.was_read = true;
        match &buffer[..count] {
            [] => self.receive_end()?,
            bytes => self.receive(bytes),
        }
        Ok(true)
    }

    fn receive(&mut self, bytes: &[u8]) {
        let now = Instant::now();
        let first_line = || bytes.split_inclusive(|&byte| byte == b'\n').next();
        let requests = match self.fault {
            // Fault `mute`.
            Fault::Mute => 0,
            // Fault `one-read-one-message`: whatever came is exactly one request.
            Fault::OneReadOneMessage => self.conversation.receive(b"\n", now),
            // Fault `first-line-only`.
            Fault::FirstLineOnly => self.conversation.receive(first_line().unwrap_or(bytes), now),
            _ => self.conversation.receive(bytes, now),
        };
        self.unfinished = match bytes.iter().rposition(|&byte| byte == b'\n') {
            Some(position) => bytes.len() - position - 1,
            None => self.unfinished + bytes.len(),
        };
        if self.fault == Fault::RejectsTheLongest && self.unfinished == REQUEST_MAX {
            // Fault `rejects-the-longest`: it expects one more byte to come.
            self.conversation.receive(b"x", now);
        }
        self.was_answered |= requests > 0;
        self.take_replies();
    }

    fn receive_end(&mut self) -> io::Result<()> {
        match self.fault {
            // Fault `ignores-the-end`: no bytes came, so there is nothing to do.
            Fault::IgnoresTheEnd => return Ok(()),
            // Fault `dies-on-hasty-goodbye`.
            Fault::DiesOnHastyGoodbye => assert!(self.was_answered, "there is no first line"),
            // Fault `forgets-unfinished-line`.
            Fault::ForgetsUnfinishedLine => {
                self.is_over = self.outgoing.is_empty();
                return Ok(());
            }
            _ => {}
        }
        self.conversation.receive_end(Instant::now());
        self.take_replies();
        Ok(())
    }

    /// Moves replies from the conversation to the socket's queue.
    fn take_replies(&mut self) {
        loop {
            let pending = self.conversation.pending();
            let count = pending.len();
            if count == 0 {
                break;
            }
            self.outgoing.extend(pending);
            self.conversation.sent(count, Instant::now());
        }
    }

    fn send(&mut self) -> io::Result<()> {
        if self.fault == Fault::BlockingWrite {
            // Fault `blocking-write`: all others wait until this client has read.
            self.stream.set_nonblocking(false)?;
            self.stream.write_all(&self.outgoing)?;
            self.outgoing.clear();
            self.stream.set_nonblocking(true)?;
        }
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if is_not_now(&error) => {
                    self.was_full = true;
                    // Fault `drops-what-did-not-fit`: it doesn't try again.
                    if self.fault == Fault::DropsWhatDidNotFit {
                        self.outgoing.clear();
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.finish()
    }

    /// Everything is sent: closes what has to be closed.
    fn finish(&mut self) -> io::Result<()> {
        if self.conversation.half_close_is_due() {
            // Fault `resets-after-too-long`: because of unread bytes, the kernel sends a reset.
            self.is_over = self.fault == Fault::ResetsAfterTooLong;
            self.stream.shutdown(Shutdown::Write)?;
            self.conversation.half_closed(Instant::now());
        }
        self.is_over |= self.conversation.ending().is_some();
        Ok(())
    }
}

/// Whether the error means "try again later": there is nothing to read, no room to write, or a
/// signal came.
fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
