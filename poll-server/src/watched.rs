//! What is registered with the poller, and under which key.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use polling::{AsRawSource, AsSource, Event, PollMode, Poller};
use protocol::Interest;
use server_kit::{Call, Journal};

/// The socket that an event is about.
#[derive(Clone, Copy)]
pub(crate) enum Key {
    Listener,
    /// The connection with this index in the slab.
    Connection(usize),
}

impl Key {
    /// The socket that this event is about.
    pub(crate) fn of(event: &Event) -> Self {
        match event.key {
            0 => Key::Listener,
            number => Key::Connection(number - 1),
        }
    }

    /// The key as the poller stores it.
    fn number(self) -> usize {
        match self {
            Key::Listener => 0,
            Key::Connection(key) => key + 1,
        }
    }
}

/// A socket and its registration. Dropping it ends both, in the right order.
pub(crate) struct Watched<T: AsSource>
where
    for<'a> &'a T: AsRawSource,
{
    poller: Arc<Poller>,
    key: Key,
    /// The interest that the kernel knows; `None` if the socket is not registered.
    registered: Option<Interest>,
    socket: T,
}

impl<T: AsSource> Watched<T>
where
    for<'a> &'a T: AsRawSource,
{
    /// A socket that is not watched before the first call of [`watch_for`](Self::watch_for).
    pub(crate) fn new(poller: &Arc<Poller>, key: Key, socket: T) -> Self {
        Watched { poller: Arc::clone(poller), key, registered: None, socket }
    }

    /// Tells the kernel what to watch for, unless it knows already.
    ///
    /// # Errors
    ///
    /// Those of epoll_ctl(2) or of the call that takes its place. A socket that was not watched
    /// before is not watched afterwards either.
    pub(crate) fn watch_for(
        &mut self,
        interest: Interest,
        journal: &mut Journal,
    ) -> io::Result<()> {
        if self.registered == Some(interest) {
            return Ok(());
        }
        let event = Event::new(self.key.number(), interest.readable, interest.writable);
        journal.count(Call::EpollCtl);
        if self.registered.replace(interest).is_some() {
            return self.poller.modify_with_mode(&self.socket, event, PollMode::Level);
        }
        // SAFETY: the socket must be deleted from the poller before it is dropped. It is
        // dropped together with this value, whose `Drop` deletes it first. (Swapping it for
        // another through `DerefMut` would break this; no code in this crate does.)
        #[allow(unsafe_code)]
        let added = unsafe { self.poller.add_with_mode(&self.socket, event, PollMode::Level) };
        // If it failed half-way, it has to be deleted, too.
        added.inspect_err(|_| self.forget())
    }

    /// Removes the socket from the poller. (Dropping it would do so, too, but uncounted.)
    pub(crate) fn unwatch(&mut self, journal: &mut Journal) {
        journal.count(Call::EpollCtl);
        self.forget();
    }

    fn forget(&mut self) {
        // It only fails for a socket that is not registered, and then nothing is lost.
        self.poller.delete(&self.socket).ok();
        self.registered = None;
    }
}

impl<T: AsSource> Drop for Watched<T>
where
    for<'a> &'a T: AsRawSource,
{
    fn drop(&mut self) {
        if self.registered.is_some() {
            self.forget();
        }
    }
}

impl<T: AsSource> Deref for Watched<T>
where
    for<'a> &'a T: AsRawSource,
{
    type Target = T;

    fn deref(&self) -> &T {
        &self.socket
    }
}

impl<T: AsSource> DerefMut for Watched<T>
where
    for<'a> &'a T: AsRawSource,
{
    fn deref_mut(&mut self) -> &mut T {
        &mut self.socket
    }
}
