//! The survival matrix, cell by cell.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use bench::Model;
use bench::matrix::{matrix, surprises};
use checker::{Cell, Column, Matrix, Verdict};
use protocol::Protocol;

use crate::available::available;
use crate::turns::turn;

/// How many matrices are tried at the same time. They mostly wait.
const SIDE_BY_SIDE: usize = 3;

/// How often a server is tried again, one at a time. On a busy machine it may be unlucky. A fault
/// of the server is found each time.
const TRIES: usize = 2;

/// Tries everything at those of the models that can run here, and looks at each cell. Each has to
/// be as its model says.
pub fn tried(models: &[Model], protocol: Protocol, look: impl Fn(Model, &Cell) -> bool + Sync) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = turn();
    let models = available(models);
    let program = Path::new(env!("CARGO_BIN_EXE_bench"));
    let try_all = |models: &[Model]| {
        let matrix = matrix(models, protocol, program, &|_| {}).unwrap();
        assert_eq!(matrix.columns.len(), models.len());
        matrix
    };
    // What is wrong with a server, with the matrix that it is a column of.
    let wrong = |model: Model, column: &Column, matrix: &Matrix| {
        let cells = column.cells.iter().filter(|cell| !look(model, cell));
        let cells =
            cells.map(|cell| format!("{}: {}: {:?}", model.label, cell.check.name, cell.verdict));
        let all: Vec<String> = surprises(model, column).into_iter().chain(cells).collect();
        (!all.is_empty()).then(|| format!("{}\n\n{}", all.join("\n"), matrix.text(None)))
    };
    let try_some = |first: usize| {
        let some: Vec<Model> = models.iter().copied().skip(first).step_by(SIDE_BY_SIDE).collect();
        let matrix = try_all(&some);
        for (model, column) in some.into_iter().zip(&matrix.columns) {
            let mut found = wrong(model, column, &matrix);
            for _ in 0..TRIES {
                if found.is_some() {
                    // If another thread has panicked, it is done all the same.
                    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
                    let again = try_all(&[model]);
                    found = wrong(model, &again.columns[0], &again);
                }
            }
            assert!(found.is_none(), "{}", found.unwrap_or_default());
        }
    };
    let try_some = &try_some;
    thread::scope(|scope| {
        for first in 0..SIDE_BY_SIDE {
            scope.spawn(move || try_some(first));
        }
    });
}

/// Whether it was tried, as everything has to be on Linux.
pub fn is_tried(cell: &Cell) -> bool {
    !cfg!(target_os = "linux") || !matches!(cell.verdict, Verdict::NotTried { .. })
}

#[test]
fn every_cell_is_as_the_model_says() {
    tried(Model::ALL, Protocol::Lines, |model, cell| {
        if let Verdict::Kept { figure: Some(figure) } = &cell.verdict
            && cell.check.name == "many-connections"
        {
            let at_once: usize = figure.split(' ').next().unwrap().parse().unwrap();
            return match model.name() {
                // All that select(2) can watch, except for what the server needs for itself.
                "select-server" => (1000..1024).contains(&at_once),
                _ => at_once == model.serves_at_once.min(1100),
            };
        }
        is_tried(cell)
    });
}

#[test]
fn every_cell_is_so_in_the_protocol_of_the_article_too() {
    tried(Model::ALL, Protocol::OneShot, |_, _| true);
}
