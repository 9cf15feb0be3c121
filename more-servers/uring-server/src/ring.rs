//! The ring: a queue of operations and a queue of completions, in memory that this program shares
//! with the kernel (io_uring(7)).
//!
//! The kernel reads the bytes to send, and writes received bytes, while this program does something
//! else. So everything that the kernel may touch has to stay where it is until the *last*
//! completion of its operation. Here each operation in flight owns what it needs, its bytes and its
//! socket, and nothing else can free them. That makes the functions of this module safe to call,
//! whatever the caller does, and it is the reason why they are in a module with a small interface.

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

/// What the kernel has done. If there is `more` to come, the operation is still in flight.
pub(crate) enum Completion {
    /// A client was accepted, or the accept failed.
    Accepted { result: io::Result<TcpStream>, more: bool },
    /// Bytes were received; `None` at the end of the input.
    Received { key: usize, result: io::Result<Option<Buffer>>, more: bool },
    /// This many bytes were sent, at this time at the latest.
    Sent { key: usize, result: io::Result<usize>, when: Instant },
    /// The watched descriptor has become readable.
    Readable,
}

/// The ID of an operation, as long as it is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OperationId(usize);

/// The ID of operations whose result doesn't matter.
const NO_CONNECTION: u64 = u64::MAX;

/// Everything that the kernel may touch for one operation.
struct Operation {
    kind: Kind,
    /// Kept open, so that its number can't be reused before the kernel has looked it up.
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

/// Whether the kernel has what it needs to take operations.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resources {
    Enough,
    /// The queue of completions is full.
    NoPlace,
    NoMemory,
}

/// The ID of the only group of buffers.
const GROUP: u16 = 0;

/// How many operations the submission queue holds: a send for each of a thousand clients that send
/// a request at the same time. More operations take more than one call.
const ENTRIES: u32 = 1024;

/// How many completions fit into their queue, for each operation that fits into the submission
/// queue: one operation may have many completions. The kernel keeps the others elsewhere, which is
/// slower (io_uring_setup(2), `IORING_FEAT_NODROP`).
const COMPLETIONS_FOR_EACH: u32 = 4;

/// The two queues, and the operations in flight.
pub(crate) struct Ring {
    uring: IoUring,
    /// Operations that wait for a place in the submission queue.
    queued: VecDeque<squeue::Entry>,
    in_flight: Slab<Operation>,
    /// Operations that are done as soon as the kernel has taken them, and only have a completion if
    /// they fail.
    at_once: Vec<OperationId>,
    /// There is more to do once these are done, so the next call must not sleep.
    hurried: bool,
    /// As the last call has found.
    resources: Resources,
    buffers: Rc<Buffers>,
}

impl Ring {
    /// A ring that belongs to the calling thread.
    ///
    /// # Errors
    ///
    /// One of the kind [`io::ErrorKind::Unsupported`], with a sentence that says why, and what to
    /// do; or those of a system that has no memory or descriptors left.
    pub(crate) fn new() -> io::Result<Self> {
        let uring = IoUring::builder()
            // Only one thread uses the ring (from Linux 6.0 on, like multishot receives).
            .setup_single_issuer()
            // The kernel completes operations when this thread enters it anyway, and doesn't
            // interrupt the thread for each of them (Linux 5.19). `IORING_SETUP_DEFER_TASKRUN`
            // goes further, but completes at most 20 operations in one call: that takes more
            // calls, and saves no time.
            .setup_coop_taskrun()
            // An invalid operation doesn't hold up those behind it.
            .setup_submit_all()
            .setup_cqsize(ENTRIES * COMPLETIONS_FOR_EACH)
            .build(ENTRIES)
            .map_err(refusal)?;
        let buffers = Rc::new(Buffers::new()?);
        // SAFETY: the queue is valid as long as the pool exists, and `Drop` makes the kernel forget
        // the queue before the pool is freed.
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

    /// How many operations are queued to be handed over.
    pub(crate) fn queued(&self) -> usize {
        self.queued.len()
    }

    /// Accepts clients, again and again (io_uring_prep_multishot_accept(3)).
    pub(crate) fn accept(&mut self, listener: Rc<TcpListener>) -> OperationId {
        let accept = opcode::AcceptMulti::new(number(&*listener)).flags(libc::SOCK_CLOEXEC);
        self.start(Kind::Accept, listener, [].into(), |_| accept.build())
    }

    /// Receives bytes, again and again (io_uring_prep_recv_multishot(3)).
    pub(crate) fn receive(&mut self, key: usize, socket: Rc<TcpStream>) -> OperationId {
        let receive = opcode::RecvMulti::new(number(&*socket), GROUP);
        self.start(Kind::Receive { key }, socket, [].into(), |_| receive.build())
    }

    /// Sends what the socket has room for *now*. If that is everything, it doesn't end the wait:
    /// call [`hurry`](Self::hurry) if there is more to do then.
    ///
    /// In that case there is no completion at all (`IOSQE_CQE_SKIP_SUCCESS`): once the kernel has
    /// taken the operation, the bytes are sent, unless a completion says otherwise. With
    /// `MSG_WAITALL` there is also a completion if only a part was sent (io_uring_enter(2),
    /// `IOSQE_IO_LINK`).
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

    /// Sends as soon as the socket has room, as much as it has room for.
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

    /// Completes once, when this becomes readable.
    pub(crate) fn watch(&mut self, descriptor: Rc<dyn AsFd>) {
        let watch = opcode::PollAdd::new(number(&*descriptor), libc::POLLIN as u32);
        self.start(Kind::Watch, descriptor, [].into(), |_| watch.build());
    }

    /// Cancels an operation. Its last completion still comes: an error (ECANCELED), or what was
    /// done before that.
    pub(crate) fn cancel(&mut self, id: OperationId) {
        let OperationId(index) = id;
        if let Some(operation) = self.in_flight.get_mut(index)
            && !mem::replace(&mut operation.cancelled, true)
        {
            self.queue(opcode::AsyncCancel::new(index as u64).build());
        }
    }

    /// Closes a socket. Its descriptor is free for operations that are queued after this.
    pub(crate) fn close(&mut self, socket: Rc<TcpStream>) {
        // If it had operations in flight, the last of them would close it.
        if let Some(socket) = Rc::into_inner(socket) {
            self.queue(opcode::Close::new(Fd(socket.into_raw_fd())).build());
        }
    }

    /// Makes the next call report what is done at once, and not sleep before.
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
        // Moving the box doesn't move the bytes.
        let entry = entry(&bytes);
        let operation = Operation { kind, _descriptor: descriptor, bytes, cancelled: false };
        let index = self.in_flight.insert(operation);
        self.queued.push_back(entry.user_data(index as u64));
        OperationId(index)
    }

    /// Queues an operation that needs nothing but its entry. It only has a completion if it fails,
    /// which doesn't matter: there was nothing left to cancel, or closing a descriptor reported an
    /// error, and then it is closed nevertheless (close(2)).
    fn queue(&mut self, entry: squeue::Entry) {
        self.queued.push_back(entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(NO_CONNECTION));
    }

    /// Hands over what is queued, sleeps until something is done or the deadline has passed, and
    /// reports what is done. Returns how many calls that took. `now` is the time at which the
    /// operations are handed over.
    pub(crate) fn submit_and_wait(
        &mut self,
        now: Instant,
        deadline: Option<Instant>,
        done: &mut Vec<Completion>,
    ) -> io::Result<usize> {
        let mut calls = 0;
        // If the submission queue can't hold all operations, this takes several calls, and only the
        // last one sleeps.
        loop {
            let is_last = self.fill();
            let (completions, deadline) =
                if is_last { (usize::from(!self.hurried), deadline) } else { (0, None) };
            self.enter(completions, deadline)?;
            calls += 1;
            // Without resources, first take out the completions: that makes room, and may free
            // memory.
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
            // SAFETY: an entry lets the kernel use a descriptor and bytes. Both belong to an
            // operation in flight, which keeps them until its last completion; or there are no
            // bytes, and the entry owns the descriptor that it closes.
            #[allow(unsafe_code)]
            if unsafe { queue.push(entry) }.is_err() {
                return false;
            }
            self.queued.pop_front();
        }
        true
    }

    /// io_uring_enter(2): hands over the submission queue, and sleeps until there are this many
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
        // None of these is an error: look at the completions that there are, and call again.
        // Nothing is lost, because operations that were not handed over are still in the queue.
        self.resources = match code {
            // ETIME: the deadline has passed. EINTR: a signal came first.
            None | Some(Errno::ETIME | Errno::EINTR) => Resources::Enough,
            // There are more completions than their queue can hold.
            Some(Errno::EBUSY) => Resources::NoPlace,
            // There is no memory for another operation.
            Some(Errno::EAGAIN | Errno::ENOMEM) => Resources::NoMemory,
            Some(_) => return result.map(drop),
        };
        Ok(())
    }

    /// Whether the kernel had no memory for the call, or for one of the operations. The same may
    /// happen again if they are queued again at once.
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
                continue; // `NO_CONNECTION`: its result doesn't matter
            };
            let kind = operation.kind;
            // A cancelled operation would not go on. So the request came to nothing, and may be
            // repeated.
            operation.cancelled = false;
            if !more {
                self.in_flight.remove(index);
                if let Kind::Send { .. } = kind {
                    // It has failed, or it wasn't one that is done at once.
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

    /// Reports the operations that are done at once and have not failed. They have been done since
    /// they were handed over: the thread may have slept for a minute after that, and an idle
    /// time-out counts from the send.
    fn settle_at_once(&mut self, handed_over: Instant, done: &mut Vec<Completion>) {
        let queue = self.uring.submission();
        // As long as not everything is handed over, or completions wait for room in their queue,
        // we don't know yet: the next call will report them.
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

    /// Hands over what is still queued, cancels everything, and waits until no operation is in
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
            // The kernel may go on using this memory, so leak it rather than free it.
            mem::forget(mem::take(&mut self.in_flight));
            mem::forget(Rc::clone(&self.buffers));
        }
    }
}

fn number(descriptor: &(impl AsFd + ?Sized)) -> Fd {
    Fd(descriptor.as_fd().as_raw_fd())
}

/// The socket that an accept has returned.
fn accepted(descriptor: u32) -> TcpStream {
    // SAFETY: the kernel has made the descriptor for us, and reports it only once.
    #[allow(unsafe_code)]
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor.cast_signed()) };
    descriptor.into()
}

/// Why there is no ring, in a sentence for the user.
fn refusal(error: io::Error) -> io::Error {
    let why = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPERM | Errno::EACCES) => {
            "it is switched off in /proc/sys/kernel/io_uring_disabled, or the container forbids \
             it, as Docker does by default"
        }
        Some(Errno::ENOSYS) => "the kernel was built without it, or the container hides it",
        Some(Errno::EINVAL) => "the kernel is older than Linux 6.0",
        _ => return error,
    };
    io::Error::new(
        io::ErrorKind::Unsupported,
        format!(
            "there is no io_uring on this system ({error}): {why}; use poll-server instead: \
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
                assert!(!mem::replace(&mut is_sent[key], true), "{key} is reported twice");
            }
        }
        reader.join().unwrap();
    }

    #[test]
    fn what_can_be_sent_only_in_part_is_told() {
        let Some((mut ring, server, mut client)) = scene() else { return };
        // More than both sockets hold while the client doesn't read.
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
