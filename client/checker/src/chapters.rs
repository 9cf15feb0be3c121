//! The chapter of the walkthrough that explains what a check has found.

use std::fmt;

/// A chapter of the walkthrough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// Its number, from 1 on.
    pub number: u8,
    /// Its title.
    pub title: &'static str,
}

impl fmt::Display for Chapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chapter {}, \"{}\"", self.number, self.title)
    }
}

const fn chapter(number: u8, title: &'static str) -> Chapter {
    Chapter { number, title }
}

// Only the chapters that a check points to.
pub(super) const ONE_CLIENT: Chapter = chapter(1, "One server, one client");
pub(super) const ONE_SLOW_CLIENT: Chapter = chapter(2, "One slow client stops everyone");
pub(super) const WAYS_TO_ASK: Chapter = chapter(4, "Ways to ask");
pub(super) const SELECT: Chapter = chapter(5, "select");
pub(super) const NO_MESSAGES: Chapter = chapter(6, "A stream has no messages");
pub(super) const POLL: Chapter = chapter(7, "poll, epoll, kqueue, IOCP");
pub(super) const ZOO: Chapter = chapter(8, "The slow client zoo");
