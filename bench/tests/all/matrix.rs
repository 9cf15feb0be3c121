//! The survival matrix, cell by cell.

use std::path::Path;

use bench::Model;
use bench::matrix::{matrix, surprises};
use client::check::{Matrix, Verdict};
use protocol::Protocol;

use crate::available::available;

/// Tries everything at every model; nothing may be otherwise than it must be.
fn tried(protocol: Protocol) -> (Vec<Model>, Matrix) {
    let models = available(Model::ALL);
    let program = Path::new(env!("CARGO_BIN_EXE_bench"));
    let matrix = matrix(&models, protocol, program, &|_| {}).unwrap();
    assert_eq!(matrix.columns.len(), models.len());
    for (&model, column) in models.iter().zip(&matrix.columns) {
        assert_eq!(surprises(model, column), [""; 0], "{}", matrix.text());
    }
    (models, matrix)
}

#[test]
fn every_cell_is_as_the_model_must_be() {
    let (models, matrix) = tried(Protocol::Lines);
    for (model, column) in models.iter().zip(&matrix.columns) {
        for cell in &column.cells {
            if cfg!(target_os = "linux") {
                let is_tried = !matches!(cell.verdict, Verdict::NotTried { .. });
                assert!(is_tried, "{}", matrix.text());
            }
            if let Verdict::Kept { figure: Some(figure) } = &cell.verdict
                && cell.check.name == "many-connections"
            {
                let at_once: usize = figure.split(' ').next().unwrap().parse().unwrap();
                let is_right = match model.name() {
                    // All that select(2) can watch but what the server needs for itself.
                    "select-server" => (1000..1024).contains(&at_once),
                    _ => at_once == model.serves_at_once.min(1100),
                };
                assert!(is_right, "{}", matrix.text());
            }
        }
    }
}

#[test]
fn and_so_it_is_in_the_protocol_of_the_article() {
    tried(Protocol::OneShot);
}
