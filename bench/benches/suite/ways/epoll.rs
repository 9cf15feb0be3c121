//! epoll(7): the kernel keeps the list, and one call returns the descriptors that are ready.

use std::fs::File;
use std::io;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::Way;

/// The most events that one wait returns, the same number as in crate `polling`.
const EVENTS: usize = 1024;

struct BareEpoll {
    epoll: Epoll,
    events: Vec<EpollEvent>,
}

pub fn watch(readers: &[File]) -> io::Result<Box<dyn Way + '_>> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    for (index, reader) in readers.iter().enumerate() {
        epoll.add(reader, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
    }
    Ok(Box::new(BareEpoll { epoll, events: vec![EpollEvent::empty(); EVENTS] }))
}

impl Way for BareEpoll {
    fn wait(&mut self, ready: &mut Vec<usize>) -> io::Result<()> {
        let count = self.epoll.wait(&mut self.events, EpollTimeout::NONE)?;
        ready.extend(self.events[..count].iter().map(|event| event.data() as usize));
        Ok(())
    }
}
