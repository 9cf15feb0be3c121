//! The load on a server during a measurement: clients that send nothing, and clients that dribble,
//! which is to send one byte at a time. (Those that keep it busy are
//! [`load_generator::BusyClients`].)

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use load_generator::{Crowd, Event, Kind, Probe, flood};
use protocol::Protocol;

mod held;

pub use held::{Held, Silent};
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
    let mut probe = Probe::connect(address, Protocol::Lines, PATIENCE)?;
    probe.request()?;
    let waited = began.elapsed();
    probe.end()?;
    Ok(waited)
}

/// How long a dribbling client waits after each byte: it takes about 54 ms for the 27 bytes of a
/// request.
pub const EVERY: Duration = Duration::from_millis(2);

/// How many requests a dribbling client sends. The first arrives while the client is still pending
/// in the backlog of a blocking server, so only the second keeps that server waiting.
const REQUESTS: usize = 2;

/// A number of dribbling clients that are connected while others visit the server.
///
/// They come in waves: all connect, then each sends two requests, a byte at a time, and closes. A
/// visitor comes when a whole wave is connected. As soon as the first client of a wave has all its
/// replies, the wave no longer counts, and the next visitor waits for the next wave. So at a server
/// that serves few clients at a time, each visit has the whole wave before it.
pub struct SlowClients {
    address: SocketAddr,
    count: usize,
    wave: Option<Wave>,
}

impl SlowClients {
    /// Sets up `count` of them; with none, the visitors are alone.
    pub fn new(address: SocketAddr, count: usize) -> Self {
        SlowClients { address, count, wave: None }
    }

    /// Makes one visit while a whole wave is connected; returns how long it took, like [`visit`].
    ///
    /// # Errors
    ///
    /// Those of the visit, and of the slow clients.
    pub fn visit_beside(&mut self) -> io::Result<Duration> {
        if self.count > 0 && !self.wave.as_ref().is_some_and(Wave::is_whole) {
            if let Some(wave) = self.wave.take() {
                wave.wait_for_the_end()?;
            }
            self.wave = Some(Wave::start(self.address, self.count)?);
        }
        visit(self.address)
    }
}

/// Clients that dribble at the same time, in a thread of their own.
struct Wave {
    /// Cleared when the first of them has all its replies, or when all have ended.
    is_whole: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<()>>,
}

impl Wave {
    /// Starts a wave, and returns when all its clients are connected.
    fn start(address: SocketAddr, count: usize) -> io::Result<Self> {
        let is_whole = Arc::new(AtomicBool::new(true));
        let (all_connected, wait) = mpsc::channel();
        let thread = {
            let is_whole = Arc::clone(&is_whole);
            thread::Builder::new().spawn(move || {
                let result = dribble(address, count, &all_connected, &is_whole);
                // If it failed, nothing else has cleared this, and the next visitor would be alone.
                is_whole.store(false, Ordering::Release);
                result
            })?
        };
        let wave = Wave { is_whole, thread };
        // If the channel is closed, the thread has ended too early, and its error says why.
        if wait.recv().is_err() {
            wave.wait_for_the_end()?;
            return Err(io::Error::other("the slow clients were not connected at the same time"));
        }
        Ok(wave)
    }

    fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Acquire)
    }

    fn wait_for_the_end(self) -> io::Result<()> {
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for SlowClients {
    fn drop(&mut self) {
        if let Some(wave) = self.wave.take() {
            // The visits are over. The result of the slow clients no longer matters, but they must
            // not disturb the next measurement.
            wave.wait_for_the_end().ok();
        }
    }
}

/// Runs one wave, from the first connection to the last close.
fn dribble(
    address: SocketAddr,
    count: usize,
    all_connected: &mpsc::Sender<()>,
    is_whole: &AtomicBool,
) -> io::Result<()> {
    let crowd = Crowd {
        connections: count,
        mix: [(Kind::Dribbling, count)].into(),
        requests: REQUESTS,
        every: EVERY,
        timeout: PATIENCE,
        ..Crowd::default()
    };
    let mut connected = 0;
    let mut answered = vec![0; count];
    let report = flood(address, &crowd, &mut |event| {
        match *event {
            Event::Connected { .. } => {
                connected += 1;
                if connected == count {
                    // The receiver is gone only if its thread has panicked.
                    all_connected.send(()).ok();
                }
            }
            Event::Answered { client, .. } => {
                answered[client] += 1;
                if answered[client] == REQUESTS {
                    is_whole.store(false, Ordering::Release);
                }
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
