//! What is to be done, and what has been done: two queues in memory that this program shares
//! with the kernel (io_uring(7)).
//!
//! The kernel reads what is sent, and writes what is received, while this program does
//! something else. So whatever it may touch must stay where it is until it has told that it
//! is done with it: not before the *last* completion of an operation. Here each operation in
//! flight owns what it needs, its bytes and its socket, and nobody else can free them. That
//! makes the functions of this module safe to call, whatever the caller does, and it is the
//! reason why they are here, behind one small door.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Instant;

use io_uring::types::{CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use nix::errno::Errno;
use nix::libc;
use slab::Slab;

use crate::buffers::{self, Buffer, Buffers};

/// What the kernel has done. Where there is `more` to come, the operation is still in flight.
pub(crate) enum Completion {
    /// A client was let in, or could not be.
    Accepted { result: io::Result<TcpStream>, more: bool },
    /// Bytes have come; `None`: the client has sent its last.
    Received { key: usize, result: io::Result<Option<Buffer>>, more: bool },
    /// So many bytes were sent, at this time at the latest.
    Sent { key: usize, result: io::Result<usize>, when: Instant },
    /// What was watched has become readable.
    Readable,
}

/// The name of an operation, for as long as it is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OperationId(usize);

/// The name of operations of which nobody asks how they went.
const NOBODY: u64 = u64::MAX;

/// Everything that the kernel may touch for the sake of one operation.
struct Operation {
    kind: Kind,
    /// Open, so that its number can't come to mean something else before the kernel has looked.
    _descriptor: Rc<dyn AsFd>,
    /// What is being sent.
    bytes: Box<[u8]>,
    cancelled: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Accept,
    Receive { key: usize },
    Send { key: usize },
    Watch,
}

/// What the kernel needs to take operations.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resources {
    Enough,
    /// For completions.
    NoPlace,
    NoMemory,
}

/// The group of buffers, of which there is one.
const GROUP: u16 = 0;

/// How many operations the submission queue holds: a send for each of a thousand clients who
/// speak at the same time. More of them take more than one call.
const ENTRIES: u32 = 1024;

/// How many completions the kernel keeps for each operation that fits into the submission
/// queue: one operation may have many. What does not fit it keeps elsewhere, which is slower
/// (io_uring_setup(2), `IORING_FEAT_NODROP`).
const COMPLETIONS_FOR_EACH: u32 = 4;

/// The two queues, and what is on its way through them.
pub(crate) struct Ring {
    uring: IoUring,
    /// Operations that wait for a place in the submission queue.
    queued: VecDeque<squeue::Entry>,
    in_flight: Slab<Operation>,
    /// Operations that are done when the kernel has taken them, and say so only if they have
    /// failed.
    at_once: Vec<OperationId>,
    /// Somebody has more to do when these are done: the next call must not sleep.
    hurried: bool,
    /// What the last call has found.
    resources: Resources,
    buffers: Rc<Buffers>,
}

impl Ring {
    /// A ring that belongs to the calling thread.
    ///
    /// # Errors
    ///
    /// Of the kind [`io::ErrorKind::Unsupported`], with a sentence on what is refused, and what
    /// to do; or those of a system that has no memory or descriptors left.
    pub(crate) fn new() -> io::Result<Self> {
        let uring = IoUring::builder()
            // One thread uses the ring (Linux 6.0, as multishot receives).
            .setup_single_issuer()
            // What has become ready is done when this thread enters the kernel, rather than
            // that it is interrupted for each (Linux 5.19). `IORING_SETUP_DEFER_TASKRUN` goes
            // further, but does 20 things in one call at most: more calls, and no time saved.
            .setup_coop_taskrun()
            // An operation that makes no sense does not hold up those behind it.
            .setup_submit_all()
            .setup_cqsize(ENTRIES * COMPLETIONS_FOR_EACH)
            .build(ENTRIES)
            .map_err(refusal)?;
        let buffers = Rc::new(Buffers::new()?);
        // SAFETY: the queue is valid as long as the pool is, and `Drop` sees to it that the
        // kernel forgets the one before the other is freed.
        #[allow(unsafe_code)]
        unsafe {
            uring.submitter().register_buf_ring_with_flags(
                buffers.queue_address(),
                buffers::COUNT,
                GROUP,
                0,
            )?;
        }
        Ok(Ring {
            uring,
            queued: VecDeque::new(),
            in_flight: Slab::new(),
            at_once: Vec::new(),
            hurried: false,
            resources: Resources::Enough,
            buffers,
        })
    }

    /// How many operations are ready to be handed over.
    pub(crate) fn queued(&self) -> usize {
        self.queued.len()
    }

    /// Accept whoever comes, again and again (io_uring_prep_multishot_accept(3)).
    pub(crate) fn accept(&mut self, listener: Rc<TcpListener>) -> OperationId {
        let accept = opcode::AcceptMulti::new(number(&*listener)).flags(libc::SOCK_CLOEXEC);
        self.start(Kind::Accept, listener, [].into(), |_| accept.build())
    }

    /// Receive whatever comes, again and again (io_uring_prep_recv_multishot(3)).
    pub(crate) fn receive(&mut self, key: usize, socket: Rc<TcpStream>) -> OperationId {
        let receive = opcode::RecvMulti::new(number(&*socket), GROUP);
        self.start(Kind::Receive { key }, socket, [].into(), |_| receive.build())
    }

    /// Send what there is room for in the socket *now*. If that is everything, it wakes nobody
    /// up: [`hurry`](Self::hurry), if something follows from it.
    ///
    /// The kernel then makes no completion at all (`IOSQE_CQE_SKIP_SUCCESS`): once it has taken
    /// the operation, the bytes are sent, unless it says something else. With `MSG_WAITALL` it
    /// says so, too, if it has sent a part (io_uring_enter(2), `IOSQE_IO_LINK`).
    pub(crate) fn send_at_once(
        &mut self,
        key: usize,
        socket: Rc<TcpStream>,
        bytes: &[u8],
    ) -> OperationId {
        let flags = libc::MSG_DONTWAIT | libc::MSG_WAITALL;
        let id = self.send_with(flags, squeue::Flags::SKIP_SUCCESS, key, socket, bytes);
        self.at_once.push(id);
        id
    }

    /// Send as soon as there is room in the socket, as much as there is room for.
    pub(crate) fn send(&mut self, key: usize, socket: Rc<TcpStream>, bytes: &[u8]) -> OperationId {
        self.send_with(0, squeue::Flags::empty(), key, socket, bytes)
    }

    fn send_with(
        &mut self,
        flags: i32,
        completion: squeue::Flags,
        key: usize,
        socket: Rc<TcpStream>,
        bytes: &[u8],
    ) -> OperationId {
        let descriptor = number(&*socket);
        self.start(Kind::Send { key }, socket, bytes.into(), |bytes| {
            let send = opcode::Send::new(descriptor, bytes.as_ptr(), bytes.len() as u32);
            send.flags(flags).build().flags(completion)
        })
    }

    /// Tell when this becomes readable, once.
    pub(crate) fn watch(&mut self, descriptor: Rc<dyn AsFd>) {
        let watch = opcode::PollAdd::new(number(&*descriptor), libc::POLLIN as u32);
        self.start(Kind::Watch, descriptor, [].into(), |_| watch.build());
    }

    /// Give an operation up. Its last completion still comes: an error (ECANCELED), or what
    /// was done before.
    pub(crate) fn cancel(&mut self, id: OperationId) {
        let OperationId(index) = id;
        if let Some(operation) = self.in_flight.get_mut(index)
            && !mem::replace(&mut operation.cancelled, true)
        {
            self.queue(opcode::AsyncCancel::new(index as u64).build());
        }
    }

    /// Close a socket. Its descriptor is free for whatever is queued after this.
    pub(crate) fn close(&mut self, socket: Rc<TcpStream>) {
        // Were there operations in flight on it, the last of them would close it.
        if let Some(socket) = Rc::into_inner(socket) {
            self.queue(opcode::Close::new(Fd(socket.into_raw_fd())).build());
        }
    }

    /// What is done at once matters to somebody: look, before anybody sleeps.
    pub(crate) fn hurry(&mut self) {
        self.hurried = true;
    }

    /// Keeps what the operation needs, and queues it.
    fn start(
        &mut self,
        kind: Kind,
        descriptor: Rc<dyn AsFd>,
        bytes: Box<[u8]>,
        entry: impl FnOnce(&[u8]) -> squeue::Entry,
    ) -> OperationId {
        // The bytes stay where they are when the box is moved.
        let entry = entry(&bytes);
        let operation = Operation { kind, _descriptor: descriptor, bytes, cancelled: false };
        let index = self.in_flight.insert(operation);
        self.queued.push_back(entry.user_data(index as u64));
        OperationId(index)
    }

    /// Queues something that needs nothing but its entry. A completion comes only if it fails,
    /// and is nobody's concern: there was nothing left to cancel, or a descriptor was closed
    /// with an error, as close(2) may, and closed it is.
    fn queue(&mut self, entry: squeue::Entry) {
        self.queued.push_back(entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(NOBODY));
    }

    /// Hands over what is queued, sleeps until something has been done or the deadline has
    /// passed, and reports what has been done. Returns how many calls that took. `now` is the
    /// time of the handing over.
    pub(crate) fn submit_and_wait(
        &mut self,
        now: Instant,
        deadline: Option<Instant>,
        done: &mut Vec<Completion>,
    ) -> io::Result<usize> {
        let mut calls = 0;
        // More than the submission queue holds goes in several calls, and the last one sleeps.
        loop {
            let is_last = self.fill();
            let (completions, deadline) =
                if is_last { (usize::from(!self.hurried), deadline) } else { (0, None) };
            self.enter(completions, deadline)?;
            calls += 1;
            // Completions that are taken out make room, and may give memory back.
            if is_last || self.resources != Resources::Enough {
                break;
            }
        }
        self.reap(done);
        self.settle_at_once(now, done);
        Ok(calls)
    }

    /// Fills the submission queue; returns whether it had room for everything.
    fn fill(&mut self) -> bool {
        let mut queue = self.uring.submission();
        while let Some(entry) = self.queued.front() {
            // SAFETY: an entry says that the kernel may use a descriptor and bytes. Both belong
            // to an operation in flight, which keeps them until its last completion; or there
            // are no bytes, and the descriptor is the entry's own to close.
            #[allow(unsafe_code)]
            if unsafe { queue.push(entry) }.is_err() {
                return false;
            }
            self.queued.pop_front();
        }
        true
    }

    /// io_uring_enter(2): hands over the submission queue, and sleeps until there are so many
    /// completions or the deadline has passed.
    fn enter(&mut self, completions: usize, deadline: Option<Instant>) -> io::Result<()> {
        let time_left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        let time_out = Timespec::from(time_left.unwrap_or_default());
        let mut arguments = SubmitArgs::new();
        if time_left.is_some() {
            arguments = arguments.timespec(&time_out);
        }
        let result = self.uring.submitter().submit_with_args(completions, &arguments);
        let code = result.as_ref().err().and_then(io::Error::raw_os_error).map(Errno::from_raw);
        // In each of these cases look at what there is, and come again: nothing is lost, what was
        // not handed over is still in the queue.
        self.resources = match code {
            // ETIME: the deadline has passed. EINTR: a signal came first.
            None | Some(Errno::ETIME | Errno::EINTR) => Resources::Enough,
            // There are more completions than their queue holds.
            Some(Errno::EBUSY) => Resources::NoPlace,
            // There is no memory for another operation.
            Some(Errno::EAGAIN | Errno::ENOMEM) => Resources::NoMemory,
            Some(_) => return result.map(drop),
        };
        Ok(())
    }

    /// Whether the kernel had no memory for what was queued, or for one of the operations. The
    /// same may happen again if it is queued again at once.
    pub(crate) fn is_without_memory(&self) -> bool {
        self.resources == Resources::NoMemory
    }

    /// Takes the completions out of their queue.
    fn reap(&mut self, done: &mut Vec<Completion>) {
        let when = Instant::now();
        for entry in self.uring.completion() {
            let index = entry.user_data() as usize;
            let more = cqueue::more(entry.flags());
            let Some(operation) = self.in_flight.get_mut(index) else {
                continue; // nobody's
            };
            let kind = operation.kind;
            // Had it been cancelled, it would not go on: so it may be asked to again.
            operation.cancelled = false;
            if !more {
                self.in_flight.remove(index);
                if let Kind::Send { .. } = kind {
                    // It has failed, or was not among them.
                    self.at_once.retain(|&OperationId(at_once)| at_once != index);
                }
            }
            let result = match entry.result() {
                error @ ..0 => {
                    if Errno::from_raw(-error) == Errno::ENOMEM {
                        self.resources = Resources::NoMemory;
                    }
                    Err(io::Error::from_raw_os_error(-error))
                }
                number => Ok(number.unsigned_abs()),
            };
            done.push(match kind {
                Kind::Accept => Completion::Accepted { result: result.map(accepted), more },
                Kind::Receive { key } => {
                    let length = *result.as_ref().unwrap_or(&0) as usize;
                    let buffer = cqueue::buffer_select(entry.flags())
                        .map(|id| self.buffers.filled(id, length))
                        .filter(|buffer| !buffer.is_empty());
                    Completion::Received { key, result: result.map(|_| buffer), more }
                }
                Kind::Send { key } => {
                    Completion::Sent { key, result: result.map(|count| count as usize), when }
                }
                Kind::Watch => Completion::Readable,
            });
        }
    }

    /// Operations that are done at once and have not failed are done, and have been since they
    /// were handed over: the thread may have slept for a minute after that, and an idle
    /// time-out counts from the send.
    fn settle_at_once(&mut self, handed_over: Instant, done: &mut Vec<Completion>) {
        let queue = self.uring.submission();
        // As long as not everything is handed over, or completions wait for a place in their
        // queue, nobody knows: the next call will tell.
        if !queue.is_empty() || queue.cq_overflow() {
            return;
        }
        self.hurried = false;
        done.extend(self.at_once.drain(..).filter_map(|OperationId(index)| {
            let Operation { kind, bytes, .. } = self.in_flight.try_remove(index)?;
            let Kind::Send { key } = kind else { return None };
            Some(Completion::Sent { key, result: Ok(bytes.len()), when: handed_over })
        }));
    }

    /// Hands over what is still queued, cancels everything, and waits until nothing is in
    /// flight any more.
    fn settle(&mut self) -> io::Result<()> {
        self.queue(opcode::AsyncCancel2::new(CancelBuilder::any()).build());
        self.hurry();
        while self.hurried || !self.in_flight.is_empty() {
            self.submit_and_wait(Instant::now(), None, &mut Vec::new())?;
        }
        self.uring.submitter().unregister_buf_ring(GROUP)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if self.settle().is_err() {
            // The kernel may go on using what it was lent, so nobody else ever may.
            mem::forget(mem::take(&mut self.in_flight));
            mem::forget(Rc::clone(&self.buffers));
        }
    }
}

fn number(descriptor: &(impl AsFd + ?Sized)) -> Fd {
    Fd(descriptor.as_fd().as_raw_fd())
}

/// What the result of an accept stands for.
fn accepted(descriptor: u32) -> TcpStream {
    // SAFETY: the kernel has made the descriptor for us, and tells it once.
    #[allow(unsafe_code)]
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor.cast_signed()) };
    descriptor.into()
}

/// Why there is no ring, in a sentence for the user.
fn refusal(error: io::Error) -> io::Error {
    let why = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPERM | Errno::EACCES) => {
            "it is switched off in /proc/sys/kernel/io_uring_disabled, or the container forbids \
             it, as Docker does unless told otherwise"
        }
        Some(Errno::ENOSYS) => "the kernel was built without it, or the container hides it",
        Some(Errno::EINVAL) => "the kernel is older than Linux 6.0",
        _ => return error,
    };
    io::Error::new(
        io::ErrorKind::Unsupported,
        format!(
            "there is no io_uring here ({error}): {why}; poll-server runs here: \
             cargo run -p poll-server"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::thread;

    /// A ring, and the two ends of a connection; `None` where there is no io_uring.
    fn scene() -> Option<(Ring, Rc<TcpStream>, TcpStream)> {
        let ring = Ring::new().inspect_err(|why| eprintln!("skipped: {why}")).ok()?;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        Some((ring, Rc::new(server), client))
    }

    #[test]
    fn no_completion_is_lost_when_there_are_more_than_their_queue_holds() {
        let Some((mut ring, server, mut client)) = scene() else { return };
        let sends = 3 * (ENTRIES * COMPLETIONS_FOR_EACH) as usize;
        for key in 0..sends {
            match key % 3 {
                0 => ring.send_at_once(key, Rc::clone(&server), b"x"),
                _ => ring.send(key, Rc::clone(&server), b"x"),
            };
        }
        ring.hurry();
        let reader = thread::spawn(move || client.read_exact(&mut vec![0; sends]).unwrap());
        let mut is_sent = vec![false; sends];
        while is_sent.contains(&false) {
            let mut done = Vec::new();
            ring.submit_and_wait(Instant::now(), None, &mut done).unwrap();
            for completion in done {
                let Completion::Sent { key, result, .. } = completion else { panic!() };
                assert_eq!(result.unwrap(), 1);
                assert!(!mem::replace(&mut is_sent[key], true), "{key} is told twice");
            }
        }
        reader.join().unwrap();
    }

    #[test]
    fn what_can_be_sent_only_in_part_is_told() {
        let Some((mut ring, server, mut client)) = scene() else { return };
        // More than both kernels hold while nobody reads.
        let bytes = vec![0; 64 << 20];
        let mut sent = 0;
        loop {
            ring.send_at_once(7, Rc::clone(&server), &bytes);
            let mut done = Vec::new();
            ring.submit_and_wait(Instant::now(), None, &mut done).unwrap();
            let [Completion::Sent { key: 7, result, .. }] = &done[..] else { panic!() };
            match result {
                Ok(part) => sent += part,
                Err(error) => break assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        assert!((1..bytes.len()).contains(&sent), "{sent} bytes");
        client.read_exact(&mut vec![0; sent]).unwrap();
    }

    #[test]
    fn a_ring_goes_in_order_while_operations_are_in_flight() {
        let Some((mut ring, server, client)) = scene() else { return };
        ring.receive(0, Rc::clone(&server));
        ring.send(0, Rc::clone(&server), &vec![0; 64 << 20]);
        let now = Instant::now();
        ring.submit_and_wait(now, Some(now), &mut Vec::new()).unwrap();
        ring.send_at_once(0, Rc::clone(&server), b"never handed over before");
        drop(ring);
        assert_eq!(Rc::strong_count(&server), 1, "something is still in flight");
        drop(client);
    }

    #[test]
    fn accepted_sockets_have_what_the_listener_has() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        socket2::SockRef::from(&listener).set_tcp_nodelay(true).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(listener.accept().unwrap().0.nodelay().unwrap());
    }
}
