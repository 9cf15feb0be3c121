//! How servers that sleep in blocking calls are woken when they have to stop.
//!
//! A thread of such a server sleeps in four places, and each needs a means of its own: this
//! is the price of code that reads from top to bottom.
//!
//! Left out: send(2) on Windows, where nothing but time ends it. There, whoever has to wait for
//! a client that does not read presses Ctrl-C again.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use slab::Slab;
use socket2::{Domain, Socket, Type};

use crate::{Call, Journal, STOP_GRACE, Stop, system};

/// How long a call to this server itself may take. It gets through at once or, if the queue is
/// full, only in a second: so long TCP waits before it tries again (RFC 6298, 2.1).
const A_CALL: Duration = Duration::from_millis(1);

/// The threads of a server that sleep in blocking calls, within reach of whoever stops it.
#[derive(Clone, Default)]
pub struct Sleepers {
    list: Arc<Mutex<Slab<Entry>>>,
}

struct Entry {
    thread: Thread,
    /// The connection that it serves; `None`: it waits for one.
    stream: Option<Arc<TcpStream>>,
}

impl Sleepers {
    /// Nobody yet. Whoever joins is woken when the server is to stop, be it in accept(2) at
    /// the `listener`'s address, in recv(2), in send(2), or in [`Sleeper::sleep_until`].
    ///
    /// # Errors
    ///
    /// If the system has no thread, or no descriptor, for whoever is to wake them. They are there
    /// from the start: when they are needed, a server of many threads may have taken the last.
    pub fn woken_by(stop: &Stop, listener: SocketAddr) -> io::Result<Self> {
        let sleepers = Sleepers::default();
        let woken = sleepers.clone();
        let (sender, stopped) = mpsc::channel();
        // Nobody who sleeps in accept(2) gives one back: Linux has taken it before the sleep.
        let descriptor = Socket::new(Domain::for_address(listener), Type::STREAM, None)?;
        thread::Builder::new().spawn(move || {
            // It fails if the stop is gone before anybody has asked for it.
            if stopped.recv().is_ok() {
                drop(descriptor); // for the calls that wake
                woken.wake(reachable(listener));
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
        let key = self.lock().insert(Entry { thread: thread::current(), stream: None });
        Sleeper { sleepers: self.clone(), key }
    }

    fn wake(&self, listener: SocketAddr) {
        let give_up = Instant::now() + STOP_GRACE;
        // recv(2) returns 0 once no more input can come.
        self.shut_down(Shutdown::Read);
        for (_, entry) in self.lock().iter() {
            // park_timeout returns for whoever is unparked.
            entry.thread.unpark();
        }
        // accept(2) returns when somebody calls. A call that does not get through finds the
        // queue full (`--backlog`): then accept(2) returns for those who are in it, and who
        // still sleeps after that is called once more.
        while self.accepting() > 0 && Instant::now() < give_up {
            for _ in 0..self.accepting() {
                TcpStream::connect_timeout(&listener, A_CALL).ok();
            }
        }
        // send(2) fails once nothing can be sent any more.
        thread::sleep(give_up.saturating_duration_since(Instant::now()));
        self.shut_down(Shutdown::Both);
    }

    /// How many may sleep in accept(2).
    fn accepting(&self) -> usize {
        self.lock().iter().filter(|(_, entry)| entry.stream.is_none()).count()
    }

    fn shut_down(&self, how: Shutdown) {
        for (_, entry) in self.lock().iter() {
            if let Some(stream) = &entry.stream {
                // It fails if the client has gone, and then nobody sleeps on it.
                stream.shutdown(how).ok();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Entry>> {
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
        self.put(Some(Arc::clone(&stream)));
        Served { sleeper: self, stream }
    }

    /// Sleeps until the deadline, or until the server is to stop, or somebody else unparks
    /// the thread. That may have been before, so look what has changed, and sleep again.
    pub fn sleep_until(&self, deadline: Option<Instant>, journal: &mut Journal) {
        journal.count(Call::Nanosleep);
        match deadline {
            Some(end) => thread::park_timeout(end.saturating_duration_since(Instant::now())),
            None => thread::park(),
        }
    }

    fn put(&self, stream: Option<Arc<TcpStream>>) {
        if let Some(entry) = self.sleepers.lock().get_mut(self.key) {
            entry.stream = stream;
        }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.sleepers.lock().try_remove(self.key);
    }
}

/// A connection on which a thread may sleep.
pub struct Served<'a> {
    sleeper: &'a Sleeper,
    stream: Arc<TcpStream>,
}

impl Served<'_> {
    /// recv(2), with the socket's time-out. When the server is to stop, nothing more comes, as if
    /// the client had ended.
    ///
    /// # Errors
    ///
    /// Those of [`Read::read`].
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        system::sleep_until_readable(&self.stream)?;
        (&*self.stream).read(buffer)
    }

    /// send(2), with the socket's time-out. It fails some time after the server is to stop.
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
        self.sleeper.put(None);
    }
}

/// Where to call somebody who listens at `address`: who listens everywhere is called at home.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Acceptor, Settings, listen};
    use clap::Parser;

    #[test]
    fn all_who_sleep_in_accept_are_woken_though_the_queue_has_no_room_for_as_many_calls() {
        let arguments = ["server", "-q", "--address", "127.0.0.1:0", "--backlog", "0"];
        let settings = Settings::try_parse_from(arguments).unwrap();
        let listener = listen(&settings).unwrap();
        let stop = Stop::new();
        let sleepers = Sleepers::woken_by(&stop, listener.local_addr().unwrap()).unwrap();
        let (sender, left) = mpsc::channel();
        for _ in 0..20 {
            let (sleeper, sender) = (sleepers.join(), sender.clone());
            let mut acceptor = Acceptor::blocking(listener.try_clone().unwrap());
            let mut journal = Journal::new(&settings);
            thread::spawn(move || {
                let client = acceptor.accept(Instant::now(), &mut journal).unwrap();
                drop(sleeper);
                sender.send(client.is_some()).unwrap();
            });
        }
        stop.request();
        for _ in 0..20 {
            assert_eq!(left.recv_timeout(Duration::from_secs(10)), Ok(true));
        }
    }
}
