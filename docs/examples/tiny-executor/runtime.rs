//! An executor with its queue, a reactor with poll(2), and the wakers between them. Nothing in it
//! comes from a library for async and await.
//!
//! Left out: time (no deadline ends a wait), more than one thread, and cancellation. The list for
//! poll(2) is built anew for each wait, so the cost of a wait grows with the number of connections.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A task: a future that no other future awaits. The box gives all of them the same size, and the
/// pin guarantees that it will not be moved: a future may hold references into itself.
type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The keys of the tasks that can make progress.
type Queue = Arc<Mutex<VecDeque<usize>>>;

/// What an event calls: it puts one task back into the queue.
struct TaskWaker {
    key: usize,
    queue: Queue,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.queue.lock().unwrap().push_back(self.key);
    }
}

/// One task that waits for one socket.
struct Waiting {
    socket: Rc<dyn AsFd>,
    event: PollFlags,
    waker: Waker,
}

/// Everything that a program in one thread needs to wait for many sockets.
#[derive(Default)]
pub(crate) struct Runtime {
    tasks: RefCell<HashMap<usize, Task>>,
    next_key: Cell<usize>,
    queue: Queue,
    waiting: RefCell<Vec<Waiting>>,
}

impl Runtime {
    /// Adds a task; it starts when its turn comes.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let key = self.next_key.replace(self.next_key.get() + 1);
        self.tasks.borrow_mut().insert(key, Box::pin(task));
        self.queue.lock().unwrap().push_back(key);
    }

    /// The executor: polls the tasks that can make progress, and when there are none, lets the
    /// reactor sleep.
    pub(crate) fn run(&self) -> io::Result<()> {
        loop {
            while let Some(key) = self.next() {
                // It is removed from the map while it runs, because it may spawn other tasks.
                let Some(mut task) = self.tasks.borrow_mut().remove(&key) else {
                    continue; // woken twice, and over the first time
                };
                let waker = Waker::from(Arc::new(TaskWaker { key, queue: self.queue.clone() }));
                if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                    self.tasks.borrow_mut().insert(key, task);
                }
            }
            if self.tasks.borrow().is_empty() {
                return Ok(());
            }
            self.react()?;
        }
    }

    /// In a function of its own, because the queue must not stay locked while a task runs.
    fn next(&self) -> Option<usize> {
        self.queue.lock().unwrap().pop_front()
    }

    /// The reactor: sleeps once for all sockets, and wakes the task of each that is ready.
    fn react(&self) -> io::Result<()> {
        let mut waiting = self.waiting.borrow_mut();
        let mut list: Vec<PollFd> =
            waiting.iter().map(|one| PollFd::new(one.socket.as_fd(), one.event)).collect();
        match poll(&mut list, PollTimeout::NONE) {
            // A signal came first: the tasks wait as before.
            Err(Errno::EINTR) => return Ok(()),
            result => result?,
        };
        // `None`: bits that `nix` doesn't know; something has happened anyway.
        let mut is_ready: VecDeque<bool> =
            list.iter().map(|descriptor| descriptor.any().unwrap_or(true)).collect();
        drop(list);
        waiting.retain(|one| {
            let is_ready = is_ready.pop_front() == Some(true);
            if is_ready {
                one.waker.wake_by_ref();
            }
            !is_ready
        });
        Ok(())
    }

    /// The future of one call on a non-blocking socket: tries the call, and as long as it would
    /// have to wait, leaves a waker and returns `Pending`.
    pub(crate) async fn when<Socket: AsFd + 'static, T>(
        &self,
        event: PollFlags,
        socket: &Rc<Socket>,
        mut call: impl FnMut(&Socket) -> io::Result<T>,
    ) -> io::Result<T> {
        poll_fn(|context| match call(socket) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let (socket, waker) = (Rc::clone(socket), context.waker().clone());
                self.waiting.borrow_mut().push(Waiting { socket, event, waker });
                Poll::Pending
            }
            result => Poll::Ready(result),
        })
        .await
    }
}
