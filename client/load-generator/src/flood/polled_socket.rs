//! A socket that the poller watches.

use std::io;

use polling::{Event, PollMode, Poller};
use socket2::Socket;

/// A socket and its registration with a poller, which ends before the socket is closed.
pub(super) struct PolledSocket<'a> {
    poller: &'a Poller,
    socket: Socket,
    /// What the poller watches for.
    interest: Event,
}

impl<'a> PolledSocket<'a> {
    /// Registers `socket` with `poller`; the key of its events is that of `interest`.
    pub(super) fn new(poller: &'a Poller, socket: Socket, interest: Event) -> io::Result<Self> {
        // Level-triggered: what is left unread is reported again. Edge-triggered mode would save
        // nothing here, and Windows doesn't have it; oneshot mode costs a call for each event.
        let watched = PolledSocket { poller, socket, interest };
        // SAFETY: the socket must be deleted from the poller before it is dropped. It is only
        // dropped together with `watched`, whose `Drop` deletes it first.
        #[allow(unsafe_code)]
        unsafe {
            poller.add_with_mode(&watched.socket, interest, PollMode::Level)?;
        }
        Ok(watched)
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Changes what the socket is watched for. This costs a system call only if it is a change.
    pub(super) fn watch_for(&mut self, readable: bool, writable: bool) -> io::Result<()> {
        let interest = Event::new(self.interest.key, readable, writable);
        if interest != self.interest {
            self.poller.modify_with_mode(&self.socket, interest, PollMode::Level)?;
            self.interest = interest;
        }
        Ok(())
    }
}

impl Drop for PolledSocket<'_> {
    fn drop(&mut self) {
        // It fails only for a socket that isn't registered, and then nothing is lost.
        self.poller.delete(&self.socket).ok();
    }
}
