//! The buffers that the kernel receives into. They are lent to it as a pool, from which it takes
//! one whenever bytes have come, for any connection.
//!
//! So a receive that waits for its client needs no buffer of its own: thousands of silent clients
//! share one pool, which only has to be large enough for those that send at the same time.

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

/// How many buffers there are. The kernel requires a power of two.
///
/// This is more than the clients that send something in most turns: when no buffer is left,
/// receives end (ENOBUFS) and have to be queued again. But it isn't more, because a single client
/// can fill all of them in one turn, and then the server has to keep what it has no room for.
pub(crate) const COUNT: u16 = 512;

/// The size of each buffer, in bytes. The longest request fits: in one-shot, where the first read
/// is the request, it must not be cut here.
const SIZE: usize = REQUEST_MAX;

/// The size of the queue through which buffers go to the kernel, in bytes: an entry for each.
const QUEUE_SIZE: usize = COUNT as usize * size_of::<BufRingEntry>();

/// A pool of buffers: the queue, followed by the buffers themselves, in one mapping.
///
/// This does by hand what io_uring_setup_buf_ring(3) and io_uring_buf_ring_add(3) do.
pub(crate) struct Buffers {
    memory: NonNull<u8>,
    /// How many buffers have been put into the queue since the start, as the kernel counts:
    /// modulo 2^16.
    tail: Cell<u16>,
}

impl Buffers {
    /// A pool with all its buffers in the queue.
    pub(crate) fn new() -> io::Result<Self> {
        // The queue must begin at a page boundary, as every mapping does.
        //
        // SAFETY: a new private mapping at an address of the kernel's choice replaces nothing.
        #[allow(unsafe_code)]
        let memory = unsafe {
            let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
            // MAP_POPULATE: the kernel may write there at any time, so all pages exist from the
            // start.
            let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_POPULATE;
            mmap_anonymous(None, mapping_size(), access, flags)?
        };
        let buffers = Buffers { memory: memory.cast(), tail: Cell::new(0) };
        (0..COUNT).for_each(|id| buffers.give_back(id));
        Ok(buffers)
    }

    /// The address at which the kernel finds the queue.
    pub(crate) fn queue_address(&self) -> u64 {
        self.memory.as_ptr() as u64
    }

    /// The buffer that the kernel has taken from the queue and filled with this many bytes.
    pub(crate) fn filled(self: &Rc<Self>, id: u16, length: usize) -> Buffer {
        assert!(id < COUNT && length <= SIZE);
        Buffer { pool: Rc::clone(self), id, length }
    }

    fn start_of(&self, id: u16) -> *mut u8 {
        self.memory.as_ptr().wrapping_add(QUEUE_SIZE + usize::from(id) * SIZE)
    }

    /// Puts a buffer into the queue. From then on it belongs to the kernel.
    fn give_back(&self, id: u16) {
        let tail = self.tail.get();
        let queue = self.memory.cast::<BufRingEntry>();
        // SAFETY: the index is below COUNT, so the entry lies within the mapping, which begins at
        // a page boundary and so is aligned, and any bytes are a valid entry. The kernel only reads
        // entries up to the tail, and this one lies beyond it: at most COUNT buffers are in the
        // queue, so the kernel has taken the one that was here before.
        #[allow(unsafe_code)]
        let entry = unsafe { queue.add(usize::from(tail % COUNT)).as_mut() };
        entry.set_addr(self.start_of(id) as u64);
        entry.set_len(SIZE as u32);
        entry.set_bid(id);
        self.tail.set(tail.wrapping_add(1));
        // SAFETY: the pointer is to the first entry, which has been written. The tail in it is two
        // aligned bytes, which the kernel reads while we write, hence the atomic access. No
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
        // SAFETY: this is the whole mapping, and it is ours. Nothing uses it any more: each
        // `Buffer` keeps the pool alive, and so does the ring as long as the kernel may write to
        // it.
        #[allow(unsafe_code)]
        let result = unsafe { munmap(self.memory.cast::<c_void>(), mapping_size().get()) };
        debug_assert!(result.is_ok());
    }
}

const fn mapping_size() -> NonZeroUsize {
    NonZeroUsize::new(QUEUE_SIZE + COUNT as usize * SIZE).expect("COUNT is not zero")
}

/// A buffer with bytes that a client has sent. Dropping it gives it back to the kernel.
pub(crate) struct Buffer {
    pool: Rc<Buffers>,
    id: u16,
    length: usize,
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the buffer lies within the mapping, which the kernel has zeroed, and it isn't in
        // the queue, so nothing writes to it before this value is dropped.
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
