//! The faults, and the check that finds each of them. Effects that add up are found by `client
//! chaos`.

use clap::ValueEnum;

/// What can be wrong. The comment of each fault is its help text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// Has no fault and keeps every promise
    None,
    /// Reads, but never replies (found by answers)
    Mute,
    /// Always waits for writable sockets, and forgets that it has replied (found by greets-once)
    GreetsForEver,
    /// Stops watching a connection after the first read (found by asks-again)
    NoReArm,
    /// Takes the result of each read for one request (found by byte-by-byte)
    OneReadOneMessage,
    /// Throws away what follows the first LF of a read (found by pipelined)
    FirstLineOnly,
    /// Ignores a read of 0 bytes (found by half-close)
    IgnoresTheEnd,
    /// Throws away what follows the last LF at the end of the stream (found by unfinished-line)
    ForgetsUnfinishedLine,
    /// Closes the connection with unread bytes after `Request too long!` (found by too-long)
    ResetsAfterTooLong,
    /// Rejects 1024 bytes without an LF, which could be a last line (found by too-long)
    RejectsTheLongest,
    /// Polls in a busy loop, with a time-out of 0 (found by idle-cost)
    BusyWait,
    /// Serves a connection to its end before it accepts the next (found by silent-neighbour)
    OneAtATime,
    /// Reads from a readable connection until it has a request (found by half-sent-neighbour)
    BlockingRead,
    /// Does the same, with a time-out for each read (found by dribbling-neighbour)
    PatientRead,
    /// Expects every client to send something (found by connect-and-close)
    DiesOnHastyGoodbye,
    /// Ends after an error of one connection (found by resets)
    DiesOnReset,
    /// Blocks until everything is written (found by non-reading-neighbour)
    BlockingWrite,
    /// Drops what doesn't fit into the socket (found by non-reading-replies)
    DropsWhatDidNotFit,
    /// Keeps reading from a client that doesn't read (found by non-reading-memory)
    UnboundedBuffer,
    /// Never stops waiting for a writable socket once it had to (found by non-reading-sleep)
    WriteInterestStays,
    /// Waits in select(2), whatever the descriptors are (found by many-connections)
    #[value(name = "select-beyond-1023")]
    SelectBeyond1023,
    /// Accepts again at once when no descriptor is left (found by descriptor-limit)
    SpinsWithoutDescriptors,
    /// Ends when no descriptor is left (found by descriptor-limit)
    DiesWithoutDescriptors,
    /// Sets a flag on Ctrl-C, but doesn't wake up the loop (found by ctrl-c)
    IgnoresCtrlC,
    /// Forgets a connection that was reset, but doesn't close it (found by chaos)
    LeaksDescriptors,
    /// Remembers every client that was ever connected (found by chaos)
    LeaksMemory,
}
