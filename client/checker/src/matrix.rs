//! All verdicts: a row for each check, a column for each server.

mod table;
mod text;

use std::io;
use std::time::Duration;

use protocol::Protocol;
use serde::{Serialize, Serializer};

use super::checks::Check;
use super::scene::{Attempt, Trouble};
use load_generator::json::{as_seconds, as_text};

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Matrix {
    /// What was spoken.
    #[serde(serialize_with = "as_text")]
    pub protocol: Protocol,
    /// One for each server, in the order given.
    #[serde(rename = "servers")]
    pub columns: Vec<Column>,
}

/// What came of one server.
#[derive(Clone, Debug, Serialize)]
pub struct Column {
    /// The subject's name.
    pub server: String,
    /// For each check of the plan, in its order.
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
    /// It is.
    Kept {
        /// What the check has measured, for example `1019 at once`.
        figure: Option<String>,
    },
    /// It is not, and this is a fault of its own.
    Broken {
        /// What happened.
        what: String,
        /// What to do, where it is not the check's [`likely`](Check::likely) cause: nobody was
        /// met.
        #[serde(skip)]
        way_out: Option<&'static str>,
    },
    /// It is not, but that is no wonder.
    Follows {
        /// The name of the check that has found the cause.
        from: &'static str,
        /// What happened; `None`: the check was not even tried.
        what: Option<String>,
    },
    /// Nobody knows.
    NotTried {
        /// Why not.
        why: String,
    },
}

impl Verdict {
    pub(super) fn of(attempt: Attempt) -> Self {
        match attempt {
            Ok(figure) => Verdict::Kept { figure },
            Err(Trouble::Broken(what)) => Verdict::Broken { what, way_out: None },
            Err(Trouble::Unmet(what, way_out)) => Verdict::Broken { what, way_out: Some(way_out) },
            Err(Trouble::NotTried(why)) => Verdict::NotTried { why },
        }
    }
}

impl Matrix {
    /// Whether every server keeps every promise that could be tried.
    pub fn is_good(&self) -> bool {
        self.columns.iter().all(Column::is_good)
    }

    /// The matrix as one JSON object in one line.
    ///
    /// # Errors
    ///
    /// None that is known of.
    pub fn json(&self) -> io::Result<String> {
        #[derive(Serialize)]
        struct Object<'a> {
            good: bool,
            #[serde(flatten)]
            matrix: &'a Matrix,
        }
        Ok(serde_json::to_string(&Object { good: self.is_good(), matrix: self })?)
    }

    /// The table, and below it what is wrong, for a terminal of 90 columns, with its escape
    /// sequences for colours; print it through `anstream`, which takes them out where they
    /// don't belong.
    pub fn text(&self) -> String {
        text::text(self)
    }
}

impl Column {
    pub(super) fn new(server: String) -> Self {
        Column { server, cells: Vec::new(), took: Duration::ZERO }
    }

    /// Whether every promise that could be tried is kept, and there is one.
    pub fn is_good(&self) -> bool {
        let is_good =
            |cell: &Cell| matches!(cell.verdict, Verdict::Kept { .. } | Verdict::NotTried { .. });
        self.kept() > 0 && self.cells.iter().all(is_good)
    }

    /// The names of the checks that have found a fault by itself, in the order in which to
    /// mend them.
    pub fn faults(&self) -> Vec<&'static str> {
        let is_fault = |cell: &&Cell| matches!(cell.verdict, Verdict::Broken { .. });
        self.cells.iter().filter(is_fault).map(|cell| cell.check.name).collect()
    }

    /// How many promises are kept.
    pub fn kept(&self) -> usize {
        self.cells.iter().filter(|cell| matches!(cell.verdict, Verdict::Kept { .. })).count()
    }

    pub(super) fn add(&mut self, cell: Cell, took: Duration) {
        self.cells.push(cell);
        self.took += took;
    }

    /// Whether one of these checks was found broken so far.
    pub(super) fn has_broken(&self, names: &[&str]) -> bool {
        self.faults().iter().any(|fault| names.contains(fault))
    }

    /// Brings the cells into the order of the plan, adds those that were not even tried, and
    /// finds out what follows from what.
    pub(super) fn sort_out(&mut self, checks: &[&'static Check]) {
        let mut tried = std::mem::take(&mut self.cells);
        for &check in checks {
            let position = tried.iter().position(|cell| cell.check.name == check.name);
            let cause = self.cause_of(check);
            let verdict = match (position.map(|at| tried.swap_remove(at).verdict), cause) {
                (Some(Verdict::Broken { what, .. }), Some(from)) => {
                    Verdict::Follows { from, what: Some(what) }
                }
                (Some(verdict), _) => verdict,
                (None, Some(from)) => Verdict::Follows { from, what: None },
                (None, None) => Verdict::NotTried { why: "it was left out".into() },
            };
            self.cells.push(Cell { check, verdict });
        }
    }

    /// The first fault, among those that were found so far, without which the check might
    /// have succeeded.
    fn cause_of(&self, check: &Check) -> Option<&'static str> {
        let needed = self.cells.iter().filter(|cell| check.needs.contains(&cell.check.name));
        needed.into_iter().find_map(|cell| match cell.verdict {
            Verdict::Broken { .. } => Some(cell.check.name),
            Verdict::Follows { from, .. } => Some(from),
            _ => None,
        })
    }
}

fn as_name<S: Serializer>(check: &&'static Check, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(check.name)
}
