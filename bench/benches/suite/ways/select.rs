//! select(2): the set is built again for each wait, because the kernel overwrites it with the
//! result.
//!
//! Left out: keeping one set and copying it, as C programs do. Building and searching the set takes
//! a hundredth of the time at N = 1000; the rest is the kernel's.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::select::{FD_SETSIZE, FdSet, select};

use super::Way;

struct Select<'a> {
    readers: &'a [File],
    highest: i32,
}

pub fn can_watch(count: usize) -> Result<(), String> {
    if count < FD_SETSIZE {
        return Ok(());
    }
    Err(format!(
        "it can't watch {count} descriptors, because a set has room only for numbers below \
         {FD_SETSIZE} (FD_SETSIZE)"
    ))
}

pub fn watch(readers: &[File]) -> io::Result<Box<dyn Way + '_>> {
    let highest = readers.iter().map(AsRawFd::as_raw_fd).max().unwrap_or(-1);
    if highest as usize >= FD_SETSIZE {
        return Err(io::Error::other(format!("{highest} is too high a number for select(2)")));
    }
    Ok(Box::new(Select { readers, highest }))
}

impl Way for Select<'_> {
    fn wait(&mut self, ready: &mut Vec<usize>) -> io::Result<()> {
        let mut set = FdSet::new();
        for reader in self.readers {
            set.insert(reader.as_fd());
        }
        let count = select(self.highest + 1, &mut set, None, None, None)?;
        let found =
            self.readers.iter().enumerate().filter(|(_, reader)| set.contains(reader.as_fd()));
        ready.extend(found.map(|(index, _)| index).take(count as usize));
        Ok(())
    }
}
