//! The survival matrix: the checker tries every promise at every server, and the result is compared
//! with what a server of this kind can keep.

use std::io;
use std::path::Path;

use checker::{Cell, CheckOptions, Column, Matrix, Progress, Verdict, run};
use protocol::Protocol;
use server_process::Target;

use crate::{MeasuredServer, Model};

/// Promises that a server can't keep because of its way to wait, however well it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Whether it never keeps them; otherwise it keeps them sometimes.
    pub always: bool,
    /// The names of the checks.
    pub checks: &'static [&'static str],
    /// Why not.
    pub reason: &'static str,
}

/// Tries every promise at these servers, each of which is restarted for every check; `program` is
/// the binary of this package.
///
/// # Errors
///
/// If the path of the program isn't Unicode.
pub fn matrix(
    models: &[Model],
    protocol: Protocol,
    program: &Path,
    progress: &(dyn Fn(Progress) + Sync),
) -> io::Result<Matrix> {
    let targets: io::Result<Vec<_>> =
        models.iter().map(|&model| target(model, protocol, program)).collect();
    Ok(run(&targets?, &CheckOptions::all(protocol), progress))
}

/// How the checker and the chaos test start a server of this model.
pub(crate) fn target(model: Model, protocol: Protocol, program: &Path) -> io::Result<Target> {
    let options = ["--quiet", "--protocol", protocol.name()];
    let words = MeasuredServer::command_at("127.0.0.1:{port}", program, model, &options);
    Ok(Target::command(words).map_err(io::Error::other)?.named(model.label))
}

/// Where a server's column differs from what its model can and can't keep, one sentence each.
pub fn surprises(model: Model, column: &Column) -> Vec<String> {
    let surprise = |cell: &Cell| {
        let name = cell.check.name;
        let can = model.can_keep(name);
        match &cell.verdict {
            Verdict::Kept { .. } if model.limit(name).is_some_and(|limit| limit.always) => {
                Some(format!("{}: {name} is kept, although it can't be kept there", model.label))
            }
            Verdict::Broken { what, .. } if can => Some(format!("{}: {name}: {what}", model.label)),
            // It may follow from another fault, which is reported itself. But the only thing that
            // follows from a limit is that this check was not even tried.
            Verdict::Follows { from, what: Some(_) } if can && !model.can_keep(from) => {
                Some(format!("{}: {name} follows from {from}", model.label))
            }
            _ => None,
        }
    };
    column.cells.iter().filter_map(surprise).collect()
}

/// What these servers can't do and why, one sentence each.
pub fn limits(models: &[Model]) -> Vec<String> {
    let of_model = |model: &Model| {
        let sentences = model.limits.iter().map(|&Limit { always, checks, reason }| {
            let how = if always { "can't keep" } else { "can't always keep" };
            format!("{} {how} {}: {reason}.", model.label, checks.join(", "))
        });
        sentences.collect::<Vec<_>>()
    };
    models.iter().flat_map(of_model).collect()
}
