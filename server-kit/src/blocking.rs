//! The system calls in which a thread of a blocking server sleeps: accept(2), recv(2), send(2),
//! and a plain sleep. Each ends when there is something to do, when its time is up, or when the
//! server has to stop.
//!
//! A flag alone doesn't wake a thread that sleeps in a call. To end accept(2), the server shuts
//! down the listener, or connects to itself; to end the other calls, it interrupts the thread with
//! a signal. That is the price of code that reads from top to bottom.
//!
//! Left out: on Windows, send(2) only ends when its time is up. If a client doesn't read there,
//! press Ctrl-C again.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use slab::Slab;
#[cfg(unix)]
use system::Interrupter;

use crate::platform::{self, AcceptWaker};
use crate::{Acceptor, Call, Journal, STOP_GRACE, Stop, TRY_AGAIN};

/// How many sends sleep one after the other within an idle time-out. A send that times out after it
/// has sent a part doesn't say when it sent that. With eight sends, the time is known to an eighth.
const SENDS_PER_TIME_OUT: u32 = 8;

/// The shortest time-out of a send: `struct timeval` counts in microseconds, and 0 would mean
/// that there is no time-out (socket(7), `SO_SNDTIMEO`).
const SHORTEST_SLEEP: Duration = Duration::from_micros(1);

/// The time between two interruptions of a thread that has not noticed yet. The first one is nearly
/// always enough, but a thread that was just about to sleep misses it.
const AGAIN: Duration = Duration::from_millis(5);

/// The blocking calls of one thread. Once this is dropped, the thread is no longer woken.
pub struct BlockingCalls {
    acceptor: Acceptor,
    threads: BlockingThreads,
    key: usize,
}

impl BlockingCalls {
    /// The calls of a server that has one thread, the calling one.
    ///
    /// # Errors
    ///
    /// Those of [`BlockingThreads::new`].
    pub fn new(listener: TcpListener, stop: &Stop) -> io::Result<Self> {
        Ok(BlockingThreads::new(listener, stop)?.calls())
    }

    /// accept(2): sleeps until a client comes. `None` means that there is none: check whether the
    /// server has to stop, and call again. While no descriptor is left, this returns after half a
    /// second, or when another thread unparks this one.
    ///
    /// # Errors
    ///
    /// Only those after which this listener will never accept again.
    pub fn accept(&mut self, journal: &mut Journal) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        let began = journal.waits(format_args!("accept(2), for a client"));
        let client = self.acceptor.accept(began, journal);
        journal.woke_up(began, 0, matches!(client, Ok(Some(_))));
        if self.threads.stop.is_requested() {
            return Ok(None); // the call was ended because of that, or the client comes too late
        }
        let client = client?;
        if client.is_none() {
            // No descriptor is left. (Or the call didn't sleep: another process has made the
            // listener non-blocking, EAGAIN.)
            let try_again = self.acceptor.deadline().unwrap_or(began + TRY_AGAIN);
            self.sleep_until(Some(try_again), journal);
            self.acceptor.resume();
        }
        Ok(client)
    }

    /// There was room for a client again: if descriptors run out once more, that is reported once
    /// more.
    pub fn had_room(&mut self) {
        self.acceptor.had_room();
    }

    /// The connection on which this thread sleeps from now on, until the result is dropped.
    pub fn stream(&self, stream: TcpStream, peer: SocketAddr) -> BlockingStream<'_> {
        let stream = Arc::new(stream);
        self.change(|entry| entry.stream = Some(Arc::clone(&stream)));
        BlockingStream { calls: self, stream, peer, time_out: None }
    }

    /// Sleeps until the deadline, or until the server has to stop, or until another thread unparks
    /// this one. That may have happened before the call, so check what has changed, and sleep
    /// again.
    pub fn sleep_until(&self, deadline: Option<Instant>, journal: &mut Journal) {
        journal.count(Call::Nanosleep);
        match deadline {
            Some(end) => thread::park_timeout(end.saturating_duration_since(Instant::now())),
            None => thread::park(),
        }
    }

    /// Whether the server has to stop, which is reported once. After that, the thread's calls are
    /// no longer interrupted.
    pub fn notices_stop(&self) -> bool {
        let is_new = self.is_to_notice();
        if is_new {
            self.change(|entry| entry.has_noticed = true);
        }
        is_new
    }

    fn change(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.threads.lock().get_mut(self.key) {
            change(entry);
        }
    }

    fn is_to_notice(&self) -> bool {
        let is_to_notice = |entry: &Entry| !entry.has_noticed;
        self.threads.stop.is_requested()
            && self.threads.lock().get(self.key).is_some_and(is_to_notice)
    }
}

impl Drop for BlockingCalls {
    fn drop(&mut self) {
        self.threads.lock().try_remove(self.key);
    }
}

/// A connection on which a thread sleeps.
pub struct BlockingStream<'a> {
    calls: &'a BlockingCalls,
    stream: Arc<TcpStream>,
    peer: SocketAddr,
    /// The time-out that the socket has for reading (`SO_RCVTIMEO`, socket(7)).
    time_out: Option<Duration>,
}

impl BlockingStream<'_> {
    /// Prepares the socket: small replies are not delayed, and a send sleeps for at most an eighth
    /// of the idle time-out.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn prepare(&self, idle_timeout: Option<Duration>, journal: &mut Journal) -> io::Result<()> {
        // Without TCP_NODELAY (tcp(7)), a small reply may wait until the client's kernel
        // acknowledges the one before (Nagle's algorithm, RFC 896), which it may delay.
        journal.count(Call::SetSockOpt);
        self.stream.set_nodelay(true)?;
        journal.count(Call::SetSockOpt);
        let time_out = idle_timeout.map(|time| (time / SENDS_PER_TIME_OUT).max(SHORTEST_SLEEP));
        self.stream.set_write_timeout(time_out)
    }

    /// recv(2): sleeps until bytes come, and returns how many; 0 is the end of the input. `None`:
    /// the time-out, which must not be 0, has passed, or the server has to stop, or a signal came.
    ///
    /// # Errors
    ///
    /// Those of the call.
    pub fn recv(
        &mut self,
        buffer: &mut [u8],
        time_out: Option<Duration>,
        journal: &mut Journal,
    ) -> io::Result<Option<usize>> {
        if self.time_out != time_out {
            self.time_out = time_out;
            journal.count(Call::SetSockOpt);
            self.stream.set_read_timeout(time_out)?;
        }
        let began = journal.waits(format_args!("recv(2), for {}", self.peer));
        journal.count(Call::Recv);
        let count = platform::sleep_until_readable(&self.stream, || self.calls.is_to_notice())
            .and_then(|()| (&*self.stream).read(buffer));
        let count = unless_time_is_up(count)?;
        journal.woke_up(began, usize::from(count.is_some()), false);
        Ok(count)
    }

    /// send(2): sleeps until the kernel takes some of the bytes, and returns how many. `None`: it
    /// has taken none for some time, or the server has to stop, or a signal came.
    ///
    /// # Errors
    ///
    /// Those of the call. If the server has to stop, it also fails when the grace period is over.
    pub fn send(&mut self, bytes: &[u8], journal: &mut Journal) -> io::Result<Option<usize>> {
        let began = journal.waits(format_args!("send(2), for {}", self.peer));
        journal.count(Call::Send);
        let count = unless_time_is_up((&*self.stream).write(bytes))?;
        journal.woke_up(began, usize::from(count.is_some()), false);
        Ok(count)
    }

    /// shutdown(2): closes the sending half.
    ///
    /// # Errors
    ///
    /// Those of the call.
    pub fn half_close(&mut self, journal: &mut Journal) -> io::Result<()> {
        journal.count(Call::Shutdown);
        self.stream.shutdown(Shutdown::Write)
    }
}

impl Drop for BlockingStream<'_> {
    fn drop(&mut self) {
        self.calls.change(|entry| entry.stream = None);
    }
}

/// The result of a call on a socket with a time-out; `None` for what isn't an error: the time-out
/// has passed (EAGAIN, or `WSAETIMEDOUT` on Windows), or a signal came (EINTR). (On other systems,
/// ETIMEDOUT means that the client can't be reached any more: tcp(7).)
fn unless_time_is_up(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(None),
            ErrorKind::TimedOut if cfg!(windows) => Ok(None),
            _ => Err(error),
        },
    }
}

/// The threads of a server that sleep in blocking calls, so that they can be woken to stop.
#[derive(Clone)]
pub struct BlockingThreads {
    listener: Arc<TcpListener>,
    stop: Stop,
    list: Arc<Mutex<List>>,
}

type List = Slab<Entry>;

struct Entry {
    thread: Thread,
    /// Without one, the thread sleeps until the grace period of the stop is over.
    #[cfg(unix)]
    interrupter: Option<Interrupter>,
    /// Whether the thread knows that the server has to stop.
    has_noticed: bool,
    /// The connection that the thread serves; `None` while it waits for one.
    stream: Option<Arc<TcpStream>>,
}

impl Entry {
    fn interrupt(&self) {
        // This ends park_timeout.
        self.thread.unpark();
        // This makes recv(2) and send(2) fail with EINTR. (On Windows, recv sleeps in naps, and
        // checks for a stop before each.)
        #[cfg(unix)]
        if let Some(interrupter) = &self.interrupter {
            interrupter.interrupt();
        }
    }
}

impl BlockingThreads {
    /// No threads yet. Each thread that gets its [`calls`](Self::calls) is woken when the server
    /// has to stop.
    ///
    /// # Errors
    ///
    /// If the system has no thread or no descriptor to wake them with. Both are taken at the start,
    /// because a server with many threads may have taken the last one by the time of the stop.
    pub fn new(listener: TcpListener, stop: &Stop) -> io::Result<Self> {
        let accept_waker = AcceptWaker::new(&listener)?;
        let listener = Arc::new(listener);
        let threads = BlockingThreads { listener, stop: stop.clone(), list: Arc::default() };
        let (sender, stopped) = mpsc::channel();
        // The listener is closed when the server ends, even if no stop was requested.
        let (list, listener) = (Arc::clone(&threads.list), Arc::downgrade(&threads.listener));
        thread::Builder::new().spawn(move || {
            // It fails if the `Stop` is dropped before a stop is requested.
            if stopped.recv().is_ok() {
                wake(&list, accept_waker, &listener);
            }
        })?;
        stop.wake_with(move || {
            // It fails if the thread is awake already.
            sender.send(()).ok();
        });
        Ok(threads)
    }

    /// The calls of the calling thread.
    pub fn calls(&self) -> BlockingCalls {
        let key = self.lock().insert(Entry {
            thread: thread::current(),
            #[cfg(unix)]
            interrupter: Interrupter::of_this_thread().ok(),
            has_noticed: false,
            stream: None,
        });
        let acceptor = Acceptor::blocking(Arc::clone(&self.listener));
        BlockingCalls { acceptor, threads: self.clone(), key }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        lock(&self.list)
    }
}

fn lock(list: &Mutex<List>) -> MutexGuard<'_, List> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes all threads that have not yet noticed that the server has to stop.
fn wake(list: &Mutex<List>, mut accept_waker: AcceptWaker, listener: &Weak<TcpListener>) {
    let give_up = Instant::now() + STOP_GRACE;
    while Instant::now() < give_up {
        for (_, entry) in &*lock(list) {
            if !entry.has_noticed {
                entry.interrupt();
            }
        }
        let accepting = lock(list).iter().filter(|(_, it)| it.stream.is_none()).count();
        if accepting > 0
            && let Some(listener) = listener.upgrade()
        {
            accept_waker.wake(&listener, accepting);
        }
        thread::sleep(AGAIN);
    }
    // This makes send(2) fail.
    for (_, entry) in &*lock(list) {
        if let Some(stream) = &entry.stream {
            // It fails if the client has gone, and then no thread sleeps on it.
            stream.shutdown(Shutdown::Both).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Settings, listen};
    use clap::Parser;

    #[test]
    fn all_threads_that_sleep_in_accept_are_woken_though_the_queue_is_too_short_for_all() {
        let arguments = ["server", "-q", "--address", "127.0.0.1:0", "--backlog", "0"];
        let settings = Settings::try_parse_from(arguments).unwrap();
        let stop = Stop::new();
        let threads = BlockingThreads::new(listen(&settings).unwrap(), &stop).unwrap();
        let (sender, left) = mpsc::channel();
        for _ in 0..20 {
            let (threads, sender) = (threads.clone(), sender.clone());
            let mut journal = Journal::new(&settings);
            thread::spawn(move || {
                let mut calls = threads.calls();
                sender.send("sleeps").unwrap();
                assert!(matches!(calls.accept(&mut journal), Ok(None)));
                drop(calls);
                sender.send("is awake").unwrap();
            });
        }
        let heard = |what: &str| {
            for _ in 0..20 {
                assert_eq!(left.recv_timeout(Duration::from_secs(10)), Ok(what));
            }
        };
        heard("sleeps");
        stop.request();
        heard("is awake");
    }
}
