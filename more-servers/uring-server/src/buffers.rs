//! The buffers that the kernel receives into: lent to it as a pool, from which it takes one
//! when bytes have come, and for whichever connection they have come.
//!
//! A receive that waits for its client therefore needs no buffer of its own: thousands of
//! silent clients share one pool, and it has to be large enough for those only who speak at
//! the same time.

use std::cell::Cell;
use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::ptr::NonNull;
use std::rc::Rc;
use std::slice;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use protocol::REQUEST_MAX;

/// How many buffers there are. The kernel wants a power of two.
///
/// More than the clients that most turns hear from: when none is left, receives end (ENOBUFS)
/// and have to be queued again. But not more than a single client may fill: it can, in one
/// turn, and what there is no room for is then kept.
pub(crate) const COUNT: u16 = 512;

/// The size of each. The longest request fits, so that in one-shot, where what comes first is
/// the request, it is not cut here.
const SIZE: usize = REQUEST_MAX;

/// The queue through which buffers go to the kernel: an entry for each.
const QUEUE_SIZE: usize = COUNT as usize * size_of::<BufRingEntry>();

/// A pool of buffers: the queue and behind it the buffers themselves, in one mapping.
///
/// See io_uring_setup_buf_ring(3) and io_uring_buf_ring_add(3), which this does by hand.
pub(crate) struct Buffers {
    memory: NonNull<u8>,
    /// How many buffers have been put into the queue since the beginning, as the kernel
    /// counts: modulo 2^16.
    tail: Cell<u16>,
}

impl Buffers {
    /// A pool of which every buffer is in the queue.
    pub(crate) fn new() -> io::Result<Self> {
        // The queue must begin with a page; the kernel's pages do.
        //
        // SAFETY: a new private mapping at an address of the kernel's choice replaces nothing.
        #[allow(unsafe_code)]
        let memory = unsafe {
            let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
            // The memory is there from the beginning: it is lent for good.
            let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_POPULATE;
            mmap_anonymous(None, mapping_size(), access, flags)?
        };
        let buffers = Buffers { memory: memory.cast(), tail: Cell::new(0) };
        (0..COUNT).for_each(|id| buffers.give_back(id));
        Ok(buffers)
    }

    /// Where the kernel finds the queue.
    pub(crate) fn queue_address(&self) -> u64 {
        self.memory.as_ptr() as u64
    }

    /// The buffer that the kernel has taken from the queue, and filled with so many bytes.
    pub(crate) fn filled(self: &Rc<Self>, id: u16, length: usize) -> Buffer {
        assert!(id < COUNT && length <= SIZE);
        Buffer { pool: Rc::clone(self), id, length }
    }

    fn start_of(&self, id: u16) -> *mut u8 {
        self.memory.as_ptr().wrapping_add(QUEUE_SIZE + usize::from(id) * SIZE)
    }

    /// Puts a buffer into the queue: it belongs to the kernel from here on.
    fn give_back(&self, id: u16) {
        let tail = self.tail.get();
        let queue = self.memory.cast::<BufRingEntry>();
        // SAFETY: the index is below COUNT, so the entry lies within the mapping, which begins
        // with a page and so is aligned, and any bytes make an entry. The kernel reads entries
        // only up to the tail, and this one lies behind it: at most COUNT buffers are in the
        // queue, so whatever lay here has been taken.
        #[allow(unsafe_code)]
        let entry = unsafe { queue.add(usize::from(tail % COUNT)).as_mut() };
        entry.set_addr(self.start_of(id) as u64);
        entry.set_len(SIZE as u32);
        entry.set_bid(id);
        self.tail.set(tail.wrapping_add(1));
        // SAFETY: the pointer is to the first entry, which has been written. The tail in it is
        // two aligned bytes that the kernel reads while we write, hence atomically. No
        // reference to the entry is alive.
        #[allow(unsafe_code)]
        let tail = unsafe {
            let tail = BufRingEntry::tail(queue.as_ptr());
            AtomicU16::from_ptr(tail.cast_mut())
        };
        // The kernel must see the entry when it sees the tail.
        tail.store(self.tail.get(), Ordering::Release);
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and whole. Nobody uses it any more: each `Buffer` keeps
        // the pool alive, and so does the ring as long as the kernel may write to it.
        #[allow(unsafe_code)]
        let result = unsafe { munmap(self.memory.cast::<c_void>(), mapping_size().get()) };
        debug_assert!(result.is_ok());
    }
}

const fn mapping_size() -> NonZeroUsize {
    NonZeroUsize::new(QUEUE_SIZE + COUNT as usize * SIZE).expect("COUNT is not zero")
}

/// A buffer with what a client has sent. Dropping it gives it back to the kernel.
pub(crate) struct Buffer {
    pool: Rc<Buffers>,
    id: u16,
    length: usize,
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the buffer lies within the mapping, was zeroed by the kernel to begin with,
        // and is not in the queue, so nobody writes to it before this value is dropped.
        #[allow(unsafe_code)]
        unsafe {
            slice::from_raw_parts(self.pool.start_of(self.id), self.length)
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.give_back(self.id);
    }
}
