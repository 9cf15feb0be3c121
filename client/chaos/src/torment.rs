//! What befalls the server beside the floods. Whatever happens, it is let go on, and gets its
//! descriptors back: what is dropped here undoes itself, and if this program is ended, so is the
//! server.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::wave::{Ordeal, Torment};
use server_process::ServerProcess;

/// What has befallen the server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Endured {
    pub(super) stops: u64,
    pub(super) squeezes: u64,
    /// Somebody was to be stopped and could not.
    pub(super) no_stops: bool,
    /// Descriptors were to be taken, and could not.
    pub(super) no_squeezes: bool,
}

/// Does all this to the server, until whoever holds the other end of `over` drops it.
pub(super) fn torment(
    process: &ServerProcess,
    torments: &[Torment],
    over: &Receiver<()>,
) -> Endured {
    let began = Instant::now();
    let mut endured = Endured::default();
    for &Torment { after, ordeal, lasts } in torments {
        if !goes_on(over, (began + after).saturating_duration_since(Instant::now())) {
            break;
        }
        match ordeal {
            Ordeal::Stop => match process.pause() {
                Some(_paused) => {
                    endured.stops += 1;
                    goes_on(over, lasts);
                }
                None => endured.no_stops = true,
            },
            Ordeal::Squeeze { spare } => match process.squeeze(spare) {
                Some(_squeezed) => {
                    endured.squeezes += 1;
                    goes_on(over, lasts);
                }
                None => endured.no_squeezes = true,
            },
        }
    }
    endured
}

/// Waits for so long; whether the wave goes on then.
fn goes_on(over: &Receiver<()>, wait: Duration) -> bool {
    over.recv_timeout(wait) == Err(RecvTimeoutError::Timeout)
}
