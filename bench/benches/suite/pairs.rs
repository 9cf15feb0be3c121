//! Many pairs of descriptors: what is written into one is read from the other.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::io::fcntl_dupfd_cloexec;

/// Descriptors left for whatever else this process has open: standard streams, an epoll instance,
/// what Cargo and criterion keep open.
const OTHERS: usize = 64;

/// Pairs whose reading ends have the lowest numbers, so that select(2) can watch as many of them as
/// possible.
pub struct Pairs {
    /// The ends to watch.
    pub readers: Vec<File>,
    /// As many, or fewer: then the last readers never get a byte.
    writers: Vec<File>,
    /// One more pair, to which nothing is ever written, if there are fewer writers.
    _silent: Option<(OwnedFd, OwnedFd)>,
}

impl Pairs {
    /// `count` pipes (pipe(2)), of which [`pipes_written_to`] can be written to. The others are one
    /// pipe under several numbers; the kernel watches each number like a pipe of its own.
    pub fn pipes(count: usize) -> io::Result<Self> {
        Self::new(count, pipes_written_to(count), || {
            let (reader, writer) = io::pipe()?;
            Ok((reader.into(), writer.into()))
        })
    }

    /// `count` pairs of sockets (socketpair(2)).
    pub fn sockets(count: usize) -> io::Result<Self> {
        Self::new(count, count, || {
            let (reader, writer) = UnixStream::pair()?;
            Ok((reader.into(), writer.into()))
        })
    }

    fn new(
        count: usize,
        written_to: usize,
        pair: impl Fn() -> io::Result<(OwnedFd, OwnedFd)>,
    ) -> io::Result<Self> {
        let mut readers = Vec::with_capacity(count);
        let mut writers = Vec::with_capacity(written_to);
        let above_all_readers = (count + OTHERS) as i32;
        for _ in 0..written_to {
            let (reader, writer) = pair()?;
            readers.push(reader.into());
            // fcntl(2), `F_DUPFD_CLOEXEC`. The old number is free for the next reader.
            writers.push(fcntl_dupfd_cloexec(writer, above_all_readers)?.into());
        }
        let silent = if written_to < count { Some(pair()?) } else { None };
        for (reader, _) in silent.iter().cycle().take(count - written_to) {
            readers.push(reader.try_clone()?.into());
        }
        Ok(Pairs { readers, writers, _silent: silent })
    }

    /// How many pairs can be written to: the first ones.
    pub fn written_to(&self) -> usize {
        self.writers.len()
    }

    /// Writes one byte.
    pub fn write(&self, index: usize) {
        let written = (&self.writers[index]).write(&[0]).expect("there is room for a byte");
        assert_eq!(written, 1);
    }

    /// Reads the byte that was written.
    pub fn read(&self, index: usize) {
        let read = (&self.readers[index]).read(&mut [0]).expect("there is a byte to read");
        assert_eq!(read, 1);
    }
}

/// How many descriptors the pairs may take: the limit (getrlimit(2)), raised as far as possible.
pub fn room() -> usize {
    let limit = system::raise_descriptor_limit().expect("the limit can be read");
    usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(OTHERS)
}

/// How many of `count` pipes have a writing end, too: all, if there is room.
pub fn pipes_written_to(count: usize) -> usize {
    count.min(room().saturating_sub(count))
}
