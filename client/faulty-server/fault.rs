//! The faults, and the check that is meant for each; those that only add up are for
//! `client chaos`.

use clap::ValueEnum;

/// What can be wrong. The comment of each is its help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// Nothing: it keeps every promise
    None,
    /// It reads, and never answers (found by answers)
    Mute,
    /// Interest in writing is always on, and nothing remembers the reply (found by greets-once)
    GreetsForEver,
    /// A connection is watched until it was read from once (found by asks-again)
    NoReArm,
    /// What a read returns is taken for one request (found by byte-by-byte)
    OneReadOneMessage,
    /// What follows the first LF of a read is thrown away (found by pipelined)
    FirstLineOnly,
    /// A read of 0 bytes means nothing to it (found by half-close)
    IgnoresTheEnd,
    /// What follows the last LF is thrown away at the end (found by unfinished-line)
    ForgetsUnfinishedLine,
    /// After `Request too long!` it closes with unread bytes in hand (found by too-long)
    ResetsAfterTooLong,
    /// It rejects 1024 bytes without an LF, though they may be a last line (found by too-long)
    RejectsTheLongest,
    /// It asks the kernel again and again, with a time-out of 0 (found by idle-cost)
    BusyWait,
    /// It serves a connection to its end before it accepts the next (found by silent-neighbour)
    OneAtATime,
    /// When a connection is readable, it reads until it has a request (found by half-sent-neighbour)
    BlockingRead,
    /// The same with a time-out for each read (found by dribbling-neighbour)
    PatientRead,
    /// It expects that whoever comes says something (found by connect-and-close)
    DiesOnHastyGoodbye,
    /// An error of one connection ends all (found by resets)
    DiesOnReset,
    /// It writes until everything is written (found by deaf-neighbour)
    BlockingWrite,
    /// What did not fit into the socket is forgotten (found by deaf-replies)
    DropsWhatDidNotFit,
    /// It reads on from a client that does not read (found by deaf-memory)
    UnboundedBuffer,
    /// Interest in writing is never taken back once it was needed (found by deaf-sleep)
    WriteInterestStays,
    /// It waits in select(2), whatever the descriptors are (found by many-connections)
    #[value(name = "select-beyond-1023")]
    SelectBeyond1023,
    /// It accepts again at once when no descriptor is left (found by descriptor-limit)
    SpinsWithoutDescriptors,
    /// It ends when no descriptor is left (found by descriptor-limit)
    DiesWithoutDescriptors,
    /// The signal sets a flag, but wakes nobody (found by ctrl-c)
    IgnoresCtrlC,
    /// Whoever has reset the connection is forgotten, but not closed (found by chaos)
    LeaksDescriptors,
    /// It remembers everybody who was ever there (found by chaos)
    LeaksMemory,
}
