//! io_uring(7) with multishot polls (io_uring_prep_poll_multishot(3)): the kernel keeps the list,
//! and writes which descriptors are ready into memory that it shares with this program.
//!
//! Because the byte is written by the same thread, the completion is there as soon as the byte is,
//! and a program that looks before it waits would need no call at all. Here each wait enters the
//! kernel once, as in `uring-server`, and as every other way to wait has to.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use io_uring::types::Fd;
use io_uring::{IoUring, cqueue, opcode, squeue};
use nix::libc;

use super::Way;

/// How many operations the submission queue holds, the same number as in `uring-server`.
const ENTRIES: u32 = 1024;

struct Uring<'a> {
    uring: IoUring,
    readers: &'a [File],
}

pub fn can_watch(_: usize) -> Result<(), String> {
    uring_server::available().map_err(|why| why.to_string())
}

pub fn watch(readers: &[File]) -> io::Result<Box<dyn Way + '_>> {
    // As in `uring-server`, which explains the options.
    let uring = IoUring::builder()
        .setup_single_issuer()
        .setup_coop_taskrun()
        .setup_submit_all()
        .build(ENTRIES)?;
    let mut way = Uring { uring, readers };
    for index in 0..readers.len() {
        way.start(index)?;
    }
    way.uring.submit()?;
    Ok(Box::new(way))
}

impl Uring<'_> {
    /// Queues a poll of one reader that reports again and again.
    fn start(&mut self, index: usize) -> io::Result<()> {
        let descriptor = Fd(self.readers[index].as_raw_fd());
        let poll = opcode::PollAdd::new(descriptor, libc::POLLIN as u32).multi(true);
        let entry = poll.build().user_data(index as u64);
        while !self.push(&entry) {
            self.uring.submit()?;
        }
        Ok(())
    }

    /// Returns whether there was room.
    fn push(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: what an entry refers to must stay valid while the kernel works on it. A poll
        // refers to no memory, and its descriptor is borrowed for longer than the ring exists.
        #[allow(unsafe_code)]
        unsafe {
            self.uring.submission().push(entry).is_ok()
        }
    }
}

impl Way for Uring<'_> {
    fn wait(&mut self, ready: &mut Vec<usize>) -> io::Result<()> {
        self.uring.submit_and_wait(1)?;
        let mut over = Vec::new();
        for completion in self.uring.completion() {
            let index = completion.user_data() as usize;
            if completion.result() < 0 {
                return Err(io::Error::from_raw_os_error(-completion.result()));
            }
            ready.push(index);
            // The kernel may end it at any time, and marks its last completion.
            if !cqueue::more(completion.flags()) {
                over.push(index);
            }
        }
        over.into_iter().try_for_each(|index| self.start(index))
    }
}
