//! The kinds of clients: what each does, and an example from real life.

use std::fmt;

use serde::{Serialize, Serializer};

/// How a client behaves.
///
/// For each kind it is known what the server has to send, and every byte of that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Sends each request at once and reads the reply. It gets a reply to each.
    Prompt,
    /// Sends its requests one byte at a time, like a phone in a tunnel. It gets one reply to each.
    Dribbling,
    /// Sends half of a request, waits, and sends the rest, like an upload that stalls. It gets one
    /// reply to each.
    Pausing,
    /// Keeps its connection and sends the next request after a time to think, like a person who
    /// types, or a page that refreshes. It gets a reply to each.
    Chatty,
    /// Sends all its requests at once and closes its sending half before any reply, like a script
    /// that pipes a file into `nc`. The last line has no LF; the end of the stream ends it. It gets
    /// a reply to each, and then the server closes the connection.
    HalfClosing,
    /// Sends until the sockets are full, with a small receive buffer, and reads nothing until the
    /// others are done, like a laptop that falls asleep during a download. In the end it gets every
    /// reply.
    NonReading,
    /// Connects and sends nothing until the others are done, like a browser that opens connections
    /// in advance. It gets nothing; the server may close the connection.
    Silent,
    /// Sends half of a request, waits, and resets the connection, like an app that is killed. It
    /// gets nothing.
    Resetting,
    /// Connects and closes without sending anything, like a health check or a port scanner.
    Vanishing,
}

impl Kind {
    /// Every kind, the prompt one first.
    pub const ALL: [Kind; 9] = [
        Kind::Prompt,
        Kind::Dribbling,
        Kind::Pausing,
        Kind::Chatty,
        Kind::HalfClosing,
        Kind::NonReading,
        Kind::Silent,
        Kind::Resetting,
        Kind::Vanishing,
    ];

    /// The name in options, reports and pictures.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Prompt => "prompt",
            Kind::Dribbling => "dribbling",
            Kind::Pausing => "pausing",
            Kind::Chatty => "chatty",
            Kind::HalfClosing => "half-closing",
            Kind::NonReading => "non-reading",
            Kind::Silent => "silent",
            Kind::Resetting => "resetting",
            Kind::Vanishing => "vanishing",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// As its name.
impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// How many clients of a crowd are of each kind. The rest are prompt.
///
/// ```
/// use load_generator::{Kind, Mix};
///
/// let mix = Mix::from([(Kind::Dribbling, 4), (Kind::Silent, 1)]);
/// assert_eq!((mix.count(Kind::Dribbling), mix.total()), (4, 5));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mix([usize; Kind::ALL.len()]);

impl Mix {
    /// How many are of a kind; of the prompt kind, how many were named explicitly.
    pub fn count(&self, kind: Kind) -> usize {
        self.0[kind as usize]
    }

    /// How many there are of all kinds together; [`usize::MAX`] if there are more than can be
    /// counted.
    pub fn total(&self) -> usize {
        self.0.iter().fold(0, |total, &count| total.saturating_add(count))
    }

    /// The kinds that there are, and how many of each.
    pub fn kinds(&self) -> impl Iterator<Item = (Kind, usize)> + Clone + '_ {
        Kind::ALL.into_iter().zip(self.0).filter(|&(_, count)| count > 0)
    }
}

/// Counts of the same kind are added up.
impl<const N: usize> From<[(Kind, usize); N]> for Mix {
    fn from(counts: [(Kind, usize); N]) -> Self {
        counts.into_iter().collect()
    }
}

impl FromIterator<(Kind, usize)> for Mix {
    fn from_iter<I: IntoIterator<Item = (Kind, usize)>>(counts: I) -> Self {
        let mut mix = Mix::default();
        for (kind, count) in counts {
            let sum = &mut mix.0[kind as usize];
            *sum = sum.saturating_add(count);
        }
        mix
    }
}

/// As in "4 dribbling, 1 silent".
impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.kinds().map(|(kind, count)| format!("{count} {kind}")).collect();
        f.pad(&parts.join(", "))
    }
}

/// As an object with the count of each kind that occurs.
impl Serialize for Mix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.kinds())
    }
}
