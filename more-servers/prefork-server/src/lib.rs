//! The server in several processes: a parent that listens, and workers that serve on its listening
//! socket, each of them a whole `poll-server`. nginx and gunicorn work like this.
//!
//! An event loop is one thread. However many connections it has, it only uses one core, and while
//! it works on a request (`--work`), all other clients wait. Here, there are as many loops as cores
//! (`--workers`), and they work on as many requests at the same time. The parent only sleeps until
//! a worker ends, and then starts another one in its place. If a worker is killed, its clients lose
//! their connections, but all others are not affected.
//!
//! ```text
//! cargo run -p prefork-server -- --workers 4 --work 50ms
//! cargo run -p client -- -c 20 -r 5        # in a second terminal: poll-server needs 5 s.
//!                                          # Do it three times, then all of it with --reuse-port
//! pkill -n -KILL -f prefork-server:        # and the server goes on
//! ```
//!
//! What it can't do is distribute the clients well: each client stays with the worker that has
//! accepted it, however busy that worker is. Four workers reduce the 5 s (100 requests of 50 ms) to
//! between 2.0 and 5.0 s, depending on luck: all of them wait for the same socket, and the first
//! one to wake up accepts all clients in the queue. Also, each client wakes all workers that sleep,
//! but only one of them finds it: the *thundering herd*. For a thousand clients, one after the
//! other, 32 workers woke up 34,000 times. Most of them notice within epoll_wait(2) that they are
//! too late, some only when accept(2) returns EAGAIN: 2.2 to 2.6 calls for each client, where one
//! loop needs 2. epoll_ctl(2) has `EPOLLEXCLUSIVE` against that, which `polling` doesn't offer.
//!
//! With `--reuse-port`, each worker has a listening socket of its own at the same address
//! (`SO_REUSEPORT`, socket(7)), and the kernel distributes the clients, by a hash of the addresses.
//! There is no herd (1500 wake-ups instead of 34,000), and many clients are spread well: those 5 s
//! become 1.5 to 2.6. But a client of a worker that is busy, or has no descriptor left, waits for
//! this worker, even if others are idle. And a second server that is started at the same address by
//! mistake isn't rejected: it gets half of the clients. The parent holds all of the sockets, so the
//! queue of a worker that has ended waits for its successor.
//!
//! # Why this server doesn't fork
//!
//! The name comes from fork(2): the parent prepares everything, and the child is a copy of it that
//! goes on from there. But only the thread that calls fork(2) is copied. If another thread holds a
//! lock at that moment, such as that of malloc(3) or of the console, the lock is never released in
//! the child. Therefore the child may only call what signal handlers may call (signal-safety(7)),
//! until execve(2) replaces its program; std says so at `CommandExt::pre_exec`. The parents of
//! nginx and gunicorn have one thread. This one has more: one waits for signals, and one for each
//! worker. So a worker is this program started again, by `std::process::Command`, which does
//! nothing between fork(2) and execve(2) that is not allowed there. (nginx does the same to replace
//! itself by a newer version without closing its sockets.) The worker receives the listening socket
//! in a message (`handover.rs`). The same Unix socket later shows each side when the other one has
//! ended (`worker.rs`).
//!
//! `poll-server` is the loop itself. `async-server` has `--workers`, too, as threads of one
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
/// service (`RestartSec=` in systemd.service(5)). If Ctrl-C, which reaches every process of a
/// terminal, has ended the worker, this process has noticed it by then, too.
const BEFORE_REPLACING: Duration = Duration::from_millis(100);

/// The shortest time between two starts of a worker. With it, a worker that ends as soon as it is
/// started costs next to nothing.
const BETWEEN_STARTS: Duration = Duration::from_secs(1);

/// Serves all clients, in workers, until `stop` is requested and all workers have ended.
///
/// The workers are processes of the same program, which has to call [`worker`] first.
///
/// # Errors
///
/// If the workers can't be started. Workers that end later are replaced.
pub fn serve(
    listener: TcpListener,
    settings: &Settings,
    options: &Options,
    stop: &Stop,
) -> io::Result<Counters> {
    if worker::is_worker() {
        // It would start workers, and so would each of them.
        return Err(io::Error::other("this program has to call `prefork_server::worker` first"));
    }
    let (sender, news) = mpsc::channel();
    let waker = sender.clone();
    stop.wake_with(move || {
        // It fails if the server has already ended.
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
    /// One for all workers, or one for each; none once the server is stopping.
    listeners: Vec<TcpListener>,
    places: Vec<Place>,
    sender: Sender<News>,
    news: Receiver<News>,
    /// When workers that have not ended are killed: set once the server is stopping.
    give_up: Option<Instant>,
    console: Console,
    counters: Counters,
}

/// The place of a worker.
enum Place {
    Taken(Worker),
    /// Its worker has ended; the next one is started at this time.
    Vacant(Instant),
}

/// What the parent waits for.
enum News {
    Stop,
    /// The worker at this place has ended. The text is its counters, or empty if it was killed.
    Ended(usize, String),
}

impl Parent {
    /// One turn of the loop: sleep until a worker ends or a deadline passes, and react to that.
    /// Returns whether the loop goes on.
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
            // It fails if the server has already ended.
            sender.send(News::Ended(number, last_words)).ok();
        })?;
        self.console.print(
            Verbosity::Normal,
            format_args!("worker {} is process {}", number + 1, worker.id()),
        );
        Ok(worker)
    }

    /// Reports how a worker has ended, and adds up its counters.
    fn worker_ended(&mut self, number: usize, last_words: &str) -> io::Result<()> {
        let Place::Taken(worker) = &mut self.places[number] else {
            return Ok(());
        };
        let status = worker.wait()?;
        let how = format!("worker {} (process {}) has ended: {status}", number + 1, worker.id());
        if status.success() {
            self.console.print(Verbosity::Normal, format_args!("{how}"));
        } else {
            Console::print_error(format_args!("{how}"));
        }
        let due = (Instant::now() + BEFORE_REPLACING).max(worker.started() + BETWEEN_STARTS);
        match last_words.parse() {
            Ok(counters) if !last_words.is_empty() => self.counters += &counters,
            _ => self.lost_count(),
        }
        self.places[number] = Place::Vacant(due);
        Ok(())
    }

    /// Handles what is due: starts a worker at a vacant place, or kills workers that did not stop.
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
                Console::print_error(format_args!(
                    "worker {number} can't be started: {error}{advice}"
                ));
                Place::Vacant(now + BETWEEN_STARTS)
            }
        };
    }

    fn kill(&mut self, number: usize, now: Instant) {
        Console::print_error(format_args!(
            "worker {} did not stop in time, so it is killed",
            number + 1
        ));
        self.lost_count();
        self.places[number] = Place::Vacant(now);
    }

    /// Tells the workers to stop. Once they do, no process listens any more.
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
        self.counters.not_counted = Some("the calls of workers that were killed");
    }
}
