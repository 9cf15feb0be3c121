//! All verdicts: a row for each check, a column for each server.

mod text;

use std::io;
use std::time::Duration;

use output::{Format, Table};
use protocol::Protocol;
use serde::{Serialize, Serializer};

use super::checks::Check;
use load_generator::json::{as_seconds, as_text, judged};

/// The results of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Matrix {
    /// The protocol that clients and servers spoke.
    #[serde(serialize_with = "as_text")]
    pub protocol: Protocol,
    /// One for each server, in the order given.
    #[serde(rename = "servers")]
    pub columns: Vec<Column>,
}

/// The results of one server.
#[derive(Clone, Debug, Serialize)]
pub struct Column {
    /// The server's name.
    pub server: String,
    /// One for each check that was chosen, in the same order.
    #[serde(rename = "checks")]
    pub cells: Vec<Cell>,
    /// How long its checks took, one after the other.
    #[serde(rename = "took_s", serialize_with = "as_seconds")]
    pub took: Duration,
}

/// One check on one server.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// The promise.
    #[serde(rename = "name", serialize_with = "as_name")]
    pub check: &'static Check,
    /// Whether it is kept.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Whether a promise is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It is kept.
    Kept {
        /// What the check has measured, for example `1019 at once`.
        figure: Option<String>,
    },
    /// It is broken, by a fault of its own.
    Broken {
        /// What happened.
        what: String,
        /// What to do if the check's [`likely`](Check::likely) cause isn't the reason, because no
        /// server was found.
        #[serde(skip)]
        way_out: Option<&'static str>,
    },
    /// It is broken because of a fault that another check has found.
    Follows {
        /// The name of that check.
        from: &'static str,
        /// What happened; `None` if the check wasn't even tried.
        what: Option<String>,
    },
    /// It could not be tried.
    NotTried {
        /// Why not.
        why: String,
    },
}

impl Verdict {
    /// Adds to what happened to which client it happened, or when.
    pub(super) fn when(mut self, circumstances: &str) -> Self {
        if let Verdict::Broken { what, .. } = &mut self {
            *what += &format!(" ({circumstances})");
        }
        self
    }
}

impl Matrix {
    /// Whether every server keeps every promise that could be checked.
    pub fn is_good(&self) -> bool {
        self.columns.iter().all(Column::is_good)
    }

    /// The matrix in this format; for people with `sentences` below it, and no wider than the
    /// terminal.
    ///
    /// # Errors
    ///
    /// None that we know of.
    pub fn formatted(&self, format: Format, sentences: &[String]) -> io::Result<String> {
        if format == Format::Table {
            let text = self.text(output::width());
            return Ok(format!("{text}\n\n{}", sentences.join("\n")).trim_end().to_owned());
        }
        self.table().formatted(format, "", &[], || judged(self.is_good(), self))
    }

    /// The table, and below it what is wrong. `width` is that of the terminal, if there is one.
    /// Print the text through `anstream`, which removes the escape sequences for colours where they
    /// don't belong.
    pub fn text(&self, width: Option<usize>) -> String {
        text::text(self, width)
    }

    /// A row for each check and server, for programs: the verdict, and what happened.
    fn table(&self) -> Table {
        const COLUMNS: [(&str, &str); 4] = [
            ("server", "server"),
            ("check", "check"),
            ("verdict", "verdict"),
            ("what happened", "what"),
        ];
        let cells = self.columns.iter().flat_map(|column| {
            column.cells.iter().map(|cell| {
                let (verdict, what) = match &cell.verdict {
                    Verdict::Kept { figure } => ("kept", figure.as_deref().unwrap_or_default()),
                    Verdict::Broken { what, .. } => ("broken", &what[..]),
                    Verdict::Follows { from, .. } => ("follows", *from),
                    Verdict::NotTried { why } => ("not tried", &why[..]),
                };
                [&column.server, cell.check.name, verdict, what].map(output::Cell::text).into()
            })
        });
        Table::new(COLUMNS.map(|(title, name)| output::Column { title, name, rank: 0 })).with(cells)
    }
}

impl Column {
    /// Whether every promise that could be checked is kept, and there is at least one.
    pub fn is_good(&self) -> bool {
        let is_good =
            |cell: &Cell| matches!(cell.verdict, Verdict::Kept { .. } | Verdict::NotTried { .. });
        self.kept() > 0 && self.cells.iter().all(is_good)
    }

    /// The names of the checks that have found a fault of its own, in the order in which to fix
    /// them.
    pub fn faults(&self) -> Vec<&'static str> {
        let is_fault = |cell: &&Cell| matches!(cell.verdict, Verdict::Broken { .. });
        self.cells.iter().filter(is_fault).map(|cell| cell.check.name).collect()
    }

    /// How many promises are kept.
    pub fn kept(&self) -> usize {
        self.cells.iter().filter(|cell| matches!(cell.verdict, Verdict::Kept { .. })).count()
    }

    /// Brings the cells into the order of the checks, adds those that were not even tried, and finds
    /// out which failures follow from others.
    pub(super) fn sort_out(&mut self, checks: &[&'static Check]) {
        let mut tried = std::mem::take(&mut self.cells);
        for &check in checks {
            let position = tried.iter().position(|cell| cell.check.name == check.name);
            let tried = position.map(|position| tried.swap_remove(position).verdict);
            let verdict = match (tried, self.cause_of(check)) {
                (Some(Verdict::Broken { what, .. }), Some(from)) => {
                    Verdict::Follows { from, what: Some(what) }
                }
                (None | Some(Verdict::NotTried { .. }), Some(from)) => {
                    Verdict::Follows { from, what: None }
                }
                (Some(verdict), _) => verdict,
                (None, None) => Verdict::NotTried { why: "it was skipped".into() },
            };
            self.cells.push(Cell { check, verdict });
        }
    }

    /// The first of the faults found so far without which the check might have succeeded.
    fn cause_of(&self, check: &Check) -> Option<&'static str> {
        let mut needed = self.cells.iter().filter(|cell| check.needs(cell.check.name));
        needed.find_map(|cell| match cell.verdict {
            Verdict::Broken { .. } => Some(cell.check.name),
            Verdict::Follows { from, .. } => Some(from),
            _ => None,
        })
    }
}

fn as_name<S: Serializer>(check: &&'static Check, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(check.name)
}
