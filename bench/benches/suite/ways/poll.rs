//! poll(2): the whole list goes to the kernel, and is scanned twice, there and here.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Way;

struct Poll<'a> {
    /// Kept from wait to wait, because the kernel doesn't overwrite what the program waits for.
    list: Vec<PollFd<'a>>,
}

pub fn watch(readers: &[File]) -> io::Result<Box<dyn Way + '_>> {
    let entries = readers.iter().map(|reader| PollFd::new(reader.as_fd(), PollFlags::POLLIN));
    Ok(Box::new(Poll { list: entries.collect() }))
}

impl Way for Poll<'_> {
    fn wait(&mut self, ready: &mut Vec<usize>) -> io::Result<()> {
        let count = poll(&mut self.list, PollTimeout::NONE)?;
        let is_ready = |entry: &PollFd<'_>| entry.any() == Some(true);
        let found = self.list.iter().enumerate().filter(|(_, entry)| is_ready(entry));
        ready.extend(found.map(|(index, _)| index).take(count as usize));
        Ok(())
    }
}
