//! How far a client is: what it is doing, or what it is waiting for.

/// What a client of the crowd is doing at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Its connection isn't established yet.
    Connecting,
    /// Connected, and waiting until all the others are too.
    Held,
    /// Part of a request is sent. A slow client waits between the parts.
    Sending,
    /// It can't send any more: the server doesn't read, and the sockets are full.
    Blocked,
    /// A request is sent, and no byte of its reply has come.
    AwaitingReply,
    /// Part of a reply has come.
    Reading,
    /// It has nothing to do now: it is silent, thinks, doesn't read, or its next request isn't due.
    Resting,
    /// It has every reply, and waits for the server to close.
    AwaitingEnd,
}

impl Phase {
    /// Every phase, in the order in which a client comes to them.
    pub const ALL: [Phase; 8] = [
        Phase::Connecting,
        Phase::Held,
        Phase::Sending,
        Phase::Blocked,
        Phase::AwaitingReply,
        Phase::Reading,
        Phase::Resting,
        Phase::AwaitingEnd,
    ];
}
