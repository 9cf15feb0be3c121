//! The server in several processes: a parent that listens, and workers that serve on its
//! listening socket, each of them the whole of `poll-server`. So work nginx and gunicorn.
//!
//! A loop is one thread. However many connections it has, it keeps one core busy, and while it
//! works on a request (`--work`), everybody waits. Here are as many loops as cores
//! (`--workers`), and so many requests are worked on at the same time. The parent only sleeps
//! until a worker ends: then another one takes its place. Whatever kills a worker costs its
//! clients their connections, and nobody else anything.
//!
//! ```text
//! cargo run -p prefork-server -- --workers 4 --work 50ms
//! cargo run -p client -- -c 20 -r 5        # in a second terminal: poll-server needs 5 s.
//!                                          # Do it three times, then all of it with --reuse-port
//! pkill -n -KILL -f prefork-server:        # and the server goes on
//! ```
//!
//! What it can't do is divide the clients well: each belongs for ever to the worker that has
//! accepted it, however busy that is. Of the 5 s (100 requests of 50 ms) four workers leave
//! between 2.0 and 5.0, as luck has it: all of them wait for the same socket, and the first
//! to wake takes everybody who stands in the queue. Also, each client wakes all workers who
//! sleep, for one to find it and the others nothing: the *thundering herd*. For a thousand
//! clients, one after the other, 32 workers woke 34,000 times. Most of them see within
//! epoll_wait(2) that they come too late, some only when accept(2) says EAGAIN: 2.2 to 2.6
//! calls for each client, where one loop needs 2. epoll_ctl(2) has `EPOLLEXCLUSIVE` against
//! that, which `polling` does not offer.
//!
//! With `--reuse-port` each worker has a listening socket of its own at the same address
//! (`SO_REUSEPORT`, socket(7)), and the kernel deals the clients out, by a hash of the
//! addresses. There is no herd (1500 instead of 34,000), and a crowd spreads well: those 5 s
//! become 1.5 to 2.6. But who is dealt to a worker that is busy, or has no descriptor left,
//! waits for this one, whoever else is idle. And a second server that is started at the same
//! address by mistake is not refused: it gets half of the clients. The parent holds all of
//! the sockets, so that the queue of a dead worker waits for its successor.
//!
//! # Why nobody forks here
//!
//! The name comes from fork(2): the parent has prepared everything, and the child is a copy of
//! it and goes on from there. But only the thread that calls it is copied. If another one held
//! a lock just then, that of malloc(3) or of the console, it is never released in the child,
//! which therefore may call only what signal handlers may, too (signal-safety(7)), until
//! execve(2) makes a new program of it; std says so at `CommandExt::pre_exec`. The parents of
//! nginx and gunicorn have one thread. This one has more: one waits for signals, and one for
//! each worker. So a worker is this program started anew, by
//! `std::process::Command`, which does nothing between fork(2) and execve(2) that is not
//! allowed there. (nginx does so, too, to replace itself by a newer version without closing
//! its sockets.) The listening socket comes to it in a message (`handover.rs`), and a second
//! use of the same Unix socket tells each side when the other is gone (`worker.rs`).
//!
//! `poll-server` is the loop itself; `async-server` has its `--workers` as threads of one
//! process.

#![forbid(unsafe_code)]
#![cfg(unix)]

use std::io;
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use server_kit::{Console, Counters, Settings, Stop, Verbosity};
use system::advice;

mod handover;
mod options;
mod worker;

pub use options::Options;
pub use worker::worker;
use worker::{PATIENCE, Worker};

/// How long after its end a worker is replaced: as long as systemd waits before it restarts a
/// service (`RestartSec=` in systemd.service(5)). If it was Ctrl-C that ended the worker, which
/// reaches every process of a terminal, then this one has heard of it, too, by then.
const BEFORE_REPLACING: Duration = Duration::from_millis(100);

/// How often a worker is started at most. One that dies as soon as it lives costs next to
/// nothing then.
const BETWEEN_STARTS: Duration = Duration::from_secs(1);

/// Has workers serve everybody until `stop` is requested and all of them have ended.
///
/// They are processes of the same program, which has to call [`worker`] first.
///
/// # Errors
///
/// If the workers can't be started. Those that end later are replaced.
pub fn serve(
    listener: TcpListener,
    settings: &Settings,
    options: &Options,
    stop: &Stop,
) -> io::Result<Counters> {
    if worker::is_worker() {
        // It would start workers, and each of them would, too.
        return Err(io::Error::other("this program does not call `prefork_server::worker`"));
    }
    let (sender, news) = mpsc::channel();
    let waker = sender.clone();
    stop.wake_with(move || {
        // It fails if the server has ended before, and then nobody has to be told.
        waker.send(News::Stop).ok();
    });
    let mut parent = Parent {
        listeners: options.listeners(listener, settings)?,
        places: Vec::new(),
        sender,
        news,
        give_up: None,
        console: Console::new(settings.verbosity()),
        counters: Counters::default(),
    };
    for number in 0..options.workers() {
        let worker = parent.start(number)?;
        parent.places.push(Place::Taken(worker));
    }
    while parent.turn()? {}
    Ok(parent.counters)
}

struct Parent {
    /// One for all workers, or one for each; none once the server stops.
    listeners: Vec<TcpListener>,
    places: Vec<Place>,
    sender: Sender<News>,
    news: Receiver<News>,
    /// When those are killed who have not ended: set once the server stops.
    give_up: Option<Instant>,
    console: Console,
    counters: Counters,
}

/// The place of a worker.
enum Place {
    Taken(Worker),
    /// Its worker has ended; at this time the next one is started.
    Vacant(Instant),
}

/// What the parent waits for.
enum News {
    Stop,
    /// The worker at this place has ended. These are its last words: its counters, unless it
    /// was killed.
    Ended(usize, String),
}

impl Parent {
    /// One turn of the loop: sleep until something has happened to a worker, or has to happen.
    /// Returns whether there is more to come.
    fn turn(&mut self) -> io::Result<bool> {
        match self.wait() {
            Some(News::Stop) => self.stop_workers(Instant::now()),
            Some(News::Ended(number, last_words)) => self.worker_ended(number, &last_words)?,
            None => {}
        }
        self.expire(Instant::now());
        let is_taken = |place: &Place| matches!(place, Place::Taken(_));
        Ok(self.give_up.is_none() || self.places.iter().any(is_taken))
    }

    /// Sleeps until there is news, or the earliest deadline has passed.
    fn wait(&self) -> Option<News> {
        let vacancies = self.places.iter().filter_map(|place| match place {
            Place::Vacant(due) => Some(*due),
            Place::Taken(_) => None,
        });
        match self.give_up.or_else(|| vacancies.min()) {
            Some(deadline) => {
                let time_out = deadline.saturating_duration_since(Instant::now());
                self.news.recv_timeout(time_out).ok()
            }
            None => self.news.recv().ok(),
        }
    }

    /// Starts a worker for this place.
    fn start(&mut self, number: usize) -> io::Result<Worker> {
        let worker = Worker::start(&self.listeners[number % self.listeners.len()])?;
        let sender = self.sender.clone();
        worker.when_it_ends(move |last_words| {
            // It fails if the server has ended before, and then nobody has to be told.
            sender.send(News::Ended(number, last_words)).ok();
        })?;
        self.console.tell(
            Verbosity::Normal,
            format_args!("worker {} is process {}", number + 1, worker.id()),
        );
        Ok(worker)
    }

    /// Tells how a worker has ended, and adds up what it has counted.
    fn worker_ended(&mut self, number: usize, last_words: &str) -> io::Result<()> {
        let Place::Taken(worker) = &mut self.places[number] else {
            return Ok(());
        };
        let status = worker.wait()?;
        let how = format!("worker {} (process {}) has ended: {status}", number + 1, worker.id());
        if status.success() {
            self.console.tell(Verbosity::Normal, format_args!("{how}"));
        } else {
            Console::complain(format_args!("{how}"));
        }
        let due = (Instant::now() + BEFORE_REPLACING).max(worker.started() + BETWEEN_STARTS);
        match last_words.parse() {
            Ok(counters) if !last_words.is_empty() => self.counters += &counters,
            _ => self.lost_count(),
        }
        self.places[number] = Place::Vacant(due);
        Ok(())
    }

    /// Does what the time asks for: a new worker for a vacant place, or the end of those who
    /// did not stop.
    fn expire(&mut self, now: Instant) {
        for number in 0..self.places.len() {
            match (&self.places[number], self.give_up) {
                (Place::Vacant(due), None) if *due <= now => self.replace(number, now),
                (Place::Taken(_), Some(give_up)) if give_up <= now => self.kill(number, now),
                _ => {}
            }
        }
    }

    fn replace(&mut self, number: usize, now: Instant) {
        self.places[number] = match self.start(number) {
            Ok(worker) => Place::Taken(worker),
            Err(error) => {
                let (number, advice) = (number + 1, advice(&error));
                Console::complain(format_args!(
                    "worker {number} can't be started: {error}{advice}"
                ));
                Place::Vacant(now + BETWEEN_STARTS)
            }
        };
    }

    fn kill(&mut self, number: usize, now: Instant) {
        Console::complain(format_args!("worker {} did not stop, and is killed", number + 1));
        self.lost_count();
        self.places[number] = Place::Vacant(now);
    }

    /// Asks the workers to stop. When they have heard it, nobody listens any more.
    fn stop_workers(&mut self, now: Instant) {
        self.give_up = Some(now + PATIENCE);
        self.listeners.clear();
        for place in &mut self.places {
            if let Place::Taken(worker) = place {
                worker.stop();
            }
        }
    }

    fn lost_count(&mut self) {
        self.counters.not_counted = Some("what killed workers have done");
    }
}
