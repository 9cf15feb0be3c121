//! The load on a server during a measurement: clients that send nothing, and clients that dribble,
//! which is to send one byte at a time. (Those that keep it busy are
//! [`load_generator::BusyClients`].)

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use load_generator::{Crowd, Event, Kind, Probe, flood};
use protocol::Protocol;

mod held;

pub use held::{HeldConnections, HolderReport};
pub(crate) use held::{HoldTask, hold};

/// The longest that a client waits. A server that makes it wait longer is broken, in every
/// measurement here.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Connects, sends one request and gets the reply. By then, a server that accepts all pending
/// connections has accepted everything that connected before.
///
/// # Errors
///
/// Those of [`Probe`].
pub fn kept_probe(address: SocketAddr) -> io::Result<Probe> {
    let mut probe = Probe::connect(address, Protocol::Lines, PATIENCE)?;
    probe.request()?;
    Ok(probe)
}

/// Makes a whole visit: connects, sends a request, receives the reply, and closes. Returns how long
/// it took from before the connect until the reply was there.
///
/// # Errors
///
/// Those of [`Probe`].
pub fn visit(address: SocketAddr) -> io::Result<Duration> {
    let began = Instant::now();
    let [_, answered] = visit_within(PATIENCE, address)?;
    Ok(answered - began)
}

/// Makes such a visit, and waits no longer than this (at least a millisecond) for the reply.
/// Returns when the client was connected, and when the reply was there.
pub(crate) fn visit_within(patience: Duration, address: SocketAddr) -> io::Result<[Instant; 2]> {
    const LEAST: Duration = Duration::from_millis(1); // a socket's time-out can't be zero
    let began = Instant::now();
    let stream = TcpStream::connect_timeout(&address, patience.max(LEAST))?;
    let connected = Instant::now();
    let left = patience.saturating_sub(connected - began);
    let mut probe = Probe::over(stream, Protocol::Lines, left.max(LEAST))?;
    probe.request()?;
    let answered = Instant::now();
    probe.end()?;
    Ok([connected, answered])
}

/// How long a dribbling client waits after each byte: it takes about 54 ms for the 27 bytes of a
/// request.
pub const EVERY: Duration = Duration::from_millis(2);

/// How many requests a dribbling client sends. However slowly it sends the first, all of it arrives
/// while the client is still pending in the backlog of a blocking server. Only the second keeps
/// that server waiting.
pub(crate) const SLOW_REQUESTS: usize = 2;

/// A crowd of clients that dribble, and wait this long after each byte.
pub(crate) fn dribbling(connections: usize, every: Duration) -> Crowd {
    let mix = [(Kind::Dribbling, connections)].into();
    Crowd { connections, mix, requests: SLOW_REQUESTS, every, ..Crowd::default() }
}

/// A number of dribbling clients that are connected while others visit the server.
///
/// They come in waves: all connect, then each sends two requests, a byte at a time, and closes. A
/// visitor comes when a whole wave is connected. As soon as the first client of a wave has all its
/// replies, the wave no longer counts, and the next visitor waits for the next wave. So at a server
/// that serves few clients at a time, each visit has the whole wave before it.
pub struct SlowClients {
    address: SocketAddr,
    count: usize,
    /// The thread of the wave.
    wave: Option<JoinHandle<io::Result<()>>>,
    /// Closed as soon as the wave isn't whole any more.
    whole: Receiver<()>,
}

impl SlowClients {
    /// Sets up `count` of them; with none, the visitors are alone.
    pub fn new(address: SocketAddr, count: usize) -> Self {
        let (_, whole) = mpsc::channel();
        SlowClients { address, count, wave: None, whole }
    }

    /// Makes one visit while a whole wave is connected; returns how long it took, like [`visit`].
    ///
    /// # Errors
    ///
    /// Those of the visit, and of the slow clients.
    pub fn visit_beside(&mut self) -> io::Result<Duration> {
        if self.count > 0 && self.whole.try_recv() == Err(TryRecvError::Disconnected) {
            self.wait_for_the_end()?;
            let (sender, whole) = mpsc::channel();
            let (address, count) = (self.address, self.count);
            let dribble = move || dribble(address, count, sender);
            self.wave = Some(thread::Builder::new().spawn(dribble)?);
            self.whole = whole;
            if self.whole.recv().is_err() {
                self.wait_for_the_end()?; // an error of the clients explains it better
                let what = "the slow clients were not connected at the same time";
                return Err(io::Error::other(what));
            }
        }
        visit(self.address)
    }

    fn wait_for_the_end(&mut self) -> io::Result<()> {
        self.wave.take().map_or(Ok(()), |wave| wave.join().expect("it doesn't panic"))
    }
}

impl Drop for SlowClients {
    fn drop(&mut self) {
        // The visits are over. The result of the slow clients no longer matters, but they must not
        // disturb the next measurement.
        self.wait_for_the_end().ok();
    }
}

/// Runs one wave, from the first connection to the last close. Sends a message when all clients are
/// connected, and closes the channel when the first of them has all its replies.
fn dribble(address: SocketAddr, count: usize, whole: Sender<()>) -> io::Result<()> {
    let crowd = Crowd { timeout: PATIENCE, ..dribbling(count, EVERY) };
    let (mut connected, mut answered) = (0, vec![0; count]);
    let mut whole = Some(whole);
    let report = flood(address, &crowd, &mut |event| {
        match *event {
            Event::Connected { .. } => {
                connected += 1;
                if let Some(whole) = whole.as_ref().filter(|_| connected == count) {
                    // The receiver is gone only if its thread has panicked.
                    whole.send(()).ok();
                }
            }
            Event::Answered { client, .. } => {
                answered[client] += 1;
                whole.take_if(|_| answered[client] == SLOW_REQUESTS);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    if report.answered < crowd.total_requests() {
        return Err(io::Error::other(format!("slow clients got too few replies:\n{report}")));
    }
    Ok(())
}
