//! The survival matrix, cell by cell.

use std::path::Path;
use std::thread;

use bench::Model;
use bench::matrix::{matrix, surprises};
use client::check::{Cell, Verdict};
use protocol::Protocol;

use crate::available::available;

/// How many matrices are tried at the same time. They mostly wait.
const SIDE_BY_SIDE: usize = 3;

/// Tries everything at those of the models that can run here, and looks at each cell. Nothing may
/// be otherwise than it must be.
pub fn tried(models: &[Model], protocol: Protocol, look: impl Fn(Model, &Cell) -> bool + Sync) {
    let models = available(models);
    let (models, look) = (&models, &look);
    thread::scope(|scope| {
        for first in 0..SIDE_BY_SIDE {
            scope.spawn(move || {
                let models: Vec<Model> =
                    models.iter().copied().skip(first).step_by(SIDE_BY_SIDE).collect();
                let program = Path::new(env!("CARGO_BIN_EXE_bench"));
                let matrix = matrix(&models, protocol, program, &|_| {}).unwrap();
                assert_eq!(matrix.columns.len(), models.len());
                for (&model, column) in models.iter().zip(&matrix.columns) {
                    assert_eq!(surprises(model, column), [""; 0], "{}", matrix.text());
                    let is_right = |cell: &Cell| look(model, cell);
                    assert!(column.cells.iter().all(is_right), "{}", matrix.text());
                }
            });
        }
    });
}

/// Whether it was tried, which on Linux everything must be.
pub fn is_tried(cell: &Cell) -> bool {
    !cfg!(target_os = "linux") || !matches!(cell.verdict, Verdict::NotTried { .. })
}

#[test]
fn every_cell_is_as_the_model_must_be() {
    tried(Model::ALL, Protocol::Lines, |model, cell| {
        if let Verdict::Kept { figure: Some(figure) } = &cell.verdict
            && cell.check.name == "many-connections"
        {
            let at_once: usize = figure.split(' ').next().unwrap().parse().unwrap();
            return match model.name() {
                // All that select(2) can watch but what the server needs for itself.
                "select-server" => (1000..1024).contains(&at_once),
                _ => at_once == model.serves_at_once.min(1100),
            };
        }
        is_tried(cell)
    });
}

#[test]
fn and_so_it_is_in_the_protocol_of_the_article() {
    tried(Model::ALL, Protocol::OneShot, |_, _| true);
}
