//! How servers that sleep in blocking calls are woken when they have to stop.
//!
//! A thread of such a server sleeps in four calls. accept(2) is ended from outside, by what
//! happens to the listener; recv(2), send(2) and a plain sleep are interrupted in the thread
//! itself. That is the price of code that reads from top to bottom.
//!
//! Left out: send(2) on Windows, which only time ends. If a client there doesn't read, press
//! Ctrl-C again.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

#[cfg(unix)]
use signals::Interrupter;
use slab::Slab;

use crate::system::{self, AcceptWaker};
use crate::{Call, Journal, STOP_GRACE, Stop};

/// How often a thread is interrupted until it has noticed. The first time is nearly always
/// enough; but a thread that was just about to sleep misses it.
const AGAIN: Duration = Duration::from_millis(5);

/// The threads of a server that sleep in blocking calls, within reach of the one that stops it.
#[derive(Clone, Default)]
pub struct Sleepers {
    list: Arc<Mutex<List>>,
}

#[derive(Default)]
struct List {
    /// The server is to stop.
    stopping: bool,
    threads: Slab<Entry>,
}

struct Entry {
    thread: Thread,
    /// If there is none, the thread sleeps until the grace period of the stop is over.
    #[cfg(unix)]
    interrupter: Option<Interrupter>,
    /// It knows that the server is to stop.
    has_noticed: bool,
    /// The connection that it serves; `None`: it waits for one.
    stream: Option<Arc<TcpStream>>,
}

impl Entry {
    fn interrupt(&self) {
        // park_timeout returns.
        self.thread.unpark();
        // recv(2) and send(2) fail with EINTR. (On Windows, recv sleeps in naps, and looks.)
        #[cfg(unix)]
        if let Some(interrupter) = &self.interrupter {
            interrupter.interrupt();
        }
    }
}

impl Sleepers {
    /// No thread yet. Those that join are woken when the server is to stop, whether they sleep in
    /// accept(2) on the `listener`, in recv(2), in send(2), or in [`Sleeper::sleep_until`].
    ///
    /// # Errors
    ///
    /// If the system has no thread, or no descriptor, to wake them with. Both are taken at the
    /// start: when they are needed, a server of many threads may have taken the last.
    pub fn woken_by(stop: &Stop, listener: &Arc<TcpListener>) -> io::Result<Self> {
        let sleepers = Sleepers::default();
        let woken = sleepers.clone();
        let (sender, stopped) = mpsc::channel();
        let accept_waker = AcceptWaker::new(listener)?;
        // The listener is closed when the server ends, even if nothing has asked it to stop.
        let listener = Arc::downgrade(listener);
        thread::Builder::new().spawn(move || {
            // It fails if the stop is gone before anything has asked for it.
            if stopped.recv().is_ok() {
                woken.wake(accept_waker, &listener);
            }
        })?;
        stop.wake_with(move || {
            // Once it is awake, it need not be told again.
            sender.send(()).ok();
        });
        Ok(sleepers)
    }

    /// The calling thread is one of them from now on.
    pub fn join(&self) -> Sleeper {
        let key = self.lock().threads.insert(Entry {
            thread: thread::current(),
            #[cfg(unix)]
            interrupter: Interrupter::of_this_thread().ok(),
            has_noticed: false,
            stream: None,
        });
        Sleeper { sleepers: self.clone(), key }
    }

    fn wake(&self, mut accept_waker: AcceptWaker, listener: &Weak<TcpListener>) {
        let give_up = Instant::now() + STOP_GRACE;
        self.lock().stopping = true;
        while Instant::now() < give_up {
            for (_, entry) in &self.lock().threads {
                if !entry.has_noticed {
                    entry.interrupt();
                }
            }
            let accepting = self.accepting();
            if accepting > 0
                && let Some(listener) = listener.upgrade()
            {
                accept_waker.wake(&listener, accepting);
            }
            thread::sleep(AGAIN);
        }
        // send(2) fails once nothing can be sent any more.
        for (_, entry) in &self.lock().threads {
            if let Some(stream) = &entry.stream {
                // It fails if the client has gone, and then no thread sleeps on it.
                stream.shutdown(Shutdown::Both).ok();
            }
        }
    }

    /// How many may sleep in accept(2).
    fn accepting(&self) -> usize {
        self.lock().threads.iter().filter(|(_, entry)| entry.stream.is_none()).count()
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that may sleep in blocking calls. It leaves the others when it is dropped.
pub struct Sleeper {
    sleepers: Sleepers,
    key: usize,
}

impl Sleeper {
    /// From now on it sleeps on this connection, until that is dropped.
    pub fn serve(&self, stream: TcpStream) -> Served<'_> {
        let stream = Arc::new(stream);
        self.change(|entry| entry.stream = Some(Arc::clone(&stream)));
        Served { sleeper: self, stream }
    }

    /// Sleeps until the deadline, or until the server is to stop, or something else unparks
    /// the thread. That may have been before, so look what has changed, and sleep again.
    pub fn sleep_until(&self, deadline: Option<Instant>, journal: &mut Journal) {
        journal.count(Call::Nanosleep);
        match deadline {
            Some(end) => thread::park_timeout(end.saturating_duration_since(Instant::now())),
            None => thread::park(),
        }
    }

    /// The thread knows that the server is to stop: from now on its calls sleep undisturbed.
    pub fn has_noticed(&self) {
        self.change(|entry| entry.has_noticed = true);
    }

    fn change(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.sleepers.lock().threads.get_mut(self.key) {
            change(entry);
        }
    }

    fn is_to_notice(&self) -> bool {
        let list = self.sleepers.lock();
        list.stopping && list.threads.get(self.key).is_some_and(|entry| !entry.has_noticed)
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.sleepers.lock().threads.try_remove(self.key);
    }
}

/// A connection on which a thread may sleep.
pub struct Served<'a> {
    sleeper: &'a Sleeper,
    stream: Arc<TcpStream>,
}

impl Served<'_> {
    /// recv(2), with the socket's time-out. It is interrupted when the server is to stop.
    ///
    /// # Errors
    ///
    /// Those of [`Read::read`].
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        system::sleep_until_readable(&self.stream, || self.sleeper.is_to_notice())?;
        (&*self.stream).read(buffer)
    }

    /// send(2), with the socket's time-out. It is interrupted when the server is to stop, and
    /// fails some time after that.
    ///
    /// # Errors
    ///
    /// Those of [`Write::write`].
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.stream).write(bytes)
    }
}

impl Deref for Served<'_> {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.stream
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.sleeper.change(|entry| entry.stream = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Acceptor, Settings, listen};
    use clap::Parser;

    #[test]
    fn all_threads_that_sleep_in_accept_are_woken_though_the_queue_is_too_short_for_all() {
        let arguments = ["server", "-q", "--address", "127.0.0.1:0", "--backlog", "0"];
        let settings = Settings::try_parse_from(arguments).unwrap();
        let listener = Arc::new(listen(&settings).unwrap());
        let stop = Stop::new();
        let sleepers = Sleepers::woken_by(&stop, &listener).unwrap();
        let (sender, left) = mpsc::channel();
        for _ in 0..20 {
            let (sleepers, sender) = (sleepers.clone(), sender.clone());
            let mut acceptor = Acceptor::blocking(Arc::clone(&listener));
            let mut journal = Journal::new(&settings);
            thread::spawn(move || {
                let sleeper = sleepers.join();
                sender.send("sleeps").unwrap();
                // It ends with a connection or an error, depending on the system.
                acceptor.accept(Instant::now(), &mut journal).ok();
                drop(sleeper);
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
