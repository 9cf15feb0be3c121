//! A socket that the poller watches.

use std::io;

use polling::{Event, PollMode, Poller};
use socket2::Socket;

/// A socket, and its registration with a poller that ends before the socket is closed.
pub(super) struct Watched<'a> {
    poller: &'a Poller,
    socket: Socket,
    /// What the poller has been told to watch for.
    interest: Event,
}

impl<'a> Watched<'a> {
    /// Has `poller` watch `socket`; the key of its events is that of `interest`.
    pub(super) fn new(poller: &'a Poller, socket: Socket, interest: Event) -> io::Result<Self> {
        // Level-triggered: what is left unread is reported again. Edge-triggered would save
        // nothing here, and Windows has it not; oneshot costs a call for each event.
        let watched = Watched { poller, socket, interest };
        // SAFETY: the socket must be deleted from the poller before it is dropped. It is
        // dropped nowhere but together with `watched`, whose `Drop` deletes it first.
        #[allow(unsafe_code)]
        unsafe {
            poller.add_with_mode(&watched.socket, interest, PollMode::Level)?;
        }
        Ok(watched)
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Watches for something else from now on. Costs a system call only if it is a change.
    pub(super) fn watch_for(&mut self, readable: bool, writable: bool) -> io::Result<()> {
        let interest = Event::new(self.interest.key, readable, writable);
        if interest != self.interest {
            self.poller.modify_with_mode(&self.socket, interest, PollMode::Level)?;
            self.interest = interest;
        }
        Ok(())
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        // It fails only for a socket that is not registered, and then nothing is lost.
        self.poller.delete(&self.socket).ok();
    }
}
