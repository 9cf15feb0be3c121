//! What a server has to bear in a measurement: clients that say nothing, and clients that
//! dribble. (Those that keep it busy are [`load_generator::Askers`].)

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use load_generator::{Crowd, Happening, Kind, Probe, flood};
use protocol::Protocol;

mod held;

pub(crate) use held::{Errand, hold};
pub use held::{Held, Silent};

/// How long a client waits at most. No server in here makes anybody wait that long, in any
/// measurement: who does is broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Connects, and has one request answered: whoever connected before is accepted by then, at a
/// server that lets in who knocks.
///
/// # Errors
///
/// Those of [`Probe`].
pub fn kept_probe(address: SocketAddr) -> io::Result<Probe> {
    let mut probe = Probe::connect(address, Protocol::Lines, PATIENCE)?;
    probe.ask()?;
    Ok(probe)
}

/// A whole visit: connect, ask, be answered, leave. Returns how long it took from before the
/// connect until the reply was there.
///
/// # Errors
///
/// Those of [`Probe`].
pub fn visit(address: SocketAddr) -> io::Result<Duration> {
    let began = Instant::now();
    let mut probe = Probe::connect(address, Protocol::Lines, PATIENCE)?;
    probe.ask()?;
    let waited = began.elapsed();
    probe.end()?;
    Ok(waited)
}

/// How long a dribbling client waits after each byte: the 27 bytes of a request take it some
/// 54 ms.
pub const EVERY: Duration = Duration::from_millis(2);

/// How many requests a dribbling client asks. The first arrives while it still stands in the
/// queue of a blocking server; only for the second is that kept waiting.
const REQUESTS: usize = 2;

/// A number of dribbling clients beside which others visit the server.
///
/// They come in waves: all connect, then each asks twice, a byte at a time, and leaves. A
/// visitor comes when a whole wave is there. Once the first of a wave has got all its
/// answers, the wave counts no more, and the next visitor waits for the next one: at a server
/// that serves few clients at a time, each visit then has the whole wave before it.
pub struct Dribblers {
    address: SocketAddr,
    count: usize,
    wave: Option<Wave>,
}

impl Dribblers {
    /// So many of them; with none, the visitors are alone.
    pub fn new(address: SocketAddr, count: usize) -> Self {
        Dribblers { address, count, wave: None }
    }

    /// One visit beside a whole wave; returns how long it took, as [`visit`] does.
    ///
    /// # Errors
    ///
    /// Those of the visit, and of the clients beside it.
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
    /// Cleared when the first of them has got all its answers, or when all have ended.
    is_whole: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<()>>,
}

impl Wave {
    /// Returns when all are connected.
    fn start(address: SocketAddr, count: usize) -> io::Result<Self> {
        let is_whole = Arc::new(AtomicBool::new(true));
        let (all_connected, wait) = mpsc::channel();
        let thread = {
            let is_whole = Arc::clone(&is_whole);
            thread::Builder::new().spawn(move || {
                let result = dribble(address, count, &all_connected, &is_whole);
                // If it failed, nobody else has said so; and the next visitor would come alone.
                is_whole.store(false, Ordering::Release);
                result
            })?
        };
        let wave = Wave { is_whole, thread };
        // Who will never tell has ended before all were connected, and its error says why.
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

impl Drop for Dribblers {
    fn drop(&mut self) {
        if let Some(wave) = self.wave.take() {
            // The visits are over. What becomes of the slow ones now is of no interest, only
            // that they disturb nobody else.
            wave.wait_for_the_end().ok();
        }
    }
}

/// One wave, from the first connection to the last end.
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
    let report = flood(address, &crowd, &mut |happening| {
        match *happening {
            Happening::Connected { .. } => {
                connected += 1;
                if connected == count {
                    // Nobody waits for it any more only if that thread has panicked.
                    all_connected.send(()).ok();
                }
            }
            Happening::Answered { client, .. } => {
                answered[client] += 1;
                if answered[client] == REQUESTS {
                    is_whole.store(false, Ordering::Release);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    if report.answered < crowd.asked() {
        return Err(io::Error::other(format!("not every slow client was answered:\n{report}")));
    }
    Ok(())
}
