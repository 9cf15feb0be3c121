//! The faults that are injected into the server during the floods. Whatever happens, the server is
//! resumed and gets its descriptors back: dropping a fault undoes it, and if this program is
//! killed, so is the server.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::wave::{Fault, FaultKind};
use server_process::ServerProcess;

/// The faults that were injected into the server.
#[derive(Debug, Default)]
pub(super) struct Injected {
    pub(super) stops: u64,
    pub(super) squeezes: u64,
    /// What wasn't possible and why.
    pub(super) not_tried: Vec<&'static str>,
}

/// Injects these faults, until the other end of `over` is dropped.
pub(super) fn inject(process: &ServerProcess, faults: &[Fault], over: &Receiver<()>) -> Injected {
    let goes_on = |wait: Duration| over.recv_timeout(wait) == Err(RecvTimeoutError::Timeout);
    let began = Instant::now();
    let mut injected = Injected::default();
    for &Fault { after, kind, lasts } in faults {
        if !goes_on((began + after).saturating_duration_since(Instant::now())) {
            break;
        }
        match kind {
            FaultKind::Stop => match process.pause() {
                Some(_paused) => {
                    injected.stops += 1;
                    goes_on(lasts);
                }
                None => injected.not_tried.push("stops, because this system can't stop a process"),
            },
            FaultKind::Squeeze { spare } => match process.squeeze(spare) {
                Some(_squeezed) => {
                    injected.squeezes += 1;
                    goes_on(lasts);
                }
                None => injected.not_tried.push(
                    "running out of descriptors, because this server's limits can't be set from \
                     outside",
                ),
            },
        }
    }
    injected
}
