//! The faults, and the check that is meant for each.

use clap::ValueEnum;

/// What can be wrong. The comment of each is its help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// Nothing: it keeps every promise
    None,
    /// It reads, and never answers [answers]
    Mute,
    /// Interest in writing is always on, and nothing remembers the reply [greets-once]
    GreetsForEver,
    /// A connection is watched until it was read from once [asks-again]
    NoReArm,
    /// What a read returns is taken for one request [byte-by-byte]
    OneReadOneMessage,
    /// What follows the first LF of a read is thrown away [pipelined]
    FirstLineOnly,
    /// A read of 0 bytes means nothing to it [half-close]
    IgnoresTheEnd,
    /// What follows the last LF is thrown away at the end [unfinished-line]
    ForgetsUnfinishedLine,
    /// After `Request too long!` it closes with unread bytes in hand [too-long]
    ResetsAfterTooLong,
    /// It asks the kernel again and again, with a time-out of 0 [idle-cost]
    BusyWait,
    /// It serves a connection to its end before it accepts the next [silent-neighbour]
    OneAtATime,
    /// When a connection is readable, it reads until it has a request [half-sent-neighbour]
    BlockingRead,
    /// The same with a time-out for each read [dribbling-neighbour]
    PatientRead,
    /// It expects that whoever comes says something [connect-and-close]
    DiesOnHastyGoodbye,
    /// An error of one connection ends all [resets]
    DiesOnReset,
    /// It writes until everything is written [deaf-neighbour]
    BlockingWrite,
    /// What did not fit into the socket is forgotten [deaf-replies]
    DropsWhatDidNotFit,
    /// It reads on from a client that does not read [deaf-memory]
    UnboundedBuffer,
    /// Interest in writing is never taken back once it was needed [deaf-sleep]
    WriteInterestStays,
    /// It waits in select(2), whatever the descriptors are [many-connections]
    #[value(name = "select-beyond-1023")]
    SelectBeyond1023,
    /// It accepts again at once when no descriptor is left [descriptor-limit]
    SpinsWithoutDescriptors,
    /// It ends when no descriptor is left [descriptor-limit]
    DiesWithoutDescriptors,
    /// The signal sets a flag, but wakes nobody [ctrl-c]
    IgnoresCtrlC,
}
