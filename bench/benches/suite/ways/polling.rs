//! Crate `polling`, as `poll-server` uses it: on Linux epoll(7) and four calls around it, on
//! macOS and the BSDs kqueue(2).

use std::fs::File;
use std::io;

use polling::{Event, Events, PollMode, Poller};

use super::Way;

struct Polling<'a> {
    poller: Poller,
    readers: &'a [File],
    events: Events,
}

pub fn watch(readers: &[File]) -> io::Result<Box<dyn Way + '_>> {
    let way = Polling { poller: Poller::new()?, readers, events: Events::new() };
    for (index, reader) in readers.iter().enumerate() {
        // SAFETY: the reader must be deleted from the poller before it is dropped. It outlives
        // this value, which borrows it, and whose `Drop` deletes it.
        #[allow(unsafe_code)]
        unsafe {
            way.poller.add_with_mode(reader, Event::readable(index), PollMode::Level)?;
        }
    }
    Ok(Box::new(way))
}

impl Way for Polling<'_> {
    fn wait(&mut self, ready: &mut Vec<usize>) -> io::Result<()> {
        // `Poller::wait` adds to the events, so the old ones have to go first.
        self.events.clear();
        self.poller.wait(&mut self.events, None)?;
        ready.extend(self.events.iter().map(|event| event.key));
        Ok(())
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        for reader in self.readers {
            // It can only fail for one that is not registered, and then nothing is lost.
            self.poller.delete(reader).ok();
        }
    }
}
