//! The faults that are injected into the server during the floods. Whatever happens, the server is
//! resumed and gets its descriptors back: dropping a fault undoes it, and if this program is
//! killed, so is the server.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::wave::{Fault, FaultKind};
use server_process::ServerProcess;

/// The faults that were injected into the server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Injected {
    pub(super) stops: u64,
    pub(super) squeezes: u64,
    /// The server had to be stopped, but that wasn't possible.
    pub(super) no_stops: bool,
    /// Descriptors had to be taken from the server, but that wasn't possible.
    pub(super) no_squeezes: bool,
}

/// Injects these faults, until the other end of `over` is dropped.
pub(super) fn fault(process: &ServerProcess, faults: &[Fault], over: &Receiver<()>) -> Injected {
    let began = Instant::now();
    let mut injected = Injected::default();
    for &Fault { after, kind, lasts } in faults {
        if !goes_on(over, (began + after).saturating_duration_since(Instant::now())) {
            break;
        }
        match kind {
            FaultKind::Stop => match process.pause() {
                Some(_paused) => {
                    injected.stops += 1;
                    goes_on(over, lasts);
                }
                None => injected.no_stops = true,
            },
            FaultKind::Squeeze { spare } => match process.squeeze(spare) {
                Some(_squeezed) => {
                    injected.squeezes += 1;
                    goes_on(over, lasts);
                }
                None => injected.no_squeezes = true,
            },
        }
    }
    injected
}

/// Waits for this long. Returns whether the wave still goes on then.
fn goes_on(over: &Receiver<()>, wait: Duration) -> bool {
    over.recv_timeout(wait) == Err(RecvTimeoutError::Timeout)
}
