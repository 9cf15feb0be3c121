//! The kinds of clients: what each does, and an example from real life.

use std::fmt;

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, ValueEnum};
use serde::{Serialize, Serializer};

use crate::crowd::MOST_CONNECTIONS;

/// How a client behaves; also the help of its option.
///
/// For each kind it is known what the server has to send, and every byte of that is checked: a
/// reply to each whole request, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Send each request at once, and read the reply.
    Prompt,
    /// Send a byte at a time, like a phone in a tunnel.
    Dribbling,
    /// Send half of a request, wait, and send the rest, like an upload that stalls.
    Pausing,
    /// Send at least five requests and think in between, like a person who types.
    Chatty,
    /// Send everything and close the sending half before any reply, like a file piped into `nc`.
    ///
    /// The last line has no LF; the end of the stream ends it. After the last reply the server
    /// closes the connection.
    HalfClosing,
    /// Send until the sockets are full, and read nothing until the others are done, like a laptop
    /// that falls asleep during a download.
    NonReading,
    /// Send nothing until the others are done, like a browser's spare connections.
    ///
    /// The server may close the connection.
    Silent,
    /// Send half of a request, wait, and reset the connection, like an app that is killed.
    Resetting,
    /// Connect, and close without sending anything, like a health check or a port scanner.
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

/// An option for each kind but the prompt one: how many clients are of this kind.
impl Args for Mix {
    fn augment_args(command: Command) -> Command {
        let option = |&kind: &Kind| {
            let help = kind.to_possible_value().and_then(|value| value.get_help().cloned());
            Arg::new(kind.name())
                .long(kind.name())
                .help(help.unwrap_or_default())
                .value_name("COUNT")
                .value_parser(system::whole_number(0..=MOST_CONNECTIONS))
        };
        command
            .next_help_heading("The zoo: how many clients of each kind")
            .args(Kind::ALL[1..].iter().map(option))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Mix::augment_args(command)
    }
}

impl FromArgMatches for Mix {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let counts = Kind::ALL[1..].iter().map(|&kind| (kind, matches.get_one(kind.name())));
        Ok(counts.filter_map(|(kind, count)| Some((kind, *count?))).collect())
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Mix::from_arg_matches(matches)?;
        Ok(())
    }
}
