//! What each kind of client does, one step after the other.
//!
//! A kind is a list of steps. `connection` goes through it as far as it can without waiting, and
//! goes on when the socket or the clock says so. A client that is through with its script waits
//! for the server to close; in `one-shot` it closes itself. To add a kind, add a [`Kind`] and its
//! list here.

use std::time::Duration;

use protocol::Protocol;

use crate::crowd::Crowd;
use crate::kind::Kind;

/// One step of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Begins the next request, when the schedule says so; without a schedule, at once. If there
    /// is none, the script ends.
    Request,
    /// Begins all requests at once; if their number isn't known, as many as the sockets take.
    AllRequests,
    /// Leaves out the last LF: the end of the stream will take its place.
    CutTheEnd,
    /// Begins a request that never becomes whole.
    Fragment,
    /// Sends half of what was begun.
    SendHalf,
    /// Sends the rest of what was begun.
    SendRest,
    /// Sends what was begun in single bytes, with a pause after each.
    SendBytes(Duration),
    /// Does nothing for so long.
    Wait(Duration),
    /// Reads until every request that was sent has its reply. After the last request, it closes
    /// the sending half first (not in `one-shot`: servers like the article's may take that for
    /// the end of everything, and close without a reply).
    Read,
    /// Goes back to the first step, which is a request: the next one is due after so long.
    Again(Duration),
    /// Reads nothing until all others are done.
    WaitForOthers,
    /// Does nothing any more, and stays.
    Stay,
    /// Closes the sending half.
    HalfClose,
    /// Resets the connection.
    Reset,
    /// Closes the connection.
    Close,
}

/// The script of a kind.
pub(super) fn script(kind: Kind, crowd: &Crowd) -> Vec<Step> {
    use Step::*;
    let Crowd { every, pause, think, .. } = *crowd;
    const AT_ONCE: Duration = Duration::ZERO;
    let is_one_shot = crowd.protocol == Protocol::OneShot;
    match kind {
        Kind::Prompt => vec![Request, SendRest, Read, Again(AT_ONCE)],
        Kind::Dribbling => vec![Request, SendBytes(every), Read, Again(AT_ONCE)],
        Kind::Pausing => vec![Request, SendHalf, Wait(pause), SendRest, Read, Again(AT_ONCE)],
        Kind::Chatty => vec![Request, SendRest, Read, Again(think)],
        // In one-shot, there is no LF.
        Kind::HalfClosing if is_one_shot => vec![AllRequests, SendRest, HalfClose, Read],
        Kind::HalfClosing => vec![AllRequests, CutTheEnd, SendRest, HalfClose, Read],
        Kind::NonReading => vec![AllRequests, SendRest, WaitForOthers, Read],
        Kind::Silent => vec![Stay],
        // In one-shot, half of a request would be a whole one.
        Kind::Resetting if is_one_shot => vec![Wait(pause), Reset],
        Kind::Resetting => vec![Fragment, SendHalf, Wait(pause), Reset],
        Kind::Vanishing => vec![Close],
    }
}
