//! How far a client is: what it does, or what it waits for.

/// What a client of the crowd is about at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Its connection has not come about yet.
    Connecting,
    /// Connected, and waits until all the others are, too.
    Held,
    /// A request is sent in part. A slow client waits by itself between the parts.
    Sending,
    /// It can't send on: the server does not read, and the sockets are full.
    Blocked,
    /// A request is sent, and nothing of its reply has come.
    AwaitingReply,
    /// A reply has come in part.
    Reading,
    /// It has nothing to do now: it is silent, or thinks, or does not read, or its plan says
    /// later.
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
