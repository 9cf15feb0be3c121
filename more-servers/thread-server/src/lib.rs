//! The server with a thread for each client: it waits as `sync-server` does, but for all clients
//! at the same time.
//!
//! One thread sleeps in accept(2). Each client gets a thread of its own, which serves it as
//! `sync-server` does: it runs the same code, [`serve_client`], which still reads from top to
//! bottom. A slow client blocks only its own thread, and so does work that blocks (`--work`),
//! unlike in any loop of one thread. And a new client is served soon even while hundreds are busy,
//! because the kernel's scheduler prefers threads that have slept long, whereas a loop serves all
//! ready clients in turn.
//!
//! It costs memory and system calls. An idle client takes 38 kB (measured with 1000 of them on
//! Linux, x86-64): 15 kB of the process (the touched part of the stack, and what the C library
//! keeps for each thread), 16 kB for the thread's stack in the kernel, and 7 kB for what the kernel
//! remembers about the thread and its memory. In `poll-server` it takes 0.4 kB. Starting and ending
//! a thread takes some eighteen calls. And a thread falls asleep and is woken up for each request,
//! which costs twice the processor time of a loop that serves many clients in one turn.
//!
//! So there is a limit, `--max-threads`: clients that come when it is reached wait in the backlog.
//! `--pool` is another way to limit the number, and doesn't start and end threads all the time: N
//! threads are started once, and each of them is a whole `sync-server`. They serve N clients at a
//! time, and N slow clients block them all.
//!
//! ```text
//! cargo run -p thread-server
//! cargo run -p client -- --dribbling 1     # in a second terminal: no other waits for the slow one
//! cargo run -p client -- --connections 1000 --dribbling 100
//!
//! cargo run -p thread-server -- --pool 4
//! cargo run -p client -- --dribbling 3     # one thread is left for all the others
//! cargo run -p client -- --dribbling 4     # now none is: clients after the fourth wait
//! ```
//!
//! With `-v`, the lines of all threads are mixed, in the order of the events. Lines about a wait in
//! recv(2) or send(2) say for which client; lines about a wake-up don't.
//!
//! `sync-server` serves one client after the other. `select-server` serves all clients at the same
//! time, too, but in one thread.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Scope, Thread};
use std::time::Instant;

use clap::Args;
use server_kit::{
    BlockingCalls, BlockingThreads, Call, Counters, Journal, OwnOptions, Settings, Stop, TRY_AGAIN,
    whole_number,
};
use sync_server::serve_client;

mod pool;
mod room;

pub use room::most_threads;

/// The stack of a thread that serves a client, in bytes.
///
/// In a debug build, the thread touches 20 KiB of it (five pages, `Rss` in /proc/PID/smaps). 32 KiB
/// are enough even for a panic with a full backtrace; with 24 KiB that overflows. This is four
/// times as much, for other systems and compilers. Pages that are never touched only cost
/// addresses, but std's 2 MiB would be 4 GB of them for [`MAX_THREADS`].
const STACK: usize = 128 * 1024;

/// How many threads there may be by default.
///
/// This is enough for the 1100 clients of the checker, and less than what systems allow: podman
/// gives a container 2048 threads (`--pids-limit`), and systemd gives a service 15% of what the
/// system allows (`TasksMax`). Without such a limit, Linux has room for at most some 16,000 threads
/// in a process, whatever the options say ([`most_threads`]); and for 32,768 in total on small
/// machines (/proc/sys/kernel/pid_max).
const MAX_THREADS: u32 = 2000;

/// The options of this server only.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Start at most this many threads; more clients wait in the backlog until one ends
    #[arg(long, value_name = "NUMBER", default_value_t = MAX_THREADS,
          value_parser = whole_number(1..=u32::MAX))]
    pub max_threads: u32,

    /// Start this many threads once, instead of one for each client; as many slow clients block all
    #[arg(long, value_name = "THREADS", conflicts_with = "max_threads",
          value_parser = whole_number(1..=u32::MAX))]
    pub pool: Option<u32>,
}

impl OwnOptions for Options {
    const EXAMPLES: &'static [&'static str] = &["--max-threads 10", "--pool 4"];
}

/// Serves all clients at the same time until `stop` is requested and all threads have ended.
///
/// # Errors
///
/// Errors of the listener, those of [`BlockingThreads::new`], and if the system can't start the
/// threads of the pool or has no room for them. An error on a connection ends only that connection.
///
/// # Panics
///
/// At the end, if a thread has panicked.
pub fn serve(
    listener: TcpListener,
    settings: &Settings,
    options: &Options,
    stop: &Stop,
) -> io::Result<Counters> {
    let room = most_threads();
    if let Some(threads) = options.pool {
        if threads > room {
            let why = format!(
                "a process has no room for {threads} threads: ask for at most {room} with `--pool`"
            );
            return Err(io::Error::other(why));
        }
        return pool::serve(listener, settings, threads, stop);
    }
    let (max_threads, why_no_more) = match options.max_threads {
        more if more > room => (room, format!("a process has room for at most {room}")),
        threads => (threads, format!("--max-threads {threads}")),
    };
    let crowd = Crowd {
        size: AtomicUsize::new(0),
        counters: Mutex::default(),
        accepting: thread::current(),
        threads: BlockingThreads::new(listener, stop)?,
        settings,
        stop,
    };
    // The scope waits for all threads, and panics if one of them has.
    let result = thread::scope(|scope| {
        let mut server = ThreadServer {
            calls: crowd.threads.calls(),
            next_thread: None,
            max_threads: max_threads as usize,
            why_no_more: &why_no_more,
            full_at: None,
            crowd: &crowd,
            scope,
            journal: Journal::new(settings),
        };
        server
            .journal
            .cannot_count("what the C library and std do to start and end a thread, and futex(2)");
        while !stop.is_requested() {
            // Without the listener there is no server, so the threads have to end, too.
            server.turn().inspect_err(|_| stop.request())?;
        }
        Ok(server.journal.into_counters())
    });
    result.map(|counters: Counters| crowd.counters_with(&counters))
}

/// The thread that accepts.
struct ThreadServer<'scope, 'env> {
    calls: BlockingCalls,
    /// Where the thread of the next client waits for it.
    next_thread: Option<SyncSender<(TcpStream, SocketAddr)>>,
    max_threads: usize,
    /// What sets that limit, for the console.
    why_no_more: &'env str,
    /// How many threads there were when no more clients could be accepted. That has been reported,
    /// and is reported again only after half of them have ended.
    full_at: Option<usize>,
    crowd: &'env Crowd<'env>,
    scope: &'scope Scope<'scope, 'env>,
    journal: Journal,
}

impl ThreadServer<'_, '_> {
    /// One turn of the loop: sleep until a client comes, then hand it to a thread.
    fn turn(&mut self) -> io::Result<()> {
        // First the thread: without one, the client stays in the backlog.
        if self.next_thread.is_none() && !self.prepare_thread() {
            return Ok(());
        }
        let size = self.crowd.size();
        let Some(client) = self.calls.accept(&mut self.journal)? else {
            // The server has to stop, or no descriptor is left. Each thread that ends gives one
            // back, and unparks this thread.
            self.full_at.get_or_insert(size);
            return Ok(());
        };
        if self.full_at.is_some_and(|full_at| self.crowd.size() <= full_at.div_ceil(2)) {
            self.full_at = None;
            self.calls.had_room();
        }
        if let Some(thread) = self.next_thread.take() {
            // It only fails if the receiver is gone, but the thread is waiting for this message.
            thread.send(client).ok();
        }
        Ok(())
    }

    /// Starts the thread for the next client or, if there can be no more, waits until one of them
    /// ends. Returns whether there is a thread now.
    fn prepare_thread(&mut self) -> bool {
        let size = self.crowd.size();
        let try_again = if size == self.max_threads {
            self.no_more_threads(size, self.why_no_more);
            None
        } else if let Err(error) = self.start_thread() {
            // The system has no memory for a thread, or allows no more (pthread_create(3),
            // EAGAIN). Threads of other processes may end, so try again later.
            self.no_more_threads(size, error);
            Some(Instant::now() + TRY_AGAIN)
        } else {
            return true;
        };
        self.wait_for_an_end(size, try_again);
        false
    }

    /// Sleeps until there are fewer threads than `size`, or until the deadline, or until the server
    /// has to stop.
    fn wait_for_an_end(&mut self, size: usize, deadline: Option<Instant>) {
        let is_due = || deadline.is_some_and(|end| end <= Instant::now());
        // It may wake up for nothing: std unparks it when the last of the threads has ended, even
        // if that thread could not be started.
        while self.crowd.size() == size && !self.crowd.stop.is_requested() && !is_due() {
            self.calls.sleep_until(deadline, &mut self.journal);
        }
    }

    fn no_more_threads(&mut self, size: usize, why: impl fmt::Display) {
        if self.full_at.is_none() {
            self.full_at = Some(size);
            self.journal.out_of_threads(why);
        }
    }

    /// Starts a thread that waits for its client, serves it, and ends.
    fn start_thread(&mut self) -> io::Result<()> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let crowd = self.crowd;
        let journal = self.journal.for_another_thread();
        self.journal.count(Call::Clone);
        thread::Builder::new().stack_size(STACK).spawn_scoped(self.scope, move || {
            let _member = Member { crowd };
            // It fails if the server stops before a client comes.
            if let Ok((stream, peer)) = receiver.recv() {
                crowd.serve(stream, peer, journal);
            }
        })?;
        // It can't have ended yet, because it has no client yet.
        crowd.size.fetch_add(1, Ordering::SeqCst);
        self.next_thread = Some(sender);
        Ok(())
    }
}

/// The threads that serve clients. One of them may still wait for its client.
struct Crowd<'a> {
    size: AtomicUsize,
    /// The sum of the threads that have ended.
    counters: Mutex<Counters>,
    /// The thread that accepts, which is woken when one of the others ends.
    accepting: Thread,
    threads: BlockingThreads,
    settings: &'a Settings,
    stop: &'a Stop,
}

impl Crowd<'_> {
    fn size(&self) -> usize {
        self.size.load(Ordering::SeqCst)
    }

    /// What each thread does.
    fn serve(&self, stream: TcpStream, peer: SocketAddr, mut journal: Journal) {
        serve_client(stream, peer, &self.threads.calls(), self.settings, &mut journal);
        // If a thread has panicked here, the sum is incomplete, but its own panic is reported; this
        // thread doesn't have to panic, too.
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner) += &journal.into_counters();
    }

    fn counters_with(self, accepted: &Counters) -> Counters {
        let mut sum = self.counters.into_inner().unwrap_or_else(PoisonError::into_inner);
        sum += accepted;
        sum
    }
}

/// A thread of the crowd. Dropping this removes it from the crowd, even after a panic.
struct Member<'a> {
    crowd: &'a Crowd<'a>,
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.crowd.size.fetch_sub(1, Ordering::SeqCst);
        self.crowd.accepting.unpark();
    }
}
