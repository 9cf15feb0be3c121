//! The survival matrix: every promise, tried at every server by the checker, and
//! compared with what a server of this kind can keep.

use std::io;
use std::path::Path;

use checker::{Cell, Column, Matrix, Plan, Progress, Verdict, run};
use protocol::Protocol;
use server_process::Target;

use crate::{Model, ServerProcess};

/// Promises that a way to wait can't keep, however well the server is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Whether it never keeps them; otherwise it does with luck.
    pub always: bool,
    /// The names of the checks.
    pub checks: &'static [&'static str],
    /// Why not.
    pub reason: &'static str,
}

/// Tries every promise at these servers, each of which is started anew for each check;
/// `program` is the binary of this package.
///
/// # Errors
///
/// If the path of the program is not text.
pub fn matrix(
    models: &[Model],
    protocol: Protocol,
    program: &Path,
    progress: &(dyn Fn(Progress) + Sync),
) -> io::Result<Matrix> {
    let targets: io::Result<Vec<_>> =
        models.iter().map(|&model| target(model, protocol, program)).collect();
    Ok(run(&targets?, &Plan::all(protocol), progress))
}

/// A server of this model, as somebody who tries it starts it.
pub(crate) fn target(model: Model, protocol: Protocol, program: &Path) -> io::Result<Target> {
    let options = ["--quiet", "--protocol", protocol.name()];
    let command = ServerProcess::command_at("127.0.0.1:{port}", program, model, &options);
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let words: Option<Vec<&str>> = words.map(|word| word.to_str()).collect();
    let words = words.ok_or_else(|| io::Error::other("this program's path is not text"))?;
    Ok(Target::command(words).map_err(io::Error::other)?.named(model.label))
}

/// Where the column of a server is not as its model must be: a sentence each.
pub fn surprises(model: Model, column: &Column) -> Vec<String> {
    let surprise = |cell: &Cell| {
        let name = cell.check.name;
        let can = model.can_keep(name);
        match &cell.verdict {
            Verdict::Kept { .. } if model.limit(name).is_some_and(|limit| limit.always) => {
                Some(format!("{}: {name} is kept, which it can't be", model.label))
            }
            Verdict::Broken { what, .. } if can => Some(format!("{}: {name}: {what}", model.label)),
            // From another fault it may follow, and that one is told. From a limit, nothing
            // follows but that it was not even tried.
            Verdict::Follows { from, what: Some(_) } if can && !model.can_keep(from) => {
                Some(format!("{}: {name} follows from {from}", model.label))
            }
            _ => None,
        }
    };
    column.cells.iter().filter_map(surprise).collect()
}

/// What these servers can't do and why, a sentence each.
pub fn limits(models: &[Model]) -> Vec<String> {
    let of_model = |model: &Model| {
        let told = model.limits.iter().map(|&Limit { always, checks, reason }| {
            let how = if always { "can't keep" } else { "keeps only with luck" };
            format!("{} {how} {}: {reason}.", model.label, checks.join(", "))
        });
        told.collect::<Vec<_>>()
    };
    models.iter().flat_map(of_model).collect()
}
