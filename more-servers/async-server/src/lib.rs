//! The server on async and await: the code of `sync-server`, and the wait of `poll-server`.
//!
//! Compare this file with the one of `sync-server`: it has the same functions in the same order.
//! The code serves each client from top to bottom as if it were the only one, with `.await` where
//! the thread would sleep. Yet all clients are served on one thread, and none waits for another.
//!
//! This takes a runtime, here tokio, and the runtime contains the loop of `poll-server`:
//!
//! - The compiler turns each `async fn` into a *state machine*: a value that holds everything that
//!   is needed after the current `.await`, and that is polled to go on from there. When it is
//!   handed to the runtime with `spawn`, it becomes a *task*. Where `thread-server` has a stack for
//!   each client, this server has such a value, of about a kilobyte.
//! - If an `.await` can't go on, it leaves a *waker* with the socket or the timer that it waits
//!   for, and the task is suspended. Each new socket is registered once with epoll(7), kqueue(2) or
//!   IOCP, for reading and writing, and edge-triggered: the runtime remembers that a socket is
//!   ready until a call finds that it no longer is.
//! - When all tasks are suspended, the thread sleeps in one epoll_wait(2), for all of them. Each
//!   event wakes a waker, which puts its task into the queue of runnable tasks: one turn of the
//!   loop. The earliest timer ends the sleep. tokio keeps its timers in a wheel with a precision of
//!   a millisecond, as `poll-server` keeps its alarms in `Deadlines`.
//!
//! It reads like `sync-server` and waits like `poll-server`. The drawbacks, compared to
//! `poll-server`, are hard to see. The runtime decides which call sleeps, and when. A task that
//! waits has no stack, so a debugger shows one idle thread in epoll_wait(2), but not which task
//! waits for what. At every `.await` a function may end early, because its caller has stopped
//! waiting for it. On Linux, a request costs half a microsecond more of processor time, of seven,
//! and a silent client costs 2 kB of the process's memory instead of 0.35. And a line that blocks,
//! in any task, blocks all tasks of its thread, as in every loop:
//!
//! ```text
//! cargo run -p async-server
//! cargo run -p client -- --connections 5000 --dribbling 1000  # in a second terminal
//! cargo run -p async-server -- --work 250ms                # 20 clients wait for 5 s in all
//! cargo run -p async-server -- --work 250ms --workers 4    # and now for a quarter of that
//! ```
//!
//! Left out: a task that only waits until its delayed reply is due makes no call on its socket. If
//! its client resets it, the task doesn't notice before it sends that reply.
//!
//! `prefork-server` runs one loop in each of several processes. `uring-server` comes last: it no
//! longer waits for sockets to be ready.

#![forbid(unsafe_code)]

use std::future::{pending, poll_fn};
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Instant;

use protocol::Conversation;
use server_kit::{Admission, Call, Counters, Journal, READ_MAX, STOP_GRACE, Settings, Stop, work};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::select;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet, yield_now};

mod listener;
mod runtime;
use listener::Listener;
pub use runtime::Options;
use runtime::runtime;

/// Serves all clients at the same time until `stop` is requested and all connections are closed.
///
/// # Errors
///
/// Errors of the listener, and if the runtime can't start. An error on a connection ends only that
/// connection.
pub fn serve(
    listener: std::net::TcpListener,
    settings: &Settings,
    options: &Options,
    stop: &Stop,
) -> io::Result<Counters> {
    let sleeper = Sleeper::woken_by(stop);
    // The runtime never sleeps in a call on a socket, so it requires sockets that can't block.
    listener.set_nonblocking(true)?;
    runtime(options)?.block_on(async {
        let mut server = AsyncServer {
            listener: Listener::new(listener)?,
            admission: Admission::default(),
            clients: JoinSet::new(),
            sleeper,
            settings: Arc::new(settings.clone()),
            stop: stop.clone(),
            journal: Journal::new(settings),
            counters: Counters::default(),
        };
        server.journal.cannot_count(
            "tokio's epoll_wait, epoll_ctl and wake-ups, ioctl and dup of new sockets, and calls \
             that returned EAGAIN",
        );
        while !stop.is_requested() {
            server.turn().await?;
        }
        Ok(server.stop_accepting().await)
    })
}

struct AsyncServer {
    listener: Listener,
    admission: Admission,
    /// The tasks. Each returns its counters at the end, so while it runs, it shares nothing that
    /// would need a lock.
    clients: JoinSet<Counters>,
    sleeper: Sleeper,
    settings: Arc<Settings>,
    stop: Stop,
    journal: Journal,
    /// The sum of the tasks that have ended.
    counters: Counters,
}

impl AsyncServer {
    /// One turn of the loop: wait until a client comes, then spawn a task for it.
    async fn turn(&mut self) -> io::Result<()> {
        let began = self.journal.waits(format_args!("accept().await, for a client"));
        let client = self.accept().await?;
        self.journal.woke_up(began, 0, client.is_some());
        let Some((stream, peer)) = client else {
            return Ok(()); // a task has ended, the server has to stop, or it is time to try again
        };
        let mut sleeper = self.sleeper.clone();
        let (settings, stop) = (Arc::clone(&self.settings), self.stop.clone());
        let mut journal = self.journal.for_another_thread();
        self.clients.spawn(async move {
            serve_client(stream, peer, &mut sleeper, &settings, &stop, &mut journal).await;
            journal.into_counters()
        });
        Ok(())
    }

    /// The next client; `None` if something else comes first.
    ///
    /// Many new clients don't delay those that are already connected: after 128 successes in a row,
    /// tokio makes a task wait for its next turn (`tokio::task::coop`).
    async fn accept(&mut self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        let try_again = self.admission.deadline();
        select! {
            biased; // if several are ready, take the first one, not a random one
            Some(ended) = self.clients.join_next() => {
                // Its descriptor is now free for the next client.
                self.admission.resume();
                self.counters += &counters(ended);
            }
            result = next_connection(&mut self.listener, &mut self.admission), if self.admission.is_open() => {
                self.journal.count(Call::Accept);
                match result {
                    Ok(client) => {
                        self.admission.succeeded();
                        return Ok(Some(client));
                    }
                    // The next turn checks whether more clients can be accepted.
                    Err(error) => {
                        self.admission.failed(error, Instant::now(), &mut self.journal)?;
                    }
                }
            }
            () = self.sleeper.sleep_until(try_again) => self.admission.expire(Instant::now()),
        }
        Ok(None)
    }

    /// Accepts no more clients, and waits until all tasks have ended. Returns the sum of all
    /// counters.
    async fn stop_accepting(mut self) -> Counters {
        drop(self.listener);
        let mut sum = self.journal.into_counters();
        sum += &self.counters;
        while let Some(ended) = self.clients.join_next().await {
            sum += &counters(ended);
        }
        sum
    }
}

/// Serves one client to the end, in a task of its own. An error ends only this connection.
async fn serve_client(
    stream: TcpStream,
    peer: SocketAddr,
    sleeper: &mut Sleeper,
    settings: &Settings,
    stop: &Stop,
    journal: &mut Journal,
) {
    let (number, now) = (journal.connected(peer), Instant::now());
    let conversation = Conversation::new(settings.terms(), number, now);
    let give_up = None;
    let mut connection =
        Connection { stream, peer, conversation, give_up, now, sleeper, settings, stop, journal };
    let result = connection.converse().await;
    let Connection { conversation, journal, .. } = connection;
    let ending = result.map(|()| conversation.ending());
    journal.count(Call::Close);
    journal.closing(peer, ending, conversation.owed());
}

struct Connection<'a> {
    stream: TcpStream,
    peer: SocketAddr,
    conversation: Conversation,
    /// When to close, even if replies are still owed: set once the server is stopping.
    give_up: Option<Instant>,
    /// When the last wait was over.
    now: Instant,
    sleeper: &'a mut Sleeper,
    settings: &'a Settings,
    stop: &'a Stop,
    journal: &'a mut Journal,
}

impl Connection<'_> {
    /// Receives requests and sends replies until the conversation is over.
    async fn converse(&mut self) -> io::Result<()> {
        // Without TCP_NODELAY (tcp(7)), a small reply may wait until the client's kernel
        // acknowledges the one before (Nagle's algorithm, RFC 896), which it may delay.
        self.journal.count(Call::SetSockOpt);
        self.stream.set_nodelay(true)?;

        while self.conversation.ending().is_none() {
            self.look_for_stop();
            let interest = self.conversation.interest();
            if interest.writable {
                self.send().await?;
            } else if self.conversation.half_close_is_due() {
                self.journal.count(Call::Shutdown);
                self.stream.shutdown().await?;
                self.conversation.half_closed(self.now);
            } else if interest.readable {
                self.receive().await?;
            } else {
                // There is nothing to send or to receive until a delayed reply is due.
                self.sleeper.sleep_until(self.conversation.deadline()).await;
                self.now = Instant::now();
            }
            self.conversation.expire(self.now);
        }
        Ok(())
    }

    fn look_for_stop(&mut self) {
        if self.stop.is_requested() {
            let give_up = *self.give_up.get_or_insert(self.now + STOP_GRACE);
            self.conversation.stop(self.now, give_up);
        }
    }

    /// Sends pending bytes. The task is suspended while the client doesn't read.
    async fn send(&mut self) -> io::Result<()> {
        let deadline = self.conversation.deadline();
        let began = self.journal.waits(format_args!("write().await, for {}", self.peer));
        let write = self.stream.write(self.conversation.pending());
        let result =
            self.sleeper.unless_time_is_up(deadline, write, Call::Send, self.journal).await?;
        self.now = self.journal.woke_up(began, usize::from(result.is_some()), false);
        if let Some(count) = result {
            self.journal.replied(self.conversation.sent(count, self.now));
        }
        Ok(())
    }

    /// Receives from the client. The task is suspended while the client sends nothing.
    async fn receive(&mut self) -> io::Result<()> {
        let deadline = self.conversation.deadline();
        let room = self.conversation.room().min(READ_MAX);
        let began = self.journal.waits(format_args!("read().await, for {}", self.peer));
        let read = read(&mut self.stream, room);
        let result =
            self.sleeper.unless_time_is_up(deadline, read, Call::Recv, self.journal).await?;
        self.now = self.journal.woke_up(began, usize::from(result.is_some()), false);
        if let Some(bytes) = result {
            let requests = match &bytes[..] {
                [] => self.conversation.receive_end(self.now),
                bytes => self.conversation.receive(bytes, self.now),
            };
            self.journal.received(&bytes, requests);
            work(requests, self.settings.work, self.journal);
            if bytes.len() == room {
                // There may be more to read, but first the other tasks get their turn, as in an
                // event loop. By itself, tokio only does that after 128 reads and writes
                // (`tokio::task::coop`).
                yield_now().await;
            }
        }
        Ok(())
    }
}

/// Waits until a connection is pending.
async fn next_connection(
    listener: &mut Listener,
    admission: &mut Admission,
) -> io::Result<(TcpStream, SocketAddr)> {
    poll_fn(|task| {
        let client = listener.poll_accept(task);
        if client.is_pending() {
            admission.had_room(); // the queue is empty: tokio doesn't pass EAGAIN on
        }
        client
    })
    .await
}

/// Reads once, at most `room` bytes; none at all means the end of the input.
///
/// The buffer is on the stack of the thread, and only while the task is polled. As a variable of an
/// `async fn`, it would be part of the state machine, and each silent client would cost
/// [`READ_MAX`] bytes more. So the bytes are copied into a `Vec` of the right size.
async fn read(stream: &mut TcpStream, room: usize) -> io::Result<Vec<u8>> {
    poll_fn(|task| {
        let mut buffer = [MaybeUninit::uninit(); READ_MAX];
        let mut buffer = ReadBuf::uninit(&mut buffer[..room]);
        ready!(Pin::new(&mut *stream).poll_read(task, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().to_vec()))
    })
    .await
}

/// The counters of a task that has ended.
fn counters(ended: Result<Counters, JoinError>) -> Counters {
    // No task is ever cancelled here. So one without a result has panicked, and so does the server.
    ended.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

/// Ends the wait of a task when a deadline passes or when the server has to stop.
#[derive(Clone)]
struct Sleeper {
    /// Each receiver remembers which changes it has seen. So each task notices the stop once,
    /// whether the stop comes before it waits, while it waits, or between two waits. With a flag
    /// and a `Notify`, a task would have to check both in the right order.
    wake: watch::Receiver<()>,
}

impl Sleeper {
    /// A sleeper whose waits end when the server has to stop.
    fn woken_by(stop: &Stop) -> Self {
        let (waker, wake) = watch::channel(());
        // The channel never closes before this change, because the `Stop` keeps the waker.
        stop.wake_with(move || {
            waker.send_replace(());
        });
        Sleeper { wake }
    }

    /// Sleeps until the deadline, or until the server has to stop.
    async fn sleep_until(&mut self, deadline: Option<Instant>) {
        select! {
            _ = self.wake.changed() => {}
            () = time(deadline) => {}
        }
    }

    /// The result of an attempt, which counts as one `call`; `None` if the deadline passed first,
    /// or the server has to stop, or a signal came (EINTR). Those aren't errors: the caller checks
    /// the deadlines and waits again.
    ///
    /// If something else comes first, the attempt is dropped where it waits (*cancelled*). That is
    /// safe for one read or one write, which either has happened or has not. A longer conversation
    /// would lose what it has already read.
    async fn unless_time_is_up<T>(
        &mut self,
        deadline: Option<Instant>,
        attempt: impl Future<Output = io::Result<T>>,
        call: Call,
        journal: &mut Journal,
    ) -> io::Result<Option<T>> {
        let result = select! {
            biased; // bytes that came in time count, even if other tasks have worked for long
            result = attempt => result,
            _ = self.wake.changed() => return Ok(None),
            () = time(deadline) => return Ok(None),
        };
        journal.count(call);
        match result {
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
            result => result.map(Some),
        }
    }
}

/// Waits for the deadline; for ever if there is none.
async fn time(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    /// This would find a buffer that is kept while the task waits.
    #[test]
    fn a_client_who_waits_is_small() {
        let options = Options { workers: 1 };
        runtime(&options).unwrap().block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let peer = listener.local_addr().unwrap();
            let stream = TcpStream::connect(peer).await.unwrap();
            let settings = Settings::try_parse_from(["server", "-q"]).unwrap();
            let (stop, mut journal) = (Stop::new(), Journal::new(&settings));
            let mut sleeper = Sleeper::woken_by(&stop);
            let task = serve_client(stream, peer, &mut sleeper, &settings, &stop, &mut journal);
            assert!(size_of_val(&task) < READ_MAX / 2, "{} bytes", size_of_val(&task));
        });
    }
}
