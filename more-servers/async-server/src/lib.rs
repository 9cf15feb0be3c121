//! The server on async and await: the code of `sync-server`, and the wait of `poll-server`.
//!
//! Lay this file beside `sync-server`'s: the same functions in the same order. Each client is
//! served from top to bottom as if it were the only one, and where the thread would sleep
//! stands `.await`. Yet on one thread nobody waits for anybody else.
//!
//! What makes it so is a runtime, here tokio, and underneath it is the loop of `poll-server`:
//!
//! - The compiler makes a *state machine* of each `async fn`: a value that holds what is
//!   needed after the `.await` at which it stands, and that can be polled to go on from there.
//!   Handed to the runtime with `spawn`, it is a *task*. Where `thread-server` has a stack for
//!   each client, this server has such a value, of about a kilobyte.
//! - An `.await` that can't go on leaves a *waker* with the socket or the timer that it waits
//!   for, and the task is put aside. Each socket is registered with epoll(7), kqueue(2) or IOCP
//!   when it comes, once for reading and writing, and edge-triggered: the runtime keeps in mind
//!   what is ready until a call has found that it no longer is.
//! - When all tasks have been put aside, the thread sleeps in one epoll_wait(2), for all of
//!   them. Each event wakes a waker, and that puts its task into the queue of those that can
//!   go on: one turn of the loop. The earliest timer ends the sleep; timers lie in a wheel,
//!   precise to the millisecond, as alarms lie in the `Deadlines` of `poll-server`.
//!
//! It reads like the one and waits like the other. What is worse than at `poll-server` is what
//! can't be seen: which call sleeps, and when, is the runtime's affair. A task that waits has no
//! stack, so a debugger shows one idle thread in epoll_wait(2), and not who waits for what.
//! Every `.await` is a place where a function may end, because its caller waits no longer. On
//! Linux a request costs half a microsecond more of processor time, of seven, and a client who
//! says nothing 2 kB of the process's memory instead of 0.35. And a line that blocks, in any
//! task, blocks all tasks of its thread, as in every loop:
//!
//! ```text
//! cargo run -p async-server
//! cargo run -p client -- --connections 5000 --dribbling 1000  # in a second terminal
//! cargo run -p async-server -- --work 250ms                # 20 clients wait for 5 s in all
//! cargo run -p async-server -- --work 250ms --workers 4    # and now for a quarter of that
//! ```
//!
//! Left out: a connection that waits for nothing but a delayed reply is not seen to be reset
//! before that reply is sent.
//!
//! `prefork-server` runs a loop in each of several processes. `uring-server` is the last verse:
//! it does not ask any more who is ready.

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

/// Serves everybody at once until `stop` is requested and all connections are closed.
///
/// # Errors
///
/// Those that end the listener, or keep the runtime from starting. What befalls a connection
/// ends that connection only.
pub fn serve(
    listener: std::net::TcpListener,
    settings: &Settings,
    options: &Options,
    stop: &Stop,
) -> io::Result<Counters> {
    let sleeper = Sleeper::woken_by(stop);
    // The runtime never sleeps in a call on a socket, and demands that none can.
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
        server
            .journal
            .cannot_count("tokio's epoll_wait, epoll_ctl and wake-ups, ioctl and dup of new sockets, and what met EAGAIN");
        while !stop.is_requested() {
            server.turn().await?;
        }
        Ok(server.stop_accepting().await)
    })
}

struct AsyncServer {
    listener: Listener,
    admission: Admission,
    /// The tasks. Each returns what it has counted: as long as it runs it shares nothing that
    /// would have to be locked.
    clients: JoinSet<Counters>,
    sleeper: Sleeper,
    settings: Arc<Settings>,
    stop: Stop,
    journal: Journal,
    /// What those who have left have counted.
    counters: Counters,
}

impl AsyncServer {
    /// One client, from its arrival to a task of its own.
    async fn turn(&mut self) -> io::Result<()> {
        let began = self.journal.waits(format_args!("accept().await, for a client"));
        let client = self.accept().await?;
        self.journal.woke_up(began, 0, client.is_some());
        let Some((stream, peer)) = client else {
            return Ok(()); // a client has left, the server stops, or it is time to try again
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
    /// A crowd at the door does not keep those waiting who are in: after 128 successes in a row
    /// tokio has a task wait for its next turn (`tokio::task::coop`).
    async fn accept(&mut self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        let try_again = self.admission.deadline();
        select! {
            biased; // in this order, if several are ready; otherwise lots are drawn
            Some(ended) = self.clients.join_next() => {
                // Its descriptor is free for the next client now.
                self.admission.resume();
                self.counters += &counters(ended);
            }
            result = knock(&mut self.listener, &mut self.admission), if self.admission.is_open() => {
                self.journal.count(Call::Accept);
                match result {
                    Ok(client) => {
                        self.admission.succeeded();
                        return Ok(Some(client));
                    }
                    // Whether it was about one client or about everybody, the next turn sees.
                    Err(error) => {
                        self.admission.failed(error, Instant::now(), &mut self.journal)?;
                    }
                }
            }
            () = self.sleeper.sleep_until(try_again) => self.admission.expire(Instant::now()),
        }
        Ok(None)
    }

    /// Takes no more clients, and waits until all have left. Returns what was counted in all.
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

/// Serves one client to its end, in a task of its own. What goes wrong ends this connection only.
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
    /// When to leave it, whatever is owed: set once the server stops.
    give_up: Option<Instant>,
    /// When the last wait was over.
    now: Instant,
    sleeper: &'a mut Sleeper,
    settings: &'a Settings,
    stop: &'a Stop,
    journal: &'a mut Journal,
}

impl Connection<'_> {
    /// Receives and sends in turns until all is said.
    async fn converse(&mut self) -> io::Result<()> {
        // Without TCP_NODELAY (tcp(7)), a small reply may wait for the client to acknowledge
        // the one before (Nagle's algorithm, RFC 896), and its kernel takes its time.
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
                // Nothing to send yet, and nothing to receive: only a reply that is delayed.
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

    /// Sends what is pending: it is put aside while the client does not read.
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

    /// Receives what the client says: it is put aside while the client says nothing.
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
                // There is more to hear, but everybody else first, as in a turn of a loop. Left
                // to itself, tokio interrupts after 128 reads and writes (`tokio::task::coop`).
                yield_now().await;
            }
        }
        Ok(())
    }
}

/// Waits until somebody knocks.
async fn knock(
    listener: &mut Listener,
    admission: &mut Admission,
) -> io::Result<(TcpStream, SocketAddr)> {
    poll_fn(|task| {
        let client = listener.poll_accept(task);
        if client.is_pending() {
            admission.had_room(); // tokio does not hand EAGAIN on
        }
        client
    })
    .await
}

/// Reads once, at most `room` bytes; none are the end of the input.
///
/// The buffer lives on the stack of the thread while the task is polled. As a variable of an
/// `async fn`, it would be part of the state machine, and each client who says nothing would
/// cost [`READ_MAX`] bytes more. So what has come is copied into a `Vec` of its size.
async fn read(stream: &mut TcpStream, room: usize) -> io::Result<Vec<u8>> {
    poll_fn(|task| {
        let mut buffer = [MaybeUninit::uninit(); READ_MAX];
        let mut buffer = ReadBuf::uninit(&mut buffer[..room]);
        ready!(Pin::new(&mut *stream).poll_read(task, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().to_vec()))
    })
    .await
}

/// What a client's task has counted, once it has ended.
fn counters(ended: Result<Counters, JoinError>) -> Counters {
    // Nobody cancels a task here, so if one has no result, it has panicked: so does the server.
    ended.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

/// What ends a task's wait besides that which it waits for.
#[derive(Clone)]
struct Sleeper {
    /// Each receiver remembers which changes it has seen. So each task hears of the stop once,
    /// whether it comes before it waits, while it waits, or between two waits; a flag and a
    /// `Notify` would have to be looked at in the right order.
    wake: watch::Receiver<()>,
}

impl Sleeper {
    /// Its waits end when the server is to stop.
    fn woken_by(stop: &Stop) -> Self {
        let (waker, wake) = watch::channel(());
        // The waker is kept as long as the stop is, so there is no end of changes but this one.
        stop.wake_with(move || {
            waker.send_replace(());
        });
        Sleeper { wake }
    }

    /// Sleeps until the deadline, or until the server is to stop.
    async fn sleep_until(&mut self, deadline: Option<Instant>) {
        select! {
            _ = self.wake.changed() => {}
            () = time(deadline) => {}
        }
    }

    /// What an attempt has come to, which counts as one `call`; `None` if time was up before, or
    /// the server is to stop, or a signal came (EINTR): then the deadlines are looked at, and it
    /// sleeps again.
    ///
    /// An attempt that comes to nothing is dropped where it waits, and never goes on. This is
    /// right for one read or one write, which has happened or has not. Half of a longer
    /// conversation would be lost with it.
    async fn unless_time_is_up<T>(
        &mut self,
        deadline: Option<Instant>,
        attempt: impl Future<Output = io::Result<T>>,
        call: Call,
        journal: &mut Journal,
    ) -> io::Result<Option<T>> {
        let result = select! {
            biased; // who has spoken in time is heard, also after a long wait for others' work
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

    /// A buffer that lives while it waits would be found here.
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
